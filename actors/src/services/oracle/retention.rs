//! Requests that have ended go when they are old.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Fault, Filter};
use uuid::Uuid;

use super::{KEPT_FOR, request::OracleRequest};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    retention,
    settings::{Setting, Settings},
};

/// How often old requests are looked for.
pub const EVERY: Setting = Setting::millis(
    "oracle.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often oracle requests that are older than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("oracle.retention_workers", 1, 1, 1, "How many remove old oracle requests at once.");

/// Removes old requests.
#[derive(Clone, Copy, Debug)]
pub struct OracleRetention;

impl Duty for OracleRetention {
    fn name(&self) -> &'static str {
        "oracle-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes oracle requests that ended longer ago than they are kept."
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

fn sweep(core: &Core, account: Uuid, settings: Settings) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let before = retention::limit(core, settings.duration(&KEPT_FOR));
        let old = vec![Filter::Before("completed_at", before)];
        retention::remove_all::<OracleRequest>(core, account, old).await
    })
}
