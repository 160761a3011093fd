//! The running system: the tree of actors, and the one way into it.

use std::{sync::Arc, time::Duration};

use ractor::{Actor, ActorCell, ActorRef, MessagingErr};
use sl_store::{Code, Fault};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    Core,
    account::AccountMessage,
    action::{Action, Envelope},
    caller::Caller,
    directory::{ACCOUNT_QUEUE, AccountsSupervisor, Directory},
    duty::{Duty, DutyActor},
    idempotency::Ticket,
    mirror::MirrorKeeper,
    services::{self, control::RefusalWriter},
    settings::Setting,
    supervisor::{Child, Factory, Supervisor, SupervisorMessage},
};

/// The running system; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    core: Arc<Core>,
    directory: Directory,
    root: ActorRef<SupervisorMessage>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Runtime").field("core", &self.core).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the tree: the mirror, the account actors' supervisor, the keeper of the sandbox, the writer of what was
    /// refused, and one actor per duty.
    ///
    /// # Errors
    /// [`Code::Internal`] where the root itself does not start.
    pub async fn start(core: Arc<Core>) -> Result<Self, Fault> {
        let duties = services::ALL.iter().flat_map(|service| (service.duties)(&core)).collect();
        Self::start_with(core, duties).await
    }

    /// Starts the tree with these duties instead of all; for programs that perform a part of the work, and for tests.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub async fn start_with(core: Arc<Core>, duties: Vec<Arc<dyn Duty>>) -> Result<Self, Fault> {
        let directory = Directory::new(core.clone());
        let mut children =
            vec![mirror_keeper(core.clone()), accounts_supervisor(directory.clone()), core.sandbox.child()];
        children.push(refusal_writer(core.clone()));
        let registry = duties.into_iter().map(|duty| (duty.name(), duty)).collect();
        for duty in core.duties.get_or_init(|| registry).values() {
            children.push(duty_actor(core.clone(), duty.clone()));
        }
        let (root, _joined) =
            Actor::spawn(None, Supervisor, (children, core.health.clone())).await.map_err(Fault::internal)?;
        Ok(Self { core, directory, root })
    }

    /// What the runtime is made of.
    #[must_use]
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// How many account actors run in this daemon.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.directory.len()
    }

    /// What of an account stands against limits that this daemon keeps in front of its actors.
    #[must_use]
    pub fn uses(&self, account: Uuid) -> Vec<(&'static Setting, Option<u64>)> {
        vec![(&ACCOUNT_QUEUE, Some(self.directory.waiting(account)))]
    }

    /// Runs an action for an account ([`sl_store::SYSTEM`] for the system's own) and waits for its answer. A caller that
    /// stops waiting stops nothing.
    ///
    /// # Errors
    /// The action's; [`Code::Overloaded`] and [`Code::Unavailable`] where the queues are full.
    pub async fn perform<A: Action>(
        &self,
        account: Uuid,
        caller: Arc<Caller>,
        ticket: Option<Arc<Ticket>>,
        action: A,
    ) -> Result<A::Output, Fault> {
        let (answer, answered) = oneshot::channel();
        let admitted = self.directory.admit(account).await?;
        let mut entry = admitted.entry.clone();
        let mut message =
            AccountMessage::Perform(Envelope::seal(action, caller, ticket, admitted, answer.into()));
        while let Err(refused) = entry.actor.cast(message) {
            let MessagingErr::SendErr(returned) = refused else {
                return Err(Fault::internal(refused));
            };
            message = returned;
            tokio::task::yield_now().await;
            entry = self.directory.admit(account).await?.entry.clone();
        }
        answered.await.unwrap_or_else(|_| {
            Err(Fault::new(Code::Unavailable, "the account's actor was restarted meanwhile")
                .retry_after(Duration::from_secs(1)))
        })
    }

    /// Has everybody answered who waits for the end of an execution, as if the wait had run out. The executions go on.
    pub fn end_waits(&self) {
        self.core.executions.closing.cancel();
    }

    /// Lets running work finish for as long as `within`, gives back the rest, and stops the tree.
    pub async fn drain(&self, within: Duration) {
        self.end_waits();
        tokio::join!(self.core.bells.drain(within), self.core.executions.stage.drain(within));
        self.core.sandbox.drain(Duration::from_secs(1)).await;
        if self.root.cast(SupervisorMessage::Stop).is_ok()
            && let Err(error) = self.root.get_cell().wait(Some(Duration::from_secs(10))).await
        {
            tracing::warn!(%error, "The tree of actors did not stop in time");
        }
    }
}

fn child<A: Actor>(
    name: &'static str,
    make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static,
) -> Child {
    let factory: Factory = Box::new(move |supervisor: ActorCell| {
        let (actor, arguments) = make();
        Box::pin(async move {
            Actor::spawn_linked(None, actor, arguments, supervisor).await.map(|(actor, _)| actor.get_cell())
        })
    });
    Child { name, factory }
}

fn mirror_keeper(core: Arc<Core>) -> Child {
    child("mirror", move || (MirrorKeeper, core.clone()))
}

fn refusal_writer(core: Arc<Core>) -> Child {
    child("refusals", move || (RefusalWriter, core.clone()))
}

fn accounts_supervisor(directory: Directory) -> Child {
    child("accounts", move || (AccountsSupervisor, directory.clone()))
}

fn duty_actor(core: Arc<Core>, duty: Arc<dyn Duty>) -> Child {
    child(duty.name(), move || (DutyActor, (core.clone(), duty.clone())))
}
