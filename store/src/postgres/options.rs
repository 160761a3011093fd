//! How the backend reaches its database, and what it bounds.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Config, config::Host};

use super::tls;
use crate::{Code, Fault};

/// Where the database is and how long things may take.
#[derive(Clone)]
pub struct Options {
    /// The connection string: `postgres://user:password@host:port/database` or `host=... dbname=...`.
    /// With `sslmode=require` the connection is encrypted and the server has to prove that it is that host.
    pub dsn: SecretString,
    /// A file of certificate authorities in PEM form that may vouch for the server, instead of the system's; with one the
    /// connection is encrypted unless the connection string says `sslmode=disable`.
    pub authorities: Option<PathBuf>,
    /// Connections for reads and claims.
    pub connections: usize,
    /// Connections for commits; each gathers what waits and commits it at once. One account always uses the same one.
    pub lanes: usize,
    /// How long a read or claim waits for a free connection before it is refused.
    pub wait_timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the server works on one statement.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// How long the server keeps a transaction in which nothing happens.
    pub idle_in_transaction_timeout: Duration,
    /// How many batches may wait for a lane before more are refused.
    pub waiting_commits: usize,
}

impl Options {
    /// The usual bounds for this connection string.
    #[must_use]
    pub fn new(dsn: impl Into<String>) -> Self {
        Self {
            dsn: SecretString::from(dsn.into()),
            authorities: None,
            connections: 10,
            lanes: 3,
            wait_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(10),
            waiting_commits: 10_000,
        }
    }

    /// The driver's form of the connection string, with every bound that the server keeps.
    pub(super) fn config(&self) -> Result<Config, Fault> {
        let mut config = read(&self.dsn)?;
        config.ssl_mode(tls::mode(config.get_ssl_mode(), self.authorities.is_some()));
        let mut settings = config.get_options().map(str::to_owned).unwrap_or_default();
        for (name, bound) in [
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction_timeout),
        ] {
            let _ = write!(settings, " -c {name}={}", bound.as_millis());
        }
        settings.push_str(PLANNING);
        config.options(settings).connect_timeout(self.connect_timeout);
        config.tcp_user_timeout(self.statement_timeout).keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("service-layer");
        }
        Ok(config)
    }
}

/// Refuses a connection string that cannot be read, without connecting.
///
/// # Errors
/// [`Code::Invalid`] saying which part is wrong; what stands there is not repeated.
pub fn check_dsn(dsn: &SecretString) -> Result<(), Fault> {
    read(dsn).map(drop)
}

fn read(dsn: &SecretString) -> Result<Config, Fault> {
    let text = dsn.expose_secret();
    let refused = |why: &str| {
        Fault::new(Code::Invalid, format!("the database's connection string cannot be read: {why}"))
    };
    if text.contains("://") && !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
    {
        return Err(refused("it begins with another scheme than postgres:// or postgresql://"));
    }
    text.parse::<Config>().map_err(|error| refused(&unread(text, &error)))
}

/// Which part the driver could not read. Of its words only those are taken that repeat nothing of the text, as a slip in
/// a password can make any of it look like an option.
fn unread(text: &str, error: &tokio_postgres::Error) -> String {
    let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let named = |prefix: &str| why.strip_prefix(prefix).map(|name| name.trim_matches('`'));
    match (named("invalid value for option "), named("unknown option ")) {
        (Some("sslmode"), _) if text.contains("verify-") => {
            "`sslmode` is disable, prefer or require; require proves the host, as verify-full does elsewhere"
                .to_owned()
        }
        (Some("sslmode"), _) => "`sslmode` is disable, prefer or require".to_owned(),
        (Some(option), _) => format!("the value of `{option}` is none that it can have"),
        (_, Some(option)) if FOREIGN.contains(&option) => {
            format!("`{option}` is an option of other clients and not known here")
        }
        (_, Some(_)) => "it has an option that is not known".to_owned(),
        _ if why.contains("EOF") || why.contains("unterminated") => "it ends too early".to_owned(),
        _ => "it has neither the form postgres://user:password@host:port/database nor host=... dbname=..."
            .to_owned(),
    }
}

/// Options of libpq that the driver does not know.
const FOREIGN: [&str; 12] = [
    "gssencmode",
    "krbsrvname",
    "passfile",
    "requirepeer",
    "requiressl",
    "service",
    "sslcert",
    "sslcompression",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "sslrootcert",
];

/// Every statement here goes by an index and is planned once per connection; a plan made while a table was empty must
/// not be a scan when it is full.
const PLANNING: &str = " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
                        -c enable_mergejoin=off -c jit=off -c timezone=UTC";

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = self.config().map_or_else(
            |_| Vec::new(),
            |config| {
                let host = |host: &Host| match host {
                    Host::Tcp(name) => name.clone(),
                    Host::Unix(path) => path.display().to_string(),
                };
                config.get_hosts().iter().map(host).collect()
            },
        );
        let connections = (self.connections, self.lanes);
        formatter
            .debug_struct("Options")
            .field("hosts", &hosts)
            .field("connections", &connections)
            .finish_non_exhaustive()
    }
}
