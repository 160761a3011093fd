//! The control plane: what operators and tenants see of the running system, and how it keeps itself tidy.
//!
//! Limits are told with value, source and use. The audit reads the event log newest first: who did what, when, from
//! where, in which request; what was refused stands among it. Two duties recur: one forgets old events, one removes stored answers and pauses whose time
//! is over.

mod audit;
mod descriptors;
mod events;
mod expiry;
mod limits;
mod position;
mod reader;
mod refusals;
mod status;

pub use audit::{AuditFilter, AuditView, ListAudit};
pub use descriptors::{DescriptorView, Descriptors};
pub use events::{EventFilter, EventPage, EventView, Events};
pub use expiry::{EventRetention, RecordExpiry};
pub use limits::{AccountLimits, LimitView, SystemLimits};
pub use position::ReaderPosition;
pub use reader::{EventReader, READER_DUTY};
pub use refusals::{REFUSED, Refusals, Refused};
pub(crate) use refusals::{REQUEST, RefusalWriter};
pub use status::{Duties, DutyView, FetchDuty, StoreView, SystemStatus, SystemView};

use std::sync::Arc;

use sl_store::Entity as _;

use super::Service;
use crate::{idempotency::IdempotencyRecord, pause::Pause, settings::Setting};

/// For how long events are kept.
pub const EVENTS_KEPT_FOR: Setting = Setting::millis(
    "events.kept_for",
    30 * 86_400_000,
    60_000,
    3_650 * 86_400_000,
    "For how long events, and with them the audit, are kept.",
);
/// How often it is looked for what is over.
pub const TIDY_EVERY: Setting = Setting::millis(
    "control.tidy_every",
    300_000,
    1_000,
    86_400_000,
    "How often old events, stored answers and ended pauses are removed.",
);
/// How many of each the tidying removes in one step.
pub const TIDY_BATCH: Setting = Setting::count(
    "control.tidy_batch",
    1_000,
    10,
    10_000,
    "How many old events, stored answers or ended pauses are removed in one step.",
);
/// How many tidyings one daemon does at once.
pub const TIDYINGS: Setting = Setting::count(
    "control.tidyings",
    1,
    1,
    1,
    "How many items of each tidying duty go on at once; there is one of each.",
);

/// How long the reader sleeps at most.
pub const READER_POLL: Setting = Setting::millis(
    "events.reader_poll",
    1_000,
    10,
    60_000,
    "How long the reader of the event log sleeps at most before it looks again, whatever hints were lost.",
);
/// How many events are heard in one step.
pub const READER_PAGE: Setting =
    Setting::count("events.reader_page", 200, 1, 1_000, "How many events services are let hear in one step.");

/// How many refused requests wait to be written.
pub const REFUSALS_QUEUE: Setting = Setting::count(
    "events.refusals_queue",
    4_096,
    1,
    1_000_000,
    "How many refused requests may wait in one daemon to be written down for the audit; further ones are only counted.",
);

pub(crate) const SETTINGS: &[&Setting] =
    &[&EVENTS_KEPT_FOR, &TIDY_EVERY, &TIDY_BATCH, &TIDYINGS, &READER_POLL, &READER_PAGE, &REFUSALS_QUEUE];

const NAME: &str = "control";

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "operations",
    layer: "engine",
    capabilities: &["pause", "resume", "why", "limits", "audit", "events", "status"],
    tables: &[Pause::TABLE, IdempotencyRecord::TABLE, ReaderPosition::TABLE],
    sealed: &[IdempotencyRecord::TABLE],
    duties: |_| vec![Arc::new(EventRetention), Arc::new(RecordExpiry), Arc::new(EventReader::default())],
    ..Service::NOTHING
};
