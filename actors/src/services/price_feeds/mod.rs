//! Price feeds: pairs whose price is observed, agreed on in rounds, and published when it matters.
//!
//! ```text
//!              an observation, none open          the formula lets it be published
//!  (no round) ───────────────────────────▶ open ───────────────────────────────────▶ published
//!                                          ▲  │ another observation, a source that failed
//!                                          └──┘
//! ```
//!
//! Observations come from whoever sends them, from functions, and from the feed's sources (or the operator's price
//! service), which the duty asks at the feed's own slots. They go into the feed's open round; by the formula in
//! `rules.rs` the round's median is published for the first time, when it has changed by the deviation, or when the
//! heartbeat has passed. What is not published is kept, and its sender told why and by how much.
//!
//! Prices are exact decimals and nothing is rounded on its way in. A feed's rounds have the numbers 1, 2, 3, …: round and
//! feed move on together, against what was read, so that no number is given twice whoever observes at the same time. A
//! published round never changes, and holds all it was decided from: `slctl verify round` decides it again.
//!
//! A feed that is inactive takes no prices. One whose heartbeat passes without a publication is stale, which its view
//! says and an event tells. A host that answers 429 or 503 with `Retry-After` is not asked before that by any daemon.

mod actions;
mod devpack;
mod entity;
mod explain;
mod fetch;
mod hosts;
mod interval;
mod price;
mod records;
mod refresher;
mod resource;
mod retention;
mod rules;
mod sources;
mod standing;
mod views;

use std::sync::Arc;

use sl_store::Entity as _;

pub(crate) use self::price::mantissa;
pub use self::{
    actions::{
        FetchFeed, FetchLatest, FetchRound, FetchSnapshot, ListFeeds, ListRounds, ListSnapshots,
        NewPriceSnapshot, Observe, PriceRoundFilters, PriceSnapshotFilters, Refresh,
    },
    entity::{PriceFeed, Source},
    hosts::PriceHost,
    interval::Interval,
    price::{ExactNumber, Flaw, Price},
    records::{Content, PriceRound, PriceSnapshot, PriceState, Published, Reject, RoundStatus, Verdict},
    refresher::Refresher,
    resource::{AmendPriceFeed, NewPriceFeed, PriceFeedFilters, PriceFeedView},
    retention::PriceRetention,
    rules::{
        Decision, Evaluation, FORMULA, Given, Input, OutlierRule, Outliers, Previous, Reason, Rejection,
        Rules, evaluate,
    },
    sources::{NewSource, SourceOrUrl, SourceView},
    views::{LatestPriceView, PriceRefreshView, PriceRoundView, PriceSnapshotView},
};
use super::Service;
use crate::settings::Setting;

/// The service's name.
const NAME: &str = "pricefeeds";
/// The name of the duty that refreshes.
pub const DUTY: &str = "pricefeed-refresh";

/// How many feeds an account may have.
pub const MAX_FEEDS: Setting =
    Setting::count("pricefeeds.count", 1_000, 1, 100_000, "How many price feeds an account may have.")
        .per_account();
/// How many sources a feed may have.
pub const MAX_SOURCES: Setting =
    Setting::count("pricefeeds.sources", 20, 0, 100, "How many sources a price feed may have.").per_account();
/// How many observations a round may have.
pub const MAX_ROUND_INPUTS: Setting = Setting::count(
    "pricefeeds.round_inputs",
    100,
    1,
    1_000,
    "How many observations a round of a price feed holds, and how many min_submissions may ask for.",
)
.per_account();
/// How many rounds are kept.
pub const ROUNDS_KEPT: Setting = Setting::count(
    "pricefeeds.rounds_kept",
    10_000,
    2,
    10_000_000,
    "How many rounds of a price feed are kept; the oldest go first.",
)
.per_account();
/// How many observations are kept.
pub const SNAPSHOTS_KEPT: Setting = Setting::count(
    "pricefeeds.snapshots_kept",
    10_000,
    1,
    10_000_000,
    "How many observations of a price feed are kept; the oldest go first.",
)
.per_account();
/// How long rounds and observations are kept.
pub const KEPT_FOR: Setting = Setting::millis(
    "pricefeeds.kept_for",
    90 * 86_400_000,
    3_600_000,
    3_650 * 86_400_000,
    "How long published rounds and observations of price feeds are kept.",
)
.per_account();
/// How many feeds one daemon refreshes at once.
pub const WORKERS: Setting =
    Setting::count("pricefeeds.workers", 16, 1, 1_000, "How many price feeds one daemon refreshes at once.");
/// How long one source may take.
pub const SOURCE_TIME: Setting = Setting::millis(
    "pricefeeds.source_time",
    5_000,
    100,
    60_000,
    "How long a source of a price feed may take to answer, and how long it may be waited for to be asked.",
);
/// How often one host is asked.
pub const HOST_RATE: Setting =
    Setting::rate("pricefeeds.host_rate", 20, 1, 10_000, "How often one daemon asks one host for prices.");
/// How long a host may ask to wait.
pub const MAX_RETRY_AFTER: Setting = Setting::millis(
    "pricefeeds.max_retry_after",
    3_600_000,
    1_000,
    86_400_000,
    "How long a source that asks to wait (Retry-After) is left alone at most.",
);

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_FEEDS,
    &MAX_SOURCES,
    &MAX_ROUND_INPUTS,
    &ROUNDS_KEPT,
    &SNAPSHOTS_KEPT,
    &KEPT_FOR,
    &WORKERS,
    &SOURCE_TIME,
    &HOST_RATE,
    &MAX_RETRY_AFTER,
    &retention::EVERY,
    &retention::WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "prices",
    layer: "data",
    capabilities: &["observe", "aggregate", "publish", "refresh", "rounds"],
    tables: &[PriceFeed::TABLE, PriceState::TABLE, PriceRound::TABLE, PriceSnapshot::TABLE, PriceHost::TABLE],
    quotas: &[(&MAX_FEEDS, PriceFeed::TABLE)],
    actions: &[devpack::RECORD_SNAPSHOT],
    duties: |_| vec![Arc::new(Refresher::default()), Arc::new(PriceRetention)],
    sealed: &[PriceFeed::TABLE],
    explain: Some(explain::explain),
    ..Service::NOTHING
};
