//! Old deliveries go, by age and by how many an account has; and secrets that no longer hold.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Cell, Fault, Filter};
use uuid::Uuid;

use super::{
    DELIVERIES_KEPT, DELIVERIES_KEPT_FOR, delivery::Delivery, named::DeliveryStatus, secret::TriggerSecret,
};
use crate::{
    Core,
    action::Tenant,
    duty::{Attempt, Duty, Outcome},
    retention,
    services::count_at,
    settings::{Setting, Settings},
};

/// How often old deliveries are looked for.
pub const EVERY: Setting = Setting::millis(
    "triggers.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of deliveries that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting = Setting::count(
    "triggers.retention_workers",
    1,
    1,
    1,
    "How many remove old deliveries of triggers at once.",
);

/// So old a delivery is at least before it goes because there are too many.
const RECENT: TimeDelta = TimeDelta::hours(2);

/// Removes old deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "trigger-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of deliveries that are older, or more, than an account keeps, and secrets that no longer hold."
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

/// What stands against the limits of an account's deliveries.
pub(super) fn uses(tenant: &Tenant) -> BoxFuture<'_, Result<Vec<(&'static Setting, u64)>, Fault>> {
    Box::pin(async move {
        let ended =
            DeliveryStatus::ALL.iter().filter(|status| status.is_final()).map(|status| status.as_str());
        Ok(vec![(&DELIVERIES_KEPT, count_at::<Delivery>(tenant, ended).await?)])
    })
}

fn sweep(core: &Core, account: Uuid, settings: Settings) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let now = core.clock.now();
        let over = vec![Filter::Before("expires_at", now)];
        retention::remove_all::<TriggerSecret>(core, account, over).await?;
        let ended = DeliveryStatus::ALL.iter().filter(|status| status.is_final());
        let ended = Filter::In("status", ended.map(|status| Cell::from(status.as_str())).collect());
        let before = |instant| vec![ended.clone(), Filter::Before("created_at", instant)];
        let old = before(retention::limit(core, settings.duration(&DELIVERIES_KEPT_FOR)));
        retention::remove_all::<Delivery>(core, account, old).await?;
        let there_are = core.store.count::<Delivery>(Some(account), vec![ended.clone()]).await?;
        // A replay of what is recent must be known, however much there is.
        let spare = before(now - RECENT);
        let can_go = core.store.count::<Delivery>(Some(account), spare.clone()).await?;
        let surplus = there_are.saturating_sub(settings.count(&DELIVERIES_KEPT)).min(can_go);
        retention::remove::<Delivery>(core, account, &spare, surplus).await
    })
}
