//! What can be done with jobs and runs besides creating and removing them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sl_store::{Batch, Cell, Code, Fault, Filter, Head, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    duty::Tries,
    job::Job,
    named::{RunKind, RunStatus},
    resource::{AmendJob, JobFilters, JobView},
    run::{Run, RunView},
    state::JobState,
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    patch::or_usual,
    resource::{self, Resource},
};

/// How many times a preview tells at most.
const MOST_TIMES: u32 = 500;
const USUAL_TIMES: u32 = 10;

/// How large the params of a triggered run may be, as JSON.
const PARAMS: usize = 256 << 10;

/// A job with where its schedule stands.
pub(super) async fn find(tenant: &Tenant, id: Uuid) -> Result<Job, Fault> {
    let key = tenant.key(id);
    let (mut job, state) =
        futures_util::try_join!(tenant.core.store.get::<Job>(key), tenant.core.store.find::<JobState>(key))?;
    job.state = state;
    Ok(job)
}

/// Reads a job.
#[derive(Clone, Copy, Debug)]
pub struct FetchJob(pub Uuid);

impl Action for FetchJob {
    type Output = JobView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<JobView, Fault> {
        find(tenant, self.0).await.map(|job| job.seen(&tenant.core))
    }
}

/// A page of jobs, newest first.
#[derive(Debug)]
pub struct ListJobs {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: JobFilters,
}

impl Action for ListJobs {
    type Output = Page<JobView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let filters = Job::conditions(self.filters)?;
        let page = resource::list::<Job, Job>(tenant, self.page, filters, Job::clone).await?;
        let ids = page.items.iter().map(|job| Cell::from(job.head.id)).collect();
        let query = Query::of(tenant.account_id).filter(Filter::In("job_id", ids)).limit(page.items.len());
        let states: Vec<JobState> = tenant.core.store.list(query).await?;
        let with_state = |mut job: Job| {
            job.state = states.iter().find(|state| state.head.id == job.head.id).cloned();
            job.seen(&tenant.core)
        };
        Ok(Page { items: page.items.into_iter().map(with_state).collect(), next_cursor: page.next_cursor })
    }
}

/// Changes a job; done anew where a slot was decided meanwhile.
#[derive(Debug)]
pub struct ChangeJob {
    /// Which.
    pub id: Uuid,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
    /// The change.
    pub patch: AmendJob,
}

impl Action for ChangeJob {
    type Output = JobView;

    async fn run(self, tenant: &Tenant) -> Result<JobView, Fault> {
        let mut tries = Tries::default();
        loop {
            match self.once(tenant).await {
                Err(fault) if tries.again(&fault) => {}
                done => return done,
            }
        }
    }
}

impl ChangeJob {
    async fn once(&self, tenant: &Tenant) -> Result<JobView, Fault> {
        let mut job: Job = tenant.core.store.get(tenant.key(self.id)).await?;
        resource::expect_version(&job, self.expected)?;
        let mut batch = Batch::new();
        resource::amend(&mut job, self.patch.clone(), tenant, &mut batch).await?;
        tenant.commit(batch, job.seen(&tenant.core)).await
    }
}

/// What a list of runs is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobRunFilters)]
pub struct RunFilters {
    /// Only those that stand here.
    pub status: Option<RunStatus>,
    /// Only those that this made.
    pub kind: Option<RunKind>,
}

/// A page of a job's runs, newest first.
#[derive(Debug)]
pub struct ListRuns {
    /// The job.
    pub job_id: Uuid,
    /// Narrowed by.
    pub filters: RunFilters,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListRuns {
    type Output = Page<RunView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<Job>(tenant.key(self.job_id)).await?;
        let mut filters = vec![Filter::Equal("job_id", self.job_id.into())];
        filters.extend(self.filters.status.map(|status| Filter::Equal("status", status.as_str().into())));
        filters.extend(self.filters.kind.map(|kind| Filter::Equal("kind", kind.as_str().into())));
        resource::list::<Run, RunView>(tenant, self.page, filters, Run::view).await
    }
}

/// Reads a run of a job.
#[derive(Clone, Copy, Debug)]
pub struct FetchRun {
    /// The job.
    pub job_id: Uuid,
    /// The run.
    pub run_id: Uuid,
}

impl Action for FetchRun {
    type Output = RunView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<RunView, Fault> {
        let run: Run = tenant.core.store.get(tenant.key(self.run_id)).await?;
        if run.job_id == self.job_id { Ok(run.view()) } else { Err(Fault::not_found("run")) }
    }
}

/// What is asked for when a job is triggered.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewJobRun)]
pub struct NewRun {
    /// What the function is given besides what every run of a job is given.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Object>)]
    pub params: Map<String, Value>,
}

/// Runs a job now, whatever its schedule says and whether or not it is enabled. While it is paused the run waits.
#[derive(Debug)]
pub struct TriggerJob {
    /// The job.
    pub job_id: Uuid,
    /// What is asked for.
    pub new: NewRun,
}

impl Action for TriggerJob {
    type Output = RunView;

    async fn run(self, tenant: &Tenant) -> Result<RunView, Fault> {
        let size = serde_json::to_vec(&self.new.params).map_err(Fault::internal)?.len();
        if size > PARAMS {
            let detail = format!("must be at most {PARAMS} bytes as JSON, not {size}");
            return Err(Fault::field("/params", "length", detail));
        }
        let job: Job = tenant.core.store.get(tenant.key(self.job_id)).await?;
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let mut run = Run::new(head, job.head.id, RunKind::Manual, tenant.caller.actor.clone());
        run.params = self.new.params;
        let mut batch = Batch::new();
        batch.insert(&run).event(run.told()).enqueue(run.work(tenant.next_id(), tenant.now()));
        tenant.commit(batch, run.view()).await
    }
}

/// Which times of a schedule are asked for.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobPreview)]
pub struct Preview {
    /// How many, 1 to 500; 10 unless told otherwise.
    #[schema(minimum = 1, maximum = 500)]
    pub count: Option<u32>,
    /// After which instant; now unless told otherwise.
    pub from: Option<DateTime<Utc>>,
}

/// Times of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = JobPreviewed)]
pub struct Previewed {
    /// The times, in order; fewer than asked for where the schedule or the job ends.
    pub items: Vec<DateTime<Utc>>,
}

/// Tells the next times of a job's schedule, jitter left out.
#[derive(Debug)]
pub struct PreviewJob {
    /// The job.
    pub job_id: Uuid,
    /// Which times.
    pub which: Preview,
}

impl Action for PreviewJob {
    type Output = Previewed;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Previewed, Fault> {
        let count = self.which.count.unwrap_or(USUAL_TIMES);
        if !(1..=MOST_TIMES).contains(&count) {
            return Err(Fault::field("/count", "bounds", format!("must be 1 to {MOST_TIMES}, not {count}")));
        }
        let job = find(tenant, self.job_id).await?;
        let timetable = scheduled(&job)?;
        let from = self.which.from.unwrap_or_else(|| tenant.now());
        // An instant far off every calendar would have no neighbours.
        if !super::backfill::is_sane(from) {
            return Err(Fault::field("/from", "bounds", "must lie between the years 1970 and 9000"));
        }
        let from = job.starts_at.map_or(from, |start| from.max(start - chrono::TimeDelta::microseconds(1)));
        let moved = job.state.as_ref().and_then(|state| state.moved_to).filter(|moved| *moved > from);
        let after = moved.unwrap_or(from);
        let times = moved.into_iter().chain(timetable.after(after));
        let within = times.take_while(|time| job.ends_at.is_none_or(|end| *time <= end));
        let told = Previewed { items: within.take(count as usize).collect() };
        tenant.commit(Batch::new(), told).await
    }
}

/// The timetable of a job that has one.
pub(super) fn scheduled(job: &Job) -> Result<crate::schedule::Timetable, Fault> {
    let none = || Fault::new(Code::InvalidState, "the job waits for events and has no schedule");
    job.timetable()?.ok_or_else(none)
}
