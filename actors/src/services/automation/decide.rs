//! Every slot that has come due gets its row, and the job's item moves to the next.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use sl_store::{Batch, Fault, NewWork, Work};

use super::{
    BUFFER, CATCH_UP_LIMIT, CATCH_UP_WINDOW, DUTY, GRACE, RUNS_KEPT_FOR,
    begin::Desk,
    named::{Overlap, RunKind, RunStatus},
    rules::{self, Admission, Bounds, Fate, Found, Plan},
    run::Run,
};
use crate::{
    Core,
    pause::{Resumed, Ruling},
    schedule::Timetable,
};

/// So many slots are decided in one step; the others in further ones.
pub(super) const STEP: usize = 200;

/// A schedule without a slot within the horizon is looked at again after this.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(366);

/// What one item came to.
pub(super) struct Step {
    pub batch: Batch,
    /// Whether a job was paused by it.
    pub paused: bool,
}

impl Step {
    /// Nothing is left to do.
    pub const fn nothing(batch: Batch) -> Self {
        Self { batch, paused: false }
    }
}

/// Decides about the slots of a job that are due, `most` of them.
pub(super) async fn step(core: &Arc<Core>, work: &Work, most: usize) -> Result<Step, Fault> {
    let Some(mut desk) = Desk::quick(core, work.account, work.subject).await? else {
        return Ok(Step::nothing(Batch::new()));
    };
    let Some(timetable) = desk.job.timetable()?.filter(|_| desk.job.enabled) else {
        return Ok(Step::nothing(Batch::new()));
    };
    let bounds = desk.bounds();
    desk.forget_the_far_past();
    let carried = serde_json::from_value::<Plan>(work.payload.clone()).ok();
    let plan = if let Some(plan) = carried.filter(|plan| plan.as_of > desk.state.decided) {
        plan
    } else {
        let due = desk.due(&timetable, desk.now);
        Plan::make(due, &desk.job, desk.found(), bounds).await
    };
    desk.held_until = plan.held_until;
    let mut slots: Vec<DateTime<Utc>> = desk.due(&timetable, plan.as_of).take(most + 1).collect();
    let mut more = slots.len() > most;
    slots.truncate(most);
    for (place, slot) in slots.iter().enumerate() {
        let fate = plan.fate(*slot, &desk.job, desk.state.ruling, bounds);
        let begun = desk.decide(*slot, fate).await?;
        desk.state.decided = *slot;
        // A run that puts an end to others must be able to see them.
        if begun && desk.job.overlap == Overlap::CancelOther && place + 1 < slots.len() {
            more = true;
            break;
        }
    }
    if !more && desk.state.ruling.is_some_and(|ruling| ruling.until <= plan.as_of) {
        desk.state.ruling = None;
    }
    let (now, payload) = (desk.now, if more { json!(plan) } else { Value::Null });
    desk.arm(&timetable, if more { Some(now) } else { None }, payload);
    Ok(desk.step())
}

impl Desk<'_> {
    fn bounds(&self) -> Bounds {
        let settings = &self.settings;
        Bounds {
            grace: settings.duration(&GRACE),
            window: self.job.catch_up_window.unwrap_or_else(|| settings.duration(&CATCH_UP_WINDOW)),
            limit: settings.size(&CATCH_UP_LIMIT),
            buffer: settings.size(&BUFFER),
        }
    }

    const fn found(&self) -> Found {
        Found {
            now: self.now,
            ruling: self.state.ruling,
            held_until: self.held_until,
            busy: !self.open.is_empty(),
        }
    }

    /// What becomes of the slots of a pause by the word of its resume.
    pub async fn counted(&self, ruling: Ruling) -> Result<Resumed, Fault> {
        let Some(timetable) = self.job.timetable()?.filter(|_| self.job.enabled) else {
            return Ok(Resumed::default());
        };
        let most = self.bounds().limit as u64;
        Ok(ruling.counted(rules::undecided(&self.job, &timetable, &self.state), most).await)
    }

    /// Slots whose rows would be removed at once for their age are not written.
    fn forget_the_far_past(&mut self) {
        let kept = self.settings.duration(&RUNS_KEPT_FOR).min(Duration::from_hours(10 * 366 * 24));
        let oldest = self.now - TimeDelta::from_std(kept).unwrap_or(TimeDelta::zero());
        self.state.decided = self.state.decided.max(oldest);
    }

    /// The undecided slots that have begun at this instant.
    pub fn due<'b>(
        &'b self,
        timetable: &'b Timetable,
        at: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + 'b {
        rules::undecided(&self.job, timetable, &self.state)
            .take_while(move |slot| self.job.begins(*slot) <= at)
    }

    /// Writes the row of a slot, and begins its run where it is to begin. Answers whether it did.
    async fn decide(&mut self, slot: DateTime<Utc>, fate: Fate) -> Result<bool, Fault> {
        let mut run = self.new_run(RunKind::Schedule);
        run.slot = Some(slot);
        let admission = match fate {
            Fate::Run => self.admission(self.job.overlap, false),
            Fate::CatchUp => self.admission(self.job.overlap, true),
            Fate::SkippedPaused | Fate::Missed => Admission::Skip,
        };
        match admission {
            Admission::Skip => self.skip(&mut run, fate),
            Admission::Wait => self.wait(&mut run),
            Admission::Replace => {
                self.cancel_open("a later slot of the job took its place").await?;
                self.begin_first(&mut run).await?;
            }
            Admission::Start => self.begin_first(&mut run).await?,
        }
        self.batch.insert(&run).event(run.told());
        let begun = run.status == RunStatus::Running;
        if !run.status.is_final() {
            self.open.push(run);
        }
        Ok(begun)
    }

    /// Begins a run with its first phase.
    pub async fn begin_first(&mut self, run: &mut Run) -> Result<(), Fault> {
        self.begin(run, rules::first_phase(self.job.phases), Map::new()).await
    }

    /// Lets a run wait for the end of what goes on.
    pub fn wait(&self, run: &mut Run) {
        let reason = "it waits for an earlier run of the job to end";
        run.stand(RunStatus::Queued, Some(reason.to_owned()), self.now);
    }

    /// Says why a run never begins.
    pub fn skip(&self, run: &mut Run, fate: Fate) {
        let (status, reason) = match fate {
            Fate::SkippedPaused => {
                (RunStatus::SkippedPaused, "the job was paused, and the resume dropped it".to_owned())
            }
            Fate::Missed => (RunStatus::Missed, self.why_missed(run)),
            Fate::Run | Fate::CatchUp => {
                (RunStatus::SkippedOverlap, "an earlier run of the job went on".to_owned())
            }
        };
        run.stand(status, Some(reason), self.now);
    }

    fn why_missed(&self, run: &Run) -> String {
        let held = run.slot.and_then(|slot| rules::held(self.held_until, slot, &self.job));
        let seen = match (held, run.slot) {
            (Some(until), _) => {
                let until = until.to_rfc3339_opts(SecondsFormat::AutoSi, true);
                format!("a pause or a suspension held it back until {until}")
            }
            (None, slot) => {
                let late = slot.map_or(0, |slot| (self.now - slot).num_seconds());
                format!("it was seen {late} s late")
            }
        };
        format!("{seen}, and the job's catch_up ({}) leaves it", self.job.catch_up.as_str())
    }

    /// Moves the job's item to the next slot, or to `sooner`. Nothing is added where no slot will come.
    pub fn arm(&mut self, timetable: &Timetable, sooner: Option<DateTime<Utc>>, payload: Value) {
        self.state.moved_to = self.state.moved_to.filter(|moved| *moved > self.state.decided);
        self.state.next_slot = rules::undecided(&self.job, timetable, &self.state).next();
        let over = timetable.schedule.once().is_some() || self.job.ends_at.is_some_and(|end| end <= self.now);
        let next = self.state.next_slot.map(|slot| self.job.begins(slot));
        let Some(due_at) = sooner.or(next).or_else(|| (!over).then(|| self.now + LOOK_AGAIN)) else { return };
        let (account, job) = (self.job.head.account_id, self.job.head.id);
        let mut item = NewWork::new(self.core.ids.next(), DUTY, account, job, due_at).gate(job);
        item.payload = payload;
        self.batch.enqueue(item);
    }
}
