//! Jobs as tenants create, amend and see them.

use std::{mem::take, time::Duration};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Fault, Filter, Head, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY, MAX_JOBS, admit,
    begin::Desk,
    job::{Job, On},
    named::{CatchUp, Overlap, Phases, RunKind, RunStatus},
    run::Run,
    state::JobState,
};
use crate::{
    Core,
    action::Tenant,
    patch::{changed, given, or_usual},
    resource::{Life, Resource},
    schedule::{Fold, Gap},
    services::functions::Span,
    settings::Setting,
};

/// The zone of wall times where nobody says another.
const UTC: &str = "UTC";
/// So many slots that were due and not decided get their rows when a schedule changes under them.
const UNDECIDED: usize = 1_000;

/// What creates a job. It has either a schedule or events to wait for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// The function it runs.
    pub function_id: Uuid,
    /// Its name, 1 to 128 characters; unique in the account whatever the case.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// What it is for, up to 2,000 characters.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: String,
    /// When it runs: 5 fields of crontab, 6 with the seconds first, `@every 90s`, `@hourly`, `@daily` and the like, or
    /// `at 2027-01-31T12:00:00Z`.
    #[schema(max_length = 512, example = "*/5 * * * *")]
    pub schedule: Option<String>,
    /// The events it waits for, instead of a schedule.
    pub on: Option<On>,
    /// The IANA time zone of its wall times; `UTC` unless told otherwise.
    #[schema(example = "America/New_York")]
    pub timezone: Option<String>,
    /// What becomes of a slot while an earlier run goes on; `skip` unless told otherwise.
    pub overlap: Option<Overlap>,
    /// What becomes of slots that nobody was there to see; `latest` unless told otherwise.
    pub catch_up: Option<CatchUp>,
    /// How old such a slot may be; `automation.catch_up_window` unless told otherwise.
    pub catch_up_window: Option<Span>,
    /// By how much at most a slot begins later, up to a day; each has its own share.
    pub jitter: Option<Span>,
    /// What becomes of wall times that the clock jumps over.
    pub dst_gap: Option<Gap>,
    /// What becomes of wall times that the clock shows twice.
    pub dst_fold: Option<Fold>,
    /// In how many executions a run is done; `auto` unless told otherwise.
    pub phases: Option<Phases>,
    /// After how many failed runs in a row it is paused; 0, which is usual, is never.
    #[schema(minimum = 0, maximum = 1000)]
    pub max_failures: Option<i64>,
    /// No slot before this (RFC 3339).
    pub starts_at: Option<DateTime<Utc>>,
    /// No slot after this (RFC 3339).
    pub ends_at: Option<DateTime<Utc>>,
    /// Whether it runs by itself; `true` unless told otherwise.
    pub enabled: Option<bool>,
}

/// What amends a job; absent fields stay as they are.
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendJob {
    /// The function it runs.
    pub function_id: Option<Uuid>,
    /// Its name, 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// What it is for, up to 2,000 characters; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Option<Option<String>>,
    /// When it runs; replaces the events it waits for.
    #[schema(max_length = 512)]
    pub schedule: Option<String>,
    /// The events it waits for; replaces the schedule.
    pub on: Option<On>,
    /// The IANA time zone of its wall times; `null` for `UTC`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub timezone: Option<Option<String>>,
    /// What becomes of a slot while an earlier run goes on; `null` for `skip`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Overlap>)]
    pub overlap: Option<Option<Overlap>>,
    /// What becomes of slots that nobody was there to see; `null` for `latest`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<CatchUp>)]
    pub catch_up: Option<Option<CatchUp>>,
    /// How old such a slot may be; `null` for the setting.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Span>)]
    pub catch_up_window: Option<Option<Span>>,
    /// By how much at most a slot begins later, up to a day; `null` for not at all.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Span>)]
    pub jitter: Option<Option<Span>>,
    /// What becomes of wall times that the clock jumps over; `null` for what is usual.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Gap>)]
    pub dst_gap: Option<Option<Gap>>,
    /// What becomes of wall times that the clock shows twice; `null` for what is usual.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Fold>)]
    pub dst_fold: Option<Option<Fold>>,
    /// In how many executions a run is done; `null` for `auto`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Phases>)]
    pub phases: Option<Option<Phases>>,
    /// After how many failed runs in a row it is paused; 0 or `null` is never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000)]
    pub max_failures: Option<Option<i64>>,
    /// No slot before this; `null` for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub starts_at: Option<Option<DateTime<Utc>>>,
    /// No slot after this; `null` for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ends_at: Option<Option<DateTime<Utc>>>,
    /// Whether it runs by itself.
    pub enabled: Option<bool>,
    /// Moves the next run to this time (RFC 3339), which must lie in the future; `""` or `null` moves it back to where the
    /// schedule has it. After it the schedule goes on.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub next_run: Option<Option<String>>,
}

/// What a list of jobs is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobFilters {
    /// Only the one of this name, whatever the case.
    pub name: Option<String>,
    /// Only those of this function.
    pub function_id: Option<Uuid>,
    /// Only those that are, or are not, enabled.
    pub enabled: Option<bool>,
}

/// A job as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The function it runs.
    pub function_id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `active`, `paused`, `disabled`, or `ended` where no slot will come any more.
    pub status: &'static str,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The events it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// The zone of its wall times.
    pub timezone: String,
    /// What becomes of a slot while an earlier run goes on.
    pub overlap: Overlap,
    /// What becomes of slots that nobody was there to see.
    pub catch_up: CatchUp,
    /// How old such a slot may be; the setting where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up_window: Option<Span>,
    /// By how much at most a slot begins later.
    pub jitter: Span,
    /// What becomes of wall times that the clock jumps over.
    pub dst_gap: Gap,
    /// What becomes of wall times that the clock shows twice.
    pub dst_fold: Fold,
    /// In how many executions a run is done.
    pub phases: Phases,
    /// After how many failed runs in a row it is paused; 0 is never.
    pub max_failures: i64,
    /// How many runs in a row have failed.
    pub consecutive_failures: i64,
    /// No slot before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// No slot after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// When a run last began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<DateTime<Utc>>,
    /// The next slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_run: Option<DateTime<Utc>>,
    /// Counts the changes of its definition from 1; a run is no change.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its definition was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Job {
    fn made_of(new: NewJob, tenant: &Tenant) -> Self {
        let now = tenant.now();
        Self {
            head: Head::new(tenant.account_id, tenant.next_id(), now),
            function_id: new.function_id,
            name: new.name.trim().to_owned(),
            description: new.description,
            enabled: new.enabled.unwrap_or(true),
            schedule: new.schedule.map(|schedule| schedule.trim().to_owned()),
            timezone: new.timezone.unwrap_or_else(|| UTC.to_owned()),
            dst_gap: new.dst_gap.unwrap_or_default(),
            dst_fold: new.dst_fold.unwrap_or_default(),
            anchor: new.starts_at.unwrap_or(now),
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            jitter: new.jitter.map_or(Duration::ZERO, |jitter| Duration::from_millis(jitter.0)),
            overlap: new.overlap.unwrap_or(Overlap::Skip),
            catch_up: new.catch_up.unwrap_or(CatchUp::Latest),
            catch_up_window: new.catch_up_window.map(|window| Duration::from_millis(window.0)),
            phases: new.phases.unwrap_or(Phases::Auto),
            max_failures: new.max_failures.unwrap_or(0),
            on: new.on,
            state: None,
        }
    }

    /// Takes over what a change says. Answers whether its slots are others from now on.
    fn change(&mut self, patch: AmendJob, now: DateTime<Utc>) -> bool {
        let before = self.clone();
        self.function_id = patch.function_id.unwrap_or(self.function_id);
        if let Some(name) = patch.name {
            name.trim().clone_into(&mut self.name);
        }
        self.description = changed(patch.description, take(&mut self.description), String::new());
        let (schedules, listens) = (patch.schedule.is_some(), patch.on.is_some());
        if schedules || listens {
            self.schedule = patch.schedule.map(|schedule| schedule.trim().to_owned());
            self.on = patch.on;
        }
        self.timezone = changed(patch.timezone, take(&mut self.timezone), UTC.to_owned());
        self.overlap = changed(patch.overlap, self.overlap, Overlap::Skip);
        self.catch_up = changed(patch.catch_up, self.catch_up, CatchUp::Latest);
        if let Some(window) = patch.catch_up_window {
            self.catch_up_window = window.map(|window| Duration::from_millis(window.0));
        }
        let jitter = patch.jitter.map(|jitter| jitter.map(|Span(millis)| Duration::from_millis(millis)));
        self.jitter = changed(jitter, self.jitter, Duration::ZERO);
        self.dst_gap = changed(patch.dst_gap, self.dst_gap, Gap::default());
        self.dst_fold = changed(patch.dst_fold, self.dst_fold, Fold::default());
        self.phases = changed(patch.phases, self.phases, Phases::Auto);
        self.max_failures = changed(patch.max_failures, self.max_failures, 0);
        self.starts_at = patch.starts_at.unwrap_or(self.starts_at);
        self.ends_at = patch.ends_at.unwrap_or(self.ends_at);
        self.enabled = patch.enabled.unwrap_or(self.enabled);
        let slots = |job: &Self| {
            (
                job.schedule.clone(),
                job.timezone.clone(),
                job.dst_gap,
                job.dst_fold,
                job.starts_at,
                job.ends_at,
            )
        };
        let others = slots(&before) != slots(self);
        if others {
            self.anchor = self.starts_at.unwrap_or(now);
        }
        others || before.enabled != self.enabled || before.jitter != self.jitter
    }
}

impl Resource for Job {
    const SERVICE: &'static str = "automation";
    const LIFE: Life = Life { created: "job.created", amended: "job.amended", removed: "job.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_JOBS);

    type New = NewJob;
    type Patch = AmendJob;
    type View = JobView;
    type Filters = JobFilters;

    async fn admit(new: NewJob, tenant: &Tenant, batch: &mut Batch) -> Result<Self, Fault> {
        let job = Self::made_of(new, tenant);
        admit::check(&job, true, tenant)?;
        admit::check_function(&job, tenant).await?;
        let state = JobState::new(job.head, tenant.now());
        let mut desk = Desk::of(&tenant.core, tenant.settings.clone(), job, state);
        desk.arm_anew()?;
        batch.insert(&desk.state).merge(desk.batch);
        Ok(Self { state: Some(desk.state), ..desk.job })
    }

    async fn amend(&mut self, mut patch: AmendJob, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let gone = || Fault::not_found("job");
        let mut desk = Desk::quick(&tenant.core, tenant.account_id, self.head.id).await?.ok_or_else(gone)?;
        let moved = patch.next_run.take();
        if patch.schedule.is_some() && patch.on.is_some() {
            return Err(admit::either_or());
        }
        let (before, names_function) = (self.clone(), patch.function_id.is_some());
        let others = self.change(patch, tenant.now());
        admit::check(self, others, tenant)?;
        // Whoever names no function may change and disable what runs one that was removed.
        if names_function || (self.enabled && !before.enabled) {
            admit::check_function(self, tenant).await?;
        }
        if *self == before && moved.is_none() {
            self.state = Some(desk.state);
            return Ok(());
        }
        if others {
            desk.leave_undecided()?;
        }
        desk.job = self.clone();
        if let Some(moved) = moved {
            desk.move_next(moved.as_deref())?;
        } else if others {
            desk.state.moved_to = None;
        }
        if others || desk.moves {
            desk.batch.withdraw(tenant.account_id, self.head.id);
            desk.state.decided = last_decided(tenant, self.head.id).await?.unwrap_or(desk.now);
            desk.arm_anew()?;
        }
        let mut state = desk.state.clone();
        batch.merge(desk.close());
        state.head.version += 1;
        self.state = Some(state);
        Ok(())
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        admit::retire(self, tenant, batch).await
    }

    fn view(&self) -> JobView {
        let state = self.state.as_ref();
        let next_run = state.and_then(|state| state.next_slot);
        JobView {
            id: self.head.id,
            account_id: self.head.account_id,
            function_id: self.function_id,
            name: self.name.clone(),
            description: self.description.clone(),
            status: self.status(),
            enabled: self.enabled,
            schedule: self.schedule.clone(),
            on: self.on.clone(),
            timezone: self.timezone.clone(),
            overlap: self.overlap,
            catch_up: self.catch_up,
            catch_up_window: self.catch_up_window.map(span),
            jitter: span(self.jitter),
            dst_gap: self.dst_gap,
            dst_fold: self.dst_fold,
            phases: self.phases,
            max_failures: self.max_failures,
            consecutive_failures: state.map_or(0, |state| state.failures),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            last_run: state.and_then(|state| state.last_run),
            next_run,
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn seen(&self, core: &Core) -> JobView {
        let status = core.standing(DUTY, &self.head, self.status());
        let failures = self.state.as_ref().map_or(0, |state| self.failures(state, core));
        JobView { status, consecutive_failures: failures, ..self.view() }
    }

    fn conditions(filters: JobFilters) -> Result<Vec<Filter>, Fault> {
        let name = filters.name.map(|name| Filter::Equal("name_key", Self::name_key(&name).into()));
        let function = filters.function_id.map(|id| Filter::Equal("function_id", id.into()));
        let enabled = filters.enabled.map(|enabled| Filter::Equal("enabled", enabled.into()));
        Ok([name, function, enabled].into_iter().flatten().collect())
    }

    fn told(&self) -> Value {
        json!({"name": self.name, "function_id": self.function_id, "enabled": self.enabled})
    }
}

/// The latest slot from now on that has its row already, as it may after the clock was set back.
async fn last_decided(tenant: &Tenant, job: Uuid) -> Result<Option<DateTime<Utc>>, Fault> {
    let query = Query::of(tenant.account_id)
        .equal("job_id", job)
        .filter(Filter::Since("slot", tenant.now()))
        .limit(UNDECIDED);
    let runs: Vec<Run> = tenant.core.store.list(query).await?;
    Ok(runs.iter().filter_map(|run| run.slot).max())
}

impl Desk<'_> {
    /// Arms a job whose slots are others from now on: those that were due before are of no concern.
    fn arm_anew(&mut self) -> Result<(), Fault> {
        let before_the_start = self.job.starts_at.map(|start| start - TimeDelta::microseconds(1));
        let past = self.state.decided.max(self.now);
        self.state.decided = before_the_start.map_or(past, |start| start.max(past));
        self.state.next_slot = None;
        match self.job.timetable()?.filter(|_| self.job.enabled) {
            Some(timetable) => self.arm(&timetable, None, Value::Null),
            None => self.state.moved_to = None,
        }
        Ok(())
    }

    /// Writes the rows of slots that were due and not decided when the schedule changed.
    fn leave_undecided(&mut self) -> Result<(), Fault> {
        let Some(timetable) = self.job.timetable()?.filter(|_| self.job.enabled) else { return Ok(()) };
        let due: Vec<DateTime<Utc>> = self.due(&timetable, self.now).take(UNDECIDED).collect();
        for slot in due {
            let mut run = self.new_run(RunKind::Schedule);
            run.slot = Some(slot);
            let reason = "the schedule was changed before the slot was decided".to_owned();
            run.stand(RunStatus::Missed, Some(reason), self.now);
            self.batch.insert(&run).event(run.told());
        }
        Ok(())
    }

    fn move_next(&mut self, to: Option<&str>) -> Result<(), Fault> {
        let refused = |rule, detail: &str| Err(Fault::field("/next_run", rule, detail));
        self.moves = true;
        let Some(text) = to.map(str::trim).filter(|text| !text.is_empty()) else {
            self.state.moved_to = None;
            return Ok(());
        };
        let Ok(instant) = DateTime::parse_from_rfc3339(text) else {
            return refused("form", "must be an RFC 3339 time such as 2027-01-31T12:00:00Z, or empty");
        };
        let instant = instant.to_utc().trunc_subsecs(6);
        if self.job.schedule.is_none() || !self.job.enabled {
            return refused("state", "only an enabled job with a schedule has a next run");
        }
        if instant <= self.now.max(self.state.decided) {
            return refused("future", "must lie in the future");
        }
        if self.job.ends_at.is_some_and(|end| instant > end) {
            return refused("bounds", "must not lie after ends_at");
        }
        self.state.moved_to = Some(instant);
        Ok(())
    }
}

fn span(duration: Duration) -> Span {
    Span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
