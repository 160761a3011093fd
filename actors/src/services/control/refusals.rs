//! Requests that were refused, as events: the audit tells who tried what, and not only who did it.
//!
//! A request waits for none of this. What was refused goes into a bounded queue, which one actor empties in batches;
//! what finds it full, or meets a store that does not answer, is lost, and counted as such.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use serde_json::json;
use sl_store::{Batch, Fault, Key, NewEvent, SYSTEM};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::REFUSALS_QUEUE;
use crate::{
    Core,
    caller::Caller,
    services::accounts::{Account, Status},
    settings::Settings,
    supervisor::spawn_task,
};

/// The kind of the event. Whatever listens hears it only where it names it.
pub const REFUSED: &str = "request.refused";
/// What the patterns begin with that name it.
pub(crate) const REQUEST: &str = "request.";

/// How many are written in one batch.
const AT_ONCE: usize = 100;
/// How long a reader of the audit waits at most for what was refused before it asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// A request that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Who asked.
    pub caller: Arc<Caller>,
    /// The account that the path names.
    pub account: Option<Uuid>,
    /// What the path names last, where it names anything by an id.
    pub subject: Option<Uuid>,
    /// The id of the operation.
    pub operation: String,
    /// The status of the answer.
    pub status: u16,
    /// The code of the problem.
    pub code: &'static str,
}

/// What was refused and is not yet written.
#[derive(Debug)]
pub struct Refusals {
    queue: Mutex<VecDeque<Refused>>,
    most: usize,
    added: Notify,
    /// How many were taken in and how many of them are dealt with.
    counts: watch::Sender<(u64, u64)>,
}

impl Refusals {
    /// An empty queue.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            queue: Mutex::default(),
            most: settings.size(&REFUSALS_QUEUE),
            added: Notify::new(),
            counts: watch::Sender::default(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Refused>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one in; answers whether there was room.
    fn add(&self, refused: Refused) -> bool {
        {
            let mut queue = self.queue();
            if queue.len() >= self.most {
                return false;
            }
            queue.push_back(refused);
            self.counts.send_modify(|(taken, _)| *taken += 1);
        }
        self.added.notify_one();
        true
    }

    fn take(&self) -> Vec<Refused> {
        let mut queue = self.queue();
        let many = queue.len().min(AT_ONCE);
        queue.drain(..many).collect()
    }

    fn dealt_with(&self, many: usize) {
        self.counts.send_modify(|(_, done)| *done += many as u64);
    }

    /// Waits a moment for what was taken in so far.
    pub(super) async fn settled(&self) {
        let mut counts = self.counts.subscribe();
        let (taken, _) = *counts.borrow();
        let _told_as_it_stands =
            tokio::time::timeout(PATIENCE, counts.wait_for(|(_, done)| *done >= taken)).await;
    }
}

impl Core {
    /// Notes that a request was refused; never waits.
    pub fn refused(&self, refused: Refused) {
        if !self.refusals.add(refused) {
            self.metrics.refusals.with_label_values(&["dropped"]).inc();
        }
    }
}

/// The event that tells of a refusal, in this account.
fn told(refused: &Refused, account: Uuid) -> NewEvent {
    let Refused { caller, operation, status, code, .. } = refused;
    NewEvent {
        account,
        service: super::NAME,
        kind: REFUSED,
        subject: refused.subject.unwrap_or(account),
        actor: caller.actor.clone(),
        request_id: caller.request_id.clone(),
        origin: caller.origin.clone(),
        data: json!({"operation": operation, "status": status, "code": code}),
    }
}

/// The account in whose audit a refusal stands. A tenant's stands in its own, whatever it reached for; an operator's in
/// that of the path, where there is one that stays, otherwise in the system's.
async fn whose(
    core: &Core,
    refused: &Refused,
    known: &mut BTreeMap<Uuid, bool>,
) -> Result<Option<Uuid>, Fault> {
    let own = refused.caller.account;
    let Some(account) = own.or(refused.account) else { return Ok(Some(SYSTEM)) };
    let stays = if let Some(stays) = known.get(&account) {
        *stays
    } else {
        let found = core.store.find::<Account>(Key::new(SYSTEM, account)).await?;
        let stays = found.is_some_and(|account| account.status != Status::Deleting);
        known.insert(account, stays);
        stays
    };
    Ok(if stays { Some(account) } else { own.is_none().then_some(SYSTEM) })
}

async fn write(core: &Core, refusals: &[Refused]) -> Result<(), Fault> {
    let (mut batch, mut known) = (Batch::new(), BTreeMap::new());
    for refused in refusals {
        if let Some(account) = whose(core, refused, &mut known).await? {
            batch.event(told(refused, account));
        }
    }
    core.store.commit(batch).await
}

/// Writes all that waits.
async fn empty(core: &Core) {
    loop {
        let refusals = core.refusals.take();
        if refusals.is_empty() {
            return;
        }
        let outcome = match write(core, &refusals).await {
            Ok(()) => "written",
            Err(fault) => {
                let lost = refusals.len();
                tracing::warn!(%fault, lost, "Refused requests could not be written down for the audit");
                "lost"
            }
        };
        core.metrics.refusals.with_label_values(&[outcome]).inc_by(refusals.len() as u64);
        core.refusals.dealt_with(refusals.len());
    }
}

/// Empties the queue.
pub(crate) struct RefusalWriter;

/// There is something in the queue.
pub(crate) struct Added;

impl Actor for RefusalWriter {
    type Msg = Added;
    type State = Arc<Core>;
    type Arguments = Arc<Core>;

    async fn pre_start(
        &self,
        myself: ActorRef<Added>,
        core: Arc<Core>,
    ) -> Result<Arc<Core>, ActorProcessingErr> {
        let listened = core.clone();
        spawn_task("refusals", async move {
            loop {
                // What waits since before this actor is dealt with as well.
                if myself.cast(Added).is_err() {
                    // The word was for the actor that came after.
                    listened.refusals.added.notify_one();
                    return;
                }
                listened.refusals.added.notified().await;
            }
        });
        Ok(core)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Added>,
        Added: Added,
        core: &mut Arc<Core>,
    ) -> Result<(), ActorProcessingErr> {
        empty(core).await;
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Added>,
        core: &mut Arc<Core>,
    ) -> Result<(), ActorProcessingErr> {
        empty(core).await;
        core.refusals.added.notify_one();
        Ok(())
    }
}
