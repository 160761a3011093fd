//! What follows from the end of a run's execution: its second execution, or its outcome and the next run's turn.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value};
use sl_store::{Batch, Code, Fault, Key, RetryPolicy, Work};
use uuid::Uuid;

use super::{
    OUTCOME_DUTY, WORKERS,
    begin::Desk,
    decide::Step,
    duty::{Tries, commit, never_given_up},
    named::{Phase, RunStatus},
    rules::{self, Checked},
    run::Run,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::executions::{Execution, Status},
    settings::Setting,
};

/// Writes the outcomes of runs.
#[derive(Clone, Copy, Debug)]
pub struct Outcomes;

#[derive(Deserialize)]
struct Payload {
    execution_id: Uuid,
}

impl Duty for Outcomes {
    fn name(&self) -> &'static str {
        OUTCOME_DUTY
    }

    fn doc(&self) -> &'static str {
        "Writes what became of the runs of jobs, performs after a check, and lets the next run have its turn."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn retry(&self, core: &Core) -> RetryPolicy {
        never_given_up(core)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut tries = Tries::default();
            loop {
                match once(core, &attempt.work).await {
                    Ok(()) => return Outcome::Settled,
                    Err(fault) if fault.code == Code::FenceLost => return Outcome::Lost,
                    Err(fault) if tries.again(&fault) => {}
                    Err(fault) => return Outcome::Retry(fault, Batch::new()),
                }
            }
        })
    }
}

async fn once(core: &Arc<Core>, work: &Work) -> Result<(), Fault> {
    let step = step(core, work).await?;
    commit(core, work, step).await
}

async fn step(core: &Arc<Core>, work: &Work) -> Result<Step, Fault> {
    let nothing = || Ok(Step::nothing(Batch::new()));
    let Ok(payload) = serde_json::from_value::<Payload>(work.payload.clone()) else { return nothing() };
    let found = core.store.find::<Run>(Key::new(work.account, work.subject)).await?;
    let current =
        |run: &Run| run.status == RunStatus::Running && run.current_execution() == Some(payload.execution_id);
    let Some(mut run) = found.filter(current) else { return nothing() };
    let Some(mut desk) = Desk::open(core, work.account, run.job_id).await? else { return nothing() };
    let execution: Option<Execution> = core.store.find(Key::new(work.account, payload.execution_id)).await?;
    match desk.verdict(&run, execution.as_ref()) {
        Verdict::Perform(payload) => desk.begin(&mut run, Phase::Perform, payload).await?,
        Verdict::Ended(status, reason) => {
            run.stand(status, reason, desk.now);
            desk.ended(status).await?;
        }
    }
    let now = desk.now;
    desk.batch.replace(&mut run, now).event(run.told());
    if run.status.is_final() {
        desk.open.retain(|open| open.head.id != run.head.id);
        desk.call_next();
    }
    Ok(desk.step())
}

/// What an execution's end means to its run.
enum Verdict {
    Perform(Map<String, Value>),
    Ended(RunStatus, Option<String>),
}

impl Desk<'_> {
    fn verdict(&self, run: &Run, execution: Option<&Execution>) -> Verdict {
        let Some(execution) = execution else {
            let reason = "its execution is not kept any more".to_owned();
            return Verdict::Ended(RunStatus::Failed, Some(reason));
        };
        match execution.status {
            Status::Succeeded if run.phase == Some(Phase::Check) => self.checked(execution),
            Status::Succeeded => Verdict::Ended(RunStatus::Succeeded, None),
            Status::Cancelled => Verdict::Ended(RunStatus::Cancelled, why(execution)),
            _ => Verdict::Ended(RunStatus::Failed, why(execution)),
        }
    }

    fn checked(&self, execution: &Execution) -> Verdict {
        let output = execution.output.as_ref().and_then(|output| serde_json::from_str(output.get()).ok());
        match rules::checked(self.job.phases, output.as_ref()) {
            Checked::Perform(payload) => Verdict::Perform(payload),
            Checked::Done => Verdict::Ended(RunStatus::Succeeded, None),
            Checked::No => {
                let reason = "the check said that there was nothing to perform".to_owned();
                Verdict::Ended(RunStatus::Succeeded, Some(reason))
            }
        }
    }
}

/// What an execution says about its failure.
fn why(execution: &Execution) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        code: String,
        message: String,
    }
    let told: Told = serde_json::from_str(execution.error.as_ref()?.get()).ok()?;
    let message: String = told.message.chars().take(500).collect();
    Some(format!("{}: {message}", told.code))
}
