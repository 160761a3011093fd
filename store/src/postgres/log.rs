//! The event log.

use chrono::{DateTime, Utc};
use deadpool_postgres::Client;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::{
    failure,
    read::rows,
    sql::{Condition, Place},
    value::{read, read_json},
};
use crate::{Event, EventQuery, Fault, Position};

/// What no open transaction can precede any more.
const SETTLED: &str = "transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

/// A page of the log.
pub async fn list(client: &Client, query: &EventQuery) -> Result<Vec<Event>, Fault> {
    let prefix = query.kind.as_deref().and_then(|kind| kind.strip_suffix('*'));
    let mut condition = Condition::default();
    condition.and(SETTLED);
    if let Some(account) = &query.account {
        condition.compare("account_id", "=", Place::Uuid(account));
    }
    if let Some(subject) = &query.subject {
        condition.compare("subject", "=", Place::Uuid(subject));
    }
    if let Some(service) = &query.service {
        condition.compare("service", "=", Place::Text(service));
    }
    match (prefix, &query.kind) {
        (Some(prefix), _) => condition.compare("kind", "^@", Place::Text(prefix)),
        (None, Some(kind)) => condition.compare("kind", "=", Place::Text(kind)),
        (None, None) => {}
    }
    if let Some(since) = &query.since {
        condition.compare("at", ">=", Place::Time(since));
    }
    if let Some(until) = &query.until {
        condition.compare("at", "<", Place::Time(until));
    }
    let (after, direction) = if query.newest_first { ("<", "DESC") } else { (">", "ASC") };
    if let Some(position) = &query.after {
        let transaction = condition.number(whole(position.transaction));
        let sequence = condition.number(whole(position.sequence));
        condition.and(&format!("(transaction_id, sequence) {after} ({transaction}, {sequence})"));
    }
    let limit = condition.number(query.limit);
    let text = format!(
        "SELECT transaction_id, sequence, account_id, service, kind, subject, actor, request_id, origin, data, at \
         FROM events{} ORDER BY transaction_id {direction}, sequence {direction} LIMIT {limit}",
        condition.text
    );
    rows(client, &text, condition.params()).await?.iter().map(event).collect()
}

/// The newest position that readers are shown.
pub async fn tail(client: &Client) -> Result<Position, Fault> {
    let text = format!(
        "SELECT transaction_id, sequence FROM events WHERE {SETTLED} \
         ORDER BY transaction_id DESC, sequence DESC LIMIT 1"
    );
    let rows = rows(client, &text, Vec::new()).await?;
    rows.first().map_or(Ok(Position::default()), position)
}

/// Forgets those of the `limit` oldest that are from before an instant.
pub async fn forget(
    client: &Client,
    account: Option<Uuid>,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<u64, Fault> {
    let mut condition = Condition::default();
    condition.and(SETTLED);
    if let Some(account) = &account {
        condition.compare("account_id", "=", Place::Uuid(account));
    }
    let limit = condition.number(limit);
    condition.places.push(Place::Time(&before));
    let text = format!(
        "DELETE FROM events USING (SELECT account_id, transaction_id, sequence, at FROM events{} \
         ORDER BY transaction_id, sequence LIMIT {limit}) AS oldest \
         WHERE events.account_id = oldest.account_id AND events.transaction_id = oldest.transaction_id \
         AND events.sequence = oldest.sequence AND oldest.at < ${}",
        condition.text,
        condition.places.len()
    );
    let run = async {
        let statement = client.prepare_cached(&text).await?;
        client.execute_raw(&statement, condition.params()).await
    };
    run.await.map_err(|error| failure::fault(&error))
}

fn position(row: &SqlRow) -> Result<Position, Fault> {
    let (transaction, sequence): (i64, i64) = (read(row, 0)?, read(row, 1)?);
    Ok(Position { transaction: transaction.unsigned_abs(), sequence: sequence.unsigned_abs() })
}

fn event(row: &SqlRow) -> Result<Event, Fault> {
    Ok(Event {
        position: position(row)?,
        account: read(row, 2)?,
        service: read(row, 3)?,
        kind: read(row, 4)?,
        subject: read(row, 5)?,
        actor: read(row, 6)?,
        request_id: read(row, 7)?,
        origin: read(row, 8)?,
        data: read_json(row, 9)?,
        at: read(row, 10)?,
    })
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
