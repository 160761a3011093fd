//! Webhooks: what happens in an account is told to URLs outside.
//!
//! ```text
//!   event ──▶ queued ──▶ succeeded
//!               ├──▶ failed (answered for good, or tried as often as may be: a dead letter; 410 disables the webhook)
//!               └──▶ cancelled (dropped, or the webhook is disabled)
//!   failed | cancelled | succeeded ──▶ queued (delivered again)
//! ```
//!
//! For each event that a webhook wants there is one row in `webhook_deliveries`, written in the batch that moves the
//! reader of the event log, and one item of the duty `webhooks`, which sends it through the egress guard. It is sent at
//! least once, always under the same `webhook-id`, by which the receiver knows it again. Requests are signed as Standard
//! Webhooks says, with the earlier secrets as well while their grace lasts.
//!
//! Webhooks are not told of their own deliveries and of those deliveries' dead letters, and what waits for one is bounded:
//! a webhook that has too much waiting is disabled, and that is told.

mod actions;
mod delivery;
mod duty;
mod explain;
mod hear;
mod resource;
mod retention;
mod secrets;
mod webhook;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    actions::{
        EnableWebhook, FetchWebhookDelivery, ListWebhookDeliveries, NewWebhookSecret, RedeliverWebhook,
        RotateWebhookSecret, WebhookDeliveryFilters,
    },
    delivery::{WebhookDelivery, WebhookDeliveryStatus, WebhookDeliveryView},
    duty::Webhooks,
    resource::{AmendWebhook, NewWebhook, WebhookFilters, WebhookView},
    retention::{EVERY as RETENTION_EVERY, Retention},
    webhook::Webhook,
};
use super::Service;
use crate::settings::Setting;

/// The duty that sends.
pub const DUTY: &str = "webhooks";
/// The service's name.
const NAME: &str = "webhooks";

/// How many webhooks an account may have.
pub const MAX_WEBHOOKS: Setting =
    Setting::count("webhooks.webhooks", 50, 1, 1_000, "How many webhooks an account may have.").per_account();
/// How many are sent at once.
pub const WORKERS: Setting =
    Setting::count("webhooks.workers", 32, 1, 1_000, "How many webhook requests one daemon makes at once.");
/// How long a receiver has.
pub const TIMEOUT: Setting = Setting::millis(
    "webhooks.timeout",
    10_000,
    100,
    60_000,
    "How long the receiver of a webhook has to answer; egress.timeout bounds it as well.",
);
/// How much may wait for one.
pub const BACKLOG: Setting = Setting::count(
    "webhooks.backlog",
    10_000,
    1,
    1_000_000,
    "How many deliveries may wait for one webhook; one that has more waiting is disabled.",
);
/// For how long one may fail.
pub const FAILING_FOR: Setting = Setting::millis(
    "webhooks.failing_for",
    5 * 86_400_000,
    1,
    365 * 86_400_000,
    "A webhook whose deliveries all failed for so long, since it was last changed, is disabled.",
)
.per_account();
/// For how long an earlier secret signs.
pub const GRACE: Setting = Setting::millis(
    "webhooks.grace",
    86_400_000,
    0,
    30 * 86_400_000,
    "For how long a webhook's earlier secret signs as well after a rotation, where the rotation does not say.",
)
.per_account();
/// How long a delivery is kept.
pub const DELIVERIES_KEPT_FOR: Setting = Setting::millis(
    "webhooks.deliveries_kept_for",
    7 * 86_400_000,
    60_000,
    3_650 * 86_400_000,
    "How long the row of a webhook delivery that has ended is kept.",
)
.per_account();
/// How many deliveries are kept.
pub const DELIVERIES_KEPT: Setting = Setting::count(
    "webhooks.deliveries_kept",
    100_000,
    100,
    100_000_000,
    "How many such rows an account keeps; the oldest go first.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_WEBHOOKS,
    &WORKERS,
    &TIMEOUT,
    &BACKLOG,
    &FAILING_FOR,
    &GRACE,
    &DELIVERIES_KEPT_FOR,
    &DELIVERIES_KEPT,
    &retention::EVERY,
    &retention::WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "events",
    layer: "adapter",
    capabilities: &["subscribe", "sign", "deliver", "redeliver", "rotate", "pause"],
    tables: &[Webhook::TABLE, WebhookDelivery::TABLE],
    quotas: &[(&MAX_WEBHOOKS, Webhook::TABLE)],
    uses: Some(retention::uses),
    duties: |_| vec![Arc::new(Webhooks), Arc::new(Retention)],
    sealed: &[Webhook::TABLE],
    hear: Some(hear::hear),
    listening: Some(Webhook::TABLE),
    explain: Some(explain::explain),
    ..Service::NOTHING
};
