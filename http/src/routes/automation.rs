//! Jobs: what runs by the clock, and when something happens.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::automation::{
        AmendJob, Backfill, BackfillJob, ChangeJob, FetchJob, FetchRun, Job, JobFilters, JobView, ListJobs,
        ListRuns, NewRun, Preview, PreviewJob, RunFilters, RunView, TriggerJob,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    resource::{Place, resource},
    routes::system::{pause, resume},
};

const ALL: &str = "/accounts/{account}/automation/jobs";
const ONE: &str = "/accounts/{account}/automation/jobs/{job}";
const RUNS: &str = "/accounts/{account}/automation/jobs/{job}/runs";
const RUN: &str = "/accounts/{account}/automation/jobs/{job}/runs/{run}";
const PAUSE: &str = "/accounts/{account}/automation/jobs/{job}/pause";
const RESUME: &str = "/accounts/{account}/automation/jobs/{job}/resume";
const TRIGGER: &str = "/accounts/{account}/automation/jobs/{job}/trigger";
const PREVIEW: &str = "/accounts/{account}/automation/jobs/{job}/preview";
const BACKFILL: &str = "/accounts/{account}/automation/jobs/{job}/backfill";

const COLUMNS: &[&str] = &["id", "name", "status", "schedule", "next_run", "last_run"];
const PLACE: Place = Place { id: "jobs", one: "a job", path: ONE, columns: COLUMNS };

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<Job>(PLACE);
    // These tell, or move, where a job's schedule stands, which is not in the job's row.
    all.retain(|operation| matches!(operation.id.as_str(), "jobs.create" | "jobs.delete"));
    all.extend([
        operation(Method::GET, ALL, "jobs.list", "List the jobs")
            .pages(COLUMNS)
            .with::<JobView>()
            .action(|input: Input<JobFilters>| Ok(ListJobs { page: input.page, filters: input.query })),
        operation(Method::GET, ONE, "jobs.get", "Read a job")
            .action(|input: Input| Ok(FetchJob(input.id("job")?))),
        operation(Method::PATCH, ONE, "jobs.update", "Change a job").scope(Scope::Write).action(
            |input: Input<(), AmendJob>| {
                Ok(ChangeJob { id: input.id("job")?, expected: input.expected, patch: input.body })
            },
        ),
        operation(Method::GET, RUNS, "jobs.runs.list", "List the runs of a job")
            .told("One row for every slot that came due, every event and every wish, whatever became of it.")
            .with::<RunView>()
            .pages(&["id", "kind", "scheduled_for", "status", "execution_id", "reason"])
            .action(|input: Input<RunFilters>| {
                Ok(ListRuns { job_id: input.id("job")?, page: input.page, filters: input.query })
            }),
        operation(Method::GET, RUN, "jobs.runs.get", "Read a run of a job")
            .action(|input: Input| Ok(FetchRun { job_id: input.id("job")?, run_id: input.id("run")? })),
    ]);
    all.extend(doings());
    all
}

fn doings() -> Vec<Operation> {
    vec![
        operation(Method::POST, PAUSE, "jobs.pause", "Pause a job")
            .told("Its slots wait, and so does what is triggered; what runs goes on.")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<Job>(input.id("job")?), input.body))
            }),
        operation(Method::POST, RESUME, "jobs.resume", "Resume a job")
            .told("Every slot of the pause gets its row: none of them runs, the latest does, or all do.")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<Job>(input.id("job")?), input.body))
            }),
        operation(Method::POST, TRIGGER, "jobs.trigger", "Run a job now")
            .told("Outside its schedule, and beside whatever runs of it.")
            .scope(Scope::Run)
            .status(202)
            .with::<NewRun>()
            .action(|input: Input<(), Option<NewRun>>| {
                Ok(TriggerJob { job_id: input.id("job")?, new: input.body.unwrap_or_default() })
            }),
        operation(Method::POST, PREVIEW, "jobs.preview", "Tell the next times of a job")
            .with::<Preview>()
            .action(|input: Input<(), Option<Preview>>| {
                Ok(PreviewJob { job_id: input.id("job")?, which: input.body.unwrap_or_default() })
            }),
        operation(Method::POST, BACKFILL, "jobs.backfill", "Run slots of the past after all")
            .told("Those that have no row, and those that never ran.")
            .scope(Scope::Run)
            .status(202)
            .action(|input: Input<(), Backfill>| {
                Ok(BackfillJob { job_id: input.id("job")?, which: input.body })
            }),
    ]
}
