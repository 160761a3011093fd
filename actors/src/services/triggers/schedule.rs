//! Triggers that fire by the clock.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Key, Kind, RetryPolicy, Table, Work};
use uuid::Uuid;

use super::{
    CATCH_UP, SCHEDULE_DUTY, WORKERS, config,
    delivery::Delivery,
    named::{Cause, TriggerType},
    trigger::Trigger,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome, RETRY_BASE, RETRY_CAP},
    pause::{Missed, Resumed, Ruling},
    services::accounts::Account,
    settings::Setting,
};

/// How far a trigger's schedule was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerState {
    /// The row's head; its id is the trigger's.
    pub head: Head,
    /// No slot up to here is looked at again.
    pub decided: DateTime<Utc>,
    /// Slots up to here were dropped by a resume.
    pub dropped_until: Option<DateTime<Utc>>,
}

impl TriggerState {
    /// The state of a trigger that begins now.
    pub(super) const fn new(trigger: Key, now: DateTime<Utc>) -> Self {
        Self { head: Head::new(trigger.account, trigger.id, now), decided: now, dropped_until: None }
    }
}

/// Fires triggers by the clock.
#[derive(Clone, Copy, Debug)]
pub struct Schedules;

impl Duty for Schedules {
    fn name(&self) -> &'static str {
        SCHEDULE_DUTY
    }

    fn doc(&self) -> &'static str {
        "Fires triggers at the slots of their schedules."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    /// A schedule goes on whatever happens: nobody would begin it again.
    fn retry(&self, core: &Core) -> RetryPolicy {
        RetryPolicy {
            base: core.settings.duration(&RETRY_BASE),
            cap: core.settings.duration(&RETRY_CAP),
            max_attempts: u32::MAX,
            max_age: std::time::Duration::MAX,
        }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match decide(core, &attempt.work).await {
                Ok((Some(next), batch)) => Outcome::Again(next, batch),
                Ok((None, batch)) => Outcome::Done(batch),
                Err(fault) => Outcome::Retry(fault, Batch::new()),
            }
        })
    }

    fn is_sequence(&self, _work: &Work) -> bool {
        true
    }

    fn resumed<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        ruling: Ruling,
    ) -> BoxFuture<'a, Result<Resumed, Fault>> {
        Box::pin(async move {
            let key = Key::new(work.account, work.subject);
            let found = futures_util::try_join!(
                core.store.find::<TriggerState>(key),
                core.store.find::<Trigger>(key)
            )?;
            let (Some(mut state), Some(trigger)) = found else { return Ok(Resumed::default()) };
            let timetable = config::timetable(&trigger)?;
            // Of several slots the latest fires.
            let counted = ruling.counted(timetable.after(state.decided), 1).await;
            state.dropped_until = (ruling.missed == Missed::Drop).then_some(ruling.until);
            let mut batch = Batch::new();
            batch.replace(&mut state, core.clock.now());
            core.commit(batch).await?;
            Ok(counted)
        })
    }
}

/// What follows from the slots that are due, and when the next one is.
async fn decide(core: &Core, work: &Work) -> Result<(Option<DateTime<Utc>>, Batch), Fault> {
    let key = Key::new(work.account, work.subject);
    let mut batch = Batch::new();
    let found = core.store.find::<Trigger>(key).await?;
    let Some(trigger) = found.filter(|trigger| trigger.enabled && trigger.kind == TriggerType::Cron) else {
        return Ok((None, batch));
    };
    let Some(mut state) = core.store.find::<TriggerState>(key).await? else { return Ok((None, batch)) };
    let Some(account) = core.store.find::<Account>(Key::new(sl_store::SYSTEM, work.account)).await? else {
        return Ok((None, batch));
    };
    let (now, timetable) = (core.clock.now(), config::timetable(&trigger)?);
    let oldest = TimeDelta::from_std(account.settings(&core.settings).duration(&CATCH_UP));
    let from = state.decided.max(now - oldest.unwrap_or(TimeDelta::hours(1)));
    let latest = timetable.latest(from, now);
    if let Some(slot) = latest.filter(|slot| state.dropped_until.is_none_or(|until| *slot > until)) {
        let given = vec![("scheduled_for", json!(slot))];
        let mut delivery = Delivery::new(core, &trigger, Cause::Cron, given);
        delivery.source = Some(format!("slot/{}", slot.timestamp()));
        delivery.queue(core, &mut batch);
    }
    let next = timetable.next(now);
    state.decided = now.max(state.decided);
    state.dropped_until = None;
    batch.holds(&trigger).replace(&mut state, now);
    Ok((next, batch))
}

impl Entity for TriggerState {
    const TABLE: &'static Table = &Table {
        name: "trigger_states",
        noun: "trigger state",
        columns: &[
            Column::new("trigger_id", Kind::Uuid),
            Column::new("decided", Kind::Time),
            Column::nullable("dropped_until", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.head.id.into(), self.decided.into(), self.dropped_until.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let _trigger_id = cells.uuid()?;
        Ok(Self { head, decided: cells.time()?, dropped_until: cells.maybe_time()? })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let plain = Self::new(Key::new(Uuid::from_u128(1), Uuid::from_u128(2)), at);
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(3), at);
        vec![plain, Self { head, decided: at, dropped_until: Some(at) }]
    }
}
