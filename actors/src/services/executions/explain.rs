//! Why an execution waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key, SYSTEM};
use uuid::Uuid;

use super::{
    entity::{Execution, Status},
    flow,
};
use crate::{
    Core,
    services::{accounts::Account, functions::Ready, secrets},
    why::{Cause, Explained},
};

/// Tells of the execution of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let Some(execution) = core.store.find::<Execution>(Key::new(account, id)).await? else {
            return Ok(None);
        };
        let causes = match execution.status {
            Status::Queued => causes(core, &execution).await?,
            _ => pending(&execution)?.into_iter().collect(),
        };
        Ok(Some(Explained {
            kind: "execution",
            status: execution.status.as_str().to_owned(),
            gates: vec![execution.function_id],
            causes,
        }))
    })
}

/// That something it queued is yet to be done.
fn pending(execution: &Execution) -> Result<Option<Cause>, Fault> {
    let records = execution.action_records()?;
    let left = records.iter().filter(|record| record.is_pending()).count();
    let detail = format!("{left} of the {} actions that it queued are pending", records.len());
    let cause = Cause::new("actions_pending", detail).with("pending", left).with("of", records.len());
    Ok(Some(cause).filter(|_| left > 0))
}

async fn causes(core: &Core, execution: &Execution) -> Result<Vec<Cause>, Fault> {
    let account = execution.head.account_id;
    let version = core.functions.version(core, Key::new(account, execution.version_id)).await?;
    let Some(ready) = version else {
        let detail = "the function, or this version of it, was removed; it will be cancelled";
        return Ok(vec![Cause::new("function_removed", detail)]);
    };
    let mut causes = Vec::new();
    for name in secrets::missing(core, account, &ready.definition.secrets).await? {
        causes.push(Cause::new("missing_secret", format!("there is no secret {name:?}")));
    }
    causes.extend(crowded(core, account, &ready).await?);
    Ok(causes)
}

/// Whether account or function have as many runs in this daemon as they may.
async fn crowded(core: &Core, account: Uuid, ready: &Ready) -> Result<Option<Cause>, Fault> {
    let row: Option<Account> = core.store.find(Key::new(SYSTEM, account)).await?;
    let settings = row.map_or_else(|| core.settings.clone(), |row| row.settings(&core.settings));
    let full = core.executions.lanes.full(flow::ask(account, ready, &settings));
    Ok(full.map(|(what, running, limit)| {
        let what = if what == account { "account" } else { "function" };
        let detail = format!("the {what} has {running} runs in this daemon and may have {limit}");
        Cause::new("concurrency", detail).with("running", running).with("concurrency", limit)
    }))
}
