//! The directory of account actors, with the admission gate in front of each.
//!
//! ractor's mailboxes are unbounded, so every sender holds a place of the account and one of the daemon until its action
//! is done. Who finds none is answered at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use sl_store::{Code, Fault};
use uuid::Uuid;

use crate::{
    Core,
    account::{AccountActor, AccountMessage, Beginning},
    settings::Setting,
    supervisor::Intensity,
};

/// How many actions of one account may wait and run in one daemon.
pub const ACCOUNT_QUEUE: Setting = Setting::count(
    "accounts.queue",
    1_024,
    1,
    1_000_000,
    "How many actions of one account may wait and run in one daemon; more are answered 429.",
);
/// How many actions may wait and run in one daemon.
pub const DAEMON_QUEUE: Setting = Setting::count(
    "runtime.queue",
    16_384,
    16,
    10_000_000,
    "How many actions of all accounts may wait and run in one daemon; more are answered 503.",
);
/// After how long without a request an account's actor is retired.
pub const IDLE_AFTER: Setting = Setting::millis(
    "accounts.idle_after",
    300_000,
    1_000,
    86_400_000,
    "After how long without a request the actor of an account is retired.",
);

pub(crate) const SETTINGS: &[&Setting] = &[&ACCOUNT_QUEUE, &DAEMON_QUEUE, &IDLE_AFTER];

/// Finds or starts the actor of an account; cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory {
    core: Arc<Core>,
    entries: Arc<RwLock<HashMap<Uuid, Arc<Entry>>>>,
    gate: Arc<Gate>,
    supervisor: Arc<RwLock<Option<ActorCell>>>,
}

/// An account's actor and the gate in front of it.
pub(crate) struct Entry {
    pub actor: ActorRef<AccountMessage>,
    gate: Gate,
}

/// A number of places. Nobody waits for one.
struct Gate {
    places: usize,
    taken: AtomicUsize,
}

impl Gate {
    const fn new(places: usize) -> Self {
        Self { places, taken: AtomicUsize::new(0) }
    }

    /// Takes a place, where there is one.
    fn enter(&self) -> bool {
        let entered = self.taken.fetch_add(1, Ordering::AcqRel) < self.places;
        if !entered {
            self.leave();
        }
        entered
    }

    fn leave(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire).min(self.places)
    }
}

impl Directory {
    pub fn new(core: Arc<Core>) -> Self {
        let gate = Arc::new(Gate::new(core.settings.size(&DAEMON_QUEUE)));
        Self { core, entries: Arc::default(), gate, supervisor: Arc::default() }
    }

    /// A place in the account's queue, or the answer that there is none.
    pub async fn admit(&self, account: Uuid) -> Result<Admitted, Fault> {
        let daemon = Place::of(&self.gate).ok_or_else(|| {
            let limit = self.core.settings.count(&DAEMON_QUEUE);
            Fault::new(Code::Unavailable, "the daemon's queue is full")
                .limited(DAEMON_QUEUE.name, limit, limit)
                .retry_after(Duration::from_secs(1))
        })?;
        let entry = match self.known(account) {
            Some(entry) => entry,
            None => Box::pin(self.start(account)).await?,
        };
        if entry.gate.enter() {
            return Ok(Admitted { entry, _daemon: daemon });
        }
        let limit = self.core.settings.count(&ACCOUNT_QUEUE);
        Err(Fault::new(Code::Overloaded, "the account's queue is full")
            .limited(ACCOUNT_QUEUE.name, limit, limit)
            .retry_after(Duration::from_secs(1)))
    }

    /// How many actions of an account wait and run.
    pub fn waiting(&self, account: Uuid) -> u64 {
        self.known(account).map_or(0, |entry| entry.gate.taken()) as u64
    }

    /// How many account actors run.
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn known(&self, account: Uuid) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&account).cloned()
    }

    /// Starts the actor of an account; where two do that at once, one of the two goes again.
    async fn start(&self, account: Uuid) -> Result<Arc<Entry>, Fault> {
        let supervisor = self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let supervisor = supervisor.ok_or_else(|| {
            Fault::new(Code::Unavailable, "the runtime is starting").retry_after(Duration::from_secs(1))
        })?;
        let (actor, _joined) = Actor::spawn_linked(None, AccountActor, self.beginning(account), supervisor)
            .await
            .map_err(Fault::internal)?;
        let fresh = Arc::new(Entry { actor, gate: Gate::new(self.core.settings.size(&ACCOUNT_QUEUE)) });
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let kept = entries.entry(account).or_insert_with(|| fresh.clone()).clone();
        if kept.actor.get_id() != fresh.actor.get_id() {
            fresh.actor.stop(None);
        }
        self.count(&entries);
        Ok(kept)
    }

    fn beginning(&self, account_id: Uuid) -> Beginning {
        let directory = self.clone();
        Beginning {
            core: self.core.clone(),
            account_id,
            idle_after: self.core.settings.duration(&IDLE_AFTER),
            retire: Box::new(move |account| directory.retire(account)),
        }
    }

    /// Takes an actor out and lets it finish what is in its mailbox.
    fn retire(&self, account: Uuid) {
        let removed = {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            let removed = entries.remove(&account);
            self.count(&entries);
            removed
        };
        if let Some(entry) = removed
            && let Err(error) = entry.actor.drain()
        {
            tracing::debug!(account_id = %account, %error, "A retiring actor had stopped already");
        }
    }

    fn lost(&self, who: ActorId) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| entry.actor.get_id() != who);
        self.count(&entries);
    }

    fn count(&self, entries: &HashMap<Uuid, Arc<Entry>>) {
        self.core.metrics.account_actors.set(i64::try_from(entries.len()).unwrap_or(i64::MAX));
    }
}

/// A place in the daemon's queue.
struct Place(Arc<Gate>);

impl Place {
    fn of(gate: &Arc<Gate>) -> Option<Self> {
        gate.enter().then(|| Self(gate.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A place in an account's queue, and one in the daemon's.
pub(crate) struct Admitted {
    pub entry: Arc<Entry>,
    _daemon: Place,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.entry.gate.leave();
    }
}

/// Supervises the account actors: one that ends is forgotten, and started afresh by the next request for it.
pub(crate) struct AccountsSupervisor;

impl Actor for AccountsSupervisor {
    type Msg = ();
    type State = (Directory, Intensity);
    type Arguments = Directory;

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        directory: Directory,
    ) -> Result<Self::State, ActorProcessingErr> {
        *directory.supervisor.write().unwrap_or_else(PoisonError::into_inner) = Some(myself.get_cell());
        Ok((directory, Intensity::default()))
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<()>,
        event: SupervisionEvent,
        (directory, crashes): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(who, error) => {
                tracing::error!(actor = %who.get_id(), %error, "An account actor failed");
                directory.lost(who.get_id());
                if crashes.exceeded() {
                    directory.core.health.degrade("accounts", "account actors fail again and again");
                }
            }
            SupervisionEvent::ActorTerminated(who, ..) => directory.lost(who.get_id()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}
