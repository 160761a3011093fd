//! What becomes of slots: pure rules, without store and clock.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    job::Job,
    named::{CatchUp, Overlap, Phase, Phases},
    state::JobState,
};
use crate::{
    pause::{Missed, Ruling},
    schedule::{Timetable, walk},
};

/// How late a slot may be and still be on time, how old it may be and still be caught up on, how many are, and how many
/// runs may wait for an earlier one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub grace: Duration,
    pub window: Duration,
    pub limit: usize,
    pub buffer: usize,
}

/// What whoever decides finds besides the slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub now: DateTime<Utc>,
    /// What the last resume said about its pause.
    pub ruling: Option<Ruling>,
    /// Up to when a pause that ended by itself, or a suspension, held the job back.
    pub held_until: Option<DateTime<Utc>>,
    /// Whether earlier runs go on.
    pub busy: bool,
}

/// What becomes of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on time.
    Run,
    /// It runs although it is late, or came during a pause: after the earlier ones.
    CatchUp,
    /// It came during a pause, whose resume does not want it.
    SkippedPaused,
    /// It is late, was held back, or came together with later ones, and the job does not catch up on it.
    Missed,
}

/// From which slots on late ones run, as of one instant. It is carried along where there are more slots than one step
/// decides, so that all steps agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// What is due at this instant is decided by this plan.
    pub as_of: DateTime<Utc>,
    /// Late slots from here on run.
    late_from: Option<DateTime<Utc>>,
    /// Slots of the pause from here on run.
    paused_from: Option<DateTime<Utc>>,
    /// Slots that began by then were held back: they are late, whatever their age.
    pub held_until: Option<DateTime<Utc>>,
    /// From here on slots are on time. For those before there would be no room beside the later ones.
    on_time_from: Option<DateTime<Utc>>,
    /// Whether the slots on time wait for the others that run.
    #[serde(default)]
    queues: bool,
}

impl Plan {
    /// Plans for the due slots, in order.
    pub async fn make(
        slots: impl Iterator<Item = DateTime<Utc>>,
        job: &Job,
        found: Found,
        bounds: Bounds,
    ) -> Self {
        let Found { now, ruling, held_until, busy } = found;
        let mut plan = Self { as_of: now, held_until, ..Self::default() };
        let window = TimeDelta::from_std(bounds.window).unwrap_or(TimeDelta::MAX / 2);
        let (mut late, mut paused, mut on_time) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let (late_most, paused_most) = (catch_up_limit(job.catch_up, bounds), ruling_limit(ruling, bounds));
        // What finds an earlier run going on is the overlap's to decide.
        let on_time_most = if busy { usize::MAX } else { room(job.overlap, bounds.buffer) };
        walk(slots, |slot| {
            let is_late = if ruling.is_some_and(|ruling| ruling.covers(slot)) {
                push(&mut paused, slot, paused_most);
                None
            } else if plan.is_on_time(slot, job, bounds) {
                push(&mut on_time, slot, on_time_most)
            } else {
                Some(slot)
            };
            if let Some(slot) = is_late.filter(|slot| now - *slot <= window) {
                push(&mut late, slot, late_most);
            }
        })
        .await;
        let latest_is_on_time = !on_time.is_empty() && job.catch_up == CatchUp::Latest;
        plan.late_from = late.front().copied().filter(|_| !latest_is_on_time);
        plan.paused_from = paused.front().copied();
        plan.on_time_from = on_time.front().copied();
        plan.queues = !busy && (plan.late_from.is_some() || plan.paused_from.is_some());
        plan
    }

    /// What becomes of a due slot.
    pub fn fate(&self, slot: DateTime<Utc>, job: &Job, ruling: Option<Ruling>, bounds: Bounds) -> Fate {
        let runs = |from: Option<DateTime<Utc>>| from.is_some_and(|from| from <= slot);
        if ruling.is_some_and(|ruling| ruling.covers(slot)) {
            return if runs(self.paused_from) { Fate::CatchUp } else { Fate::SkippedPaused };
        }
        if self.is_on_time(slot, job, bounds) && self.on_time_from.is_none_or(|from| from <= slot) {
            return if self.queues { Fate::CatchUp } else { Fate::Run };
        }
        if runs(self.late_from) { Fate::CatchUp } else { Fate::Missed }
    }

    fn is_on_time(&self, slot: DateTime<Utc>, job: &Job, bounds: Bounds) -> bool {
        let late = (self.as_of - job.begins(slot)).to_std().unwrap_or_default();
        late <= bounds.grace && held(self.held_until, slot, job).is_none()
    }
}

/// Until when a pause that ended by itself, or a suspension, held a slot back, where it did.
pub(super) fn held(
    held_until: Option<DateTime<Utc>>,
    slot: DateTime<Utc>,
    job: &Job,
) -> Option<DateTime<Utc>> {
    held_until.filter(|until| job.begins(slot) <= *until)
}

/// How many slots that are decided at once may begin, or wait for each other.
const fn room(overlap: Overlap, buffer: usize) -> usize {
    match overlap {
        Overlap::Skip => 1,
        Overlap::BufferOne => 2,
        Overlap::BufferAll => buffer.saturating_add(1),
        Overlap::CancelOther | Overlap::Allow => usize::MAX,
    }
}

/// Keeps the last `most`; answers the one that had to go.
fn push(slots: &mut VecDeque<DateTime<Utc>>, slot: DateTime<Utc>, most: usize) -> Option<DateTime<Utc>> {
    slots.push_back(slot);
    if slots.len() > most { slots.pop_front() } else { None }
}

const fn catch_up_limit(catch_up: CatchUp, bounds: Bounds) -> usize {
    match catch_up {
        CatchUp::Skip => 0,
        CatchUp::Latest => 1,
        CatchUp::All => bounds.limit,
    }
}

fn ruling_limit(ruling: Option<Ruling>, bounds: Bounds) -> usize {
    match ruling.map(|ruling| ruling.missed) {
        None | Some(Missed::Drop) => 0,
        Some(Missed::Latest) => 1,
        Some(Missed::All) => bounds.limit,
    }
}

/// The slots that are not decided yet, in order: the one that somebody moved first, then the timetable's, up to the job's
/// end.
pub(super) fn undecided<'a>(
    job: &'a Job,
    timetable: &'a Timetable,
    state: &JobState,
) -> impl Iterator<Item = DateTime<Utc>> + 'a {
    let first =
        state.moved_to.filter(|moved| *moved > state.decided).or_else(|| timetable.next(state.decided));
    let ends_at = job.ends_at;
    std::iter::successors(first, |last| timetable.next(*last))
        .take_while(move |slot| ends_at.is_none_or(|end| *slot <= end))
}

/// What a run does that finds others under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It begins.
    Start,
    /// It waits until the others have ended.
    Wait,
    /// It never begins.
    Skip,
    /// The others are cancelled, and it begins.
    Replace,
}

/// What a run does that finds so many running and waiting. One that catches up waits for its turn where others would be
/// skipped, or would put an end to each other.
pub(super) const fn admission(
    overlap: Overlap,
    catches_up: bool,
    running: usize,
    waiting: usize,
    buffer: usize,
) -> Admission {
    if running + waiting == 0 {
        return Admission::Start;
    }
    match overlap {
        Overlap::Allow => Admission::Start,
        _ if catches_up => Admission::Wait,
        Overlap::Skip => Admission::Skip,
        Overlap::BufferOne if waiting > 0 => Admission::Skip,
        Overlap::BufferAll if waiting >= buffer => Admission::Skip,
        Overlap::BufferOne | Overlap::BufferAll => Admission::Wait,
        Overlap::CancelOther => Admission::Replace,
    }
}

/// The phase a run begins with.
pub(super) const fn first_phase(phases: Phases) -> Phase {
    match phases {
        Phases::Once => Phase::Perform,
        Phases::Auto | Phases::CheckPerform => Phase::Check,
    }
}

/// What a check's answer comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Checked {
    /// Perform, with this besides.
    Perform(Map<String, Value>),
    /// The check said no.
    No,
    /// It was no check: the function knows no phases, and has done what it does.
    Done,
}

/// Reads the answer of a check: `shouldPerform` is a truth value, the text `true`, or a number that is not zero; where it
/// is absent, yes. `performPayload` is an object.
pub(super) fn checked(phases: Phases, output: Option<&Value>) -> Checked {
    let member = |name: &str| output.and_then(|output| output.get(name));
    let (should, payload) = (member("shouldPerform"), member("performPayload"));
    if phases == Phases::Auto && should.is_none() && payload.is_none() {
        return Checked::Done;
    }
    let yes = match should {
        None | Some(Value::Null) => true,
        Some(Value::Bool(yes)) => *yes,
        Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::Array(_) | Value::Object(_)) => false,
    };
    if yes {
        Checked::Perform(payload.and_then(Value::as_object).cloned().unwrap_or_default())
    } else {
        Checked::No
    }
}
