//! A duty that does what a test says.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::json;
use sl_actors::{
    Core, Fault,
    duty::{Attempt, Duty, Outcome},
    settings::Setting,
};
use sl_store::{Batch, Entity as _, NewEvent, NewWork, RetryPolicy, Work, WorkCount, WorkQuery};
use uuid::Uuid;

use crate::world::World;

/// The duty's name.
pub const DUTY: &str = "scripted";
/// How many items it performs at once.
pub static CONCURRENCY: Setting = Setting::count("scripted.concurrency", 8, 1, 1_000, "For tests.");

type Performance = dyn Fn(Attempt) -> BoxFuture<'static, Outcome> + Send + Sync;

/// The duty.
pub struct Script {
    perform: Box<Performance>,
    seen: Mutex<BTreeMap<Uuid, Vec<i32>>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Script {
    /// A duty that performs so.
    pub fn new<F>(perform: impl Fn(Attempt) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Arc::new(Self {
            perform: Box::new(move |attempt| Box::pin(perform(attempt))),
            seen: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// A duty that does every item at once.
    pub fn done() -> Arc<Self> {
        Self::new(|_| async { Outcome::Done(Batch::new()) })
    }

    fn note(&self, item: Uuid, attempt: i32) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(item).or_default().push(attempt);
    }

    /// How many attempts began.
    pub fn begun(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).values().map(Vec::len).sum()
    }

    /// The attempts at an item, by number.
    pub fn attempts(&self, item: Uuid) -> Vec<i32> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&item).cloned().unwrap_or_default()
    }

    /// The items that were begun.
    pub fn items(&self) -> Vec<Uuid> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// How many ran at once at most.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Duty for Script {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Does what a test says."
    }

    fn concurrency(&self) -> &'static Setting {
        &CONCURRENCY
    }

    fn retry(&self, _core: &Core) -> RetryPolicy {
        let short = Duration::from_millis(2);
        RetryPolicy { base: short, cap: short, max_attempts: 3, max_age: Duration::from_hours(1) }
    }

    fn perform<'a>(&'a self, _core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let number = attempt.work.attempt;
            self.note(attempt.work.id, number);
            let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let _place = Place(&self.running);
            (self.perform)(attempt.clone()).await
        })
    }

    fn bury<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        work: &'a Work,
        _why: &'a Fault,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        batch.event(told(work, "item.buried"));
        Box::pin(async { Ok(()) })
    }

    fn discard<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        batch.event(told(work, "item.discarded"));
        Box::pin(async { Ok(()) })
    }

    fn revive<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        batch.event(told(work, "item.revived"));
        Box::pin(async { Ok(()) })
    }
}

/// An event of the duty's about an item.
pub fn told(work: &Work, kind: &'static str) -> NewEvent {
    NewEvent {
        account: work.account,
        service: "scripted",
        kind,
        subject: work.subject,
        actor: "duty:scripted".to_owned(),
        request_id: None,
        origin: None,
        data: json!({}),
    }
}

/// Adds items that are due now; answers their ids, which are their subjects too.
pub async fn enqueue(world: &World, account: Uuid, gate: Option<Uuid>, count: usize) -> Vec<Uuid> {
    let mut all = Vec::new();
    for step in (0..count).collect::<Vec<_>>().chunks(500) {
        let mut batch = Batch::new();
        for _ in step {
            let id = world.core().ids.next();
            let mut work = NewWork::new(id, DUTY, account, id, world.now());
            work.gate = gate;
            batch.enqueue(work);
            all.push(id);
        }
        world.core().commit(batch).await.expect("items are added");
    }
    all
}

/// What stands in the queue.
pub async fn queue(world: &World) -> WorkCount {
    let query = WorkQuery { duty: Some(DUTY.to_owned()), ..WorkQuery::default() };
    world.core().store.work_count(query).await.expect("a count")
}

/// How many items stand in the queue.
pub async fn left(world: &World) -> u64 {
    let count = queue(world).await;
    count.waiting + count.later + count.running
}

/// How many dead letters the account has.
pub async fn dead(world: &World, account: Uuid) -> u64 {
    let table = sl_actors::services::dead_letters::DeadLetter::TABLE;
    world.core().store.count_rows(table, Some(account), Vec::new()).await.expect("a count")
}
