//! Triggers: functions that run by the clock, when something happens, and when somebody outside calls.
//!
//! ```text
//!   slot, event, inbound webhook, by hand ──▶ queued ──▶ running ──▶ succeeded | failed
//!                                               └──▶ cancelled (dropped, or the trigger was removed)
//! ```
//!
//! Every time a trigger fires there is one row in `trigger_deliveries`. Where it fires for something that has a name (an
//! event's position, a slot, what a webhook's signature covers) no two rows of a trigger share that name: the same thing
//! seen again, by another daemon or by a replay, finds the row of the first time.
//!
//! Three duties: `trigger-schedules` has one item for each trigger with a schedule, due at its next slot; `triggers` has
//! one for each delivery that waits and hands the function's execution over; the batch that ends an execution adds an
//! item of `trigger-deliveries`, which writes the outcome. The first two stand behind the trigger's gate, so that a pause
//! holds them back.

mod actions;
mod admit;
mod config;
mod delivery;
mod devpack;
mod duty;
mod explain;
mod hear;
mod named;
mod receive;
mod resource;
mod retention;
mod schedule;
mod secret;
mod trigger;
mod verify;
#[cfg(test)]
mod verify_tests;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    actions::{
        DeliveryFilters, EnableTrigger, FetchDelivery, FireTrigger, ListDeliveries, NewFire, NewSecret,
        Redeliver, RotateSecret,
    },
    delivery::{Delivery, DeliveryView},
    duty::{Deliveries, Outcomes},
    named::{Cause, DeliveryStatus, Scheme, TriggerType},
    receive::{Inbound, ProveHook, ProvenHook, ReceiveHook, Received},
    resource::{AmendTrigger, NewTrigger, TriggerFilters, TriggerView},
    retention::{EVERY as RETENTION_EVERY, Retention},
    schedule::{Schedules, TriggerState},
    secret::TriggerSecret,
    trigger::Trigger,
};
use super::Service;
use crate::settings::Setting;

/// The duty that hands executions over.
pub const DUTY: &str = "triggers";
/// The duty that fires by the clock.
pub const SCHEDULE_DUTY: &str = "trigger-schedules";
/// The duty that writes outcomes.
pub const OUTCOME_DUTY: &str = "trigger-deliveries";

/// How many triggers an account may have.
pub const MAX_TRIGGERS: Setting =
    Setting::count("triggers.triggers", 1_000, 1, 1_000_000, "How many triggers an account may have.")
        .per_account();
/// How many items are performed at once.
pub const WORKERS: Setting = Setting::count(
    "triggers.workers",
    32,
    1,
    1_000,
    "How many deliveries one daemon begins at once, and of how many it writes the outcome at once.",
);
/// How late a slot may fire.
pub const CATCH_UP: Setting = Setting::millis(
    "triggers.catch_up",
    3_600_000,
    1_000,
    86_400_000,
    "How old a slot may be that nobody was there to see and still fire; of several, the latest does.",
)
.per_account();
/// How far the time of a signature may be off.
pub const WINDOW: Setting = Setting::millis(
    "triggers.window",
    300_000,
    1_000,
    3_600_000,
    "How far the time that an inbound webhook's signature names may be off, either way.",
)
.per_account();
/// How large an inbound payload may be.
pub const PAYLOAD: Setting = Setting::bytes(
    "triggers.payload",
    1 << 20,
    1 << 10,
    1 << 20,
    "How large the payload of an inbound webhook, or of a trigger fired by hand, may be.",
)
.per_account();
/// How often a webhook may be called.
pub const RATE: Setting = Setting::count(
    "triggers.rate",
    50,
    1,
    10_000,
    "How many inbound requests a second one webhook takes in one daemon; http.rate_burst seconds' worth at once.",
);
/// For how long an earlier secret holds.
pub const GRACE: Setting = Setting::millis(
    "triggers.grace",
    86_400_000,
    0,
    30 * 86_400_000,
    "For how long a webhook's earlier secret holds after a rotation, where the rotation does not say.",
)
.per_account();
/// How long a delivery is kept.
pub const DELIVERIES_KEPT_FOR: Setting = Setting::millis(
    "triggers.deliveries_kept_for",
    30 * 86_400_000,
    2 * 3_600_000,
    3_650 * 86_400_000,
    "How long the row of a delivery that has ended is kept; for as long a replay of it is known.",
)
.per_account();
/// How many deliveries are kept.
pub const DELIVERIES_KEPT: Setting = Setting::count(
    "triggers.deliveries_kept",
    100_000,
    100,
    100_000_000,
    "How many such rows an account keeps; the oldest go first, but none of the last two hours.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_TRIGGERS,
    &WORKERS,
    &CATCH_UP,
    &WINDOW,
    &PAYLOAD,
    &RATE,
    &GRACE,
    &DELIVERIES_KEPT_FOR,
    &DELIVERIES_KEPT,
    &retention::EVERY,
    &retention::WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: "triggers",
    domain: "automation",
    layer: "engine",
    capabilities: &["cron", "event", "webhook", "fire", "redeliver", "rotate", "pause"],
    tables: &[Trigger::TABLE, TriggerState::TABLE, TriggerSecret::TABLE, Delivery::TABLE],
    quotas: &[(&MAX_TRIGGERS, Trigger::TABLE)],
    uses: Some(retention::uses),
    actions: &[devpack::REGISTER],
    duties: |_| vec![Arc::new(Schedules), Arc::new(Deliveries), Arc::new(Outcomes), Arc::new(Retention)],
    sealed: &[TriggerSecret::TABLE],
    hear: Some(hear::hear),
    listening: Some(Trigger::TABLE),
    explain: Some(explain::explain),
    ..Service::NOTHING
};
