//! The account actor: one per tenant and daemon, started on demand, retired when idle.
//!
//! Its handler begins actions and never waits for one; what has to wait goes on as a task of its own. Reads run beside
//! each other, writes of the tenant one after another in the order of the mailbox.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use sl_store::{Code, Fault, Key, SYSTEM};
use uuid::Uuid;

use crate::{
    Core,
    action::{Asked, Envelope, Order, Tenant},
    services::accounts::{Account, Status},
    settings::Settings,
    supervisor::spawn_task,
};

/// What an account actor is told.
pub(crate) enum AccountMessage {
    /// Runs an action.
    Perform(Envelope),
    /// The write in progress ended.
    Written,
    /// Looks whether the actor has been idle for long enough to retire.
    Heartbeat,
}

/// How an account actor begins.
pub(crate) struct Beginning {
    pub core: Arc<Core>,
    pub account_id: Uuid,
    pub idle_after: Duration,
    pub retire: Box<dyn Fn(Uuid) + Send + Sync>,
}

pub(crate) struct AccountActor;

/// What an account actor knows.
pub(crate) struct AccountState {
    beginning: Beginning,
    account: Option<Arc<Account>>,
    settings: Settings,
    epoch: u64,
    waiting: VecDeque<Envelope>,
    writing: bool,
    used: bool,
}

impl AccountState {
    /// Whether a row of accounts changed since this one was read.
    fn is_stale(&self) -> bool {
        let Beginning { core, account_id, .. } = &self.beginning;
        *account_id != SYSTEM && (self.account.is_none() || core.mirror.accounts() != self.epoch)
    }

    /// Reads the account again.
    async fn refresh(&mut self) -> Result<(), Fault> {
        let Beginning { core, account_id, .. } = &self.beginning;
        let epoch = core.mirror.accounts();
        let account: Account = core.store.get(Key::new(SYSTEM, *account_id)).await?;
        self.settings = account.settings(&core.settings);
        self.account = Some(Arc::new(account));
        self.epoch = epoch;
        Ok(())
    }

    async fn tenant(&mut self, asked: Asked) -> Result<Tenant, Fault> {
        if self.is_stale() {
            // Seldom; in a box of its own, so that it adds nothing to every call.
            Box::pin(self.refresh()).await?;
        }
        match self.account.as_ref().map_or(Status::Active, |account| account.status) {
            Status::Suspended if !asked.while_suspended => {
                return Err(Fault::new(Code::Suspended, "the account is suspended"));
            }
            Status::Deleting if !asked.caller.is_operator() => return Err(Fault::not_found("account")),
            Status::Deleting if !asked.while_deleting => {
                return Err(Fault::new(Code::InvalidState, "the account is being deleted"));
            }
            Status::Active | Status::Suspended | Status::Deleting => {}
        }
        Ok(Tenant {
            core: self.beginning.core.clone(),
            account_id: self.beginning.account_id,
            account: self.account.clone(),
            settings: self.settings.clone(),
            caller: asked.caller,
            ticket: asked.ticket,
        })
    }

    async fn start(&mut self, myself: &ActorRef<AccountMessage>, envelope: Envelope) {
        let ordered = envelope.order == Order::Ordered && self.beginning.account_id != SYSTEM;
        if ordered && self.writing {
            self.waiting.push_back(envelope);
            return;
        }
        let Envelope { asked, run, .. } = envelope;
        let mut action = run(self.tenant(asked).await);
        if (&mut action).now_or_never().is_some() {
            return;
        }
        if ordered {
            self.writing = true;
            let myself = myself.clone();
            spawn_task("action", async move {
                action.await;
                let _stopped_meanwhile = myself.cast(AccountMessage::Written);
            });
        } else {
            spawn_task("action", action);
        }
    }
}

impl Actor for AccountActor {
    type Msg = AccountMessage;
    type State = AccountState;
    type Arguments = Beginning;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        beginning: Beginning,
    ) -> Result<AccountState, ActorProcessingErr> {
        myself.send_after(beginning.idle_after, || AccountMessage::Heartbeat);
        let settings = beginning.core.settings.clone();
        Ok(AccountState {
            beginning,
            account: None,
            settings,
            epoch: 0,
            waiting: VecDeque::new(),
            writing: false,
            used: true,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut AccountState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            AccountMessage::Perform(envelope) => {
                state.used = true;
                state.start(&myself, envelope).await;
            }
            AccountMessage::Written => {
                state.writing = false;
                while !state.writing
                    && let Some(next) = state.waiting.pop_front()
                {
                    state.start(&myself, next).await;
                }
            }
            AccountMessage::Heartbeat => {
                if state.used || state.writing {
                    state.used = false;
                    myself.send_after(state.beginning.idle_after, || AccountMessage::Heartbeat);
                } else {
                    (state.beginning.retire)(state.beginning.account_id);
                }
            }
        }
        Ok(())
    }
}
