//! A plain session, for what a test does besides the backend.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, Row, types::ToSql};

use crate::task;

/// A session that runs a test's own statements.
#[derive(Debug)]
pub struct Admin {
    client: Client,
    _connection: JoinHandle<()>,
}

impl Admin {
    /// Connects; the session ends when it is dropped.
    pub async fn connect(dsn: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(dsn, NoTls)
            .await
            .unwrap_or_else(|error| panic!("no connection to {dsn}: {error:?}"));
        let connection = task::spawn(async move {
            let _ = connection.await;
        });
        Self { client, _connection: connection }
    }

    /// Runs statements.
    #[allow(clippy::disallowed_methods, reason = "DDL of tests, on a session of its own")]
    pub async fn run(&self, text: &str) {
        self.client.batch_execute(text).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }

    /// Runs a query.
    pub async fn query(&self, text: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        self.client.query(text, params).await.unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    /// The one number that a query answers.
    pub async fn number(&self, text: &str) -> i64 {
        self.query(text, &[]).await[0].get(0)
    }
}
