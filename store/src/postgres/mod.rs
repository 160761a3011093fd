//! Rows, work and events in `PostgreSQL` 14 or later, shared with other daemons.
//!
//! Reads and claims take a connection from a pool; commits go through lanes (see [`lane`]) that gather what waits. Every
//! statement is prepared once per connection, and every wait is bounded: for a connection, for a lock, for a statement.

mod again;
mod failure;
mod gather;
mod group;
mod hints;
mod lane;
mod log;
mod migrate;
mod options;
mod plan;
mod queue;
mod read;
mod rows;
mod single;
mod sql;
mod tables;
mod tls;
mod transaction;
mod value;

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::{
    sync::{Mutex, broadcast, mpsc, oneshot},
    task::AbortHandle,
    time::Instant,
};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use self::{gather::Asked, hints::Hints, lane::Pending};
pub use self::{
    migrate::{all as migrations, migrate, pending as pending_migrations},
    options::{Options, check_dsn},
};
use crate::{
    Backend, Batch, BoxFuture, Chance, Claim, Code, Event, EventQuery, Fault, Filter, Health, Hint, Key,
    Position, Query, Row, Settlement, Table, Work, WorkCount, WorkQuery, check, task,
};

/// How long reads and claims are tried again while the database does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many readers share the rows that are asked for by their keys.
const READERS: usize = 2;

/// The backend on `PostgreSQL`. Its tasks and connections end when it is dropped.
pub struct Postgres {
    pool: Pool,
    lane_pool: Pool,
    lanes: Vec<mpsc::Sender<Pending>>,
    reads: mpsc::Sender<Asked>,
    hints: Hints,
    tasks: Vec<AbortHandle>,
}

impl Postgres {
    /// Connects to a database whose migrations are applied; `chance` names this daemon among those that send hints.
    ///
    /// # Errors
    /// [`Code::Invalid`] where the connection string or the authorities cannot be read, [`Code::Unavailable`] where nobody answers there.
    pub async fn connect(options: &Options, chance: &dyn Chance) -> Result<Self, Fault> {
        let config = options.config()?;
        let tls = tls::connector(options, &config)?;
        let pool = open_pool(&config, &tls, options, options.connections)?;
        let lane_pool = open_pool(&config, &tls, options, options.lanes)?;
        let mut name = [0; 16];
        chance.fill(&mut name);
        let hints = Hints::new(Uuid::from_bytes(name));
        drop(pool.get().await.map_err(|error| failure::pool_fault(&error))?);
        let mut lanes = Vec::new();
        for _ in 0..options.lanes.max(1) {
            let (sender, waiting) = mpsc::channel(options.waiting_commits.max(1));
            // Ends with its sender, after it has served what is waiting.
            task::spawn(lane::serve(lane_pool.clone(), waiting, hints.clone()));
            lanes.push(sender);
        }
        let (reads, asked) = mpsc::channel(gather::MAX_WAITING);
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..READERS {
            task::spawn(gather::serve(pool.clone(), asked.clone()));
        }
        let tasks = vec![
            task::spawn(hints.clone().notify(pool.clone())).abort_handle(),
            task::spawn(hints.clone().listen(config, tls)).abort_handle(),
        ];
        Ok(Self { pool, lane_pool, lanes, reads, hints, tasks })
    }

    /// A connection for a read or claim.
    async fn client(&self) -> Result<Client, Fault> {
        self.pool.get().await.map_err(|error| failure::pool_fault(&error))
    }

    fn lane(&self, batch: &Batch) -> Option<&mpsc::Sender<Pending>> {
        let mut hasher = DefaultHasher::new();
        group::account(batch).hash(&mut hasher);
        let place = hasher.finish() % self.lanes.len() as u64;
        self.lanes.get(usize::try_from(place).unwrap_or_default())
    }

    /// Hands a batch to its lane; the answer comes from there, whether anybody waits for it or not.
    fn submit(&self, mut batch: Batch) -> Result<oneshot::Receiver<Result<(), Fault>>, Fault> {
        check::batch(&mut batch)?;
        let (reply, answer) = oneshot::channel();
        let lane = self.lane(&batch).ok_or_else(|| Fault::internal("there is no lane"))?;
        let full = |_| overloaded("too many changes are waiting for the database");
        lane.try_send(Pending { batch, reply }).map_err(full)?;
        Ok(answer)
    }
}

/// Reads again where the connection failed it. A macro, because a closure that lends a connection to a future cannot say
/// so yet.
macro_rules! reading {
    ($self:ident, |$client:ident| $read:expr) => {
        Box::pin(again::while_unavailable(PATIENCE, move || async move {
            let client = $self.client().await?;
            let $client = &client;
            $read.await
        }))
    };
}

impl Backend for Postgres {
    fn get(&self, table: &'static Table, key: Key) -> BoxFuture<'_, Option<Row>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.reads.try_send(Asked { table, key, reply });
        let full = |_| overloaded("too many reads are waiting for the database");
        let sent = sent.map_err(full);
        Box::pin(async move {
            sent?;
            answer.await.map_err(|_| Fault::internal("a reader has stopped"))?
        })
    }

    fn list(&self, table: &'static Table, query: Query) -> BoxFuture<'_, Vec<Row>> {
        Box::pin(async move {
            let query = &query;
            let page: BoxFuture<'_, _> = reading!(self, |client| read::list(client, table, query));
            page.await
        })
    }

    fn count(
        &self,
        table: &'static Table,
        account: Option<Uuid>,
        filters: Vec<Filter>,
    ) -> BoxFuture<'_, u64> {
        Box::pin(async move {
            let filters = &filters;
            let count: BoxFuture<'_, _> =
                reading!(self, |client| read::count(client, table, account, filters));
            count.await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, ()> {
        let answer = self.submit(batch);
        Box::pin(async move { answer?.await.map_err(|_| Fault::internal("a lane has stopped"))? })
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Vec<Work>> {
        let (reply, answer) = oneshot::channel();
        let (pool, lanes) = (self.pool.clone(), self.lanes.clone());
        task::spawn(async move {
            let claimed = again::while_unavailable(PATIENCE, || async {
                let client = pool.get().await.map_err(|error| failure::pool_fault(&error))?;
                queue::claim(&client, &claim).await
            });
            if let Err(Ok(unwanted)) = reply.send(claimed.await) {
                release(&lanes, &unwanted);
            }
        });
        Box::pin(async move { answer.await.map_err(|_| Fault::internal("a claim has stopped"))? })
    }

    fn heartbeat(&self, holder: Uuid, held: Vec<(Key, i64)>, lease: Duration) -> BoxFuture<'_, Vec<Uuid>> {
        Box::pin(async move {
            let held = &held;
            let kept: BoxFuture<'_, _> =
                reading!(self, |client| queue::heartbeat(client, holder, held, lease));
            kept.await
        })
    }

    fn work(&self, query: WorkQuery) -> BoxFuture<'_, Vec<Work>> {
        Box::pin(async move {
            let query = &query;
            let page: BoxFuture<'_, _> = reading!(self, |client| queue::list(client, query));
            page.await
        })
    }

    fn work_count(&self, query: WorkQuery) -> BoxFuture<'_, WorkCount> {
        Box::pin(async move {
            let query = &query;
            let count: BoxFuture<'_, _> = reading!(self, |client| queue::count(client, query));
            count.await
        })
    }

    fn next_due(&self, duty: &'static str, after: DateTime<Utc>) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        reading!(self, |client| queue::next_due(client, duty, after))
    }

    fn events(&self, query: EventQuery) -> BoxFuture<'_, Vec<Event>> {
        Box::pin(async move {
            let query = &query;
            let page: BoxFuture<'_, _> = reading!(self, |client| log::list(client, query));
            page.await
        })
    }

    fn tail(&self) -> BoxFuture<'_, Position> {
        reading!(self, |client| log::tail(client))
    }

    fn forget_events(
        &self,
        account: Option<Uuid>,
        before: DateTime<Utc>,
        limit: usize,
    ) -> BoxFuture<'_, u64> {
        reading!(self, |client| log::forget(client, account, before, limit))
    }

    fn watch(&self) -> broadcast::Receiver<Hint> {
        self.hints.watch()
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            let asked = Instant::now();
            let client = self.client().await?;
            client.query_one("SELECT 1", &[]).await.map_err(|error| failure::fault(&error))?;
            drop(client);
            let connections = [self.pool.status(), self.lane_pool.status()]
                .iter()
                .fold((0, 0), |sum, pool| (sum.0 + pool.size - pool.available, sum.1 + pool.max_size));
            Ok(Health { backend: "postgres", latency: asked.elapsed(), connections })
        })
    }
}

fn overloaded(what: &'static str) -> Fault {
    Fault::new(Code::Overloaded, what).retry_after(Duration::from_secs(1))
}

/// Gives back what was claimed for somebody who went away.
fn release(lanes: &[mpsc::Sender<Pending>], unwanted: &[Work]) {
    let mut batch = Batch::new();
    for item in unwanted {
        batch.settle(item.settle(Settlement::Release));
    }
    if let (Some(lane), false) = (lanes.first(), batch.is_empty()) {
        let (reply, answer) = oneshot::channel();
        // A lane that is full lets the leases run out instead.
        let _ = lane.try_send(Pending { batch, reply });
        task::spawn(async move {
            let _ = answer.await;
        });
    }
}

fn open_pool(
    config: &Config,
    tls: &MakeRustlsConnect,
    options: &Options,
    size: usize,
) -> Result<Pool, Fault> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    Pool::builder(Manager::from_config(config.clone(), tls.clone(), recycling))
        .max_size(size.max(1))
        .wait_timeout(Some(options.wait_timeout))
        .create_timeout(Some(options.connect_timeout))
        .recycle_timeout(Some(options.connect_timeout))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(Fault::internal)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Postgres").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}
