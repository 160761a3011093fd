//! How an attempt's outcome becomes one batch.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde_json::json;
use sl_store::{Batch, Code, Fault, NewEvent, Settlement, Work};

use super::{Duty, Outcome};
use crate::{
    Core,
    services::{
        LISTENER,
        dead_letters::{DeadLetter, Reason},
    },
};

/// What an outcome came to, for metrics and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Retried,
    Dead,
    Released,
    /// The item is somebody else's now; nothing was written.
    Lost,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Dead => "dead",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}

/// Commits an outcome with the settlement of its item. Where the store does not answer, it is tried again for as long as
/// the lease would last; after that the item belongs to whoever claims it.
pub(super) async fn settle(core: &Arc<Core>, duty: &dyn Duty, work: &Work, outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Settled => return Verdict::Done,
        Outcome::Lost => return Verdict::Lost,
        _ => {}
    }
    let (batch, verdict) = match plan(core, duty, work, outcome).await {
        Ok(planned) => planned,
        Err(fault) => {
            tracing::error!(duty = duty.name(), work_id = %work.id, %fault, "An outcome could not be planned");
            return Verdict::Lost;
        }
    };
    let give_up = tokio::time::Instant::now() + core.settings.duration(&super::LEASE);
    loop {
        match core.commit(batch.clone()).await {
            Ok(()) => return verdict,
            Err(fault) if fault.code == Code::Unavailable && tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(fault) if fault.code == Code::FenceLost => {
                tracing::info!(duty = duty.name(), work_id = %work.id, fence = work.fence, "A stale outcome was refused");
                return Verdict::Lost;
            }
            Err(fault) => return refused(core, duty, work, &fault).await,
        }
    }
}

/// The effect itself was refused (a conflict with a concurrent change): the attempt counts as failed.
async fn refused(core: &Arc<Core>, duty: &dyn Duty, work: &Work, fault: &Fault) -> Verdict {
    tracing::warn!(duty = duty.name(), work_id = %work.id, %fault, "An outcome was refused");
    let again = plan(core, duty, work, Outcome::Retry(fault.clone(), Batch::new())).await;
    let Ok((batch, verdict)) = again else { return Verdict::Lost };
    if core.commit(batch).await.is_ok() { verdict } else { Verdict::Lost }
}

async fn plan(
    core: &Arc<Core>,
    duty: &dyn Duty,
    work: &Work,
    outcome: Outcome,
) -> Result<(Batch, Verdict), Fault> {
    match outcome {
        Outcome::Done(mut batch) => {
            batch.settle(work.settle(Settlement::Remove));
            Ok((batch, Verdict::Done))
        }
        Outcome::Release | Outcome::Settled | Outcome::Lost => {
            let mut batch = Batch::new();
            batch.settle(work.settle(Settlement::Release));
            Ok((batch, Verdict::Released))
        }
        Outcome::Again(due_at, mut batch) => {
            batch.settle(work.settle(Settlement::Retry { due_at, error: String::new() }));
            Ok((batch, Verdict::Done))
        }
        Outcome::Dead(fault) => bury(core, duty, work, Reason::Permanent, &fault).await,
        Outcome::Retry(fault, mut batch) => {
            if let Some(delay) = next_attempt(core, duty, work, &fault) {
                let due_at = core.clock.now() + delay;
                batch.settle(work.settle(Settlement::Retry { due_at, error: fault.detail }));
                Ok((batch, Verdict::Retried))
            } else {
                let (buried, verdict) = bury(core, duty, work, Reason::Exhausted, &fault).await?;
                batch.merge(buried);
                Ok((batch, verdict))
            }
        }
    }
}

fn next_attempt(core: &Core, duty: &dyn Duty, work: &Work, fault: &Fault) -> Option<TimeDelta> {
    let age = (core.clock.now() - work.created_at).to_std().unwrap_or_default();
    let attempt = u32::try_from(work.attempt).unwrap_or(1);
    let delay = duty.retry(core).next(attempt, age, fault.retry_after, core.chance.fraction())?;
    TimeDelta::from_std(delay).ok()
}

async fn bury(
    core: &Arc<Core>,
    duty: &dyn Duty,
    work: &Work,
    reason: Reason,
    fault: &Fault,
) -> Result<(Batch, Verdict), Fault> {
    let (mut batch, mut changes) = (Batch::new(), Batch::new());
    duty.bury(core, work, fault, &mut changes).await?;
    // What follows from an event that was heard is told as such to its end: a letter could be heard, and fail, for ever.
    let follows = changes.events.iter().map(|event| &event.actor).find(|actor| actor.starts_with(LISTENER));
    let letter = DeadLetter::of(core, work, reason, fault);
    batch.insert(&letter);
    batch.event(NewEvent {
        account: work.account,
        service: "dead_letters",
        kind: "dead_letter.created",
        subject: letter.head.id,
        actor: follows.cloned().unwrap_or_else(|| format!("duty:{}", duty.name())),
        request_id: None,
        origin: None,
        data: json!({"duty": work.duty, "subject": work.subject, "attempts": work.attempt, "reason": reason}),
    });
    batch.merge(changes);
    batch.settle(work.settle(Settlement::Remove));
    Ok((batch, Verdict::Dead))
}
