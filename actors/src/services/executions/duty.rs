//! Executions from the queue.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Batch, Fault, Key, SYSTEM, Work};
use tokio_util::sync::CancellationToken;

use super::{
    DUTY, PERSIST_AFTER, WORKERS,
    entity::{Execution, Status},
    flow, outcome, record,
    session::{End, Hold, Session},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    mirror::Around,
    services::{accounts::Account, functions::Ready},
    settings::{Setting, Settings},
};

/// Performs queued executions.
#[derive(Clone, Copy, Debug)]
pub struct Executions;

impl Duty for Executions {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Runs queued executions, and again those whose daemon died."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn full(&self, core: &Core) -> Vec<uuid::Uuid> {
        core.executions.lanes.awaited()
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            perform(core, attempt).await.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
        })
    }

    fn bury<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        why: &'a Fault,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(end(core, work, (Status::Failed, outcome::fault(why)), batch))
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let dropped = outcome::plain("cancelled", "it came due during a pause, and the resume dropped it");
        Box::pin(end(core, work, (Status::Cancelled, dropped), batch))
    }

    fn revive<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(mut execution) = find(core, work).await? {
                execution.requeue();
                batch.replace(&mut execution, core.clock.now()).event(execution.event());
            }
            Ok(())
        })
    }
}

async fn find(core: &Core, work: &Work) -> Result<Option<Execution>, Fault> {
    core.store.find(Key::new(work.account, work.subject)).await
}

/// Ends an execution whose item goes without having been performed.
async fn end(
    core: &Core,
    work: &Work,
    how: (Status, super::Failure),
    batch: &mut Batch,
) -> Result<(), Fault> {
    match find(core, work).await? {
        Some(mut execution) if !execution.status.is_final() => {
            record::end(core, &mut execution, how, batch)?;
            core.metrics.executions.with_label_values(&[execution.status.as_str()]).inc();
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn perform(core: &Arc<Core>, attempt: &Attempt) -> Result<Outcome, Fault> {
    let work = &attempt.work;
    let Some(execution) = find(core, work).await?.filter(|found| !found.status.is_final()) else {
        return Ok(Outcome::Done(Batch::new()));
    };
    let Some(account) = core.store.find::<Account>(Key::new(SYSTEM, work.account)).await? else {
        return Ok(Outcome::Done(Batch::new()));
    };
    let settings = account.settings(&core.settings);
    let version = Key::new(work.account, execution.version_id);
    let Some(ready) = core.functions.version(core, version).await? else {
        let gone = outcome::plain("function_removed", "the function, or this version of it, was removed");
        let mut batch = Batch::new();
        end(core, work, (Status::Cancelled, gone), &mut batch).await?;
        return Ok(Outcome::Done(batch));
    };
    let ask = flow::ask(work.account, &ready, &settings);
    let place = tokio::select! {
        biased;
        () = attempt.cancel.cancelled() => return Ok(Outcome::Release),
        // What has not begun when the daemon drains begins elsewhere.
        () = core.bells.leaving.cancelled() => return Ok(Outcome::Release),
        place = core.executions.lanes.enter(ask) => place,
    };
    let around = Around { duty: DUTY, account: work.account, gates: &[execution.function_id] };
    if core.mirror.is_held(around, core.clock.now()) {
        return Ok(Outcome::Release);
    }
    let session = session(core, attempt, execution, (ready, settings), place);
    Ok(match session.run(core.settings.duration(&PERSIST_AFTER)).await {
        End::Recorded(_) | End::Acting | End::Queued => Outcome::Settled,
        End::Lost => Outcome::Lost,
        End::Again(fault, batch) => Outcome::Retry(fault, batch),
        End::Unrecorded(fault) => Outcome::Retry(fault, Batch::new()),
    })
}

fn session(
    core: &Arc<Core>,
    attempt: &Attempt,
    mut execution: Execution,
    (ready, settings): (Arc<Ready>, Settings),
    place: super::lanes::Place,
) -> Session {
    let work = &attempt.work;
    let cancel: CancellationToken = attempt.cancel.child_token();
    execution.start(i64::from(work.attempt), core.clock.now());
    Session {
        core: core.clone(),
        settings,
        live: core.executions.stage.meet(execution.head.key()),
        execution,
        ready,
        hold: Some(Hold { id: work.id, fence: work.fence, own: false }),
        cancel,
        untold: Vec::new(),
        marked: false,
        place,
    }
}
