//! How executions are written: as they begin, as they change hands, as they end.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sl_store::{Batch, Fault, NewEvent, NewWork, Query};
use uuid::Uuid;

use super::{
    ACTIONS, DUTY,
    entity::{Execution, Status},
    outcome, signed,
    view::Failure,
};
use crate::{Core, action::Tenant};

impl Execution {
    /// It is started, for the `attempt`th time.
    pub(super) fn start(&mut self, attempt: i64, now: DateTime<Utc>) {
        self.status = Status::Running;
        self.attempts = attempt;
        self.started_at = Some(now);
    }

    /// It waits for its turn again.
    pub(super) fn requeue(&mut self) {
        self.status = Status::Queued;
        self.started_at = None;
        self.completed_at = None;
        self.error = None;
        self.signature = None;
    }

    /// The event of the status it has now.
    pub(super) fn event(&self) -> NewEvent {
        self.told(self.status.event(), json!({}))
    }

    /// An event about it, told as the doing of whoever asked for it.
    pub(super) fn told(&self, kind: &'static str, mut data: Value) -> NewEvent {
        if let Value::Object(data) = &mut data {
            data.insert("function_id".to_owned(), json!(self.function_id));
            data.insert("function_version".to_owned(), json!(self.function_version));
            data.insert("attempts".to_owned(), json!(self.attempts));
        }
        NewEvent {
            account: self.head.account_id,
            service: "executions",
            kind,
            subject: self.head.id,
            actor: self.trigger.actor.clone(),
            request_id: self.request_id.clone(),
            origin: self.origin.clone(),
            data,
        }
    }

    /// The item of the queue that stands for it, due now.
    pub(super) fn work(&self, id: Uuid, now: DateTime<Utc>) -> NewWork {
        self.item(NewWork::new(id, DUTY, self.head.account_id, self.head.id, now))
    }

    /// The item of the queue that stands for the actions it queued, due now.
    pub(super) fn actions_work(&self, id: Uuid, now: DateTime<Utc>) -> NewWork {
        self.item(NewWork::new(id, ACTIONS, self.head.account_id, self.head.id, now))
    }

    fn item(&self, work: NewWork) -> NewWork {
        NewWork { payload: Value::Null, ..work.gate(self.function_id) }
    }
}

/// Signs an execution that has ended, where this daemon signs.
pub(super) fn seal(core: &Core, execution: &mut Execution) -> Result<(), Fault> {
    match core.signer.as_ref().filter(|signer| !signer.is_ephemeral()) {
        Some(signer) => signed::sign(execution, signer),
        None => Ok(()),
    }
}

/// So many queued executions go with their function at once; the others when their turn comes.
const AT_ONCE: usize = 500;

/// Cancels what is queued of a function that is being removed; adds that to the batch.
pub(crate) async fn cancel_queued(
    tenant: &Tenant,
    function_id: Uuid,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let queued = Query::of(tenant.account_id)
        .equal("status", Status::Queued.as_str())
        .equal("function_id", function_id)
        .limit(AT_ONCE);
    for mut execution in tenant.core.store.list::<Execution>(queued).await? {
        let removed = outcome::plain("function_removed", "its function was removed");
        end(&tenant.core, &mut execution, (Status::Cancelled, removed), batch)?;
        batch.withdraw(tenant.account_id, execution.head.id);
    }
    Ok(())
}

/// Ends an execution that is in the store without its having run to an end; adds that to the batch.
pub(super) fn end(
    core: &Core,
    execution: &mut Execution,
    (status, failure): (Status, Failure),
    batch: &mut Batch,
) -> Result<(), Fault> {
    let now = core.clock.now();
    outcome::end(execution, status, &failure);
    execution.completed_at = Some(now);
    seal(core, execution)?;
    batch.replace(execution, now);
    batch.event(execution.event());
    execution.tell(core, batch)
}
