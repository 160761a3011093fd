//! What armed jobs cost: memory of each, CPU while nothing is due, and how late slots are decided when many are due in the
//! same minute. In memory and on a durable PostgreSQL of its own.
//!
//! `cargo bench -p sl-actors --bench jobs -- [memory|postgres ...] [idle jobs (200000)] [jobs due in one minute (100000)]`.

#![allow(
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program prints, and stops where something fails"
)]

mod ground;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use ground::{Must, row};
use sl_actors::{
    Core, Runtime, Store,
    services::{
        automation::{Automation, Job, JobState, Outcomes, Run},
        functions::{Definition, Function, FunctionSource, FunctionVersion, Limits},
    },
};
use sl_store::{
    Batch, Clock as _, Entity as _, Head, NewWork, Query, SystemClock, testing::postgres::Server,
};
use uuid::Uuid;

/// So many accounts share the jobs.
const ACCOUNTS: usize = 100;
/// So many jobs are written in one batch.
const BATCH: usize = 500;

#[tokio::main(flavor = "local")]
async fn main() {
    ground::as_the_daemon();
    let mut numbers = ground::numbers();
    let (idle, due) = (numbers.next().unwrap_or(200_000), numbers.next().unwrap_or(100_000));
    if ground::wants("memory") {
        Box::pin(measure("memory", ground::memory().await, idle, due)).await;
    }
    if !ground::wants("postgres") {
        return;
    }
    let server = Server::durable();
    let dsn = ground::database(&server, "jobs").await;
    Box::pin(measure("PostgreSQL", ground::postgres(&dsn).await, idle, due)).await;
}

struct Bench {
    core: Arc<Core>,
    functions: Vec<(Uuid, Uuid)>,
}

async fn measure(on: &str, store: Store, idle: usize, due: usize) {
    // It decides about slots and runs nothing.
    let runtime = ground::runtime(store, vec![Arc::new(Automation), Arc::new(Outcomes)]).await;
    let bench = Bench::new(&runtime).await;
    let (resident_before, began) = (ground::resident(), Instant::now());
    let tomorrow = SystemClock.now() + TimeDelta::days(1);
    bench.arm(idle, |number| tomorrow + TimeDelta::seconds(i64::try_from(number % 3_600).unwrap())).await;
    let each = ground::resident().saturating_sub(resident_before) as f64 / idle as f64;
    let behind = format!("B of the daemon's memory; {idle} armed in {:.1?}", began.elapsed());
    row("9", &format!("an armed job, {on} / 16 B"), Must::AtMost(12.0), &[each / 16.0], &behind);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (cpu, began) = (ground::cpu(), Instant::now());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let share = ground::cpu().checked_sub(cpu).unwrap().as_secs_f64() / began.elapsed().as_secs_f64();
    let what = format!("CPU while nothing of {idle} jobs is due, {on}");
    row("9", &what, Must::AtMost(1.0), &[share * 100.0], "% of a core");

    // They are armed before their minute begins.
    let minute = SystemClock.now() + TimeDelta::seconds(5 + i64::try_from(due / 1_500).unwrap());
    let spread =
        |number: usize| minute + TimeDelta::milliseconds((number * 60_000 / due.max(1)).try_into().unwrap());
    let ids = bench.arm(due, spread).await;
    let ahead = minute - SystemClock.now();
    println!("{due} armed {:.1} s before their minute", ahead.as_seconds_f64());
    let due: HashMap<Uuid, DateTime<Utc>> = ids.into_iter().zip((0..).map(spread)).collect();
    bench.lateness(on, &due, minute).await;
    runtime.drain(Duration::from_secs(5)).await;
}

impl Bench {
    async fn new(runtime: &Runtime) -> Self {
        let core = runtime.core().clone();
        let mut functions = Vec::new();
        for _ in 0..ACCOUNTS {
            let made = ground::account(runtime).await;
            functions.push((made, function(&core, made).await));
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

    /// Waits until every job of the minute has its row, and prints how long after its job came due each was written.
    async fn lateness(&self, on: &str, due: &HashMap<Uuid, DateTime<Utc>>, minute: DateTime<Utc>) {
        let expected = due.len() as u64;
        let mut late = Vec::with_capacity(due.len());
        let cpu_before = ground::cpu();
        let waits = (minute - self.core.clock.now()).to_std().unwrap_or_default();
        tokio::time::sleep(waits).await;
        let processors = ground::Processors::now();
        while self.core.store.count::<Run>(None, Vec::new()).await.unwrap() < expected {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let used = ground::cpu().checked_sub(cpu_before).unwrap();
        let stolen = processors.stolen_since();
        for (account, _) in &self.functions {
            let mut after = None;
            loop {
                let query = Query::of(*account).oldest_first().after(after).limit(1_000);
                let page: Vec<Run> = self.core.store.list(query).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.head.id);
                late.extend(page.iter().filter_map(|run| Some(run.head.created_at - *due.get(&run.job_id)?)));
            }
        }
        late.sort_unstable();
        let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].num_milliseconds();
        let each = used.as_secs_f64() * 1e6 / late.len() as f64;
        let behind = format!(
            "ms; p50 {}, most {}; {each:.0} us of CPU each; {stolen:.0} % of the processors stolen",
            at(0.5),
            at(1.0)
        );
        let what = format!("lateness p99 of {} slots in one minute, {on}", late.len());
        row("9", &what, Must::AtMost(1_000.0), &[at(0.99) as f64], &behind);
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
