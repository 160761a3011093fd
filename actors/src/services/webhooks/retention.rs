//! Old deliveries go, by age and by how many an account has.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Cell, Fault, Filter};
use uuid::Uuid;

use super::{
    DELIVERIES_KEPT, DELIVERIES_KEPT_FOR,
    delivery::{WebhookDelivery, WebhookDeliveryStatus},
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
    "webhooks.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of webhook deliveries that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("webhooks.retention_workers", 1, 1, 1, "How many remove old webhook deliveries at once.");

/// Removes old deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "webhook-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of webhook deliveries that are older, or more, than an account keeps."
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
        let ended = WebhookDeliveryStatus::FINAL.map(WebhookDeliveryStatus::as_str);
        Ok(vec![(&DELIVERIES_KEPT, count_at::<WebhookDelivery>(tenant, ended).await?)])
    })
}

fn sweep(core: &Core, account: Uuid, settings: Settings) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let ended = WebhookDeliveryStatus::FINAL.map(|status| Cell::from(status.as_str()));
        let ended = Filter::In("status", ended.to_vec());
        let before = retention::limit(core, settings.duration(&DELIVERIES_KEPT_FOR));
        let kept = settings.count(&DELIVERIES_KEPT);
        retention::thin::<WebhookDelivery>(core, account, vec![ended], before, kept).await
    })
}
