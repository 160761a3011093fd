//! What an item of the work queue costs, through the whole of a duty: no-op items per second beside the plainest claim
//! there is, how soon after it was added or came due an item starts, what hints cost those who write, and four daemons on
//! one database beside one.
//!
//! `cargo bench -p sl-actors --bench queue -- [throughput|latency|due|writers|daemons ...] [items (20000)] [rounds (5)]`.

#![allow(
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measuring program prints, spawns, and stops where something fails"
)]

mod ground;

use std::{
    collections::HashSet,
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use ground::{Must, figure, quantile, row};
use sl_actors::{
    Core, Runtime, Store,
    duty::{Attempt, Duty, Outcome},
    settings::Setting,
};
use sl_store::{
    Batch, Clock as _, Ids, Lease, NewWork, OsChance, SystemClock, WorkQuery, testing::postgres::Server,
};
use tokio::sync::Notify;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// So many accounts share the items.
const ACCOUNTS: usize = 64;
/// So many items are added in one batch.
const BATCH: usize = 500;
/// So many items one daemon performs at once.
const WORKERS: Setting =
    Setting::count("bench.workers", 256, 1, 1_024, "How many no-op items are performed at once.");
const DUTY: &str = "bench";

#[tokio::main(flavor = "local")]
async fn main() {
    ground::as_the_daemon();
    let mut numbers = ground::numbers();
    let (items, rounds) = (numbers.next().unwrap_or(20_000), numbers.next().unwrap_or(5));
    let server = Server::durable();
    let dsn = ground::database(&server, "queue").await;
    let ids = Ids::new(Arc::new(SystemClock), Arc::new(OsChance));
    let bench = Bench { accounts: (0..ACCOUNTS).map(|_| ids.next()).collect(), ids, items, rounds };
    if ground::wants("throughput") {
        bench.throughput(&dsn).await;
    }
    if ground::wants("latency") {
        bench.latency(&dsn).await;
    }
    if ground::wants("due") {
        bench.due("memory", ground::memory().await, 5 * items, 10.0).await;
        bench.due("PostgreSQL", ground::postgres(&dsn).await, items, 25.0).await;
    }
    if ground::wants("writers") {
        bench.writers(&dsn).await;
    }
    if ground::wants("daemons") {
        bench.daemons(&dsn).await;
        bench.take_over(&dsn).await;
    }
}

/// Performs nothing, and notes when.
#[derive(Default)]
struct Noop {
    starts: Mutex<Vec<(Uuid, Instant, f64)>>,
    started: Notify,
}

impl Duty for Noop {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Does nothing."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        let late = (core.clock.now() - attempt.work.due_at).as_seconds_f64() * 1000.0;
        self.starts.lock().unwrap().push((attempt.work.id, Instant::now(), late));
        self.started.notify_one();
        Box::pin(async { Outcome::Done(Batch::new()) })
    }
}

impl Noop {
    /// Has room for so many notes: making it while items start would make them wait.
    fn expecting(count: usize) -> Arc<Self> {
        Arc::new(Self { starts: Mutex::new(Vec::with_capacity(count)), started: Notify::new() })
    }

    /// Waits until so many items have started. The queue is not asked meanwhile: that would be measured, too.
    async fn all(&self, count: usize) {
        while self.starts.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Forgets what was noted, and answers it.
    fn take(&self) -> Vec<(Uuid, Instant, f64)> {
        std::mem::take(&mut self.starts.lock().unwrap())
    }
}

struct Bench {
    accounts: Vec<Uuid>,
    ids: Ids,
    items: usize,
    rounds: usize,
}

impl Bench {
    /// Adds items, the `n`th due at `due(n)`.
    async fn add(&self, store: &Store, count: usize, due: impl Fn(usize) -> DateTime<Utc>) {
        for first in (0..count).step_by(BATCH) {
            let mut batch = Batch::new();
            for number in first..count.min(first + BATCH) {
                let account = self.accounts[number % self.accounts.len()];
                batch.enqueue(NewWork::new(self.ids.next(), DUTY, account, self.ids.next(), due(number)));
            }
            store.commit(batch).await.unwrap();
        }
    }

    /// Items a second of so many daemons, each with a store of its own, until the queue is empty.
    async fn drained(&self, items: usize, stores: Vec<Store>) -> f64 {
        let now = SystemClock.now();
        self.add(&stores[0], items, |_| now).await;
        let noop = Noop::expecting(items);
        let began = Instant::now();
        let start = |store: Store| ground::runtime(store, vec![noop.clone()]);
        let daemons: Vec<Runtime> = join_all(stores.clone().into_iter().map(start)).await;
        noop.all(items).await;
        emptied(&stores[0]).await;
        let rate = items as f64 / began.elapsed().as_secs_f64();
        for daemon in daemons {
            daemon.drain(Duration::from_secs(5)).await;
        }
        let starts = noop.take();
        let different: HashSet<Uuid> = starts.iter().map(|start| start.0).collect();
        assert_eq!((starts.len(), different.len()), (items, items), "none lost, none twice");
        rate
    }

    async fn throughput(&self, dsn: &str) {
        let client = bare(dsn).await;
        client.batch_execute("CREATE TABLE bare (id uuid PRIMARY KEY, held boolean NOT NULL)").await.unwrap();
        let (mut ceiling, mut own) = (Vec::new(), Vec::new());
        for _ in 0..=self.rounds {
            let fill = "INSERT INTO bare SELECT gen_random_uuid(), false FROM generate_series(1, $1::bigint)";
            client.execute(fill, &[&i64::try_from(self.items).unwrap()]).await.unwrap();
            let workers = join_all((0..4).map(|_| bare(dsn))).await;
            let began = Instant::now();
            join_all(workers.iter().map(claim_all)).await;
            ceiling.push(self.items as f64 / began.elapsed().as_secs_f64());
            own.push(self.drained(self.items, vec![ground::postgres(dsn).await]).await);
        }
        // The first round warms both up.
        let (ceiling, own) = (&ceiling[1..], &own[1..]);
        let ratios: Vec<f64> = own.iter().zip(ceiling).map(|(own, ceiling)| own / ceiling).collect();
        let behind =
            format!("{:.0} / {:.0} items/s", quantile(own.to_vec(), 0.5), quantile(ceiling.to_vec(), 0.5));
        row("6", "no-op items/s / bare claim-50 and delete", Must::AtLeast(0.3), &ratios, &behind);
        figure("items", quantile(own.to_vec(), 0.5));
        let memory = self.drained(self.items, vec![ground::memory().await]).await;
        row("6", "no-op items/s, in memory", Must::Nothing, &[memory], "items/s");
    }

    /// From adding an item to its start, in a daemon that has nothing else to do.
    async fn latency(&self, dsn: &str) {
        let noop = Arc::new(Noop::default());
        let runtime = ground::runtime(ground::postgres(dsn).await, vec![noop.clone()]).await;
        let client = bare(dsn).await;
        client
            .batch_execute("CREATE TABLE plain (id uuid PRIMARY KEY, payload json NOT NULL)")
            .await
            .unwrap();
        let insert = client.prepare("INSERT INTO plain VALUES (gen_random_uuid(), 'null')").await.unwrap();
        let (mut waits, mut syncs, mut inserts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..300 {
            let now = SystemClock.now();
            let began = Instant::now();
            let mut batch = Batch::new();
            batch.enqueue(NewWork::new(self.ids.next(), DUTY, self.accounts[0], self.ids.next(), now));
            runtime.core().commit(batch).await.unwrap();
            noop.started.notified().await;
            // The daemon ends what it does before the next one.
            tokio::time::sleep(Duration::from_millis(5)).await;
            waits.push((noop.take()[0].1 - began).as_secs_f64() * 1000.0);
            syncs.push(fdatasync().as_secs_f64() * 1000.0);
            tokio::time::sleep(Duration::from_millis(5)).await;
            let began = Instant::now();
            client.execute(&insert, &[]).await.unwrap();
            inserts.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        let (wait, sync) = (quantile(waits.clone(), 0.5), quantile(syncs, 0.5));
        let plain = quantile(inserts, 0.5);
        let behind = format!("{wait:.2} (p99 {:.2}) / {sync:.2} ms", quantile(waits, 0.99));
        row("7", "added to started p50 x fdatasync/s", Must::AtMost(3.0), &[wait / sync], &behind);
        let behind = format!("{wait:.2} / {plain:.2} ms, both every few ms");
        row("7", "added to started p50 / a bare INSERT", Must::Nothing, &[wait / plain], &behind);
        figure("wait", wait);
        runtime.drain(Duration::from_secs(1)).await;
    }

    /// How long after they came due items start, at half of what the daemon can do.
    async fn due(&self, name: &str, store: Store, items: usize, must: f64) {
        let half = self.drained(items, vec![store.clone()]).await / 2.0;
        let count = (half * 3.0) as usize;
        let noop = Noop::expecting(count);
        let first = SystemClock.now() + TimeDelta::seconds(1) + TimeDelta::milliseconds((count / 20) as i64);
        let due = |number: usize| first + TimeDelta::microseconds((number as f64 * 1e6 / half) as i64);
        self.add(&store, count, due).await;
        let runtime = ground::runtime(store.clone(), vec![noop.clone()]).await;
        let processors = ground::Processors::now();
        noop.all(count).await;
        let stolen = processors.stolen_since();
        emptied(&store).await;
        let late: Vec<f64> = noop.take().into_iter().map(|start| start.2).collect();
        let behind = format!(
            "ms at {half:.0} items/s; p50 {:.2} ms; {stolen:.0} % of the processors stolen",
            quantile(late.clone(), 0.5)
        );
        let what = format!("due to started p99 at half load, {name}");
        row("due", &what, Must::AtMost(must), &[quantile(late, 0.99)], &behind);
        runtime.drain(Duration::from_secs(1)).await;
    }

    /// What it costs those who write that others are told: of what is due soon daemons are, of what is due later not.
    async fn writers(&self, dsn: &str) {
        const WRITERS: usize = 64;
        let store = ground::postgres(dsn).await;
        let rate = async |ahead: TimeDelta| {
            let end = Instant::now() + Duration::from_secs(2);
            let writers = (0..WRITERS).map(|writer| {
                let store = store.clone();
                async move {
                    let mut commits = 0_usize;
                    while Instant::now() < end {
                        let due = SystemClock.now() + ahead;
                        let mut batch = Batch::new();
                        let account = self.accounts[writer % self.accounts.len()];
                        batch.enqueue(NewWork::new(self.ids.next(), DUTY, account, self.ids.next(), due));
                        store.commit(batch).await.unwrap();
                        commits += 1;
                    }
                    commits
                }
            });
            join_all(writers).await.into_iter().sum::<usize>() as f64 / 2.0
        };
        let (mut ratios, mut told, mut untold) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            untold.push(rate(TimeDelta::hours(1)).await);
            told.push(rate(TimeDelta::seconds(30)).await);
            ratios.push(told[told.len() - 1] / untold[untold.len() - 1]);
        }
        bare(dsn).await.batch_execute("TRUNCATE work").await.unwrap();
        let behind = format!("{:.0} / {:.0} commits/s", quantile(told, 0.5), quantile(untold, 0.5));
        row("7", "commits/s of 64 writers, others told / not", Must::AtLeast(0.8), &ratios, &behind);
    }

    /// How soon what a dead daemon held is begun by another one.
    async fn take_over(&self, dsn: &str) {
        const LEASE: Duration = Duration::from_secs(3);
        let noop = Arc::new(Noop::default());
        let store = ground::postgres(dsn).await;
        let runtime = ground::runtime(store.clone(), vec![noop.clone()]).await;
        let mut ratios = Vec::new();
        for round in 0..self.rounds {
            let account = self.accounts[round % self.accounts.len()];
            let mut item = NewWork::new(self.ids.next(), DUTY, account, self.ids.next(), SystemClock.now());
            item.lease = Some(Lease { holder: self.ids.next(), duration: LEASE });
            let mut batch = Batch::new();
            batch.enqueue(item);
            let began = Instant::now();
            store.commit(batch).await.unwrap();
            noop.started.notified().await;
            ratios.push((noop.take()[0].1 - began).as_secs_f64() / LEASE.as_secs_f64());
        }
        let what = "held by a dead daemon to begun by another / its lease";
        row("12", what, Must::AtMost(1.5), &ratios, &format!("a lease of {} s", LEASE.as_secs()));
        runtime.drain(Duration::from_secs(1)).await;
    }

    async fn daemons(&self, dsn: &str) {
        let mut ratios = Vec::new();
        for _ in 0..self.rounds {
            let one = self.drained(self.items, vec![ground::postgres(dsn).await]).await;
            let stores = join_all((0..4).map(|_| ground::postgres(dsn))).await;
            let four = self.drained(self.items, stores).await;
            println!("  four {four:.0}, one {one:.0} items/s");
            ratios.push(four / one);
        }
        let behind = "none lost, none performed twice";
        row("12", "items/s of four daemons / one", Must::AtLeast(0.85), &ratios, behind);
    }
}

/// Waits until nothing of the queue is left.
async fn emptied(store: &Store) {
    let query = WorkQuery { duty: Some(DUTY.to_owned()), limit: 1, ..WorkQuery::default() };
    while !store.work(query.clone()).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn bare(dsn: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Claims by fifties and deletes what was claimed, until nothing is left.
async fn claim_all(client: &Client) {
    let text = "UPDATE bare SET held = true WHERE id IN (SELECT id FROM bare WHERE NOT held LIMIT 50 \
                FOR UPDATE SKIP LOCKED) RETURNING id";
    let claim = client.prepare(text).await.unwrap();
    let settle = client.prepare("DELETE FROM bare WHERE id = ANY ($1)").await.unwrap();
    loop {
        let ids: Vec<Uuid> = client.query(&claim, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return;
        }
        client.execute(&settle, &[&ids]).await.unwrap();
    }
}

/// What the disk under the temporary files takes for it.
fn fdatasync() -> Duration {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&[1; 8192], 0).unwrap();
    file.sync_data().unwrap();
    file.write_all_at(&[2; 8192], 0).unwrap();
    let began = Instant::now();
    file.sync_data().unwrap();
    began.elapsed()
}
