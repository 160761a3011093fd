//! Actions from the queue: those whose daemon died, that were held back, or that are tried again.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Batch, Fault, Key, SYSTEM, Work};

use super::{
    ACTION_WORKERS, ACTIONS,
    entity::Execution,
    perform::{Item, Performer, Stand},
    view::{self, ActionFailure, ActionRecord, ActionStatus},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::Setting,
};

/// The code of an action that was not done because those before it and it itself could not be performed for too long.
const GIVEN_UP: &str = "given_up";

/// Performs what functions queued.
#[derive(Clone, Copy, Debug)]
pub struct Actions;

impl Duty for Actions {
    fn name(&self) -> &'static str {
        ACTIONS
    }

    fn doc(&self) -> &'static str {
        "Performs the Devpack actions that runs queued, in order."
    }

    fn concurrency(&self) -> &'static Setting {
        &ACTION_WORKERS
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
        let given_up = ActionFailure::new(GIVEN_UP, format!("it could not be performed: {why}"));
        Box::pin(turn(core, work, batch, move |action| fail(action, &given_up)))
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let detail = "it came due during a pause, and the resume dropped it";
        let dropped = ActionFailure::new("cancelled", detail);
        Box::pin(turn(core, work, batch, move |action| fail(action, &dropped)))
    }

    fn revive<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(turn(core, work, batch, |action| {
            let given_up = action.error.as_ref().is_some_and(|error| error.code == GIVEN_UP);
            if given_up {
                (action.status, action.error, action.completed_at) = (ActionStatus::Pending, None, None);
            }
            given_up
        }))
    }
}

fn fail(action: &mut ActionRecord, why: &ActionFailure) -> bool {
    let pending = action.is_pending();
    if pending {
        action.fail(why.clone());
    }
    pending
}

async fn find(core: &Core, work: &Work) -> Result<Option<Execution>, Fault> {
    core.store.find(Key::new(work.account, work.subject)).await
}

/// Adds to the batch what `change` does to the actions; it answers whether it did something.
async fn turn(
    core: &Core,
    work: &Work,
    batch: &mut Batch,
    mut change: impl FnMut(&mut ActionRecord) -> bool + Send,
) -> Result<(), Fault> {
    let Some(mut execution) = find(core, work).await? else { return Ok(()) };
    let (mut records, now) = (execution.action_records()?, core.clock.now());
    for record in &mut records {
        if change(record) {
            record.completed_at = Some(now).filter(|_| !record.is_pending());
            batch.event(execution.acted(record));
        }
    }
    execution.actions = view::json(&records);
    batch.replace(&mut execution, now);
    Ok(())
}

async fn perform(core: &Arc<Core>, attempt: &Attempt) -> Result<Outcome, Fault> {
    let work = &attempt.work;
    let Some(execution) = find(core, work).await? else { return Ok(Outcome::Done(Batch::new())) };
    if !execution.awaits_actions() {
        return Ok(Outcome::Done(Batch::new()));
    }
    let Some(account) = core.store.find::<Account>(Key::new(SYSTEM, work.account)).await? else {
        return Ok(Outcome::Done(Batch::new()));
    };
    let mut performer = Performer {
        core: core.clone(),
        settings: account.settings(&core.settings),
        execution,
        item: Item { id: work.id, fence: work.fence },
    };
    Ok(match performer.run(&attempt.cancel).await {
        Stand::Done => {
            core.executions.stage.meet(Key::new(work.account, work.subject)).over();
            Outcome::Settled
        }
        Stand::Held => Outcome::Release,
        Stand::Lost => Outcome::Lost,
        Stand::Failed(fault) => Outcome::Retry(fault, Batch::new()),
    })
}
