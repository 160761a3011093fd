//! Automation: jobs that run functions by the clock, and when something happens.
//!
//! ```text
//!                    ┌────────────▶ missed | skipped_paused | skipped_overlap
//!   slot comes due ──┤                                      │ backfill
//!                    │      an earlier run goes on          ▼
//!                    ├──────────────────────────────────▶ queued ──┐
//!   event, trigger ──┴──▶ running (check) ──▶ running (perform) ◀──┘
//!                            └──────────────────┴──▶ succeeded | failed | cancelled
//! ```
//!
//! **The ledger is the truth.** Every slot that comes due gets exactly one row in `automation_runs`, whatever becomes of
//! it, under restarts, pauses, steps of the clock and several daemons: no two rows of a job share a slot. The next slot follows from
//! the schedule and from the last slot that was decided, never from when a run ended. Each job has one item in the
//! queue, due at its next slot; whoever performs it decides every slot due since in one batch under the item's fence,
//! and in the same batch puts the item for the next.
//!
//! **No two decisions pass each other.** Whatever is decided about a job writes its row of `automation_states` at the version it read;
//! what was overtaken is decided anew. The job's own row is left alone, so that its version counts what its owner
//! changed.
//!
//! A run hands one or two executions to the queue; the batch that ends each adds an item of the duty
//! `automation-runs`, which writes the outcome and lets the next run that waits have its turn. What waits has an item
//! behind the job's gate, so that a pause holds it back; what runs goes on to its end.

mod actions;
mod admit;
mod backfill;
mod begin;
mod decide;
mod devpack;
mod duty;
mod explain;
mod finish;
mod hear;
mod job;
mod named;
mod resource;
mod retention;
mod rules;
#[cfg(test)]
mod rules_tests;
mod run;
mod start;
mod state;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    actions::{
        ChangeJob, FetchJob, FetchRun, ListJobs, ListRuns, NewRun, Preview, PreviewJob, Previewed,
        RunFilters, TriggerJob,
    },
    backfill::{Backfill, BackfillJob, Backfilled},
    duty::Automation,
    finish::Outcomes,
    job::{Job, On},
    named::{CatchUp, Overlap, Phase, Phases, RunKind, RunStatus},
    resource::{AmendJob, JobFilters, JobView, NewJob},
    retention::{EVERY as RETENTION_EVERY, Retention},
    run::{Run, RunView},
    state::JobState,
};
use super::Service;
use crate::settings::Setting;

/// The duty that decides about slots and begins runs.
pub const DUTY: &str = "automation";
/// The duty that writes the outcomes of runs.
pub const OUTCOME_DUTY: &str = "automation-runs";

/// How many jobs an account may have.
pub const MAX_JOBS: Setting =
    Setting::count("automation.jobs", 10_000, 1, 10_000_000, "How many jobs an account may have.")
        .per_account();
/// How many items are performed at once.
pub const WORKERS: Setting = Setting::count(
    "automation.workers",
    128,
    1,
    1_000,
    "How many jobs one daemon decides about at once, and of how many runs it writes the outcome at once.",
);
/// How late a slot may be decided and still be on time.
pub const GRACE: Setting = Setting::millis(
    "automation.grace",
    60_000,
    1_000,
    3_600_000,
    "How late a slot may be seen and still count as on time; later it is the job's catch_up that decides.",
)
.per_account();
/// How old a slot may be and still be caught up on.
pub const CATCH_UP_WINDOW: Setting = Setting::millis(
    "automation.catch_up_window",
    86_400_000,
    1_000,
    3_650 * 86_400_000,
    "How old a slot may be that a job catches up on, where the job does not say.",
)
.per_account();
/// How many slots are caught up on.
pub const CATCH_UP_LIMIT: Setting = Setting::count(
    "automation.catch_up_limit",
    100,
    1,
    10_000,
    "How many slots a job runs at most that came while it was down (catch_up all) or paused (resume all); the latest do.",
)
.per_account();
/// How many runs of one job may wait.
pub const BUFFER: Setting = Setting::count(
    "automation.buffer",
    100,
    1,
    1_000,
    "How many runs of one job may wait for an earlier one to end (overlap buffer_all).",
)
.per_account();
/// How many slots one backfill covers.
pub const BACKFILL: Setting =
    Setting::count("automation.backfill", 500, 1, 5_000, "How many slots one backfill may cover.")
        .per_account();
/// How long a run is kept.
pub const RUNS_KEPT_FOR: Setting = Setting::millis(
    "automation.runs_kept_for",
    30 * 86_400_000,
    3_600_000,
    3_650 * 86_400_000,
    "How long the row of a run that has ended, or of a slot that never ran, is kept.",
)
.per_account();
/// How many runs are kept.
pub const RUNS_KEPT: Setting = Setting::count(
    "automation.runs_kept",
    100_000,
    100,
    100_000_000,
    "How many such rows an account keeps; the oldest go first.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_JOBS,
    &WORKERS,
    &GRACE,
    &CATCH_UP_WINDOW,
    &CATCH_UP_LIMIT,
    &BUFFER,
    &BACKFILL,
    &RUNS_KEPT_FOR,
    &RUNS_KEPT,
    &retention::EVERY,
    &retention::WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: "automation",
    domain: "automation",
    layer: "engine",
    capabilities: &["schedule", "dispatch", "preview", "backfill", "trigger", "pause", "events"],
    tables: &[Job::TABLE, JobState::TABLE, Run::TABLE],
    quotas: &[(&MAX_JOBS, Job::TABLE)],
    uses: Some(retention::uses),
    actions: &[devpack::SCHEDULE],
    duties: |_| vec![Arc::new(Automation), Arc::new(Outcomes), Arc::new(Retention)],
    hear: Some(hear::hear),
    listening: Some(Job::TABLE),
    explain: Some(explain::explain),
    ..Service::NOTHING
};
