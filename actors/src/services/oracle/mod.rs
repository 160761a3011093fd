//! Oracle: answers from outside, asked for, aggregated, and handed to functions.
//!
//! ```text
//!             a source is asked        the answers suffice │ cannot suffice any more │ the ttl passes │ somebody cancels
//!  pending ─────────────────────▶ running ──────────▶ succeeded │ failed │ expired │ cancelled
//! ```
//!
//! A request asks one source, or several whose answers are aggregated. Each source is an item of the queue of its own,
//! behind the source as its gate: it is asked over HTTP through the egress guard, as often as the rates of source and
//! account let it be, again where a failure may pass. Every attempt and every source's answer is kept. A source may say
//! that it answers later (`202`, or an external adapter's `pending`): then its resolver calls back, signed with the
//! source's secret.
//!
//! The first end of a request holds. The same update again is answered like the first; another one is a conflict. With
//! an end that is no cancellation, the request's function is run with it, by an item of its own.

mod ask;
mod callback;
mod delivery;
mod devpack;
mod dispatch;
mod ending;
mod explain;
mod judge;
mod rate;
mod removal;
mod request;
mod requests;
mod retention;
mod source;
mod sources;
mod text;
mod views;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    callback::{Callback, ProveCallback, ProvenCallback, SignedCallback},
    judge::{Aggregation, Answer, AnswerStatus, Method as AggregationMethod},
    rate::{OracleGate, Rate},
    request::{AttemptRecord, AttemptStatus, OracleRequest, Question, RequestStatus},
    requests::{CancelRequest, CreateRequest, FetchRequest, ListRequests, RequestFilters, UpdateRequest},
    source::{OracleSource, ResultType, SourceKind},
    sources::{AmendSource, NewOracleSource, RotateSourceSecret, SourceFilters, SourceView},
    text::JsonText,
    views::{NewOracleRequest, OracleCallbackView, OracleRequestView, OracleUpdate},
};
use super::Service;
use crate::settings::Setting;

/// The service's name.
const NAME: &str = "oracle";
/// The duty that asks sources.
pub const DUTY: &str = "oracle-dispatch";

/// How many sources an account may have.
pub const MAX_SOURCES: Setting =
    Setting::count("oracle.sources", 500, 1, 100_000, "How many oracle sources an account may have.")
        .per_account();
/// How many requests of an account may be open.
pub const MAX_OPEN: Setting = Setting::count(
    "oracle.open_requests",
    10_000,
    1,
    1_000_000,
    "How many oracle requests of an account may be pending or running.",
)
.per_account();
/// How many sources one request may ask.
pub const MAX_ASKED: Setting =
    Setting::count("oracle.sources_per_request", 16, 1, 64, "How many sources one oracle request may ask.")
        .per_account();
/// How large a payload may be.
pub const PAYLOAD: Setting = Setting::bytes(
    "oracle.payload",
    65_536,
    256,
    1 << 20,
    "How large the payload of an oracle request may be.",
)
.per_account();
/// How large an answer may be.
pub const ANSWER: Setting = Setting::bytes(
    "oracle.answer",
    1 << 20,
    256,
    8 << 20,
    "How large the response of an oracle source may be; a larger one is no answer.",
);
/// How large a result may be.
pub const RESULT: Setting = Setting::bytes(
    "oracle.result",
    65_536,
    64,
    1 << 20,
    "How large the results of all sources of an oracle request may be together.",
)
.per_account();
/// For how long a request waits for its answers.
pub const TTL: Setting = Setting::millis(
    "oracle.ttl",
    3_600_000,
    1_000,
    30 * 86_400_000,
    "For how long an oracle request waits for its answers where it does not say.",
)
.per_account();
/// How often a source is asked for one request.
pub const ATTEMPTS: Setting = Setting::count(
    "oracle.attempts",
    5,
    1,
    100,
    "How often a source is asked for one request while its failures may pass.",
)
.per_account();
/// How often an account's sources are asked.
pub const ACCOUNT_RATE: Setting = Setting::rate(
    "oracle.account_rate",
    50,
    1,
    100_000,
    "How often the sources of one account are asked, over all daemons.",
)
.per_account();
/// How many sources one daemon asks at once.
pub const WORKERS: Setting =
    Setting::count("oracle.workers", 32, 1, 1_000, "How many oracle sources one daemon asks at once.");
/// How many ends one daemon delivers at once.
pub const DELIVERIES: Setting = Setting::count(
    "oracle.deliveries",
    16,
    1,
    1_000,
    "How many oracle results one daemon hands to functions at once.",
);
/// How many deadlines one daemon looks after at once.
pub const DEADLINES: Setting = Setting::count(
    "oracle.deadlines",
    16,
    1,
    1_000,
    "How many oracle requests one daemon lets expire at once.",
);
/// How often one request may be called back.
pub const CALLBACK_RATE: Setting = Setting::count(
    "oracle.callback_rate",
    10,
    1,
    10_000,
    "How many callbacks a second one oracle request takes in one daemon, signed or not.",
);
/// How old a signed callback may be.
pub const CALLBACK_WINDOW: Setting = Setting::millis(
    "oracle.callback_window",
    300_000,
    1_000,
    3_600_000,
    "How far the timestamp of a signed callback may lie from the daemon's clock.",
);
/// How long requests that have ended are kept.
pub const KEPT_FOR: Setting = Setting::millis(
    "oracle.kept_for",
    30 * 86_400_000,
    60_000,
    3_650 * 86_400_000,
    "How long oracle requests that have ended are kept.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_SOURCES,
    &MAX_OPEN,
    &MAX_ASKED,
    &PAYLOAD,
    &ANSWER,
    &RESULT,
    &TTL,
    &ATTEMPTS,
    &ACCOUNT_RATE,
    &WORKERS,
    &DELIVERIES,
    &DEADLINES,
    &CALLBACK_RATE,
    &CALLBACK_WINDOW,
    &KEPT_FOR,
    &retention::EVERY,
    &retention::WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "oracle",
    layer: "adapter",
    capabilities: &["dispatch", "aggregate", "resolve", "callback", "deliver"],
    tables: &[OracleSource::TABLE, OracleRequest::TABLE, OracleGate::TABLE],
    quotas: &[(&MAX_SOURCES, OracleSource::TABLE)],
    uses: Some(requests::uses),
    actions: &[devpack::CREATE_REQUEST],
    duties: |_| {
        vec![
            Arc::new(dispatch::Dispatch),
            Arc::new(ending::Deadlines),
            Arc::new(delivery::Delivery),
            Arc::new(retention::OracleRetention),
        ]
    },
    sealed: &[OracleSource::TABLE],
    explain: Some(explain::explain),
    ..Service::NOTHING
};
