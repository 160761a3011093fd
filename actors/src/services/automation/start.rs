//! A run whose turn has come: triggered, backfilled, of an event, or after another.

use std::sync::Arc;

use sl_store::{Batch, Fault, Key, Work};

use super::{
    begin::Desk,
    decide::Step,
    named::{Overlap, RunKind, RunStatus},
    rules::{Admission, Fate},
    run::Run,
};
use crate::Core;

/// Begins the run that the item is about, or says what becomes of it.
pub(super) async fn step(core: &Arc<Core>, work: &Work) -> Result<Step, Fault> {
    let found = core.store.find::<Run>(Key::new(work.account, work.subject)).await?;
    let Some(mut run) = found.filter(|run| run.status == RunStatus::Queued) else {
        return Ok(Step::nothing(Batch::new()));
    };
    let Some(mut desk) = Desk::open(core, work.account, run.job_id).await? else {
        return Ok(Step::nothing(Batch::new()));
    };
    // What waits behind it is no hindrance.
    let later =
        desk.open.iter().filter(|open| open.status == RunStatus::Queued && open.head.id > run.head.id);
    let later: Vec<Run> = later.cloned().collect();
    desk.open.retain(|open| open.status == RunStatus::Running || open.head.id < run.head.id);
    match desk.admission_of(&run) {
        Admission::Start => desk.begin_first(&mut run).await?,
        Admission::Replace => {
            desk.cancel_open("a later run of the job took its place").await?;
            desk.begin_first(&mut run).await?;
        }
        Admission::Wait => desk.wait(&mut run),
        Admission::Skip => desk.skip(&mut run, Fate::Run),
    }
    let now = desk.now;
    desk.batch.replace(&mut run, now).event(run.told());
    desk.open.extend(later);
    if run.status.is_final() {
        desk.call_next();
    } else {
        desk.open.push(run);
    }
    Ok(desk.step())
}

impl Desk<'_> {
    /// Whoever triggers a run wants it now; a slot that waited goes on waiting while others are before it.
    fn admission_of(&self, run: &Run) -> Admission {
        match run.kind {
            RunKind::Manual => Admission::Start,
            RunKind::Event => self.admission(self.job.overlap, false),
            RunKind::Schedule | RunKind::Backfill => {
                let overlap =
                    if self.job.overlap == Overlap::Allow { Overlap::Allow } else { Overlap::BufferAll };
                self.admission(overlap, true)
            }
        }
    }
}
