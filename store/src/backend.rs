//! What a backend can do.

use std::{future::Future, pin::Pin, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::{
    Batch, Claim, Event, EventQuery, Fault, Filter, Key, Position, Query, Row, Table, Work, WorkCount,
    WorkQuery,
};

/// The future of a backend's answer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Something may have changed. A hint only: readers poll as well, so one that is lost costs time and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Work of this duty that is due within [`SOON`] was added, released or made due.
    Work(String),
    /// Items of this account were withdrawn: whoever performs some of it looks whether it still holds them.
    Withdrawn(Uuid),
    /// Events were appended.
    Events,
    /// Rows of this table changed (pauses, tokens, accounts: what daemons keep copies of).
    Rows(String),
}

/// Of what comes due later than this no hint tells: whoever performs work looks at the queue more often.
pub const SOON: TimeDelta = TimeDelta::minutes(1);

/// How the backend is.
#[derive(Clone, Debug)]
pub struct Health {
    /// `memory` or `postgres`.
    pub backend: &'static str,
    /// How long the probe took.
    pub latency: Duration,
    /// Connections in use and in all; both 0 in memory.
    pub connections: (usize, usize),
}

/// A place where rows, work and events are kept. Exactly two implementations; one conformance suite proves both.
///
/// Every method fails with [`crate::Code::Unavailable`] where the backend does not answer in time, and with
/// [`crate::Code::Internal`] on a defect.
pub trait Backend: Send + Sync + 'static {
    /// One row, or none.
    fn get(&self, table: &'static Table, key: Key) -> BoxFuture<'_, Option<Row>>;

    /// A page of rows.
    fn list(&self, table: &'static Table, query: Query) -> BoxFuture<'_, Vec<Row>>;

    /// How many rows match; `account` `None` counts over all.
    fn count(&self, table: &'static Table, account: Option<Uuid>, filters: Vec<Filter>)
    -> BoxFuture<'_, u64>;

    /// Applies a batch whole or not at all.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, ()>;

    /// Takes due items under a lease: walks the accounts in the order of their ids, beginning after
    /// `after_account` and once round, and takes up to `per_account` of each until `limit` is reached. Within an account
    /// by priority, then due time, then id.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Vec<Work>>;

    /// Prolongs leases, each named by its key and fence; answers the ids that are still held.
    fn heartbeat(&self, holder: Uuid, held: Vec<(Key, i64)>, lease: Duration) -> BoxFuture<'_, Vec<Uuid>>;

    /// A page of the queue.
    fn work(&self, query: WorkQuery) -> BoxFuture<'_, Vec<Work>>;

    /// How much of the queue matches (page fields are ignored).
    fn work_count(&self, query: WorkQuery) -> BoxFuture<'_, WorkCount>;

    /// When, after this instant, an item of the duty comes due that nobody holds, or a lease runs out. What was due by then
    /// is where claims look.
    fn next_due(&self, duty: &'static str, after: DateTime<Utc>) -> BoxFuture<'_, Option<DateTime<Utc>>>;

    /// A page of the event log.
    fn events(&self, query: EventQuery) -> BoxFuture<'_, Vec<Event>>;

    /// The newest position that readers are shown.
    fn tail(&self) -> BoxFuture<'_, Position>;

    /// Forgets those of the `limit` oldest events (of one account, where one is named) that are from before an instant;
    /// answers how many went.
    fn forget_events(&self, account: Option<Uuid>, before: DateTime<Utc>, limit: usize)
    -> BoxFuture<'_, u64>;

    /// Hints from now on.
    fn watch(&self) -> broadcast::Receiver<Hint>;

    /// A round trip through the backend.
    fn health(&self) -> BoxFuture<'_, Health>;
}
