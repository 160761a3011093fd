//! What a job must be to be admitted, and what goes with it when it goes.

use std::{ops::RangeInclusive, time::Duration};

use serde_json::Value;
use sl_store::{Batch, Cell, Fault, Filter, Query};

use super::{
    job::{Job, On},
    named::RunStatus,
    run::Run,
    state::JobState,
};
use crate::{
    action::Tenant,
    check::Check,
    schedule::{Schedule, read_zone},
    services::functions::Function,
    settings::write_duration,
};

const MAX_JITTER: Duration = Duration::from_hours(24);
const MAX_WINDOW: Duration = Duration::from_hours(3_650 * 24);
const FAILURES: RangeInclusive<i64> = 0..=1_000;
const FILTERS: usize = 16;

/// So many rows go with their job at once; what is left goes by age.
const AT_ONCE: usize = 10_000;

/// The fault of a job with both or neither of schedule and events.
pub(super) fn either_or() -> Fault {
    Fault::field("/schedule", "either_or", "a job has either a schedule or events to wait for (on), not both")
}

/// Checks a job; `comes` says whether a slot must be to come.
pub(super) fn check(job: &Job, comes: bool, tenant: &Tenant) -> Result<(), Fault> {
    let mut check = Check::new();
    check.text("/name", &job.name, 1..=128).text("/description", &job.description, 0..=2_000);
    at_most("/jitter", job.jitter, MAX_JITTER, &mut check);
    if let Some(window) = job.catch_up_window {
        at_most("/catch_up_window", window, MAX_WINDOW, &mut check);
    }
    if !FAILURES.contains(&job.max_failures) {
        let detail = format!("must be 0 to {}, not {}", FAILURES.end(), job.max_failures);
        check.broken("/max_failures", "bounds", detail);
    }
    if job.starts_at.zip(job.ends_at).is_some_and(|(start, end)| start >= end) {
        check.broken("/ends_at", "order", "must lie after starts_at");
    }
    match (&job.schedule, &job.on) {
        (Some(schedule), None) => check_schedule(job, schedule, comes, tenant, &mut check),
        (None, Some(on)) => check_events(job, on, &mut check),
        (Some(_), Some(_)) => return Err(either_or()),
        (None, None) => {
            check.broken("/schedule", "required", "a job needs a schedule, or events to wait for (on)");
        }
    }
    check.finish()
}

/// Checks that there is the function a job is to run.
pub(super) async fn check_function(job: &Job, tenant: &Tenant) -> Result<(), Fault> {
    match tenant.core.store.find::<Function>(tenant.key(job.function_id)).await? {
        Some(_) => Ok(()),
        None => Err(Fault::field("/function_id", "missing", "there is no such function")),
    }
}

fn at_most(pointer: &str, found: Duration, most: Duration, check: &mut Check) {
    if found > most {
        let detail = format!("must be at most {}, not {}", write_duration(most), write_duration(found));
        check.broken(pointer, "bounds", detail);
    }
}

fn check_schedule(job: &Job, schedule: &str, comes: bool, tenant: &Tenant, check: &mut Check) {
    if let Err(refused) = read_zone(&job.timezone) {
        check.broken("/timezone", refused.rule, refused.detail);
    }
    if let Err(refused) = Schedule::read(schedule) {
        check.broken("/schedule", refused.rule, refused.detail);
        return;
    }
    let Ok(Some(timetable)) = job.timetable() else { return };
    let now = tenant.now();
    let from = job.starts_at.map_or(now, |start| now.max(start - chrono::TimeDelta::microseconds(1)));
    let next = timetable.next(from).filter(|next| job.ends_at.is_none_or(|end| *next <= end));
    if comes && job.enabled && next.is_none() {
        check.broken(
            "/schedule",
            "never",
            "no time of it comes within five years and the job's start and end",
        );
    }
}

fn check_events(job: &Job, on: &On, check: &mut Check) {
    check.text("/on/kind", &on.kind, 1..=128);
    if on.kind.trim_end_matches('*').contains('*') || on.kind.ends_with("**") {
        check.broken("/on/kind", "form", "may have one * and that at its end");
    }
    if on.filter.len() > FILTERS {
        let detail = format!("must have at most {FILTERS} entries, not {}", on.filter.len());
        check.broken("/on/filter", "entries", detail);
    }
    for (name, value) in &on.filter {
        let pointer = format!("/on/filter/{}", name.replace('~', "~0").replace('/', "~1"));
        if !matches!(name.as_str(), "subject" | "service" | "actor") && !name.starts_with('/') {
            let detail = "must be subject, service, actor, or a JSON Pointer into the event's data such as /function_id";
            check.broken(pointer.clone(), "form", detail);
        }
        if matches!(value, Value::Array(_) | Value::Object(_)) {
            check.broken(pointer, "type", "must be a text, a number, true, false or null");
        }
    }
    if job.starts_at.is_some() || job.ends_at.is_some() || !job.jitter.is_zero() {
        check.broken("/on", "either_or", "starts_at, ends_at and jitter are for jobs with a schedule");
    }
}

/// Adds to the batch what goes with a job: its item, its state, its runs and what waits of them. What runs goes on.
pub(super) async fn retire(job: &Job, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
    let (account, id) = (tenant.account_id, job.head.id);
    let queued =
        Query::of(account).equal("job_id", id).equal("status", RunStatus::Queued.as_str()).limit(AT_ONCE);
    for run in tenant.core.store.list::<Run>(queued).await? {
        batch.withdraw(account, run.head.id);
    }
    batch.withdraw(account, id);
    let of_job = || vec![Filter::Equal("job_id", Cell::from(id))];
    batch.sweep::<JobState>(account, of_job(), 1).sweep::<Run>(account, of_job(), AT_ONCE);
    Ok(())
}
