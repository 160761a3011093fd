//! The duty that decides about slots and begins runs.
//!
//! Each job that has slots to come has one item, about the job, due at its next slot; each run that is to begin by itself
//! (triggered, backfilled, of an event, after another) has one, about the run. All stand behind the job's gate.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Fault, Key, RetryPolicy, Settlement, Work};

use super::{
    DUTY, WORKERS,
    begin::Desk,
    decide::{self, Step},
    named::RunStatus,
    run::Run,
    start,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    pause::{Resumed, Ruling},
    settings::Setting,
};

/// How often a decision is made anew that somebody else's change overtook.
const ATTEMPTS: usize = 5;

/// Decides about slots and begins runs.
#[derive(Clone, Copy, Debug)]
pub struct Automation;

impl Duty for Automation {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Decides about every slot of every job as it comes due, and begins the runs of jobs."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn retry(&self, core: &Core) -> RetryPolicy {
        never_given_up(core)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            perform(core, &attempt.work).await.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
        })
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let Some(run) = core.store.find::<Run>(Key::new(work.account, work.subject)).await? else {
                return Ok(());
            };
            let Some(mut desk) = Desk::open(core, work.account, run.job_id).await? else { return Ok(()) };
            desk.open.retain(|open| open.head.id != run.head.id);
            desk.drop_run(run);
            desk.call_next();
            batch.merge(desk.close());
            Ok(())
        })
    }

    fn is_sequence(&self, work: &Work) -> bool {
        work.gate == Some(work.subject)
    }

    fn resumed<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        ruling: Ruling,
    ) -> BoxFuture<'a, Result<Resumed, Fault>> {
        Box::pin(async move {
            let mut tries = Tries::default();
            loop {
                match rule(core, Key::new(work.account, work.subject), ruling).await {
                    Err(fault) if tries.again(&fault) => {}
                    ended => return ended,
                }
            }
        })
    }
}

/// A job's schedule goes on whatever happens: nobody would begin it again.
pub(super) fn never_given_up(core: &Core) -> RetryPolicy {
    RetryPolicy {
        base: core.settings.duration(&crate::duty::RETRY_BASE),
        cap: core.settings.duration(&crate::duty::RETRY_CAP),
        max_attempts: u32::MAX,
        max_age: std::time::Duration::MAX,
    }
}

async fn rule(core: &Arc<Core>, job: Key, ruling: Ruling) -> Result<Resumed, Fault> {
    let Some(mut desk) = Desk::quick(core, job.account, job.id).await? else { return Ok(Resumed::default()) };
    let counted = desk.counted(ruling).await?;
    desk.state.ruling = Some(ruling);
    core.store.commit(desk.close()).await?;
    Ok(counted)
}

/// Counts how often something is done anew that somebody else's change overtook.
#[derive(Default)]
pub(super) struct Tries(usize);

impl Tries {
    /// Whether to do it again after this fault.
    pub fn again(&mut self, fault: &Fault) -> bool {
        self.0 += 1;
        fault.code == Code::Conflict && self.0 < ATTEMPTS
    }
}

async fn perform(core: &Arc<Core>, work: &Work) -> Result<Outcome, Fault> {
    let (mut tries, mut most) = (Tries::default(), decide::STEP);
    loop {
        match once(core, work, most).await {
            Ok(()) => return Ok(Outcome::Settled),
            Err(fault) if fault.code == Code::FenceLost => return Ok(Outcome::Lost),
            // Where the account's queue has no room for all of them, it may have for one.
            Err(fault) if fault.code == Code::QuotaExceeded && most > 1 => most = 1,
            Err(fault) if tries.again(&fault) => {}
            Err(fault) => return Err(fault),
        }
    }
}

async fn once(core: &Arc<Core>, work: &Work, most: usize) -> Result<(), Fault> {
    let about_job = work.gate == Some(work.subject);
    let step =
        if about_job { decide::step(core, work, most).await? } else { start::step(core, work).await? };
    commit(core, work, step).await
}

/// Commits a decision with the settlement of its item.
pub(super) async fn commit(core: &Arc<Core>, work: &Work, step: Step) -> Result<(), Fault> {
    let Step { mut batch, paused } = step;
    batch.settle(work.settle(Settlement::Remove));
    core.commit(batch).await?;
    if paused {
        core.mirror.told_of_accounts(core).await;
    }
    Ok(())
}

impl Desk<'_> {
    /// The batch of what was decided. It always holds the job's state, so that no two decisions about one job pass each
    /// other unseen.
    pub fn close(mut self) -> Batch {
        let now = self.now;
        self.state.busy = !self.open.is_empty();
        self.batch.replace(&mut self.state, now);
        self.batch
    }

    /// The same as the step of an item.
    pub fn step(self) -> Step {
        let paused = self.pauses;
        Step { batch: self.close(), paused }
    }

    fn drop_run(&mut self, mut run: Run) {
        if run.status == RunStatus::Queued {
            let reason = "its turn came during a pause, and the resume dropped it".to_owned();
            run.stand(RunStatus::SkippedPaused, Some(reason), self.now);
            self.batch.replace(&mut run, self.now).event(run.told());
        }
    }
}
