//! The Devpack actions there are, and how those that a run queued take effect.
//!
//! Each service lists its own in [`crate::services::Service::actions`]. An action adds what it does to the batch that
//! holds the execution's end: all that a run queued is done together with its result, once, or none of it is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use sl_store::{Batch, Fault};
use uuid::Uuid;

use super::{
    entity::{Execution, Status},
    outcome,
    view::{self, ActionRecord, ActionStatus, Failure},
};
use crate::{
    Core, action::Tenant, caller::Caller, redact::Redactor, sandbox::QueuedAction, services,
    settings::Settings,
};

/// Something a function can have done after it has returned.
#[derive(Debug)]
pub struct ActionKind {
    /// As functions name it: `gasbank.withdraw`.
    pub name: &'static str,
    /// Adds its effect to the batch and answers its result; a fault rejects every action of the run.
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
}

impl Acting {
    /// The account for which it is done, as the function's doing.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        let caller = Caller { actor: format!("function:{}", self.function_id), ..Caller::duty("") };
        Tenant {
            core: self.core.clone(),
            account_id: self.account_id,
            account: None,
            settings: self.settings.clone(),
            caller: Arc::new(caller),
            ticket: None,
        }
    }
}

/// What a run queued, taken apart as far as it must be.
pub(super) type Queue = Vec<QueuedAction>;

fn known(name: &str) -> Option<&'static ActionKind> {
    services::ALL.iter().flat_map(|service| service.actions).find(|kind| kind.name == name)
}

/// Plans what a run queued, in order. Where one is unknown or refused, the execution has failed and the batch is empty.
pub(super) async fn plan(
    acting: &Acting,
    execution: &mut Execution,
    queue: Queue,
    redactor: &Redactor,
) -> Batch {
    let mut batch = Batch::new();
    let mut records: Vec<ActionRecord> = queue.iter().map(|action| record(action, redactor)).collect();
    let failure = plan_each(acting, &queue, &mut records, redactor, &mut batch).await.err();
    if let Some(failure) = failure {
        batch = Batch::new();
        for record in &mut records {
            record.status = ActionStatus::Rejected;
        }
        outcome::end(execution, Status::Failed, &failure);
    }
    execution.actions = view::json(&records);
    batch
}

async fn plan_each(
    acting: &Acting,
    queue: &[QueuedAction],
    records: &mut [ActionRecord],
    redactor: &Redactor,
    batch: &mut Batch,
) -> Result<(), Failure> {
    if let Some(stranger) = queue.iter().find(|action| known(&action.kind).is_none()) {
        let message = format!("there is no action {:?}", redactor.redact(&stranger.kind));
        return Err(outcome::plain("unknown_action", message));
    }
    for (action, record) in queue.iter().zip(records) {
        let Some(kind) = known(&action.kind) else { continue };
        match (kind.plan)(acting, &action.params, batch).await {
            Ok(result) => record.result = Some(result),
            Err(fault) => {
                let message = format!("{} ({}): {}", action.id, kind.name, fault.detail);
                record.error = Some(fault.detail);
                return Err(outcome::plain("action_refused", message));
            }
        }
    }
    Ok(())
}

fn record(action: &QueuedAction, redactor: &Redactor) -> ActionRecord {
    ActionRecord {
        id: action.id.clone(),
        kind: redactor.redact(&action.kind).into_owned(),
        params: redactor.redact_value(action.params.clone()),
        status: ActionStatus::Succeeded,
        result: None,
        error: None,
    }
}
