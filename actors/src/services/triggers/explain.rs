//! Why a trigger or a delivery waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key, WorkQuery};
use uuid::Uuid;

use super::{
    DUTY,
    delivery::Delivery,
    named::{DeliveryStatus, TriggerType},
    trigger::Trigger,
};
use crate::{
    Core,
    services::executions::Execution,
    why::{Cause, Explained, missing_function},
};

/// Tells of the trigger or delivery of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        if let Some(trigger) = core.store.find::<Trigger>(key).await? {
            return explain_trigger(core, key, &trigger).await.map(Some);
        }
        match core.store.find::<Delivery>(key).await? {
            Some(delivery) => explain_delivery(core, key, &delivery).await.map(Some),
            None => Ok(None),
        }
    })
}

async fn explain_trigger(core: &Core, key: Key, trigger: &Trigger) -> Result<Explained, Fault> {
    let mut status = core.standing(DUTY, &trigger.head, trigger.status());
    let missing = missing_function(core, Key::new(key.account, trigger.function_id)).await?;
    let mut causes: Vec<Cause> = missing.into_iter().collect();
    let cause = if trigger.enabled {
        match trigger.kind {
            TriggerType::Event => {
                Cause::new("listening", format!("it waits for events of the kind {:?}", trigger.rule))
            }
            TriggerType::Webhook => Cause::new("listening", "it waits for requests to its URL"),
            TriggerType::Cron => {
                if let Some(slot) = next_slot(core, key).await? {
                    Cause::new("next_slot", "its next slot comes at that time").until(slot)
                } else {
                    status = "ended";
                    Cause::new("ended", "no slot of its schedule will come any more")
                }
            }
        }
    } else {
        Cause::new("disabled", "the trigger is disabled; enable it to let it fire by itself")
    };
    causes.push(cause);
    let gates = vec![key.id];
    Ok(Explained { kind: "trigger", status: status.to_owned(), gates, causes })
}

async fn next_slot(core: &Core, key: Key) -> Result<Option<chrono::DateTime<chrono::Utc>>, Fault> {
    let query =
        WorkQuery { account: Some(key.account), subject: Some(key.id), limit: 1, ..WorkQuery::default() };
    Ok(core.store.work(query).await?.first().map(|work| work.due_at))
}

async fn explain_delivery(core: &Core, key: Key, delivery: &Delivery) -> Result<Explained, Fault> {
    let mut causes = Vec::new();
    if delivery.status == DeliveryStatus::Running
        && let Some(id) = delivery.execution_id
    {
        let execution: Option<Execution> = core.store.find(Key::new(key.account, id)).await?;
        let status = execution.map_or("not kept", |execution| execution.status.as_str());
        let detail = format!("its execution is {status}; ask why of it");
        let cause = Cause::new("execution", detail).since(delivery.started_at);
        causes.push(cause.with("execution_id", id.to_string()));
    }
    let trigger: Option<Trigger> = core.store.find(Key::new(key.account, delivery.trigger_id)).await?;
    let function = trigger.map(|trigger| trigger.function_id);
    let gates = std::iter::once(delivery.trigger_id).chain(function).collect();
    Ok(Explained { kind: "delivery", status: delivery.status.as_str().to_owned(), gates, causes })
}
