//! Randomness: bytes that follow from a signature, so that anybody can check them and nobody can choose them who has not
//! the key.
//!
//! ```text
//!  message = "service-layer/random/v1" LF canonical JSON {account_id, counter, created_at, length, request_id}
//!  signature = Ed25519(RANDOM_SIGNING_KEY, message)
//!  bytes = SHA-512("service-layer/random/v1/value" LF signature 1) | SHA-512(… 2) | …, cut to length
//! ```
//!
//! A repeat of a `request_id` is answered with what was answered before. Each daemon takes counters from a block that
//! it reserved in the store: a counter is given once for each key, whatever dies, and rises within a daemon.
//!
//! Without a key nothing is drawn, but in `sld dev`, which makes one at start and says so in every answer.

mod actions;
mod counter;
mod derive;
mod devpack;
mod entity;
mod retention;
mod view;

use std::sync::Arc;

use sl_store::Entity as _;

use super::Service;
use crate::settings::Setting;

pub use self::{
    actions::{FetchRandom, Generate, ListRandom, NewRandom, RandomFilters},
    counter::Desk,
    derive::Encoding,
    entity::{RandomCounter, RandomValue},
    retention::{EVERY as RETENTION_EVERY, Retention},
    view::{RandomView, Verification},
};

/// How many bytes one answer has at most.
pub const MAX_LENGTH: i64 = 1_024;
/// How many bytes an answer has where nothing else is asked for.
pub const DEFAULT_LENGTH: i64 = 32;

/// How many counters a daemon reserves at once.
pub const COUNTER_BLOCK: Setting = Setting::count(
    "random.counter_block",
    1_000,
    1,
    1_000_000,
    "How many counters of the signing key a daemon reserves at once; those it does not use are never given.",
);
/// How long a value is kept.
pub const KEPT_FOR: Setting = Setting::millis(
    "random.kept_for",
    365 * 86_400_000,
    60_000,
    3_650 * 86_400_000,
    "How long a random value is kept; afterwards its request_id makes a new one.",
)
.per_account();
/// How many values are kept.
pub const KEPT: Setting = Setting::count(
    "random.kept",
    100_000,
    1,
    100_000_000,
    "How many random values an account keeps; the oldest go first.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] =
    &[&COUNTER_BLOCK, &KEPT_FOR, &KEPT, &retention::EVERY, &retention::WORKERS];

/// The service.
pub const SERVICE: Service = Service {
    name: "random",
    domain: "randomness",
    layer: "security",
    capabilities: &["generate", "replay", "history", "verify"],
    quotas: &[(&KEPT, RandomValue::TABLE)],
    tables: &[RandomValue::TABLE, RandomCounter::TABLE],
    actions: devpack::ACTIONS,
    duties: |_| vec![Arc::new(Retention)],
    ..Service::NOTHING
};
