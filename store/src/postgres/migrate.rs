//! Migrations: embedded, under a lock, on a connection of their own.

use tokio_postgres::Client;

use super::{Options, failure, tls};
use crate::{Code, Fault, task};

mod embedded {
    #![allow(missing_docs, clippy::pedantic, reason = "generated")]
    refinery::embed_migrations!("../migrations");
}

/// The advisory lock of everybody who migrates this schema: `slayer` in ASCII.
const LOCK: i64 = 0x736c_6179_6572;

/// Applies what is missing, one daemon at a time; answers the names of what was applied.
///
/// # Errors
/// [`Code::InvalidState`] where an applied migration is not the one this build holds; [`Code::Unavailable`] where the
/// database does not answer.
pub async fn migrate(options: &Options) -> Result<Vec<String>, Fault> {
    let mut client = connect(options).await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.map_err(|error| failure::fault(&error))?;
    // The lock is the session's: it goes with the connection, however this ends.
    let report = runner().run_async(&mut client).await.map_err(|error| refusal(&error))?;
    Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
}

/// Changes nothing; answers the names of what is missing.
///
/// # Errors
/// As [`migrate`].
pub async fn pending(options: &Options) -> Result<Vec<String>, Fault> {
    let mut client = connect(options).await?;
    let exists = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
    let row = client.query_one(exists, &[]).await.map_err(|error| failure::fault(&error))?;
    let applied = if row.get(0) {
        let applied = runner().get_applied_migrations_async(&mut client).await;
        applied.map_err(|error| refusal(&error))?
    } else {
        Vec::new()
    };
    let runner = runner();
    for found in &applied {
        let ours = runner.get_migrations().iter().find(|ours| ours.version() == found.version());
        if ours.is_none_or(|ours| ours.checksum() != found.checksum() || ours.name() != found.name()) {
            return Err(divergent(&found.to_string()));
        }
    }
    let missing = runner.get_migrations().iter().filter(|ours| !applied.contains(ours));
    Ok(missing.map(ToString::to_string).collect())
}

/// All migrations of this build, by name and text, in order.
#[must_use]
pub fn all() -> Vec<(String, String)> {
    let runner = runner();
    let mut all: Vec<_> = runner.get_migrations().iter().collect();
    all.sort_by_key(|migration| migration.version());
    all.into_iter()
        .map(|migration| (migration.to_string(), migration.sql().unwrap_or_default().to_owned()))
        .collect()
}

fn runner() -> refinery::Runner {
    embedded::migrations::runner().set_abort_divergent(true).set_abort_missing(true)
}

async fn connect(options: &Options) -> Result<Client, Fault> {
    let unbounded = Options {
        statement_timeout: std::time::Duration::ZERO,
        lock_timeout: std::time::Duration::ZERO,
        ..options.clone()
    };
    let mut config = unbounded.config()?;
    config.tcp_user_timeout(options.statement_timeout);
    let tls = tls::connector(options, &config)?;
    let (client, connection) = config.connect(tls).await.map_err(|error| failure::start_fault(&error))?;
    // Ends when the client is dropped.
    task::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

fn refusal(error: &refinery::Error) -> Fault {
    match error.kind() {
        refinery::error::Kind::DivergentVersion(applied, _)
        | refinery::error::Kind::MissingVersion(applied) => divergent(&applied.to_string()),
        _ => Fault::new(Code::InvalidState, "the migrations could not be applied").because(error),
    }
}

fn divergent(applied: &str) -> Fault {
    Fault::new(
        Code::InvalidState,
        format!(
            "the database has migration {applied}, which this build does not hold in the same form: run the build \
             that applied it or a later one, or point to another database"
        ),
    )
}
