//! Deliveries: handed over to an execution, and told what became of it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use sl_store::{Batch, Code, Fault, Key, SYSTEM, Work};
use uuid::Uuid;

use super::{DUTY, OUTCOME_DUTY, WORKERS, delivery::Delivery, named::DeliveryStatus, trigger::Trigger};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::{
        accounts::Account,
        executions::{self, Execution, Sequel, Start, Status},
    },
    settings::Setting,
};

/// Hands executions over.
#[derive(Clone, Copy, Debug)]
pub struct Deliveries;

/// Writes outcomes.
#[derive(Clone, Copy, Debug)]
pub struct Outcomes;

async fn find(core: &Core, work: &Work) -> Result<Option<Delivery>, Fault> {
    core.store.find::<Delivery>(Key::new(work.account, work.subject)).await
}

/// Adds that a delivery stands somewhere else now.
fn stand(
    core: &Core,
    mut delivery: Delivery,
    status: DeliveryStatus,
    reason: Option<String>,
    batch: &mut Batch,
) {
    let now = core.clock.now();
    delivery.stand(status, reason, now);
    batch.replace(&mut delivery, now).event(delivery.told());
}

impl Duty for Deliveries {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Hands the executions of triggers' deliveries over."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match begin(core, &attempt.work).await {
                Ok(batch) => Outcome::Done(batch),
                Err(fault) => Outcome::Retry(fault, Batch::new()),
            }
        })
    }

    fn bury<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        why: &'a Fault,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let reason = format!("its execution could not be handed over: {}", why.detail);
        Box::pin(end_waiting(core, work, DeliveryStatus::Failed, reason, batch))
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let reason = "it waited for a pause to end, and the resume dropped it".to_owned();
        Box::pin(end_waiting(core, work, DeliveryStatus::Cancelled, reason, batch))
    }

    fn revive<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(delivery) = find(core, work).await?
                && delivery.status == DeliveryStatus::Failed
            {
                stand(core, delivery, DeliveryStatus::Queued, None, batch);
            }
            Ok(())
        })
    }
}

async fn end_waiting(
    core: &Core,
    work: &Work,
    status: DeliveryStatus,
    reason: String,
    batch: &mut Batch,
) -> Result<(), Fault> {
    if let Some(delivery) = find(core, work).await?
        && delivery.status == DeliveryStatus::Queued
    {
        stand(core, delivery, status, Some(reason), batch);
    }
    Ok(())
}

/// Hands a delivery over, where it still waits.
async fn begin(core: &Core, work: &Work) -> Result<Batch, Fault> {
    let mut batch = Batch::new();
    let found = find(core, work).await?.filter(|found| found.status == DeliveryStatus::Queued);
    let Some(mut delivery) = found else { return Ok(batch) };
    let trigger: Option<Trigger> = core.store.find(Key::new(work.account, delivery.trigger_id)).await?;
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, work.account)).await?;
    let (Some(trigger), Some(account)) = (trigger, account) else {
        let reason = Some("its trigger was removed".to_owned());
        stand(core, delivery, DeliveryStatus::Cancelled, reason, &mut batch);
        return Ok(batch);
    };
    let kind = match delivery.cause {
        super::Cause::Webhook => "webhook",
        _ => "trigger",
    };
    let start = Start {
        account_id: work.account,
        function_id: trigger.function_id,
        input: Value::Object(delivery.input.clone()),
        trigger: executions::Trigger {
            kind: kind.to_owned(),
            id: Some(trigger.head.id),
            actor: delivery.actor.clone(),
        },
        request_id: None,
        sequel: Some(Sequel { duty: OUTCOME_DUTY.to_owned(), subject: delivery.head.id }),
    };
    match executions::start(core, &account.settings(&core.settings), start, &mut batch).await {
        Ok(execution) => {
            delivery.execution_id = Some(execution);
            delivery.started_at = Some(core.clock.now());
            stand(core, delivery, DeliveryStatus::Running, None, &mut batch);
        }
        Err(fault) if fault.code == Code::NotFound => {
            batch = Batch::new();
            let reason = Some("its function was removed".to_owned());
            stand(core, delivery, DeliveryStatus::Failed, reason, &mut batch);
        }
        Err(fault) => return Err(fault),
    }
    Ok(batch)
}

#[derive(Deserialize)]
struct Payload {
    execution_id: Uuid,
}

impl Duty for Outcomes {
    fn name(&self) -> &'static str {
        OUTCOME_DUTY
    }

    fn doc(&self) -> &'static str {
        "Writes what became of the executions of triggers' deliveries."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match outcome(core, &attempt.work).await {
                Ok(batch) => Outcome::Done(batch),
                Err(fault) => Outcome::Retry(fault, Batch::new()),
            }
        })
    }
}

async fn outcome(core: &Core, work: &Work) -> Result<Batch, Fault> {
    let mut batch = Batch::new();
    let Ok(payload) = serde_json::from_value::<Payload>(work.payload.clone()) else { return Ok(batch) };
    let current = |delivery: &Delivery| {
        delivery.status == DeliveryStatus::Running && delivery.execution_id == Some(payload.execution_id)
    };
    let Some(delivery) = find(core, work).await?.filter(current) else { return Ok(batch) };
    let execution: Option<Execution> = core.store.find(Key::new(work.account, payload.execution_id)).await?;
    let (status, reason) = match &execution {
        None => (DeliveryStatus::Failed, Some("its execution is not kept any more".to_owned())),
        Some(execution) => match execution.status {
            Status::Succeeded => (DeliveryStatus::Succeeded, None),
            Status::Cancelled => (DeliveryStatus::Cancelled, why(execution)),
            _ => (DeliveryStatus::Failed, why(execution)),
        },
    };
    stand(core, delivery, status, reason, &mut batch);
    Ok(batch)
}

/// What an execution says about its failure.
fn why(execution: &Execution) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        code: String,
        message: String,
    }
    let told: Told = serde_json::from_str(execution.error.as_ref()?.get()).ok()?;
    let message: String = told.message.chars().take(500).collect();
    Some(format!("{}: {message}", told.code))
}
