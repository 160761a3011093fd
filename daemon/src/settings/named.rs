//! The settings that are not numbers: addresses, switches, secrets. The numbers stand in the actors' catalogue.

/// What a named setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words, an address, a path.
    Text,
    /// `true` or `false`.
    Switch,
    /// Never shown; may come from a file or a systemd credential, never from the configuration file itself.
    Secret,
}

/// One setting that is not a number.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name: the key in the configuration file and the name of the systemd credential.
    pub name: &'static str,
    /// The environment variable that sets it.
    pub environment: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The value without any other word.
    pub default: Option<&'static str>,
    /// What it is for.
    pub doc: &'static str,
}

impl Named {
    const fn new(name: &'static str, environment: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, environment, kind, default: None, doc }
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Whether the value is never shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// Where the API is served.
pub const LISTEN: Named = Named::new(
    "listen",
    "SERVICE_LAYER_LISTEN",
    Kind::Text,
    "Address and port on which the API is served; TLS ends in front of it.",
)
.or("127.0.0.1:8080");

/// The database, or none for memory.
pub const DATABASE_URL: Named = Named::new(
    "database_url",
    "DATABASE_URL",
    Kind::Secret,
    "The PostgreSQL database (14 or later); without one everything is kept in memory and lost at the end.",
);

/// Who may vouch for the database.
pub const DATABASE_CA_FILE: Named = Named::new(
    "database_ca_file",
    "DATABASE_CA_FILE",
    Kind::Text,
    "Certificate authorities in PEM form, one of which has to vouch for the database; sslmode=require in its URL without a file asks the system's.",
);

/// Whether the daemon brings the schema up to date when it starts.
pub const MIGRATE: Named = Named::new(
    "migrate",
    "SERVICE_LAYER_MIGRATE",
    Kind::Switch,
    "Whether the schema is brought up to date at start, under a lock.",
)
.or("true");

/// How much is logged.
pub const LOG_LEVEL: Named = Named::new(
    "log_level",
    "SERVICE_LAYER_LOG_LEVEL",
    Kind::Text,
    "How much is logged: error, warn, info, debug, trace, or per target like info,sl_store=debug.",
)
.or("info");

/// The operators' tokens.
pub const API_TOKENS: Named = Named::new(
    "api_tokens",
    "API_TOKENS",
    Kind::Secret,
    "The operators' tokens, separated by commas, each with an optional name in front: alice:TOKEN,TOKEN.",
);

/// The key that seals secrets at rest.
pub const SECRET_ENCRYPTION_KEY: Named = Named::new(
    "secret_encryption_key",
    "SECRET_ENCRYPTION_KEY",
    Kind::Secret,
    "32 bytes, raw, base64 or hex, that seal secrets at rest; a list new,old rotates. Required with PostgreSQL.",
);

/// The key that signs executions and randomness.
pub const RANDOM_SIGNING_KEY: Named = Named::new(
    "random_signing_key",
    "RANDOM_SIGNING_KEY",
    Kind::Secret,
    "32 bytes, base64 or hex: the Ed25519 seed that signs executions and random values. Without one executions are not signed and no random values made.",
);

/// Where prices come from.
pub const PRICEFEED_FETCH_URL: Named = Named::new(
    "pricefeed_fetch_url",
    "PRICEFEED_FETCH_URL",
    Kind::Text,
    "Answers GET ?base=&quote= with {price, source}; feeds without sources of their own ask it.",
);

/// What opens it.
pub const PRICEFEED_FETCH_KEY: Named = Named::new(
    "pricefeed_fetch_key",
    "PRICEFEED_FETCH_KEY",
    Kind::Secret,
    "The bearer key that the price service asks for, where it asks for one.",
);

/// Who settles withdrawals.
pub const GASBANK_RESOLVER_URL: Named = Named::new(
    "gasbank_resolver_url",
    "GASBANK_RESOLVER_URL",
    Kind::Text,
    "Answers GET ?transaction_id= with {done, success, message, retry_after_seconds}; without one operators settle by hand.",
);

/// What opens it.
pub const GASBANK_RESOLVER_KEY: Named = Named::new(
    "gasbank_resolver_key",
    "GASBANK_RESOLVER_KEY",
    Kind::Secret,
    "The bearer key that the resolver asks for, where it asks for one.",
);

/// The Neo node.
pub const NEO_RPC_URL: Named = Named::new(
    "neo_rpc_url",
    "NEO_RPC_URL",
    Kind::Text,
    "The JSON-RPC address of a Neo N3 node with application logs; its blocks and notifications become events. Without one the chain is not read.",
);

/// Private hosts that tenants may reach.
pub const EGRESS_ALLOW: Named = Named::new(
    "egress_allow",
    "SERVICE_LAYER_EGRESS_ALLOW",
    Kind::Text,
    "Hosts, host:port or address ranges, separated by commas, that tenants may reach although they are private.",
)
.or("");

/// The program that runs tenant code.
pub const JS_HOST: Named = Named::new(
    "js_host",
    "SERVICE_LAYER_JS_HOST",
    Kind::Text,
    "The program that runs tenant code; by default the sl-js-host beside this program.",
);

/// All of them.
pub const ALL: [&Named; 15] = [
    &LISTEN,
    &DATABASE_URL,
    &DATABASE_CA_FILE,
    &MIGRATE,
    &LOG_LEVEL,
    &API_TOKENS,
    &SECRET_ENCRYPTION_KEY,
    &RANDOM_SIGNING_KEY,
    &PRICEFEED_FETCH_URL,
    &PRICEFEED_FETCH_KEY,
    &GASBANK_RESOLVER_URL,
    &GASBANK_RESOLVER_KEY,
    &NEO_RPC_URL,
    &EGRESS_ALLOW,
    &JS_HOST,
];

/// The services outside: the address of each, and what opens it.
pub const PEERS: [(&Named, Option<&Named>); 3] = [
    (&PRICEFEED_FETCH_URL, Some(&PRICEFEED_FETCH_KEY)),
    (&GASBANK_RESOLVER_URL, Some(&GASBANK_RESOLVER_KEY)),
    (&NEO_RPC_URL, None),
];
