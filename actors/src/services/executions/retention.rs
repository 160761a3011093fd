//! Old executions go: by age, and by how many an account has.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Cell, Fault, Filter};
use uuid::Uuid;

use super::{
    ACCOUNT_CONCURRENCY, KEPT, KEPT_FOR, QUEUE,
    entity::{Execution, Status},
};
use crate::{
    Core,
    action::Tenant,
    duty::{Attempt, Duty, Outcome},
    retention,
    services::count_at,
    settings::{Setting, Settings},
};

/// How often old executions are looked for.
pub const EVERY: Setting = Setting::millis(
    "executions.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often executions that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("executions.retention_workers", 1, 1, 1, "How many remove old executions at once.");

/// Removes old executions.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "execution-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes executions that are older, or more, than an account keeps."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(retention::round(core, attempt, &EVERY, retention::each_account(core, sweep)))
    }
}

/// What stands against the limits of an account's executions.
pub(super) fn uses(tenant: &Tenant) -> BoxFuture<'_, Result<Vec<(&'static Setting, u64)>, Fault>> {
    Box::pin(async move {
        let ended = Status::ALL.into_iter().filter(|status| status.is_final()).map(Status::as_str);
        let running = tenant.core.executions.lanes.running(tenant.account_id);
        Ok(vec![
            (&ACCOUNT_CONCURRENCY, running as u64),
            (&QUEUE, count_at::<Execution>(tenant, [Status::Queued.as_str()]).await?),
            (&KEPT, count_at::<Execution>(tenant, ended).await?),
        ])
    })
}

fn sweep(core: &Core, account: Uuid, settings: Settings) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let ended = Status::ALL.into_iter().filter(|status| status.is_final());
        let ended = Filter::In("status", ended.map(|status| Cell::from(status.as_str())).collect());
        let before = retention::limit(core, settings.duration(&KEPT_FOR));
        retention::thin::<Execution>(core, account, vec![ended], before, settings.count(&KEPT)).await
    })
}
