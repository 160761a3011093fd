//! What armed jobs cost: memory of each, CPU while nothing is due, and how late slots are decided when many are due in the
//! same minute. In memory and on a durable PostgreSQL of its own.
//!
//! `cargo bench -p sl-actors --bench jobs -- [idle jobs (200000)] [jobs due in one minute (100000)]`.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program prints, and stops where something fails"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use sl_actors::{
    Core, KeyRing, Parts, Runtime, Store,
    duty::Duty,
    egress::{AllowList, Egress, EgressLimits, SystemResolver},
    peers::Peers,
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    services::{
        accounts::{CreateAccount, NewAccount},
        automation::{Automation, Job, JobState, Outcomes, Run},
        functions::{Definition, Function, FunctionSource, FunctionVersion, Limits},
    },
    settings::Settings,
};
use sl_store::{
    Batch, Clock as _, Entity as _, Head, NewWork, OsChance, Query, SystemClock,
    memory::Memory,
    postgres::{Options, Postgres, migrate},
    testing::postgres::Server,
};
use uuid::Uuid;

/// So many accounts share the jobs.
const ACCOUNTS: usize = 100;
/// So many jobs are written in one batch.
const BATCH: usize = 500;

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (idle, due) = (numbers.next().unwrap_or(200_000), numbers.next().unwrap_or(100_000));
    println!("in memory");
    let memory = Store::new(Memory::start(Arc::new(SystemClock)).await.unwrap());
    Box::pin(measure(memory, idle, due)).await;
    println!("on PostgreSQL");
    let server = Server::durable();
    let options = Options::new(server.socket_dsn("postgres"));
    migrate(&options).await.unwrap();
    let store = Store::new(Postgres::connect(&options, &OsChance).await.unwrap());
    Box::pin(measure(store, idle, due)).await;
}

struct Bench {
    core: Arc<Core>,
    functions: Vec<(Uuid, Uuid)>,
}

async fn measure(store: Store, idle: usize, due: usize) {
    let runtime = runtime(store).await;
    let bench = Bench::new(&runtime).await;
    let (resident_before, began) = (resident(), Instant::now());
    let tomorrow = SystemClock.now() + TimeDelta::days(1);
    bench.arm(idle, |number| tomorrow + TimeDelta::seconds(i64::try_from(number % 3_600).unwrap())).await;
    let each = resident().saturating_sub(resident_before) as f64 / idle as f64;
    println!("  {idle} armed in {:.1?}: {each:.0} B each in this process", began.elapsed());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu, began) = (cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let share = (self::cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("  CPU while nothing is due: {:.2} % of a core", share * 100.0);

    // They are armed before their minute begins.
    let minute = SystemClock.now() + TimeDelta::seconds(5 + i64::try_from(due / 1_500).unwrap());
    let spread =
        |number: usize| minute + TimeDelta::milliseconds((number * 60_000 / due.max(1)).try_into().unwrap());
    let ids = bench.arm(due, spread).await;
    let ahead = minute - SystemClock.now();
    println!("  {due} armed {:.1} s before their minute", ahead.as_seconds_f64());
    bench.lateness(&ids, minute).await;
    runtime.drain(Duration::from_secs(5)).await;
}

impl Bench {
    async fn new(runtime: &Runtime) -> Self {
        let core = runtime.core().clone();
        let mut functions = Vec::new();
        for _ in 0..ACCOUNTS {
            let new = NewAccount { owner: "bench".to_owned(), metadata: std::collections::BTreeMap::new() };
            let caller = Arc::new(sl_actors::caller::Caller::operator("bench"));
            let made = runtime.perform(sl_actors::SYSTEM, caller, None, CreateAccount(new)).await.unwrap();
            functions.push((made.id, function(&core, made.id).await));
        }
        Self { core, functions }
    }

    /// Arms jobs that come once, each at its instant; answers which.
    async fn arm(&self, count: usize, at: impl Fn(usize) -> DateTime<Utc>) -> Vec<Uuid> {
        let mut ids = Vec::with_capacity(count);
        let template = Job::samples().remove(0);
        for first in (0..count).step_by(BATCH) {
            let mut batch = Batch::new();
            let now = self.core.clock.now();
            for number in first..count.min(first + BATCH) {
                let (account, function_id) = self.functions[number % ACCOUNTS];
                let (head, slot) = (Head::new(account, self.core.ids.next(), now), at(number));
                let job = Job {
                    head,
                    function_id,
                    name: head.id.to_string(),
                    schedule: Some("@every 1h".to_owned()),
                    anchor: slot - TimeDelta::hours(1),
                    jitter: Duration::ZERO,
                    starts_at: None,
                    ends_at: None,
                    ..template.clone()
                };
                let mut state = JobState::new(head, slot - TimeDelta::seconds(30));
                state.next_slot = Some(slot);
                batch.insert(&job).insert(&state);
                batch.enqueue(
                    NewWork::new(self.core.ids.next(), "automation", account, head.id, slot).gate(head.id),
                );
                ids.push(head.id);
            }
            self.core.store.commit(batch).await.unwrap();
        }
        ids
    }

    /// Waits until every job of the minute has its row, and prints how late they were written.
    async fn lateness(&self, ids: &[Uuid], minute: DateTime<Utc>) {
        let expected = ids.len() as u64;
        let mut late = Vec::with_capacity(ids.len());
        let cpu_before = cpu();
        let waits = (minute - self.core.clock.now()).to_std().unwrap_or_default();
        tokio::time::sleep(waits).await;
        while self.core.store.count::<Run>(None, Vec::new()).await.unwrap() < expected {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let used = cpu() - cpu_before;
        for (account, _) in &self.functions {
            let mut after = None;
            loop {
                let query = Query::of(*account).oldest_first().after(after).limit(1_000);
                let page: Vec<Run> = self.core.store.list(query).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.head.id);
                late.extend(page.iter().filter_map(|run| Some(run.head.created_at - run.slot?)));
            }
        }
        late.sort_unstable();
        let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].num_milliseconds();
        println!(
            "  lateness of {} slots of one minute: p50 {} ms, p99 {} ms, most {} ms; {:.0} us of CPU each",
            late.len(),
            at(0.5),
            at(0.99),
            at(1.0),
            used.as_secs_f64() * 1e6 / late.len() as f64
        );
    }
}

async fn function(core: &Core, account: Uuid) -> Uuid {
    let head = Head::new(account, core.ids.next(), core.clock.now());
    let version = Head { id: core.ids.next(), ..head };
    let definition = Definition {
        name: "bench".to_owned(),
        description: String::new(),
        secrets: Vec::new(),
        limits: Limits::default(),
        keep_context: false,
    };
    let row = FunctionVersion {
        head: version,
        function_id: head.id,
        number: 1,
        definition: definition.clone(),
        source_sha256: "00".repeat(32),
        created_by: "operator:bench".to_owned(),
    };
    let source = FunctionSource { head: version, function_id: head.id, text: "() => 1".into() };
    let mut batch = Batch::new();
    batch
        .insert(&Function { head, definition, version_id: version.id, source: None })
        .insert(&row)
        .insert(&source);
    core.store.commit(batch).await.unwrap();
    head.id
}

/// A daemon that decides about slots and runs nothing.
async fn runtime(store: Store) -> Runtime {
    let settings = Settings::default();
    let limits = EgressLimits::from(&settings);
    let host = HostProgram { path: "/nonexistent".into(), arguments: Vec::new() };
    let parts = Parts {
        store,
        clock: Arc::new(SystemClock),
        chance: Arc::new(OsChance),
        keys: Arc::new(KeyRing::ephemeral(&OsChance)),
        sandbox: Sandbox::new(SandboxLimits { warm: 0, ..SandboxLimits::from(&settings) }, host).unwrap(),
        egress: Egress::new(limits, AllowList::default(), Arc::new(SystemResolver::new(1))).unwrap(),
        settings,
        catalogue: sl_actors::settings::catalogue(),
        signer: None,
        peers: Peers::default(),
        actions: sl_actors::services::executions::ActionKinds::default(),
    };
    let duties: Vec<Arc<dyn Duty>> = vec![Arc::new(Automation), Arc::new(Outcomes)];
    Runtime::start_with(Core::new(parts), duties).await.unwrap()
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}

/// CPU time of this process.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
