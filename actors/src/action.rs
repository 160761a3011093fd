//! One operation of the API: a struct with a typed answer, run for a tenant.

use std::{future::Future, sync::Arc};

use futures_util::FutureExt as _;
use ractor::RpcReplyPort;
use serde::Serialize;
use serde_json::Value;
use sl_store::{Batch, Code, Fault, Key, NewEvent};
use uuid::Uuid;

use crate::{Core, caller::Caller, idempotency::Ticket, services::accounts::Account, settings::Settings};

/// Whether actions of one tenant wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Runs beside everything else: reads, and what is long.
    Concurrent,
    /// Runs after the tenant's earlier ordered actions: writes.
    Ordered,
}

/// One operation of the API, run for a tenant.
pub trait Action: Send + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// Whether it waits for the tenant's other writes.
    const ORDER: Order = Order::Ordered;

    /// Whether this may still be done while the account is suspended; reads and removals may.
    const WHILE_SUSPENDED: bool = false;

    /// Whether this may still be done while the account is being deleted; by operators, as reads may.
    const WHILE_DELETING: bool = false;

    /// Does it.
    fn run(self, tenant: &Tenant) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// Who asks, for which account, and what the runtime offers. An action cannot reach another account's rows through it.
#[derive(Clone)]
pub struct Tenant {
    /// What the runtime is made of.
    pub core: Arc<Core>,
    /// The account; [`sl_store::SYSTEM`] for operations of the system itself.
    pub account_id: Uuid,
    /// The account's row as last read; `None` for the system.
    pub account: Option<Arc<Account>>,
    /// The settings, with the account's overrides.
    pub settings: Settings,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// What makes this request repeatable, where it carried an idempotency key.
    pub ticket: Option<Arc<Ticket>>,
}

impl Tenant {
    /// The key of a row of this account.
    #[must_use]
    pub const fn key(&self, id: Uuid) -> Key {
        Key::new(self.account_id, id)
    }

    /// The next id.
    #[must_use]
    pub fn next_id(&self) -> Uuid {
        self.core.ids.next()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.core.clock.now()
    }

    /// An event about `subject`, told as the caller's doing. `data` carries no secrets.
    #[must_use]
    pub fn event(&self, service: &'static str, kind: &'static str, subject: Uuid, data: Value) -> NewEvent {
        NewEvent {
            account: self.account_id,
            service,
            kind,
            subject,
            actor: self.caller.actor.clone(),
            request_id: self.caller.request_id.clone(),
            origin: self.caller.origin.clone(),
            data,
        }
    }

    /// Applies a batch together with the stored answer that makes the request repeatable; every mutating action ends
    /// here, with what it is about to answer.
    ///
    /// # Errors
    /// As [`sl_store::Store::commit`].
    pub async fn commit<T: Serialize + Send>(&self, mut batch: Batch, answer: T) -> Result<T, Fault> {
        if let Some(ticket) = &self.ticket {
            ticket.record(&self.core, &answer, &mut batch)?;
        }
        self.core.commit(batch).await?;
        Ok(answer)
    }

    /// Whether a commit was refused because somebody else changed what it is about, so that it can be made anew; not where
    /// the key of the request was answered meanwhile, which is a conflict as well and is answered with what was stored.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where that cannot be seen.
    pub async fn was_overtaken(&self, fault: &Fault) -> Result<bool, Fault> {
        if fault.code != Code::Conflict {
            return Ok(false);
        }
        match &self.ticket {
            Some(ticket) => Ok(!ticket.is_spent(&self.core).await?),
            None => Ok(true),
        }
    }
}

/// What an account actor must know of an action before it is run.
pub(crate) struct Asked {
    pub while_suspended: bool,
    pub while_deleting: bool,
    pub caller: Arc<Caller>,
    pub ticket: Option<Arc<Ticket>>,
}

/// Runs an action for the tenant, or answers why there is none.
type Run = Box<dyn FnOnce(Result<Tenant, Fault>) -> futures_util::future::BoxFuture<'static, ()> + Send>;

/// An action on its way through a mailbox, its reply port with it.
pub(crate) struct Envelope {
    pub order: Order,
    pub asked: Asked,
    pub run: Run,
}

impl Envelope {
    /// Seals an action; `place` is what it holds in the queues and goes when it is done.
    pub fn seal<A: Action>(
        action: A,
        caller: Arc<Caller>,
        ticket: Option<Arc<Ticket>>,
        place: impl Send + 'static,
        reply: RpcReplyPort<Result<A::Output, Fault>>,
    ) -> Self {
        let run = Box::new(move |tenant: Result<Tenant, Fault>| {
            async move {
                let answer = match tenant {
                    Ok(tenant) => std::panic::AssertUnwindSafe(action.run(&tenant))
                        .catch_unwind()
                        .await
                        .unwrap_or_else(|panic| Err(Fault::internal(panic_text(&*panic)))),
                    Err(fault) => Err(fault),
                };
                drop(place);
                let _caller_may_have_gone = reply.send(answer);
            }
            .boxed()
        });
        let reads = A::WHILE_SUSPENDED && A::ORDER == Order::Concurrent;
        let asked = Asked {
            while_suspended: A::WHILE_SUSPENDED,
            while_deleting: A::WHILE_DELETING || reads,
            caller,
            ticket,
        };
        Self { order: A::ORDER, asked, run }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
