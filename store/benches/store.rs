//! What the store costs beside the bare driver: ratios of one run, interleaved, on a durable server of its own.
//!
//! `cargo bench -p sl-store --features testing --bench store -- [rounds (5)] [lanes (as usual)]`.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measuring program prints, spawns, and stops where something fails"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{Manager, Pool};
use sl_store::{
    Batch, Clock as _, Entity as _, Ids, NewEvent, OsChance, Query, Settlement, Store, SystemClock,
    memory::Memory,
    postgres::{Options, Postgres, migrate},
    testing::{
        conformance::{Subject, Thing},
        postgres::{Admin, Server, create_table},
    },
};
use tokio_postgres::NoTls;
use uuid::Uuid;

#[tokio::main(flavor = "local")]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let rounds = numbers.next().unwrap_or(5);
    // On a worker, as requests are.
    tokio::spawn(in_memory()).await.unwrap();
    let server = Server::durable();
    let dsn = server.socket_dsn("postgres");
    migrate(&Options::new(dsn.clone())).await.unwrap();
    let admin = Admin::connect(&dsn).await;
    admin.run(&create_table(Thing::TABLE)).await;
    admin
        .run("CREATE TABLE bare (id uuid PRIMARY KEY, due_at timestamptz, held boolean, payload json)")
        .await;
    let usual = Options::new(dsn.clone());
    let options = Options { lanes: numbers.next().unwrap_or(usual.lanes), ..usual };
    let store = Store::new(Postgres::connect(&options, &OsChance).await.unwrap());
    let bench = Bench { subject: Arc::new(Subject::with_real_clock(store, ())), pool: bare(&dsn), rounds };
    for clients in [1, 16, 64] {
        bench.gets(clients).await;
        bench.inserts(clients).await;
    }
    bench.queue().await;
    bench.crowded().await;
}

fn bare(dsn: &str) -> Pool {
    let manager = Manager::new(dsn.parse().unwrap(), NoTls);
    Pool::builder(manager).max_size(13).build().unwrap()
}

async fn in_memory() {
    let store = Store::new(Memory::start(Arc::new(SystemClock)).await.unwrap());
    let subject = Subject::with_real_clock(store, ());
    let account = subject.id();
    let things: Vec<Thing> = (0..20_000).map(|n| subject.thing(account, &format!("thing {n}"))).collect();
    let begun = Instant::now();
    for thing in &things {
        let mut batch = Batch::new();
        batch.insert(thing).event(event(account, thing.head.id)).enqueue(subject.item(account));
        subject.store.commit(batch).await.unwrap();
    }
    per_call("memory: commit of a row, an event and an item", begun, things.len());
    let begun = Instant::now();
    for thing in &things {
        subject.store.get::<Thing>(thing.head.key()).await.unwrap();
    }
    per_call("memory: get", begun, things.len());
    let begun = Instant::now();
    for thing in things.iter().take(5_000) {
        let query = Query::of(account).equal("name", thing.name.as_str()).limit(1);
        assert_eq!(subject.store.list::<Thing>(query).await.unwrap().len(), 1);
    }
    per_call("memory: list by a unique name among 20,000", begun, 5_000);
    let begun = Instant::now();
    for _ in 0..400 {
        let mut batch = Batch::new();
        for item in subject.claimed(50).await {
            batch.settle(item.settle(Settlement::Remove));
        }
        subject.store.commit(batch).await.unwrap();
    }
    per_call("memory: claim-50 and settle-50, per item", begun, 20_000);
}

fn per_call(what: &str, begun: Instant, calls: usize) {
    println!("{what}: {:.2} us", begun.elapsed().as_secs_f64() * 1e6 / calls as f64);
}

fn event(account: Uuid, subject: Uuid) -> NewEvent {
    NewEvent {
        account,
        service: "things",
        kind: "thing.made",
        subject,
        actor: "bench".to_owned(),
        request_id: None,
        origin: None,
        data: serde_json::Value::Null,
    }
}

struct Bench {
    subject: Arc<Subject>,
    pool: Pool,
    rounds: usize,
}

impl Bench {
    async fn gets(&self, clients: usize) {
        let account = self.subject.id();
        let thing = self.subject.thing(account, "the one");
        self.subject.put(&thing, sl_store::Expect::Absent).await.unwrap();
        let key = thing.head.key();
        let columns = "SELECT account_id, id, version, created_at, updated_at, name, color, size, data \
                       FROM conformance_things WHERE account_id = $1 AND id = $2";
        let bare = || {
            let pool = self.pool.clone();
            async move {
                let client = pool.get().await.unwrap();
                let statement = client.prepare_cached(columns).await.unwrap();
                let row = client.query_opt(&statement, &[&key.account, &key.id]).await.unwrap().unwrap();
                assert_eq!(row.get::<_, String>(5), "the one");
            }
        };
        let ours = || {
            let store = self.subject.store.clone();
            async move { drop(store.get::<Thing>(key).await.unwrap()) }
        };
        self.compare(&format!("get, {clients} clients"), clients, 2_000, bare, ours).await;
    }

    async fn inserts(&self, clients: usize) {
        let ids = Arc::new(Ids::new(Arc::new(SystemClock), Arc::new(OsChance)));
        let bare = || {
            let (pool, ids) = (self.pool.clone(), ids.clone());
            async move {
                let client = pool.get().await.unwrap();
                let text = "INSERT INTO bare VALUES ($1, now(), false, '{}')";
                let statement = client.prepare_cached(text).await.unwrap();
                client.execute(&statement, &[&ids.next()]).await.unwrap();
            }
        };
        let row = || {
            let (store, ids) = (self.subject.store.clone(), ids.clone());
            async move {
                let thing = Thing::new(ids.next(), ids.next(), SystemClock.now(), "inserted");
                let mut batch = Batch::new();
                batch.insert(&thing);
                store.commit(batch).await.unwrap();
            }
        };
        let whole = || {
            let (subject, ids) = (self.subject.clone(), ids.clone());
            async move {
                let thing = Thing::new(ids.next(), ids.next(), SystemClock.now(), "inserted");
                let account = thing.head.account_id;
                let mut batch = Batch::new();
                batch.insert(&thing).event(event(account, thing.head.id)).enqueue(subject.item(account));
                subject.store.commit(batch).await.unwrap();
            }
        };
        self.compare(&format!("insert, {clients} clients"), clients, 500, bare, row).await;
        let what = format!("insert with event and item, {clients} clients");
        self.compare(&what, clients, 500, bare, whole).await;
    }

    /// Runs both by turns; prints the median rates and their ratio.
    async fn compare<A, B>(
        &self,
        what: &str,
        clients: usize,
        calls: usize,
        mut bare: impl FnMut() -> A,
        mut ours: impl FnMut() -> B,
    ) where
        A: Future<Output = ()> + Send,
        B: Future<Output = ()> + Send,
    {
        let calls = calls * if clients == 1 { 1 } else { 4 };
        let (mut theirs, mut own, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=self.rounds {
            theirs.push(rate(clients, calls, &mut bare).await);
            own.push(rate(clients, calls, &mut ours).await);
            ratios.push(own.last().unwrap() / theirs.last().unwrap());
        }
        // The first round warms both up.
        let [theirs, own, ratio] = [theirs, own, ratios].map(|mut all| median(all.split_off(1)));
        println!(
            "{what}: bare {:.0}/s, ours {:.0}/s, ratio {:.2} ({:.2}..{:.2})",
            theirs.1, own.1, ratio.1, ratio.0, ratio.2
        );
    }

    /// Items claimed and settled per second by four workers, 50 at a time, beside the plainest statement that could do it.
    async fn queue(&self) {
        const ITEMS: usize = 10_000;
        let admin = self.pool.get().await.unwrap();
        let (mut ceiling, mut own, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=self.rounds {
            admin
                .execute("INSERT INTO bare SELECT gen_random_uuid(), now(), false, '{}' FROM generate_series(1, 10000)", &[])
                .await
                .unwrap();
            let begun = Instant::now();
            work(4, || self.bare_turn()).await;
            ceiling.push(ITEMS as f64 / begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            for _ in 0..ITEMS / 50 {
                let account = self.subject.id();
                let mut batch = Batch::new();
                for _ in 0..50 {
                    batch.enqueue(self.subject.item(account));
                }
                self.subject.store.commit(batch).await.unwrap();
            }
            added.push(ITEMS as f64 / begun.elapsed().as_secs_f64());
            let begun = Instant::now();
            work(4, || self.turn()).await;
            own.push(ITEMS as f64 / begun.elapsed().as_secs_f64());
        }
        let [ceiling, own, added] = [ceiling, own, added].map(|mut all| median(all.split_off(1)));
        println!("queue: enqueue-50 {:.0} items/s", added.1);
        println!(
            "queue: bare claim-50 {:.0} items/s, ours {:.0} items/s, ratio {:.2}",
            ceiling.1,
            own.1,
            own.1 / ceiling.1
        );
    }

    async fn bare_turn(&self) -> usize {
        let client = self.pool.get().await.unwrap();
        let text = "UPDATE bare SET held = true WHERE id IN (SELECT id FROM bare WHERE NOT held LIMIT 50 \
                    FOR UPDATE SKIP LOCKED) RETURNING id";
        let claim = client.prepare_cached(text).await.unwrap();
        let ids: Vec<Uuid> = client.query(&claim, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        let settle = client.prepare_cached("DELETE FROM bare WHERE id = ANY ($1)").await.unwrap();
        client.execute(&settle, &[&ids]).await.unwrap();
        ids.len()
    }

    async fn turn(&self) -> usize {
        let items = self.subject.claimed(50).await;
        let mut batch = Batch::new();
        for item in &items {
            batch.settle(item.settle(Settlement::Remove));
        }
        self.subject.store.commit(batch).await.unwrap();
        items.len()
    }

    /// How long a claim takes in a queue of 100,000, of which one account has half.
    async fn crowded(&self) {
        let accounts: Vec<Uuid> = (0..1_000).map(|_| self.subject.id()).collect();
        for turn in 0..200 {
            let mut batch = Batch::new();
            for number in 0..500 {
                let account =
                    if number % 2 == 0 { accounts[0] } else { accounts[(turn * 7 + number) % 1_000] };
                batch.enqueue(self.subject.item(account));
            }
            self.subject.store.commit(batch).await.unwrap();
        }
        let (mut after, mut times) = (None, Vec::new());
        for _ in 0..300 {
            let claim =
                sl_store::Claim { per_account: 10, after_account: after, ..self.subject.claim_of(50) };
            let begun = Instant::now();
            let items = self.subject.store.claim(claim).await.unwrap();
            times.push(begun.elapsed());
            after = items.last().map(|item| item.account);
        }
        times.sort_unstable();
        println!("queue of 100,000: claim-50 p50 {:?}, p99 {:?}", times[150], times[297]);
        let begun = Instant::now();
        self.subject.store.next_due("conformance", SystemClock.now()).await.unwrap();
        println!("queue of 100,000: next due {:?}", begun.elapsed());
    }
}

/// Turns of so many workers until each has found nothing.
async fn work<F: Future<Output = usize>>(workers: usize, turn: impl Fn() -> F) {
    let worker = || async { while turn().await > 0 {} };
    futures_util::future::join_all((0..workers).map(|_| worker())).await;
}

async fn rate<F: Future<Output = ()> + Send>(
    clients: usize,
    calls: usize,
    call: &mut impl FnMut() -> F,
) -> f64 {
    let done = AtomicUsize::new(0);
    let futures: Vec<F> = (0..calls).map(|_| call()).collect();
    let queue = std::sync::Mutex::new(futures);
    let begun = Instant::now();
    let client = || async {
        loop {
            let Some(next) = queue.lock().unwrap().pop() else { return };
            next.await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    futures_util::future::join_all((0..clients).map(|_| client())).await;
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

/// The least, the middle and the most.
fn median(mut all: Vec<f64>) -> (f64, f64, f64) {
    all.sort_unstable_by(f64::total_cmp);
    (all[0], all[all.len() / 2], all[all.len() - 1])
}
