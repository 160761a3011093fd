//! The Devpack actions there are, and what is kept of those that a run queued.
//!
//! Each service lists its own in [`crate::services::Service::actions`].

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sl_store::{Batch, Fault};
use uuid::Uuid;

use super::view::{ActionFailure, ActionRecord, ActionStatus};
use crate::{
    Core, action::Tenant, caller::Caller, redact::Redactor, sandbox::QueuedAction, services,
    settings::Settings,
};

/// Something a function can have done after it has returned.
#[derive(Debug)]
pub struct ActionKind {
    /// As functions name it: `gasbank.withdraw`.
    pub name: &'static str,
    /// Adds its effect to the batch and answers its result. Its params are as the function gave them and hold no
    /// secret. What earlier actions of the run did can be read. A fault that may pass is tried again later, any other
    /// fails this action; the batch is then forgotten. It may be asked again for the same action, and only one batch is
    /// committed.
    pub plan: for<'a> fn(&'a Acting, &'a Value, &'a mut Batch) -> BoxFuture<'a, Result<Value, Fault>>,
}

/// For whom an action is done.
#[derive(Debug)]
pub struct Acting {
    /// What the runtime is made of.
    pub core: Arc<Core>,
    /// The settings, with the account's overrides.
    pub settings: Settings,
    /// The account.
    pub account_id: Uuid,
    /// The function that queued it.
    pub function_id: Uuid,
    /// The execution in which it did.
    pub execution_id: Uuid,
    /// Which of the execution's actions it is: `action_1`.
    pub action_id: String,
    /// Whether the run followed from an event; what it does is then not heard by what waits for events.
    pub follows_event: bool,
}

impl Acting {
    /// The account for which it is done, as the function's doing.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        let mut actor = format!("function:{}", self.function_id);
        if self.follows_event {
            actor.insert_str(0, services::LISTENER);
        }
        let caller = Caller { actor, ..Caller::duty("") };
        Tenant {
            core: self.core.clone(),
            account_id: self.account_id,
            account: None,
            settings: self.settings.clone(),
            caller: Arc::new(caller),
            ticket: None,
        }
    }

    /// Names the action among all there ever are; the same at every attempt.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.execution_id, self.action_id)
    }
}

/// The actions that functions can have done, by name; cheap to clone.
#[derive(Clone, Debug)]
pub struct ActionKinds(Arc<BTreeMap<&'static str, &'static ActionKind>>);

impl Default for ActionKinds {
    /// Those of every service.
    fn default() -> Self {
        Self::of(services::ALL.iter().flat_map(|service| service.actions))
    }
}

impl ActionKinds {
    /// These and no others.
    #[must_use]
    pub fn of(kinds: impl IntoIterator<Item = &'static ActionKind>) -> Self {
        Self(Arc::new(kinds.into_iter().map(|kind| (kind.name, kind)).collect()))
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Option<&'static ActionKind> {
        self.0.get(name).copied()
    }
}

/// What is kept of the actions that a run queued. The params are shown, and what an action does with them is shown too:
/// one that carries the value of a secret has failed.
pub(super) fn records(
    queue: Vec<QueuedAction>,
    redactor: &Redactor,
    now: DateTime<Utc>,
) -> Vec<ActionRecord> {
    queue.into_iter().map(|action| record(action, redactor, now)).collect()
}

fn record(action: QueuedAction, redactor: &Redactor, now: DateTime<Utc>) -> ActionRecord {
    let shown = redactor.redact_value(action.params.clone());
    let betrays = shown != action.params;
    let mut record = ActionRecord {
        id: action.id,
        kind: redactor.redact(&action.kind).into_owned(),
        params: shown,
        status: ActionStatus::Pending,
        result: None,
        error: None,
        completed_at: None,
    };
    if betrays {
        let detail = "the params hold the value of a secret, and an action's params are kept and shown";
        record.fail(ActionFailure::new("secret_in_params", detail));
        record.completed_at = Some(now);
    }
    record
}
