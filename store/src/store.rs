//! The face of the storage engine that everything else uses.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::{
    Backend, Batch, Cells, Claim, Entity, Event, EventQuery, Fault, Filter, Health, Hint, Key, Position,
    Query, Row, Table, Work, WorkCount, WorkQuery,
};

/// A store on one backend; cheap to clone. Every method answers [`crate::Code::Unavailable`] while the backend does not.
#[derive(Clone)]
pub struct Store(Arc<dyn Backend>);

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A store on this backend.
    pub fn new(backend: impl Backend) -> Self {
        Self(Arc::new(backend))
    }

    /// The row, or [`crate::Code::NotFound`] naming the table's noun.
    pub async fn get<E: Entity>(&self, key: Key) -> Result<E, Fault> {
        self.find(key).await?.ok_or_else(|| Fault::not_found(E::TABLE.noun))
    }

    /// The row, or none.
    pub async fn find<E: Entity>(&self, key: Key) -> Result<Option<E>, Fault> {
        let row = self.0.get(E::TABLE, key).await?;
        row.map(|row| E::decode(row.head, Cells::new(E::TABLE, row.cells))).transpose()
    }

    /// A page of rows.
    pub async fn list<E: Entity>(&self, query: Query) -> Result<Vec<E>, Fault> {
        let rows = self.0.list(E::TABLE, query).await?;
        rows.into_iter().map(|row| E::decode(row.head, Cells::new(E::TABLE, row.cells))).collect()
    }

    /// The first row of a query, or none.
    pub async fn first<E: Entity>(&self, query: Query) -> Result<Option<E>, Fault> {
        Ok(self.list(query.limit(1)).await?.pop())
    }

    /// How many rows of the account match.
    pub async fn count<E: Entity>(&self, account: Option<Uuid>, filters: Vec<Filter>) -> Result<u64, Fault> {
        self.0.count(E::TABLE, account, filters).await
    }

    /// A row of a table that is known by its description only, or none.
    pub async fn find_row(&self, table: &'static Table, key: Key) -> Result<Option<Row>, Fault> {
        self.0.get(table, key).await
    }

    /// A page of rows of a table that is known by its description only.
    pub async fn list_rows(&self, table: &'static Table, query: Query) -> Result<Vec<Row>, Fault> {
        self.0.list(table, query).await
    }

    /// How many rows of a table that is known by its description only match.
    pub async fn count_rows(
        &self,
        table: &'static Table,
        account: Option<Uuid>,
        filters: Vec<Filter>,
    ) -> Result<u64, Fault> {
        self.0.count(table, account, filters).await
    }

    /// Applies a batch whole or not at all; an empty one is no round trip.
    pub async fn commit(&self, batch: Batch) -> Result<(), Fault> {
        if batch.is_empty() { Ok(()) } else { self.0.commit(batch).await }
    }

    /// Takes due items under a lease.
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Work>, Fault> {
        self.0.claim(claim).await
    }

    /// Prolongs leases, each named by its key and fence; answers the ids still held.
    pub async fn heartbeat(
        &self,
        holder: Uuid,
        held: Vec<(Key, i64)>,
        lease: Duration,
    ) -> Result<Vec<Uuid>, Fault> {
        self.0.heartbeat(holder, held, lease).await
    }

    /// A page of the queue.
    pub async fn work(&self, query: WorkQuery) -> Result<Vec<Work>, Fault> {
        self.0.work(query).await
    }

    /// How much of the queue matches.
    pub async fn work_count(&self, query: WorkQuery) -> Result<WorkCount, Fault> {
        self.0.work_count(query).await
    }

    /// When the duty has something to do after this instant.
    pub async fn next_due(
        &self,
        duty: &'static str,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        self.0.next_due(duty, after).await
    }

    /// A page of the event log.
    pub async fn events(&self, query: EventQuery) -> Result<Vec<Event>, Fault> {
        self.0.events(query).await
    }

    /// The newest position readers are shown.
    pub async fn tail(&self) -> Result<Position, Fault> {
        self.0.tail().await
    }

    /// Forgets those of the `limit` oldest events that are from before an instant.
    pub async fn forget_events(
        &self,
        account: Option<Uuid>,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<u64, Fault> {
        self.0.forget_events(account, before, limit).await
    }

    /// Hints from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Hint> {
        self.0.watch()
    }

    /// A round trip through the backend.
    pub async fn health(&self) -> Result<Health, Fault> {
        self.0.health().await
    }
}
