//! Old random values go: by age, and by how many an account has.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::Fault;
use uuid::Uuid;

use super::{KEPT, KEPT_FOR, entity::RandomValue};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    retention,
    settings::{Setting, Settings},
};

/// How often old random values are looked for.
pub const EVERY: Setting = Setting::millis(
    "random.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often random values that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("random.retention_workers", 1, 1, 1, "How many remove old random values at once.");

/// Removes old random values.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "random-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes random values that are older, or more, than an account keeps."
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
        retention::thin::<RandomValue>(core, account, Vec::new(), before, settings.count(&KEPT)).await
    })
}
