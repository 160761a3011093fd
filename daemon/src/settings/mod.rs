//! Settings in layers: defaults, then the configuration file, then the environment, then flags. The later speaks.
//!
//! Numbers are declared beside the code that obeys them, in the actors' catalogue; what is not a number is declared in
//! [`named`]. Every problem of a configuration is told at once, each with its place.

pub mod bounds;
pub mod environment;
pub mod file;
pub mod layers;
pub mod named;
pub mod render;
mod tokens;

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sl_actors::{
    Fault, KeyRing,
    egress::{AllowList, Url},
    peers::{Peer, Peers},
    sandbox::HostProgram,
    settings::{Setting, Settings},
    signing::Signer,
};
use sl_store::postgres;

pub use self::{environment::Environment, layers::Layers, tokens::OperatorToken};
use crate::refusal::Refusal;

/// Every number there is to set, by name: the runtime's, the front end's, the daemon's own.
#[must_use]
pub fn catalogue() -> Vec<&'static Setting> {
    let mut all = sl_actors::settings::catalogue();
    all.extend(sl_http::settings::SETTINGS.iter().chain(bounds::SETTINGS).copied());
    all.sort_by_key(|setting| setting.name);
    all
}

/// How the daemon was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For others: refuses to start on anything that would be unsafe.
    Serve,
    /// For the one who tries it: in memory, and with a token made on the spot where none is given.
    Dev,
}

/// What a migration needs: the database, and how much is logged of it.
#[derive(Debug)]
pub struct Schema {
    /// The database.
    pub database: postgres::Options,
    /// How much is logged.
    pub log_level: String,
}

impl Schema {
    /// Decides between the layers, and asks for no setting that only a daemon needs.
    ///
    /// # Errors
    /// Every problem there is, as one [`Refusal`].
    pub fn resolve(layers: &Layers) -> Result<Self, Refusal> {
        let mut problems = layers.unknown();
        let limits = layers.numbers(&mut problems);
        let mut text = |setting| layers.named(setting, &mut problems).0;
        let (dsn, log_level) = (text(&named::DATABASE_URL), text(&named::LOG_LEVEL).unwrap_or_default());
        let authorities = text(&named::DATABASE_CA_FILE).map(PathBuf::from);
        let mut checked = Checked { problems };
        let log_level = checked.log_level(log_level);
        let Some(dsn) = dsn.map(SecretString::from) else {
            checked
                .problems
                .push("there is no database to migrate; set DATABASE_URL or give --dsn".to_owned());
            return Err(Refusal::configuration(checked.problems.join("\n")));
        };
        checked.dsn(&dsn);
        let options = bounds::store_options(dsn.expose_secret(), &limits);
        let schema = Self { database: postgres::Options { authorities, ..options }, log_level };
        checked.into_result(schema)
    }
}

/// What is in force, ready to be started.
#[derive(Debug)]
pub struct Config {
    /// How the daemon was called.
    pub mode: Mode,
    /// Where the API is served: host and port.
    pub listen: String,
    /// The database, or none for memory.
    pub database_url: Option<SecretString>,
    /// Certificate authorities that may vouch for the database, instead of the system's.
    pub database_ca_file: Option<PathBuf>,
    /// Whether the schema is brought up to date at start.
    pub migrate: bool,
    /// How much is logged.
    pub log_level: String,
    /// The operators' tokens.
    pub tokens: Vec<OperatorToken>,
    /// The root keys; none where everything stays in memory and no key is given.
    pub keys: Option<KeyRing>,
    /// What signs executions, where there is a key.
    pub signer: Option<Signer>,
    /// The services outside that the operator named.
    pub peers: Peers,
    /// Private hosts that tenants may reach.
    pub egress_allow: AllowList,
    /// The program that runs tenant code.
    pub js_host: HostProgram,
    /// The numbers.
    pub limits: Settings,
    /// What looks like a slip and is none that stops the start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Decides between the layers.
    ///
    /// # Errors
    /// Every problem there is, as one [`Refusal`].
    pub fn resolve(layers: &Layers, mode: Mode) -> Result<Self, Refusal> {
        let mut problems = layers.unknown();
        let limits = layers.numbers(&mut problems);
        let mut text = |setting| layers.named(setting, &mut problems).0;
        let listen = text(&named::LISTEN);
        let database_url = text(&named::DATABASE_URL).filter(|_| mode == Mode::Serve);
        let database_ca_file = text(&named::DATABASE_CA_FILE).map(PathBuf::from);
        let migrate = text(&named::MIGRATE);
        let log_level = text(&named::LOG_LEVEL).unwrap_or_default();
        let tokens = text(&named::API_TOKENS);
        let keys = text(&named::SECRET_ENCRYPTION_KEY);
        let signing_key = text(&named::RANDOM_SIGNING_KEY);
        let peers = named::PEERS.map(|(url, key)| (text(url), key.and_then(&mut text)));
        let egress_allow = text(&named::EGRESS_ALLOW).unwrap_or_default();
        let js_host = text(&named::JS_HOST);
        let durable = database_url.is_some();
        let mut checked = Checked { problems };
        let config = Self {
            mode,
            listen: checked.listen(listen),
            migrate: checked.switch(named::MIGRATE.name, migrate),
            tokens: checked.tokens(tokens, mode),
            keys: checked.keys(keys, durable),
            log_level: checked.log_level(log_level),
            database_url: checked.database_url(database_url),
            database_ca_file,
            signer: checked.signer(signing_key, durable),
            peers: checked.peers(peers),
            egress_allow: checked.egress_allow(&egress_allow),
            js_host: checked.js_host(js_host, &limits)?,
            limits,
            warnings: layers.unknown_variables(),
        };
        checked.problems = checked.problems.into_iter().map(|problem| layers.placed(problem)).collect();
        checked.into_result(config.warned())
    }
}

impl Config {
    /// Adds what is allowed and should not last.
    fn warned(mut self) -> Self {
        if self.signer.as_ref().is_some_and(Signer::is_placeholder) {
            self.warnings.push(format!("{}: {PLACEHOLDER}", named::RANDOM_SIGNING_KEY.environment));
        }
        self
    }
}

/// What is wrong with a signing key that anybody can guess.
const PLACEHOLDER: &str =
    "the signing key is a placeholder: its bytes are all alike, and anybody can sign with it";

/// Gathers problems while values are read, so that all are told at once.
struct Checked {
    problems: Vec<String>,
}

impl Checked {
    fn listen(&mut self, text: Option<String>) -> String {
        let text = text.unwrap_or_default();
        let port = text
            .rsplit_once(':')
            .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok())?);
        if port.is_none() {
            self.problems.push(format!(
                "listen: {text:?} is not an address and port like 127.0.0.1:8080 or [::]:8080"
            ));
        }
        text
    }

    fn switch(&mut self, name: &str, text: Option<String>) -> bool {
        let text = text.unwrap_or_default();
        text.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name}: {text:?} is neither true nor false"));
            false
        })
    }

    fn log_level(&mut self, text: String) -> String {
        if let Err(error) = crate::telemetry::filter(&text) {
            self.problems.push(format!("log_level: {error}"));
        }
        text
    }

    /// Whether a secret could not be read, so that nothing is known of it.
    fn is_told(&self, secret: &named::Named) -> bool {
        self.problems.iter().any(|problem| problem.starts_with(secret.environment))
    }

    fn database_url(&mut self, text: Option<String>) -> Option<SecretString> {
        let dsn = text.map(SecretString::from)?;
        self.dsn(&dsn);
        Some(dsn)
    }

    fn dsn(&mut self, dsn: &SecretString) {
        if let Err(fault) = postgres::check_dsn(dsn) {
            self.problems.push(format!("database_url: {}", fault.detail));
        }
    }

    fn tokens(&mut self, text: Option<String>, mode: Mode) -> Vec<OperatorToken> {
        match tokens::parse(&text.unwrap_or_default()) {
            Ok(tokens) if tokens.is_empty() && mode == Mode::Serve && !self.is_told(&named::API_TOKENS) => {
                self.problems.push(
                    "api_tokens: there is no operator token, so nobody could be let in; set API_TOKENS to one or more \
                     long random words (openssl rand -hex 24), or API_TOKENS_FILE to a file with them"
                        .to_owned(),
                );
                Vec::new()
            }
            Ok(tokens) => {
                let weak = tokens.iter().filter(|_| mode == Mode::Serve).filter_map(OperatorToken::weakness);
                self.problems.extend(weak.map(|weakness| {
                    format!("api_tokens: {weakness}; give it long random words (openssl rand -hex 24)")
                }));
                tokens
            }
            Err(problem) => {
                self.problems.push(format!("api_tokens: {problem}"));
                Vec::new()
            }
        }
    }

    fn keys(&mut self, text: Option<String>, durable: bool) -> Option<KeyRing> {
        let Some(text) = text.map(SecretString::from) else {
            if durable && !self.is_told(&named::SECRET_ENCRYPTION_KEY) {
                self.problems.push(
                    "secret_encryption_key: PostgreSQL keeps secrets beyond this process, so a key has to seal them; set \
                     SECRET_ENCRYPTION_KEY to 32 random bytes in base64 or hex (openssl rand -base64 32) and keep it safe"
                        .to_owned(),
                );
            }
            return None;
        };
        match KeyRing::parse(named::SECRET_ENCRYPTION_KEY.environment, text.expose_secret()) {
            Ok(keys) => Some(keys),
            Err(fault) => {
                self.problems.push(fault.detail);
                None
            }
        }
    }

    fn signer(&mut self, text: Option<String>, durable: bool) -> Option<Signer> {
        let text = SecretString::from(text?);
        let signer = Signer::parse(text.expose_secret());
        let name = named::RANDOM_SIGNING_KEY.environment;
        let signer = signer.map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()?;
        if durable && signer.is_placeholder() {
            self.problems
                .push(format!("{name}: {PLACEHOLDER}; give 32 random bytes (openssl rand -base64 32)"));
        }
        Some(signer)
    }

    fn peers(&mut self, told: [(Option<String>, Option<String>); 3]) -> Peers {
        let [price_fetch, gas_resolver, neo_rpc] = told;
        let mut peer = |(url, key): (Option<String>, Option<String>), setting: &named::Named| {
            let url = url.filter(|url| !url.is_empty())?;
            let fits = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !fits {
                self.problems.push(format!("{}: {url:?} is not an http or https URL", setting.environment));
            }
            Some(Peer { url, key: key.map(SecretString::from) })
        };
        let [(price_url, _), (gas_url, _), (neo_url, _)] = named::PEERS;
        Peers {
            price_fetch: peer(price_fetch, price_url),
            gas_resolver: peer(gas_resolver, gas_url),
            neo_rpc: peer(neo_rpc, neo_url),
        }
    }

    fn egress_allow(&mut self, text: &str) -> AllowList {
        text.parse().unwrap_or_else(|fault: Fault| {
            self.problems.push(format!("{}: {}", named::EGRESS_ALLOW.name, fault.detail));
            AllowList::default()
        })
    }

    fn js_host(&mut self, path: Option<String>, limits: &Settings) -> Result<HostProgram, Refusal> {
        let beside = HostProgram::beside_this_one().map_err(|fault| Refusal::system(fault.to_string()))?;
        let path = path.map_or(beside.path, PathBuf::from);
        if !path.is_file() {
            let (path, name) = (path.display(), named::JS_HOST.environment);
            self.problems
                .push(format!("js_host: there is no program {path}; set {name} to where sl-js-host lies"));
        }
        Ok(HostProgram { path, arguments: bounds::host_arguments(limits) })
    }

    fn into_result<T>(self, read: T) -> Result<T, Refusal> {
        if self.problems.is_empty() {
            Ok(read)
        } else {
            Err(Refusal::configuration(self.problems.join("\n")))
        }
    }
}
