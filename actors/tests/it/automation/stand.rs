//! A daemon whose executions end as the test says.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sl_actors::{
    Action, Core, Fault, Parts,
    duty::{Attempt, Duty, Outcome},
    page::PageRequest,
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Resumed, Target},
    resource::Create,
    services::{
        automation::{
            Automation, FetchJob, Job, JobState, JobView, ListRuns, NewJob, Outcomes, Run, RunFilters,
            RunStatus, RunView,
        },
        executions::{Execution, Status},
        functions::{Definition, Function, FunctionSource, FunctionVersion},
    },
    settings::Setting,
};
use sl_store::{Batch, Clock as _, Head, Key, ManualClock, NewWork, Query};
use uuid::Uuid;

use crate::world::{self, Ground, World, until};

/// PostgreSQL, by a clock that the test owns.
pub async fn postgres() -> Ground {
    let manual = ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let mut ground = Ground::postgres().await;
    ground.clock = Arc::new(manual.clone());
    ground.manual = Some(manual);
    ground
}

/// Ends executions without running anything.
#[derive(Default)]
pub struct Stage {
    /// While it is closed nothing ends.
    closed: AtomicBool,
    /// Whether executions fail.
    fails: AtomicBool,
    begun: AtomicUsize,
    inputs: Mutex<Vec<Value>>,
}

const WORKERS: Setting = Setting::count("test.workers", 32, 1, 100, "How many at once.");

impl Duty for Stage {
    fn name(&self) -> &'static str {
        "executions"
    }

    fn doc(&self) -> &'static str {
        "Ends executions as a test says."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let key = Key::new(attempt.work.account, attempt.work.subject);
            let mut execution: Execution = core.store.get(key).await.unwrap();
            self.inputs.lock().unwrap().push(serde_json::from_str(execution.input.get()).unwrap());
            self.begun.fetch_add(1, Ordering::AcqRel);
            while self.closed.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if attempt.cancel.is_cancelled()
                    || core.store.find::<Execution>(key).await.unwrap().unwrap().status.is_final()
                {
                    return Outcome::Release;
                }
            }
            execution.status =
                if self.fails.load(Ordering::Acquire) { Status::Failed } else { Status::Succeeded };
            execution.completed_at = Some(core.clock.now());
            let mut batch = Batch::new();
            batch.replace(&mut execution, core.clock.now());
            if let Some(sequel) = &execution.sequel {
                let (id, now) = (core.ids.next(), core.clock.now());
                let mut item = NewWork::new(id, "automation-runs", key.account, sequel.subject, now);
                item.payload = json!({"execution_id": key.id});
                batch.enqueue(item);
            }
            Outcome::Done(batch)
        })
    }
}

impl Stage {
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub fn open(&self) {
        self.closed.store(false, Ordering::Release);
    }

    pub fn fail(&self) {
        self.fails.store(true, Ordering::Release);
    }

    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Acquire)
    }

    pub fn inputs(&self) -> Vec<Value> {
        self.inputs.lock().unwrap().clone()
    }
}

/// A daemon with jobs, and an account that has a function.
pub struct Stand {
    pub world: World,
    pub stage: Arc<Stage>,
    pub account: Uuid,
    pub function: Uuid,
    pub parts: Parts,
}

pub fn duties(stage: &Arc<Stage>) -> Vec<Arc<dyn Duty>> {
    vec![Arc::new(Automation), Arc::new(Outcomes), stage.clone()]
}

impl Stand {
    pub async fn on(ground: Ground) -> Self {
        Self::with(ground, &[]).await
    }

    pub async fn with(ground: Ground, settings: &[(&Setting, u64)]) -> Self {
        let mut parts = ground.parts().await;
        for (setting, value) in settings {
            world::set(&mut parts, setting, *value);
        }
        let stage = Arc::<Stage>::default();
        let world = World::of(ground, parts.clone(), Some(duties(&stage))).await;
        let account = world.account("a tenant").await.id;
        let function = function(world.core(), account).await;
        Self { world, stage, account, function, parts }
    }

    /// Stops the daemon.
    pub async fn down(&self) {
        self.world.runtime.drain(Duration::from_secs(5)).await;
    }

    /// Another daemon in place of the one before.
    pub async fn up(&mut self) {
        self.stage = Arc::default();
        let parts = Parts { store: self.world.ground.other().await, ..self.parts.clone() };
        self.world.runtime = world::start(parts, Some(duties(&self.stage))).await;
    }

    pub async fn perform<A: Action>(&self, action: A) -> Result<A::Output, Fault> {
        self.world.act(self.account, action).await
    }

    /// A job with these fields besides function and name.
    pub async fn job(&self, name: &str, mut fields: Value) -> JobView {
        fields["name"] = json!(name);
        fields["function_id"] = json!(self.function);
        let new: NewJob = serde_json::from_value(fields).unwrap();
        self.perform(Create::<Job>(new)).await.unwrap()
    }

    pub async fn look(&self, job: &JobView) -> JobView {
        self.perform(FetchJob(job.id)).await.unwrap()
    }

    /// The job's rows, oldest first.
    pub async fn runs(&self, job: &JobView) -> Vec<RunView> {
        let query = Query::of(self.account).equal("job_id", job.id).oldest_first().limit(10_000);
        let runs: Vec<Run> = self.world.core().store.list(query).await.unwrap();
        runs.iter().map(Run::view).collect()
    }

    pub async fn newest(&self, job: &JobView, limit: usize) -> Vec<RunView> {
        let page = PageRequest { limit, ..PageRequest::default() };
        let list = ListRuns { job_id: job.id, filters: RunFilters::default(), page };
        self.perform(list).await.unwrap().items
    }

    /// How many rows stand where.
    pub async fn counts(&self, job: &JobView) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for run in self.runs(job).await {
            *counts.entry(run.status.as_str()).or_default() += 1;
        }
        counts
    }

    /// Waits until the job's rows stand so.
    pub async fn until_counts(&self, job: &JobView, expected: &[(&'static str, usize)]) {
        let expected: BTreeMap<&'static str, usize> = expected.iter().copied().collect();
        let give_up = tokio::time::Instant::now() + Duration::from_secs(15);
        loop {
            let found = self.counts(job).await;
            if found == expected {
                return;
            }
            assert!(tokio::time::Instant::now() < give_up, "{found:?} is not {expected:?}");
            self.nudge();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Moves the clock, and waits until every slot is decided and every run has ended.
    pub async fn pass(&self, minutes: u64) {
        self.world.pass(Duration::from_secs(minutes * 60));
        self.settled().await;
    }

    /// Has duties look at the queue: one that was about to sleep while the clock was moved would sleep on.
    fn nudge(&self) {
        self.world.core().bells.ring_all();
    }

    /// Waits until the job has so many rows.
    pub async fn until_rows(&self, job: &JobView, rows: usize) {
        until("every slot is decided", async || {
            self.nudge();
            self.runs(job).await.len() == rows
        })
        .await;
    }

    pub async fn settled(&self) {
        until("every slot is decided and every run has ended", async || self.is_settled().await).await;
    }

    async fn is_settled(&self) -> bool {
        self.nudge();
        let store = &self.world.core().store;
        let now = self.world.now();
        let states: Vec<JobState> = store.list(Query::of(self.account).limit(10_000)).await.unwrap();
        if states.iter().any(|state| state.next_slot.is_some_and(|slot| slot <= now)) {
            return false;
        }
        for status in [RunStatus::Queued, RunStatus::Running] {
            let open = Query::of(self.account).equal("status", status.as_str()).limit(1);
            if !store.list::<Run>(open).await.unwrap().is_empty() {
                return false;
            }
        }
        true
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.world.ground.manual.as_ref().unwrap().now()
    }

    pub async fn pause(&self, job: &JobView) {
        let new = NewPause { reason: "maintenance".to_owned(), until: None };
        self.perform(PauseWork { target: Target::of::<Job>(job.id), new }).await.unwrap();
    }

    pub async fn resume(&self, job: &JobView, missed: Missed) -> Resumed {
        let how = Resume { missed };
        self.perform(ResumeWork { target: Target::of::<Job>(job.id), how }).await.unwrap()
    }
}

/// A function as its rows, without a host that would compile it.
pub async fn function(core: &Core, account: Uuid) -> Uuid {
    let head = Head::new(account, core.ids.next(), core.clock.now());
    let version = Head { id: core.ids.next(), ..head };
    let definition = Definition {
        name: format!("function {}", head.id),
        description: String::new(),
        secrets: Vec::new(),
        limits: sl_actors::services::functions::Limits::default(),
        keep_context: false,
    };
    let function = Function { head, definition: definition.clone(), version_id: version.id, source: None };
    let row = FunctionVersion {
        head: version,
        function_id: head.id,
        number: 1,
        definition,
        source_sha256: "00".repeat(32),
        created_by: "operator:test".to_owned(),
    };
    let source = FunctionSource { head: version, function_id: head.id, text: "() => 1".into() };
    let mut batch = Batch::new();
    batch.insert(&function).insert(&row).insert(&source);
    core.store.commit(batch).await.unwrap();
    head.id
}
