//! How an execution stands whose answer an idempotency key was promised, where this daemon does not owe that answer.
//!
//! The daemon that owes it waits for no longer than a request may, and holds the execution's item while it runs it. Once
//! its lease has run out, or nobody holds the item and nobody can be waiting any more, the answer is lost.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Fault, Key, WorkQuery};

use super::{MAX_WAIT, entity::Execution};
use crate::{
    Core,
    idempotency::{Standing, Stored},
};

/// Tells how the execution of this id stands that was promised an answer about at `since`.
pub(super) fn promised(
    core: &Core,
    key: Key,
    since: DateTime<Utc>,
) -> BoxFuture<'_, Result<Option<Standing>, Fault>> {
    Box::pin(async move {
        let Some(execution) = core.store.find::<Execution>(key).await? else { return Ok(None) };
        if !execution.is_over() && is_owed(core, key, since).await? {
            return Ok(Some(Standing::Owed));
        }
        let view = execution.view()?;
        let body = serde_json::to_vec(&view).map_err(Fault::internal)?;
        Ok(Some(Standing::Known(Stored { status: view.answered_as(), body })))
    })
}

async fn is_owed(core: &Core, key: Key, since: DateTime<Utc>) -> Result<bool, Fault> {
    let now = core.clock.now();
    let query =
        WorkQuery { account: Some(key.account), subject: Some(key.id), limit: 2, ..WorkQuery::default() };
    let items = core.store.work(query).await?;
    if let Some(held) = items.iter().find(|item| item.holder.is_some()) {
        return Ok(held.is_leased(now));
    }
    let longest = TimeDelta::from_std(core.settings.duration(&MAX_WAIT)).unwrap_or(TimeDelta::MAX);
    Ok(now - since < longest)
}
