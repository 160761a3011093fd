//! What a daemon keeps copies of: the pauses, and counters that say how often accounts and tokens changed.
//!
//! Hints of the store refresh the copies at once; a poll refreshes them where a hint was lost.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use sl_store::{Entity as _, EventQuery, Fault, Filter, Head, Hint, Position, Query, SYSTEM};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::{
    Core,
    pause::{Pause, PauseScope},
    services::accounts::{Account, Status, Token},
    settings::Setting,
    supervisor::spawn_task,
};

/// How often the copies are refreshed without a hint.
pub const POLL: Setting = Setting::millis(
    "mirror.poll",
    200,
    20,
    5_000,
    "How often a daemon reads pauses without having been told of a change; bounds how late a pause takes effect.",
);

pub(crate) const SETTINGS: &[&Setting] = &[&POLL];

/// The copies.
#[derive(Debug, Default)]
pub struct Mirror {
    pauses: RwLock<Arc<Vec<Pause>>>,
    stopped: RwLock<Arc<BTreeMap<Uuid, Status>>>,
    /// Held while it is read: what was read earlier must not be written later.
    reading: tokio::sync::Mutex<()>,
    seen: RwLock<Option<Position>>,
    accounts: AtomicU64,
    tokens: AtomicU64,
}

/// Around what a pause is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The duty.
    pub duty: &'a str,
    /// The account.
    pub account: Uuid,
    /// The gates: function, job.
    pub gates: &'a [Uuid],
}

impl<'a> Around<'a> {
    /// Tells which pauses are about it, whether or not they hold.
    fn concerns(self) -> impl Fn(&Pause) -> bool + 'a {
        let account = self.account.to_string();
        let gates: Vec<String> = self.gates.iter().map(|gate| Pause::entity(self.account, *gate)).collect();
        move |pause| match pause.scope {
            PauseScope::System => true,
            PauseScope::Duty => pause.target == self.duty,
            PauseScope::Account => pause.target == account,
            PauseScope::Entity => gates.contains(&pause.target),
        }
    }
}

impl Mirror {
    /// Rises whenever an account may have changed.
    #[must_use]
    pub fn accounts(&self) -> u64 {
        self.accounts.load(Ordering::Acquire)
    }

    /// Rises whenever a token may have changed.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Acquire)
    }

    /// The pauses as last read, expired ones among them.
    #[must_use]
    pub fn pauses(&self) -> Arc<Vec<Pause>> {
        self.pauses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The accounts whose work stays in the queue because they are suspended or being deleted.
    #[must_use]
    pub fn stopped(&self) -> Arc<BTreeMap<Uuid, Status>> {
        self.stopped.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the account is being deleted.
    #[must_use]
    pub fn is_deleting(&self, account: Uuid) -> bool {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner);
        stopped.get(&account) == Some(&Status::Deleting)
    }

    /// Notes that this daemon itself changed an account or a pause, before any hint arrives.
    pub(crate) async fn told_of_accounts(&self, core: &Core) {
        self.touch_accounts();
        if let Err(fault) = self.refresh(core).await {
            tracing::warn!(%fault, "What this daemon keeps copies of could not be read; a poll will");
        }
    }

    /// Notes that this daemon itself changed a token, before any hint arrives.
    pub(crate) fn told_of_tokens(&self) {
        self.touch_tokens();
    }

    /// The pauses that hold this work back now, the widest first.
    #[must_use]
    pub fn holding(&self, around: Around<'_>, now: DateTime<Utc>) -> Vec<Pause> {
        let mut holding = self.concerning(around, |pause| pause.holds(now));
        holding.sort_by_key(|pause| pause.scope as u8);
        holding
    }

    /// Whether a pause holds this work back now.
    #[must_use]
    pub fn is_held(&self, around: Around<'_>, now: DateTime<Utc>) -> bool {
        let pauses = self.pauses();
        !pauses.is_empty() && {
            let concerns = around.concerns();
            pauses.iter().any(|pause| pause.holds(now) && concerns(pause))
        }
    }

    /// The last instant at which a pause held this work back that has ended by itself, as long as its row is there.
    #[must_use]
    pub fn lifted(&self, around: Around<'_>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let lifted = self.concerning(around, |pause| !pause.holds(now));
        let until = lifted.iter().filter_map(|pause| pause.until).max();
        until.map(|until| until - TimeDelta::microseconds(1))
    }

    fn concerning(&self, around: Around<'_>, wanted: impl Fn(&Pause) -> bool) -> Vec<Pause> {
        let pauses = self.pauses();
        if pauses.is_empty() {
            return Vec::new();
        }
        let concerns = around.concerns();
        pauses.iter().filter(|pause| wanted(pause) && concerns(pause)).cloned().collect()
    }

    /// Reads the pauses and the suspended accounts again.
    ///
    /// # Errors
    /// As [`sl_store::Store::list`].
    pub async fn refresh(&self, core: &Core) -> Result<(), Fault> {
        let _one_at_a_time = self.reading.lock().await;
        let rows = core.store.list::<Pause>(Query::of(SYSTEM).limit(10_000)).await?;
        let rows = Arc::new(rows);
        let stopped = vec![Status::Suspended.as_str().into(), Status::Deleting.as_str().into()];
        let stopped = Query::of(SYSTEM).filter(Filter::In("status", stopped)).limit(100_000);
        let stopped: BTreeMap<Uuid, Status> = core
            .store
            .list::<Account>(stopped)
            .await?
            .iter()
            .map(|account| (account.head.id, account.status))
            .collect();
        let accounts_changed = *self.stopped() != stopped;
        let changed = accounts_changed || *self.pauses() != *rows;
        *self.pauses.write().unwrap_or_else(PoisonError::into_inner) = rows;
        *self.stopped.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stopped);
        if accounts_changed {
            self.touch_accounts();
            core.executions.stage.forsake(|account| self.is_deleting(account));
        }
        if changed {
            core.bells.ring_all();
        }
        Ok(())
    }

    /// Looks into the event log for changes of accounts and tokens whose hint was lost.
    async fn catch_up(&self, core: &Core) -> Result<(), Fault> {
        let tail = core.store.tail().await?;
        let seen = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if seen == Some(tail) {
            return Ok(());
        }
        let query = EventQuery {
            service: Some("accounts".to_owned()),
            after: seen,
            limit: 1,
            ..EventQuery::default()
        };
        if seen.is_none() || !core.store.events(query).await?.is_empty() {
            self.touch_accounts();
            self.touch_tokens();
        }
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(tail);
        Ok(())
    }

    fn touch(&self, hint: &Hint) -> bool {
        match hint {
            Hint::Rows(table) if table == Account::TABLE.name => {
                self.touch_accounts();
                return true;
            }
            Hint::Rows(table) if table == Token::TABLE.name => self.touch_tokens(),
            Hint::Rows(table) if table == Pause::TABLE.name => return true,
            Hint::Rows(_) | Hint::Work(_) | Hint::Withdrawn(_) | Hint::Events => {}
        }
        false
    }

    fn touch_accounts(&self) {
        self.accounts.fetch_add(1, Ordering::AcqRel);
    }

    fn touch_tokens(&self) {
        self.tokens.fetch_add(1, Ordering::AcqRel);
    }
}

impl Core {
    /// Where something stands together with the pauses: what would be `active` is `paused` while one holds it, its account
    /// or the duty that acts for it back.
    #[must_use]
    pub(crate) fn standing(&self, duty: &str, head: &Head, status: &'static str) -> &'static str {
        let around = Around { duty, account: head.account_id, gates: &[head.id] };
        let is_paused = status == "active" && !self.mirror.holding(around, self.clock.now()).is_empty();
        if is_paused { "paused" } else { status }
    }
}

/// Keeps a [`Mirror`] fresh, and passes hints of work on to the duties of this daemon.
pub(crate) struct MirrorKeeper;

pub(crate) enum MirrorMessage {
    Hinted(Hint),
    Lagged,
    Poll,
}

impl Actor for MirrorKeeper {
    type Msg = MirrorMessage;
    type State = Arc<Core>;
    type Arguments = Arc<Core>;

    async fn pre_start(
        &self,
        myself: ActorRef<MirrorMessage>,
        core: Arc<Core>,
    ) -> Result<Arc<Core>, ActorProcessingErr> {
        let mut hints = core.store.watch();
        core.mirror.refresh(&core).await.map_err(Box::new)?;
        let listener = myself.clone();
        spawn_task("hints", async move {
            loop {
                let message = match hints.recv().await {
                    Ok(hint) => MirrorMessage::Hinted(hint),
                    Err(broadcast::error::RecvError::Lagged(_)) => MirrorMessage::Lagged,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if listener.cast(message).is_err() {
                    return;
                }
            }
        });
        myself.send_after(core.settings.duration(&POLL), || MirrorMessage::Poll);
        Ok(core)
    }

    async fn handle(
        &self,
        myself: ActorRef<MirrorMessage>,
        message: MirrorMessage,
        core: &mut Arc<Core>,
    ) -> Result<(), ActorProcessingErr> {
        let reread = match &message {
            MirrorMessage::Hinted(hint) => {
                match hint {
                    Hint::Work(duty) => core.bells.ring(duty),
                    Hint::Withdrawn(account) => core.bells.withdrawn(*account),
                    Hint::Events => core.bells.appended.notify_one(),
                    Hint::Rows(_) => {}
                }
                core.mirror.touch(hint)
            }
            MirrorMessage::Lagged | MirrorMessage::Poll => true,
        };
        if matches!(message, MirrorMessage::Lagged) {
            core.mirror.touch_accounts();
            core.mirror.touch_tokens();
            core.bells.ring_all();
        }
        if reread && let Err(fault) = core.mirror.refresh(core).await {
            tracing::warn!(%fault, "Pauses could not be read; the last copy holds");
        }
        if matches!(message, MirrorMessage::Poll) {
            if let Err(fault) = core.mirror.catch_up(core).await {
                tracing::warn!(%fault, "The event log could not be read; tokens may be known for longer");
            }
            myself.send_after(core.settings.duration(&POLL), || MirrorMessage::Poll);
        }
        Ok(())
    }
}
