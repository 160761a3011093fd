//! The rules against cases and random ledgers.

use proptest::{prelude::*, sample::select};
use serde_json::json;
use sl_store::Entity as _;

use super::{
    job::Job,
    named::{CatchUp, Overlap, Phases},
    rules::{Admission, Bounds, Checked, Fate, Found, Plan, admission, checked, undecided},
    state::JobState,
};
use crate::pause::{Missed, Ruling};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn job(schedule: &str, catch_up: CatchUp) -> Job {
    let mut job = Job::samples().remove(0);
    job.schedule = Some(schedule.to_owned());
    job.catch_up = catch_up;
    job.jitter = Duration::ZERO;
    job.starts_at = None;
    job.ends_at = None;
    job
}

fn bounds(limit: usize) -> Bounds {
    Bounds { grace: Duration::from_mins(1), window: 24 * HOUR, limit, buffer: 3 }
}

fn seen(minutes: i64, ruling: Option<Ruling>) -> Found {
    Found { now: at(minutes), ruling, held_until: None, busy: false }
}

fn fates(job: &Job, ruling: Option<Ruling>, limit: usize, minutes: i64) -> Vec<Fate> {
    fates_of(job, seen(minutes, ruling), limit)
}

fn fates_of(job: &Job, found: Found, limit: usize) -> Vec<Fate> {
    let timetable = job.timetable().unwrap().unwrap();
    let state = JobState::new(job.head, at(0));
    let due = || undecided(job, &timetable, &state).take_while(|slot| *slot <= found.now);
    let plan = planned(due(), job, found, limit);
    due().map(|slot| plan.fate(slot, job, found.ruling, bounds(limit))).collect()
}

fn planned(due: impl Iterator<Item = DateTime<Utc>>, job: &Job, found: Found, limit: usize) -> Plan {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Plan::make(due, job, found, bounds(limit)))
}

fn count(fates: &[Fate], fate: Fate) -> usize {
    fates.iter().filter(|found| **found == fate).count()
}

#[test]
fn three_hours_of_five_minutes_are_none_one_or_the_limit() {
    for (catch_up, runs) in [(CatchUp::Skip, 0), (CatchUp::Latest, 1), (CatchUp::All, 10)] {
        let fates = fates(&job("*/5 * * * *", catch_up), None, 10, 182);
        assert_eq!(fates.len(), 36, "every slot has its fate");
        assert_eq!(count(&fates, Fate::CatchUp), runs, "{catch_up:?}");
        assert_eq!(count(&fates, Fate::Missed), 36 - runs, "{catch_up:?}");
        assert!(fates[36 - runs..].iter().all(|fate| *fate == Fate::CatchUp), "the latest run: {catch_up:?}");
    }
}

#[test]
fn a_slot_on_time_runs_whatever_is_late() {
    for catch_up in [CatchUp::Skip, CatchUp::Latest] {
        let fates = fates(&job("*/5 * * * *", catch_up), None, 10, 180);
        assert_eq!((count(&fates, Fate::Run), count(&fates, Fate::Missed)), (1, 35), "{catch_up:?}");
    }
}

#[test]
fn what_is_older_than_the_window_is_missed() {
    let mut job = job("0 * * * *", CatchUp::All);
    job.catch_up_window = None;
    let fates = fates(&job, None, 100, 30 * 60 + 30);
    assert_eq!((count(&fates, Fate::Missed), count(&fates, Fate::CatchUp)), (6, 24));
}

#[test]
fn a_resume_decides_about_its_pause_alone() {
    for (missed, runs) in [(Missed::Drop, 0), (Missed::Latest, 1), (Missed::All, 10)] {
        let ruling = Ruling { missed, since: at(62), until: at(182) };
        let fates = fates(&job("*/5 * * * *", CatchUp::Skip), Some(ruling), 10, 182);
        assert_eq!(count(&fates, Fate::Missed), 12, "what came before the pause is late: {missed:?}");
        assert_eq!(count(&fates, Fate::CatchUp), runs, "{missed:?}");
        assert_eq!(count(&fates, Fate::SkippedPaused), 24 - runs, "{missed:?}");
    }
}

#[test]
fn slots_that_were_held_back_are_late_whatever_their_age() {
    let held = Found { held_until: Some(at(0) + TimeDelta::seconds(30)), ..seen(0, None) };
    let held = Found { now: at(0) + TimeDelta::seconds(30), ..held };
    for overlap in Overlap::ALL {
        for (catch_up, runs) in [(CatchUp::Skip, 0), (CatchUp::Latest, 1), (CatchUp::All, 6)] {
            let job = Job { overlap: *overlap, ..job("*/5 * * * * *", catch_up) };
            let mut expected = vec![Fate::Missed; 6 - runs];
            expected.resize(6, Fate::CatchUp);
            assert_eq!(fates_of(&job, held, 10), expected, "{overlap:?}, {catch_up:?}");
        }
    }
    let next = Found { now: at(0) + TimeDelta::seconds(35), ..held };
    let fates = fates_of(&job("*/5 * * * * *", CatchUp::Latest), next, 10);
    assert_eq!(fates[5..], [Fate::Missed, Fate::Run], "the slot after it is on time");
}

#[test]
fn slots_seen_together_leave_those_that_the_overlap_has_no_room_for_to_the_catch_up() {
    use Fate::{CatchUp as Late, Missed, Run};
    let together = Found { now: at(0) + TimeDelta::seconds(25), ..seen(0, None) };
    let cases = [
        (Overlap::Skip, CatchUp::Latest, [Missed, Missed, Missed, Missed, Run]),
        (Overlap::Skip, CatchUp::Skip, [Missed, Missed, Missed, Missed, Run]),
        (Overlap::Skip, CatchUp::All, [Late, Late, Late, Late, Late]),
        (Overlap::BufferOne, CatchUp::Latest, [Missed, Missed, Missed, Run, Run]),
        (Overlap::BufferAll, CatchUp::Skip, [Missed, Run, Run, Run, Run]),
        (Overlap::CancelOther, CatchUp::Skip, [Run; 5]),
        (Overlap::Allow, CatchUp::Skip, [Run; 5]),
    ];
    for (overlap, catch_up, expected) in cases {
        let job = Job { overlap, ..job("*/5 * * * * *", catch_up) };
        assert_eq!(fates_of(&job, together, 10), expected, "{overlap:?}, {catch_up:?}");
        let busy = fates_of(&job, Found { busy: true, ..together }, 10);
        assert_eq!(busy, [Run; 5], "the overlap decides: {overlap:?}, {catch_up:?}");
    }
}

#[test]
fn overlap_rules_say_who_begins_waits_goes_or_makes_room() {
    use Admission::{Replace, Skip, Start, Wait};
    let cases = [
        (Overlap::Skip, [Start, Skip, Skip]),
        (Overlap::BufferOne, [Start, Wait, Skip]),
        (Overlap::BufferAll, [Start, Wait, Wait]),
        (Overlap::CancelOther, [Start, Replace, Replace]),
        (Overlap::Allow, [Start, Start, Start]),
    ];
    for (overlap, expected) in cases {
        let found =
            [(0, 0), (1, 0), (1, 1)].map(|(running, waiting)| admission(overlap, false, running, waiting, 2));
        assert_eq!(found, expected, "{overlap:?}");
    }
    assert_eq!(admission(Overlap::BufferAll, false, 1, 2, 2), Skip, "a buffer has its bound");
    for overlap in [Overlap::Skip, Overlap::BufferOne, Overlap::CancelOther] {
        assert_eq!(admission(overlap, true, 1, 5, 2), Wait, "what catches up waits: {overlap:?}");
    }
}

#[test]
fn a_checks_answer_is_read_as_existing_functions_write_it() {
    let perform = |payload: serde_json::Value| Checked::Perform(payload.as_object().cloned().unwrap());
    let cases = [
        (json!({"shouldPerform": true}), perform(json!({}))),
        (json!({"shouldPerform": "true", "performPayload": {"a": 1}}), perform(json!({"a": 1}))),
        (json!({"shouldPerform": 1}), perform(json!({}))),
        (json!({"performPayload": {"a": 1}}), perform(json!({"a": 1}))),
        (json!({"shouldPerform": false, "performPayload": {"a": 1}}), Checked::No),
        (json!({"shouldPerform": "false"}), Checked::No),
        (json!({"shouldPerform": 0}), Checked::No),
    ];
    for (output, expected) in cases {
        for phases in [Phases::Auto, Phases::CheckPerform] {
            assert_eq!(checked(phases, Some(&output)), expected, "{output}");
        }
    }
    assert_eq!(checked(Phases::Auto, Some(&json!({"done": 1}))), Checked::Done);
    assert_eq!(
        checked(Phases::CheckPerform, Some(&json!({}))),
        perform(json!({})),
        "an empty answer is a yes"
    );
    assert_eq!(checked(Phases::CheckPerform, None), perform(json!({})));
}

#[test]
fn jitter_is_each_slots_own_and_always_the_same() {
    let mut job = job("* * * * *", CatchUp::Skip);
    job.jitter = Duration::from_secs(30);
    let shares: std::collections::BTreeSet<_> =
        (0..50).map(|minute| job.begins(at(minute)) - at(minute)).collect();
    assert!(shares.len() > 40 && shares.iter().all(|share| *share <= TimeDelta::seconds(30)));
    assert_eq!(job.begins(at(7)), job.begins(at(7)));
}

proptest! {
    /// However late whoever decides comes, and however few slots a step takes, every slot has one fate, and the same
    /// one.
    #[test]
    fn steps_agree_about_every_slot(
        catch_up in select(vec![CatchUp::Skip, CatchUp::Latest, CatchUp::All]),
        missed in select(vec![None, Some(Missed::Drop), Some(Missed::Latest), Some(Missed::All)]),
        late in 1_i64..2_000,
        pause in 0_i64..1_500,
        most in 1_usize..40,
        limit in 1_usize..20,
    ) {
        let job = job("*/5 * * * *", catch_up);
        let ruling = missed.map(|missed| Ruling { missed, since: at(pause), until: at(pause + 240) });
        let timetable = job.timetable().unwrap().unwrap();
        let now = at(late);
        let at_once = fates(&job, ruling, limit, late);
        let mut state = JobState::new(job.head, at(0));
        let all: Vec<_> = undecided(&job, &timetable, &state).take_while(|slot| *slot <= now).collect();
        let plan = planned(all.iter().copied(), &job, seen(late, ruling), limit);
        let mut stepped = Vec::new();
        loop {
            let step: Vec<_> =
                undecided(&job, &timetable, &state).take_while(|slot| *slot <= plan.as_of).take(most).collect();
            let Some(last) = step.last() else { break };
            state.decided = *last;
            stepped.extend(step.iter().map(|slot| plan.fate(*slot, &job, ruling, bounds(limit))));
        }
        prop_assert_eq!(&stepped, &at_once);
        let caught_up = stepped.iter().filter(|fate| **fate == Fate::CatchUp).count();
        prop_assert!(caught_up <= 2 * limit.max(1) + 1, "{caught_up}");
    }
}
