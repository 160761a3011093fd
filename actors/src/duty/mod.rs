//! Duties: whoever performs the items of the work queue.
//!
//! A duty says what it is called, how many items it performs at once, how it retries, and how it performs one item. It
//! answers an [`Outcome`]; the [`actor`] that drives it commits that outcome, the settlement of the item and the events
//! in one batch under the item's fence. Claiming, leases and heartbeats, live pause and resume, backoff with jitter,
//! dead letters, fairness between accounts, metrics and drain come for every duty from that one place.

mod actor;
mod drain;
mod hand;
mod settle;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use ractor::ActorRef;
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Fault, RetryPolicy, SYSTEM, Settlement, Work, WorkQuery};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Core,
    pause::{Resumed, Ruling},
    settings::Setting,
};

pub use actor::DutyStatus;
pub(crate) use actor::{DutyActor, DutyMessage};

/// How long a lease is.
pub const LEASE: Setting = Setting::millis(
    "duties.lease",
    30_000,
    500,
    600_000,
    "How long a claimed item is held without a heartbeat before another daemon may take it.",
);
/// How often leases are prolonged.
pub const HEARTBEAT: Setting = Setting::millis(
    "duties.heartbeat",
    10_000,
    100,
    200_000,
    "How often the leases of items in progress are prolonged; a third of duties.lease is usual.",
);
/// How long a duty sleeps at most between two looks at the queue.
pub const POLL: Setting = Setting::millis(
    "duties.poll",
    1_000,
    10,
    60_000,
    "How long a duty sleeps at most before it looks at the queue again, whatever hints were lost.",
);
/// How many items are claimed in one round trip.
pub const CLAIM_BATCH: Setting =
    Setting::count("duties.claim_batch", 200, 1, 1_000, "How many items a duty claims in one round trip.");
/// How many items of one account are claimed in one round.
pub const CLAIM_PER_ACCOUNT: Setting = Setting::count(
    "duties.claim_per_account",
    8,
    1,
    1_000,
    "How many items of one account a duty claims in one round while others wait.",
);
/// The base of the delay between attempts.
pub const RETRY_BASE: Setting = Setting::millis(
    "duties.retry_base",
    1_000,
    1,
    600_000,
    "The base of the exponential delay between attempts.",
);
/// The cap of the delay between attempts.
pub const RETRY_CAP: Setting =
    Setting::millis("duties.retry_cap", 300_000, 1, 86_400_000, "The longest delay between two attempts.");
/// How often an item is attempted.
pub const RETRY_ATTEMPTS: Setting = Setting::count(
    "duties.retry_attempts",
    10,
    1,
    1_000,
    "How often an item is attempted before it becomes a dead letter.",
);
/// For how long an item is attempted.
pub const RETRY_AGE: Setting = Setting::millis(
    "duties.retry_age",
    86_400_000,
    1_000,
    30 * 86_400_000,
    "For how long an item is attempted before it becomes a dead letter.",
);

pub(crate) const SETTINGS: &[&Setting] = &[
    &LEASE,
    &HEARTBEAT,
    &POLL,
    &CLAIM_BATCH,
    &CLAIM_PER_ACCOUNT,
    &RETRY_BASE,
    &RETRY_CAP,
    &RETRY_ATTEMPTS,
    &RETRY_AGE,
];

/// How one attempt at an item ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is done; the batch is its effect.
    Done(Batch),
    /// It is done, and due again at this instant: the item of a recurring duty.
    Again(DateTime<Utc>, Batch),
    /// It failed in a way that may pass; tried again by the policy, then a dead letter. The batch is written either way.
    Retry(Fault, Batch),
    /// It failed for good: a dead letter. [`Duty::bury`] adds what else changes.
    Dead(Fault),
    /// It was not attempted after all: back into the queue at once, the attempt not counted.
    Release,
    /// The duty committed the effect itself, together with the settlement of the item.
    Settled,
    /// The duty tried to, and the item was somebody else's by then: nothing was written.
    Lost,
}

/// An item in progress.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The item, under the fence of this claim.
    pub work: Work,
    /// Cancelled when the lease is lost, the item is withdrawn or the daemon drains past its deadline.
    pub cancel: CancellationToken,
}

/// Whoever performs the items of one kind.
pub trait Duty: Send + Sync + 'static {
    /// Its name: the `duty` of its work items, its label in metrics, its path in the API.
    fn name(&self) -> &'static str;

    /// One sentence for descriptors and docs.
    fn doc(&self) -> &'static str;

    /// How many items it performs at once in one daemon.
    fn concurrency(&self) -> &'static Setting;

    /// How often it recurs, where it has one item of the system's that comes again and again. Every daemon sees to it
    /// that the item is there; it answers [`Outcome::Again`].
    fn recurs(&self) -> Option<&'static Setting> {
        None
    }

    /// The accounts and gates that have as many runs as they may: their items stay in the queue for now.
    fn full(&self, _core: &Core) -> Vec<Uuid> {
        Vec::new()
    }

    /// How it retries; the settings of [`SETTINGS`] unless it says otherwise.
    fn retry(&self, core: &Core) -> RetryPolicy {
        let usual = RetryPolicy {
            base: core.settings.duration(&RETRY_BASE),
            cap: core.settings.duration(&RETRY_CAP),
            max_attempts: u32::try_from(core.settings.count(&RETRY_ATTEMPTS)).unwrap_or(u32::MAX),
            max_age: core.settings.duration(&RETRY_AGE),
        };
        // What recurs is never given up: nobody would begin it again.
        match self.recurs() {
            Some(_) => RetryPolicy { max_attempts: u32::MAX, max_age: Duration::MAX, ..usual },
            None => usual,
        }
    }

    /// Performs one item. May be called again for the same item with a higher attempt; whatever effect it has outside
    /// carries the item's id as its key.
    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome>;

    /// Adds to the batch what changes when the item becomes a dead letter: the execution fails, the delivery is dead.
    fn bury<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        _work: &'a Work,
        _why: &'a Fault,
        _batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    /// Adds to the batch what changes when the item is dropped on purpose: a resume that drops, a discarded letter.
    fn discard<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        _work: &'a Work,
        _batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    /// Whether an item stands for a whole sequence of instants (a job's schedule). A resume neither keeps nor drops it: it
    /// tells it by [`Duty::resumed`] what becomes of the instants of the pause.
    fn is_sequence(&self, _work: &Work) -> bool {
        false
    }

    /// Takes note of what a resume says about the instants of a sequence, and counts those of the pause. May be called again
    /// with the same word.
    fn resumed<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        _work: &'a Work,
        _ruling: Ruling,
    ) -> BoxFuture<'a, Result<Resumed, Fault>> {
        Box::pin(async { Ok(Resumed::default()) })
    }

    /// Adds to the batch what changes when a dead letter is put back into the queue: the execution is queued again.
    fn revive<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        _work: &'a Work,
        _batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
}

/// The id of a recurring duty's one item, the same in every daemon.
pub(crate) fn recurring_id(duty: &str) -> Uuid {
    let digest = Sha256::new().chain_update("recurring/").chain_update(duty).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Adds to the batch that a recurring duty's item is due now, unless it is being performed.
pub(crate) async fn hasten(core: &Core, duty: &'static str, batch: &mut Batch) -> Result<(), Fault> {
    let query = WorkQuery {
        account: Some(SYSTEM),
        subject: Some(recurring_id(duty)),
        limit: 1,
        ..WorkQuery::default()
    };
    let now = core.clock.now();
    let items = core.store.work(query).await?;
    if let Some(item) = items.first().filter(|item| !item.is_leased(now)) {
        batch.settle(item.settle(Settlement::Retry { due_at: now, error: String::new() }));
    }
    Ok(())
}

/// The mailboxes of this daemon's duties, so that whoever adds work can wake the one that performs it.
#[derive(Debug, Default)]
pub struct Bells {
    hung: RwLock<HashMap<&'static str, Bell>>,
    /// Told when events may have been appended to the log.
    pub(crate) appended: Notify,
    /// Cancelled when the daemon drains: what would go on for ever ends.
    pub(crate) leaving: CancellationToken,
}

/// One duty's mailbox. A bell that was rung and not yet heard is not rung again, so that a flood of work is one message.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    actor: ActorRef<DutyMessage>,
    rung: Arc<AtomicBool>,
    places: Arc<hand::Places>,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) && self.actor.cast(DutyMessage::Wake).is_err() {
            tracing::debug!("A duty that restarts was rung; it looks by itself");
        }
    }

    /// Heard: from now on it can be rung again.
    pub(crate) fn hear(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Bells {
    /// Wakes one duty, where this daemon runs it.
    pub fn ring(&self, duty: &str) {
        if let Some(bell) = self.of(duty) {
            bell.ring();
        }
    }

    /// Items of this account were withdrawn, perhaps such as this daemon performs.
    pub fn withdrawn(&self, account: Uuid) {
        for actor in self.actors() {
            let _restarts_and_holds_nothing = actor.cast(DutyMessage::Withdrawn(account));
        }
    }

    fn of(&self, duty: &str) -> Option<Bell> {
        self.hung.read().unwrap_or_else(PoisonError::into_inner).get(duty).cloned()
    }

    /// Wakes all of them.
    pub fn ring_all(&self) {
        self.hung.read().unwrap_or_else(PoisonError::into_inner).values().for_each(Bell::ring);
        // Whoever reads the log looks whether it is to go on.
        self.appended.notify_one();
    }

    pub(crate) fn hang(&self, duty: &'static str, actor: ActorRef<DutyMessage>) -> Bell {
        let bell = Bell { actor, rung: Arc::default(), places: Arc::default() };
        self.hung.write().unwrap_or_else(PoisonError::into_inner).insert(duty, bell.clone());
        bell
    }

    fn actors(&self) -> Vec<ActorRef<DutyMessage>> {
        let bells = self.hung.read().unwrap_or_else(PoisonError::into_inner);
        bells.values().map(|bell| bell.actor.clone()).collect()
    }

    /// How each duty of this daemon is.
    pub async fn inspect(&self) -> Vec<DutyStatus> {
        let actors = self.actors();
        let asked = actors.iter().map(|actor| actor.call(DutyMessage::Inspect, Some(Duration::from_secs(1))));
        let answers = futures_util::future::join_all(asked).await;
        let mut known: Vec<DutyStatus> = answers
            .into_iter()
            .filter_map(|answer| match answer {
                Ok(ractor::rpc::CallResult::Success(status)) => Some(status),
                _ => None,
            })
            .collect();
        known.sort_by_key(|status| status.name);
        known
    }

    /// Lets every duty finish what it performs, at most until the deadline; the rest is released.
    pub async fn drain(&self, within: Duration) {
        self.leaving.cancel();
        let actors = self.actors();
        let asked = actors.iter().map(|actor| {
            actor.call(|reply| DutyMessage::Drain(within, reply), Some(within + Duration::from_secs(5)))
        });
        futures_util::future::join_all(asked).await;
    }
}
