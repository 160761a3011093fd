//! The actor that drives a duty: claims, performs, settles, prolongs, pauses, resumes, drains.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde::Serialize;
use sl_store::{Batch, Claim, Code, Fault, Key, NewWork, SYSTEM, Work};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Attempt, Bell, CLAIM_BATCH, CLAIM_PER_ACCOUNT, Duty, HEARTBEAT, LEASE, Outcome, POLL,
    hand::{Promise, give_back},
    settle::{Verdict, settle},
};
use crate::{Core, action::panic_text, pause::PauseScope, supervisor::spawn_task};

/// What a duty's actor is told.
#[derive(Debug)]
pub(crate) enum DutyMessage {
    /// Something may be due.
    Wake,
    /// An item that is held for it from the moment it was added.
    Take(Box<Work>, Promise),
    /// The time of the timer that was set as the `n`th has come.
    Tick(u64),
    /// An attempt ended.
    Settled(Uuid, Verdict, Option<String>),
    /// Leases must be prolonged.
    Heartbeat,
    /// Items of this account were withdrawn.
    Withdrawn(Uuid),
    /// Is everything still held?
    Check,
    /// How is it?
    Inspect(RpcReplyPort<DutyStatus>),
    /// Claims nothing more, waits for what is performed, releases the rest.
    Drain(Duration, RpcReplyPort<()>),
    /// The time to wait is over.
    DrainDeadline,
    /// The time that what was stopped has to end is over, too.
    DrainOverdue,
}

/// How a duty is, in this daemon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DutyStatus {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// `running`, `paused` or `draining`.
    pub status: &'static str,
    /// How many items it performs now.
    pub in_progress: usize,
    /// How many it performs at once at most.
    pub concurrency: usize,
    /// How many attempts ended well since the daemon started.
    pub done: u64,
    /// How many failed and are tried again.
    pub retried: u64,
    /// How many became dead letters.
    pub dead: u64,
    /// How many outcomes were refused because the lease had been lost.
    pub lost: u64,
    /// The last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// After a claim of so many another one follows at once, without asking when the next item is due.
const MANY: usize = 8;

/// So long after items were withdrawn it is looked what is still held: once for all that go meanwhile.
const CHECK: Duration = Duration::from_millis(20);

pub(crate) struct DutyActor;

pub(super) struct Held {
    pub account: Uuid,
    pub fence: i64,
    pub cancel: CancellationToken,
}

pub(crate) struct DutyState {
    pub(super) core: Arc<Core>,
    pub(super) duty: Arc<dyn Duty>,
    pub(super) held: HashMap<Uuid, Held>,
    after_account: Option<Uuid>,
    bell: Bell,
    timer: u64,
    sleeping: Option<JoinHandle<()>>,
    counts: HashMap<&'static str, u64>,
    last_error: Option<String>,
    /// Whether the last look left items where they are because of what is held here.
    left_some: bool,
    /// Whether something may be due that no look has seen yet.
    behind: bool,
    /// Whether a check of what is held is on its way.
    checking: bool,
    pub(super) draining: Option<Vec<RpcReplyPort<()>>>,
}

impl DutyState {
    fn concurrency(&self) -> usize {
        self.core.settings.size(self.duty.concurrency())
    }

    fn paused(&self) -> bool {
        let now = self.core.clock.now();
        let name = self.duty.name();
        self.core.mirror.pauses().iter().any(|pause| {
            pause.holds(now)
                && match pause.scope {
                    PauseScope::System => true,
                    PauseScope::Duty => pause.target == name,
                    PauseScope::Account | PauseScope::Entity => false,
                }
        })
    }

    /// The poll, or less where a pause ends before.
    fn longest_sleep(&self) -> Duration {
        let now = self.core.clock.now();
        let pauses = self.core.mirror.pauses();
        let ends = pauses.iter().filter_map(|pause| pause.until).filter(|until| *until > now).min();
        let ends = ends.and_then(|ends| (ends - now).to_std().ok());
        ends.unwrap_or(Duration::MAX).min(self.core.settings.duration(&POLL))
    }

    /// How many items of one account are performed at once while others wait.
    fn share(&self) -> usize {
        self.core.settings.size(&CLAIM_PER_ACCOUNT).max(self.concurrency() / 2)
    }

    /// Accounts and gates that have their share already.
    fn full(&self) -> Vec<Uuid> {
        let share = self.share();
        let shares = shares(self.held.values().map(|held| held.account));
        let served = shares.into_iter().filter(|(_, taken)| *taken >= share).map(|(account, _)| account);
        served.chain(self.duty.full(&self.core)).collect()
    }

    /// What stays in the queue: paused accounts and gates, and those that have their share already.
    fn skipped(&self, full: Vec<Uuid>) -> (Vec<Uuid>, Vec<Uuid>) {
        let now = self.core.clock.now();
        let (mut accounts, mut gates) =
            (self.core.mirror.stopped().keys().copied().collect::<Vec<_>>(), Vec::new());
        for pause in self.core.mirror.pauses().iter().filter(|pause| pause.holds(now)) {
            match pause.scope {
                PauseScope::Account => accounts.extend(pause.target.parse::<Uuid>().ok()),
                PauseScope::Entity => gates.extend(pause.gate()),
                PauseScope::System | PauseScope::Duty => {}
            }
        }
        accounts.extend(&full);
        gates.extend(full);
        (accounts, gates)
    }

    /// Claims and starts until nothing is due or everything is in use; answers when to look again.
    async fn look(&mut self, myself: &ActorRef<DutyMessage>) -> Duration {
        let poll = self.longest_sleep();
        self.behind = true;
        loop {
            if self.draining.is_some() || self.paused() {
                return poll;
            }
            let free = self.free().saturating_sub(self.bell.places.promised());
            if free == 0 {
                return poll;
            }
            let due = self.core.clock.now();
            match self.claim(free, due).await {
                Ok(items) => {
                    let (all, many) = (self.was_all(&items, free), items.len() >= MANY);
                    for item in items {
                        if !self.holds(&item) {
                            self.begin(myself, item);
                        }
                    }
                    // Where many came due, others have meanwhile.
                    if all && !many {
                        self.behind = false;
                        return self.until_next(due, poll).await;
                    }
                }
                Err(fault) => {
                    tracing::warn!(duty = self.duty.name(), %fault, "Nothing could be claimed");
                    return poll;
                }
            }
        }
    }

    async fn claim(&mut self, free: usize, due: DateTime<Utc>) -> Result<Vec<Work>, Fault> {
        let settings = self.core.settings.clone();
        let full = self.full();
        self.left_some = !full.is_empty();
        let (skip_accounts, skip_gates) = self.skipped(full);
        let items = self
            .core
            .store
            .claim(Claim {
                duty: self.duty.name(),
                holder: self.core.daemon_id,
                due,
                lease: settings.duration(&LEASE),
                limit: free.min(settings.size(&CLAIM_BATCH)),
                per_account: settings.size(&CLAIM_PER_ACCOUNT),
                skip_accounts,
                skip_gates,
                after_account: self.after_account,
            })
            .await?;
        self.after_account = items.last().map(|item| item.account).or(self.after_account);
        Ok(items)
    }

    /// Whether a claim took all there was: neither its size nor an account's share of it bounded it.
    fn was_all(&self, items: &[Work], free: usize) -> bool {
        let settings = &self.core.settings;
        let share = settings.size(&CLAIM_PER_ACCOUNT);
        items.len() < free.min(settings.size(&CLAIM_BATCH))
            && shares(items.iter().map(|item| item.account)).values().all(|taken| *taken < share)
    }

    /// How long nothing comes due, after a look that took all that was due at that instant.
    async fn until_next(&self, looked_at: DateTime<Utc>, poll: Duration) -> Duration {
        // What was due by then and was not claimed is held back by a pause or a bound: whatever lifts it wakes the duty.
        let Ok(Some(next)) = self.core.store.next_due(self.duty.name(), looked_at).await else { return poll };
        (next - self.core.clock.now()).to_std().unwrap_or_default().min(poll)
    }

    /// Whether it is performed here under this very claim, which the database had forgotten in a crash and gave anew.
    fn holds(&self, item: &Work) -> bool {
        self.held.get(&item.id).is_some_and(|held| held.fence == item.fence)
    }

    fn free(&self) -> usize {
        self.concurrency().saturating_sub(self.held.len())
    }

    /// Begins an item that was handed over, unless it would not have been claimed now.
    fn take(&mut self, myself: &ActorRef<DutyMessage>, work: Work) {
        let (accounts, gates) = self.skipped(self.full());
        let stays = accounts.contains(&work.account) || work.gate.is_some_and(|gate| gates.contains(&gate));
        if stays || self.free() == 0 || self.draining.is_some() || self.paused() {
            give_back(&self.core, work);
        } else {
            self.begin(myself, work);
        }
    }

    /// Tells how much could be handed over: nothing while there is something that waits.
    fn tell_room(&self) {
        let waits = self.behind || self.left_some || self.draining.is_some() || self.paused();
        self.bell.places.tell(if waits { 0 } else { self.free() });
    }

    fn begin(&mut self, myself: &ActorRef<DutyMessage>, work: Work) {
        let delay = (self.core.clock.now() - work.due_at).to_std().unwrap_or_default();
        let delays = &self.core.metrics.start_delay_seconds;
        delays.with_label_values(&[self.duty.name()]).observe(delay.as_secs_f64());
        let cancel = CancellationToken::new();
        let held = Held { account: work.account, fence: work.fence, cancel: cancel.clone() };
        self.held.insert(work.id, held);
        let (core, duty, myself) = (self.core.clone(), self.duty.clone(), myself.clone());
        let attempt = Attempt { work, cancel };
        spawn_task("duty", async move {
            let (verdict, error) = perform(&core, &*duty, &attempt).await;
            let _restarted_meanwhile = myself.cast(DutyMessage::Settled(attempt.work.id, verdict, error));
        });
    }

    async fn prolong(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let key = |id: &Uuid, held: &Held| (Key::new(held.account, *id), held.fence);
        let held: Vec<(Key, i64)> = self.held.iter().map(|(id, held)| key(id, held)).collect();
        let lease = self.core.settings.duration(&LEASE);
        match self.core.store.heartbeat(self.core.daemon_id, held, lease).await {
            Ok(kept) => {
                for (id, held) in &self.held {
                    if !kept.contains(id) {
                        held.cancel.cancel();
                    }
                }
            }
            Err(fault) => tracing::warn!(duty = self.duty.name(), %fault, "Leases could not be prolonged"),
        }
    }

    /// Stops what runs for accounts that are being deleted.
    fn forsake(&self) {
        for held in self.held.values().filter(|held| self.core.mirror.is_deleting(held.account)) {
            held.cancel.cancel();
        }
    }

    fn settled(&mut self, id: Uuid, verdict: Verdict, error: Option<String>) {
        self.held.remove(&id);
        self.last_error = error.or_else(|| self.last_error.take());
        *self.counts.entry(verdict.as_str()).or_default() += 1;
        self.core.metrics.attempts.with_label_values(&[self.duty.name(), verdict.as_str()]).inc();
        self.answer_drain();
    }

    fn count(&self, verdict: Verdict) -> u64 {
        self.counts.get(verdict.as_str()).copied().unwrap_or_default()
    }

    fn status(&self) -> DutyStatus {
        DutyStatus {
            name: self.duty.name(),
            doc: self.duty.doc(),
            status: match (self.draining.is_some(), self.paused()) {
                (true, _) => "draining",
                (false, true) => "paused",
                (false, false) => "running",
            },
            in_progress: self.held.len(),
            concurrency: self.concurrency(),
            done: self.count(Verdict::Done),
            retried: self.count(Verdict::Retried),
            dead: self.count(Verdict::Dead),
            lost: self.count(Verdict::Lost),
            last_error: self.last_error.clone(),
        }
    }

    async fn look_and_sleep(&mut self, myself: &ActorRef<DutyMessage>) {
        self.bell.hear();
        let wait = self.look(myself).await;
        self.timer += 1;
        if let Some(sleeping) = self.sleeping.take() {
            sleeping.abort();
        }
        let (timer, clock, myself) = (self.timer, self.core.clock.clone(), myself.clone());
        self.sleeping = Some(spawn_task("duty timer", async move {
            clock.sleep(wait).await;
            let _stopped_meanwhile = myself.cast(DutyMessage::Tick(timer));
        }));
    }
}

/// How many items each account has.
fn shares(accounts: impl Iterator<Item = Uuid>) -> HashMap<Uuid, usize> {
    let mut shares = HashMap::new();
    for account in accounts {
        *shares.entry(account).or_default() += 1;
    }
    shares
}

/// Puts the one item of a recurring duty into the queue; where some daemon did before, it is due now: a daemon that starts
/// may have other keys and other settings.
async fn recur(core: &Core, duty: &dyn Duty) -> Result<(), Fault> {
    if duty.recurs().is_none() {
        return Ok(());
    }
    let id = super::recurring_id(duty.name());
    let mut batch = Batch::new();
    batch.enqueue(NewWork::new(id, duty.name(), SYSTEM, id, core.clock.now()));
    match core.store.commit(batch).await {
        Err(fault) if fault.code == Code::Conflict => {}
        ended => return ended,
    }
    let mut batch = Batch::new();
    super::hasten(core, duty.name(), &mut batch).await?;
    match core.store.commit(batch).await {
        // Somebody claimed it in between.
        Err(fault) if fault.code != Code::FenceLost => Err(fault),
        _ => Ok(()),
    }
}

/// Performs and settles one item; a panic is a failed attempt.
async fn perform(core: &Arc<Core>, duty: &dyn Duty, attempt: &Attempt) -> (Verdict, Option<String>) {
    let name = duty.name();
    let started = tokio::time::Instant::now();
    let outcome = std::panic::AssertUnwindSafe(duty.perform(core, attempt)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic_text(&*panic);
        tracing::error!(duty = name, work_id = %attempt.work.id, panic = text, "An attempt panicked");
        Outcome::Retry(Fault::new(Code::Internal, format!("the attempt panicked: {text}")), Batch::new())
    });
    core.metrics.attempt_seconds.with_label_values(&[name]).observe(started.elapsed().as_secs_f64());
    if let Outcome::Retry(fault, _) | Outcome::Dead(fault) = &outcome {
        tracing::warn!(
            duty = name, account_id = %attempt.work.account, subject = %attempt.work.subject,
            attempt = attempt.work.attempt, %fault, "An attempt failed"
        );
    }
    let error = match &outcome {
        Outcome::Retry(fault, _) | Outcome::Dead(fault) => Some(fault.to_string()),
        _ => None,
    };
    (settle(core, duty, &attempt.work, outcome).await, error)
}

impl Actor for DutyActor {
    type Msg = DutyMessage;
    type State = DutyState;
    type Arguments = (Arc<Core>, Arc<dyn Duty>);

    async fn pre_start(
        &self,
        myself: ActorRef<DutyMessage>,
        (core, duty): Self::Arguments,
    ) -> Result<DutyState, ActorProcessingErr> {
        recur(&core, &*duty).await.map_err(Box::new)?;
        let bell = core.bells.hang(duty.name(), myself.clone());
        myself.send_after(core.settings.duration(&HEARTBEAT), || DutyMessage::Heartbeat);
        myself.cast(DutyMessage::Wake)?;
        Ok(DutyState {
            core,
            duty,
            held: HashMap::new(),
            after_account: None,
            bell,
            timer: 0,
            sleeping: None,
            counts: HashMap::new(),
            last_error: None,
            left_some: false,
            behind: true,
            checking: false,
            draining: None,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<DutyMessage>,
        message: DutyMessage,
        state: &mut DutyState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DutyMessage::Take(work, promise) => {
                state.take(&myself, *work);
                drop(promise);
            }
            DutyMessage::Wake => {
                state.forsake();
                state.look_and_sleep(&myself).await;
            }
            DutyMessage::Tick(timer) => {
                if timer == state.timer {
                    state.look_and_sleep(&myself).await;
                }
            }
            DutyMessage::Settled(id, verdict, error) => {
                let was_full = state.held.len() >= state.concurrency();
                state.settled(id, verdict, error);
                // Behind what has ended too by now, so that one look sees to all of it.
                if was_full || state.left_some {
                    state.bell.ring();
                }
            }
            DutyMessage::Heartbeat => {
                state.prolong().await;
                myself.send_after(state.core.settings.duration(&HEARTBEAT), || DutyMessage::Heartbeat);
            }
            DutyMessage::Withdrawn(account) => {
                if !state.checking && state.held.values().any(|held| held.account == account) {
                    state.checking = true;
                    myself.send_after(CHECK, || DutyMessage::Check);
                }
            }
            DutyMessage::Check => {
                state.checking = false;
                state.prolong().await;
            }
            DutyMessage::Inspect(reply) => {
                let _gave_up_waiting = reply.send(state.status());
            }
            DutyMessage::Drain(within, reply) => {
                state.draining.get_or_insert_default().push(reply);
                state.answer_drain();
                myself.send_after(within, || DutyMessage::DrainDeadline);
            }
            DutyMessage::DrainDeadline => state.stop(&myself),
            DutyMessage::DrainOverdue => state.give_back().await,
        }
        state.tell_room();
        Ok(())
    }
}
