//! Executions: runs of functions, and what is kept of them.
//!
//! ```text
//!            wait = 0, paused, no place           claimed
//!  request ─────────────────────────────▶ queued ─────────▶ running ──▶ succeeded | failed | timed_out | cancelled
//!     └────────── a place is free ───────────────────────────▲  │
//!                                            ▲               infrastructure failed, daemon died
//!                                            └──────────────────┘
//! ```
//!
//! A function that fails is an execution that `failed`, never a retry and never an HTTP error. What is retried is what
//! the function has no part in: no host to be had, a daemon that died. A run that comes straight from a request is
//! written once, at its end; one that takes longer than [`PERSIST_AFTER`], or whose request carries an idempotency key,
//! is written as it begins, with an item of the queue whose lease this daemon holds: if it dies, another performs the
//! execution again, under a higher attempt.
//!
//! Secrets are redacted from output, logs, errors and action params. What a run queued is committed as pending in the
//! batch that has its end, all or none, and then performed in order, each action once and in a batch of its own
//! (`perform.rs`). With a signing key every end is signed; the signature covers what was queued, not what came of it.
//!
//! What one run may use is bounded by the `executions.*` settings of the account and by the function's own limits
//! within them; concurrency is counted per daemon.

mod actions;
mod bounds;
mod duty;
mod entity;
mod explain;
mod flow;
mod hand_back;
mod kinds;
mod lanes;
mod live;
mod logs;
mod outcome;
pub(super) mod params;
mod pending;
mod perform;
mod promise;
mod record;
mod retention;
mod room;
mod session;
mod signed;
mod start;
mod view;

use std::sync::Arc;

use sl_store::Entity as _;
use tokio_util::sync::CancellationToken;

pub(crate) use self::record::cancel_queued;
pub use self::{
    actions::{Cancel, Execute, ExecutionFilters, FetchExecution, FetchExecutionOf, ListExecutions, Replay},
    duty::Executions,
    entity::{Execution, Json, Signature, Status, Trigger},
    kinds::{Acting, ActionKind, ActionKinds},
    lanes::Lanes,
    live::Stage,
    logs::{FetchLogs, FollowLogs, LogEvent, LogFeed},
    pending::Actions,
    retention::{EVERY as RETENTION_EVERY, Retention},
    start::{Sequel, Start, start, stop},
    view::{
        ActionFailure, ActionRecord, ActionStatus, ExecutionView, Failure, Level, LimitHit, LogEntry,
        ParamError, SignatureView, StackFrame,
    },
};
use super::Service;
use crate::settings::Setting;

/// The duty's name.
pub const DUTY: &str = "executions";
/// The name of the duty that performs what runs queued.
pub const ACTIONS: &str = "actions";

/// How long a request waits for the end of its execution where it does not say.
pub const WAIT: Setting = Setting::millis(
    "executions.wait",
    30_000,
    0,
    900_000,
    "How long execute waits for the end where ?wait= does not say.",
);
/// How long a request may wait for the end of its execution.
pub const MAX_WAIT: Setting =
    Setting::millis("executions.max_wait", 60_000, 0, 900_000, "How long ?wait= may let execute wait.");
/// After how long a run that came straight from a request is written as running.
pub const PERSIST_AFTER: Setting = Setting::millis(
    "executions.persist_after",
    50,
    0,
    60_000,
    "After how long a run is written as running; a shorter one is written once, at its end.",
);
/// How many queued executions one daemon runs at once.
pub const WORKERS: Setting = Setting::count(
    "executions.workers",
    32,
    1,
    10_000,
    "How many executions from the queue one daemon runs at once.",
);
/// How many executions' actions one daemon performs from the queue at once.
pub const ACTION_WORKERS: Setting = Setting::count(
    "executions.action_workers",
    16,
    1,
    10_000,
    "How many executions one daemon performs the queued actions of at once, those apart that it has just run.",
);
/// How many runs of one account there may be at once in one daemon.
pub const ACCOUNT_CONCURRENCY: Setting = Setting::count(
    "executions.concurrency",
    64,
    1,
    10_000,
    "How many runs of one account one daemon performs at once; further ones wait in the queue.",
)
.per_account();
/// How many executions of one account may wait in the queue.
pub const QUEUE: Setting = Setting::count(
    "executions.queue",
    10_000,
    1,
    10_000_000,
    "How many executions of one account may wait in the queue.",
)
.per_account();
/// How long an execution is kept.
pub const KEPT_FOR: Setting = Setting::millis(
    "executions.kept_for",
    30 * 86_400_000,
    60_000,
    3_650 * 86_400_000,
    "How long an execution that has ended is kept.",
)
.per_account();
/// How many executions are kept.
pub const KEPT: Setting = Setting::count(
    "executions.kept",
    100_000,
    1,
    100_000_000,
    "How many executions that have ended an account keeps; the oldest go first.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &WAIT,
    &MAX_WAIT,
    &PERSIST_AFTER,
    &WORKERS,
    &ACTION_WORKERS,
    &ACCOUNT_CONCURRENCY,
    &QUEUE,
    &KEPT_FOR,
    &KEPT,
    &retention::EVERY,
    &retention::WORKERS,
    &bounds::RESIDENT,
    &bounds::STACK,
    &bounds::TIMERS,
    &bounds::ALLOW_EVAL,
    &bounds::ALLOW_WASM,
];

/// The executions of one daemon.
#[derive(Debug, Default)]
pub struct Desk {
    /// How many runs there are at once.
    pub lanes: Lanes,
    /// Those that run here or are waited for here.
    pub stage: Stage,
    /// What each account may queue uncounted.
    pub room: room::Room,
    /// Cancelled when the daemon is about to close its connections: whoever waits for an end is answered with how it
    /// stands.
    pub(crate) closing: CancellationToken,
}

/// The service.
pub const SERVICE: Service = Service {
    name: "executions",
    domain: "compute",
    layer: "engine",
    capabilities: &["execute", "cancel", "replay", "logs", "sign"],
    tables: &[Execution::TABLE],
    uses: Some(retention::uses),
    duties: |_| vec![Arc::new(Executions), Arc::new(Actions), Arc::new(Retention)],
    explain: Some(explain::explain),
    promised: Some(promise::promised),
    ..Service::NOTHING
};
