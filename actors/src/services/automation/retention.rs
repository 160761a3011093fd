//! Old runs go: by age, and by how many an account has.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Cell, Fault, Filter};
use uuid::Uuid;

use super::{RUNS_KEPT, RUNS_KEPT_FOR, named::RunStatus, run::Run};
use crate::{
    Core,
    action::Tenant,
    duty::{Attempt, Duty, Outcome},
    retention,
    services::count_at,
    settings::{Setting, Settings},
};

/// How often old runs are looked for.
pub const EVERY: Setting = Setting::millis(
    "automation.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of runs that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("automation.retention_workers", 1, 1, 1, "How many remove old runs of jobs at once.");

/// Removes old runs.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "automation-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of runs of jobs that are older, or more, than an account keeps."
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

/// What stands against the limits of an account's runs.
pub(super) fn uses(tenant: &Tenant) -> BoxFuture<'_, Result<Vec<(&'static Setting, u64)>, Fault>> {
    Box::pin(async move {
        let ended = RunStatus::ALL.iter().filter(|status| status.is_final()).map(|status| status.as_str());
        Ok(vec![(&RUNS_KEPT, count_at::<Run>(tenant, ended).await?)])
    })
}

fn sweep(core: &Core, account: Uuid, settings: Settings) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let ended = RunStatus::ALL.iter().filter(|status| status.is_final());
        let ended = Filter::In("status", ended.map(|status| Cell::from(status.as_str())).collect());
        let before = retention::limit(core, settings.duration(&RUNS_KEPT_FOR));
        retention::thin::<Run>(core, account, vec![ended], before, settings.count(&RUNS_KEPT)).await
    })
}
