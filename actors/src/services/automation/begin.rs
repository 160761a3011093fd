//! How a run begins: its first execution, or its second, handed over in the batch of whoever decides so.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sl_store::{Batch, Cell, Code, Fault, Filter, Head, Key, Query};
use uuid::Uuid;

use super::{
    DUTY, OUTCOME_DUTY,
    job::Job,
    named::{Overlap, Phase, RunKind, RunStatus},
    rules::{self, Admission},
    run::Run,
    state::JobState,
};
use crate::{
    Core,
    mirror::Around,
    pause::{self, Pause, PauseScope},
    services::executions::{self, Sequel, Start, Trigger},
    settings::Settings,
};

/// So many runs of one job are looked at when one is to begin.
const OPEN: usize = 1_000;

/// A job with what is needed to decide about its runs, and the batch of the decision.
pub(super) struct Desk<'a> {
    pub core: &'a Arc<Core>,
    pub settings: Settings,
    pub job: Job,
    pub state: JobState,
    pub now: DateTime<Utc>,
    pub batch: Batch,
    /// The runs that have not ended, oldest first; kept up to date while deciding.
    pub open: Vec<Run>,
    /// Whether the job is being paused.
    pub pauses: bool,
    /// Whether its next run is being moved.
    pub moves: bool,
    /// Up to when a pause that ended by itself, or a suspension, held the job back.
    pub held_until: Option<DateTime<Utc>>,
}

impl<'a> Desk<'a> {
    /// Reads all of it; none where job or account are gone.
    pub async fn open(core: &'a Arc<Core>, account: Uuid, job: Uuid) -> Result<Option<Self>, Fault> {
        let Some(desk) = Self::quick(core, account, job).await? else { return Ok(None) };
        let open = open_runs(core, Key::new(account, job)).await?;
        Ok(Some(Self { open, ..desk }))
    }

    /// The same for the next slot, which runs that only wait to be begun do not concern.
    pub async fn quick(core: &'a Arc<Core>, account: Uuid, job: Uuid) -> Result<Option<Self>, Fault> {
        let key = Key::new(account, job);
        let (found, state, terms) = futures_util::try_join!(
            core.store.find::<Job>(key),
            core.store.find::<JobState>(key),
            core.known.terms(core, account),
        )?;
        let (Some(job), Some(state), Some(terms)) = (found, state, terms) else { return Ok(None) };
        let open = if state.busy { open_runs(core, key).await? } else { Vec::new() };
        let desk = Self::of(core, terms.settings, job, state);
        let around = Around { duty: DUTY, account, gates: &[key.id] };
        let held_until = core.mirror.lifted(around, desk.now).max(terms.resumed_at);
        Ok(Some(Self { open, held_until, ..desk }))
    }

    /// A job that has no runs under way.
    pub fn of(core: &'a Arc<Core>, settings: Settings, job: Job, state: JobState) -> Self {
        let now = core.clock.now();
        Self {
            core,
            settings,
            job,
            state,
            now,
            batch: Batch::new(),
            open: Vec::new(),
            pauses: false,
            moves: false,
            held_until: None,
        }
    }

    /// What a run does that finds the others as they are.
    pub fn admission(&self, overlap: Overlap, catches_up: bool) -> Admission {
        let running = self.open.iter().filter(|run| run.status == RunStatus::Running).count();
        let buffer = self.settings.size(&super::BUFFER);
        rules::admission(overlap, catches_up, running, self.open.len() - running, buffer)
    }

    /// A new run of this job.
    pub fn new_run(&self, kind: RunKind) -> Run {
        let head = Head::new(self.job.head.account_id, self.core.ids.next(), self.now);
        Run::new(head, self.job.head.id, kind, format!("job:{}", self.job.head.id))
    }

    /// Hands a run's execution over. Where that is not possible the run has failed.
    pub async fn begin(
        &mut self,
        run: &mut Run,
        phase: Phase,
        payload: Map<String, Value>,
    ) -> Result<(), Fault> {
        let start = Start {
            account_id: run.head.account_id,
            function_id: self.job.function_id,
            input: self.input(run, phase, payload),
            trigger: Trigger { kind: "job".to_owned(), id: Some(self.job.head.id), actor: run.actor.clone() },
            request_id: None,
            sequel: Some(Sequel { duty: OUTCOME_DUTY.to_owned(), subject: run.head.id }),
        };
        match executions::start(self.core, &self.settings, start, &mut self.batch).await {
            Ok(execution) => {
                run.stand(RunStatus::Running, None, self.now);
                run.phase = Some(phase);
                if phase == Phase::Check {
                    run.check_execution_id = Some(execution);
                } else {
                    run.execution_id = Some(execution);
                }
                run.started_at = run.started_at.or(Some(self.now));
                self.state.last_run = Some(self.now);
                Ok(())
            }
            Err(fault) if fault.code == Code::NotFound => {
                let reason = "its function was removed".to_owned();
                run.stand(RunStatus::Failed, Some(reason), self.now);
                self.ended(RunStatus::Failed).await
            }
            Err(fault) => Err(fault),
        }
    }

    fn input(&self, run: &Run, phase: Phase, payload: Map<String, Value>) -> Value {
        let mut input = run.params.clone();
        input.extend(payload);
        input.insert("automation_job".to_owned(), json!(self.job.head.id));
        input.insert("phase".to_owned(), json!(phase));
        input.insert("run_id".to_owned(), json!(run.head.id));
        if let Some(slot) = run.slot {
            input.insert("scheduled_for".to_owned(), json!(slot));
        }
        Value::Object(input)
    }

    /// Puts an end to the runs that have not ended, because another takes their place.
    pub async fn cancel_open(&mut self, why: &str) -> Result<(), Fault> {
        for mut run in std::mem::take(&mut self.open) {
            if let Some(execution) = run.current_execution() {
                let key = Key::new(run.head.account_id, execution);
                executions::stop(self.core, key, why, &mut self.batch).await?;
            }
            self.batch.withdraw(run.head.account_id, run.head.id);
            run.stand(RunStatus::Cancelled, Some(why.to_owned()), self.now);
            self.batch.replace(&mut run, self.now).event(run.told());
        }
        Ok(())
    }

    /// Counts an end; a job that failed too often in a row is paused.
    pub async fn ended(&mut self, status: RunStatus) -> Result<(), Fault> {
        match status {
            RunStatus::Succeeded => self.state.failures = 0,
            RunStatus::Failed => self.state.failures = self.job.failures(&self.state, self.core) + 1,
            _ => {}
        }
        let most = self.job.max_failures;
        if status == RunStatus::Failed && most > 0 && self.state.failures >= most {
            let target = Pause::entity(self.job.head.account_id, self.job.head.id);
            let reason = format!("{most} runs failed in a row");
            let held = pause::Holding { scope: PauseScope::Entity, target, reason, duty: DUTY };
            self.pauses = true;
            pause::hold(self.core, held, (self.job.head.account_id, self.job.head.id), &mut self.batch)
                .await?;
        }
        Ok(())
    }

    /// Adds that the oldest run that waits gets its turn, where nothing else goes on.
    pub fn call_next(&mut self) {
        let running = self.open.iter().any(|run| run.status == RunStatus::Running);
        // A slot that is run after all has an older row than what was queued before.
        let oldest = self.open.iter().min_by_key(|run| run.head.id);
        if let Some(next) = oldest.filter(|_| !running) {
            let work = next.work(self.core.ids.next(), self.now);
            self.batch.withdraw(next.head.account_id, next.head.id).enqueue(work);
        }
    }
}

/// The runs of a job that have not ended, oldest first.
async fn open_runs(core: &Core, job: Key) -> Result<Vec<Run>, Fault> {
    let open = [RunStatus::Queued, RunStatus::Running].map(|status| Cell::from(status.as_str()));
    let query = Query::of(job.account)
        .equal("job_id", job.id)
        .filter(Filter::In("status", open.to_vec()))
        .oldest_first()
        .limit(OPEN);
    core.store.list(query).await
}
