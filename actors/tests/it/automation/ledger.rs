//! One row for every slot: down, paused, stepped over, shared by two daemons.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use sl_actors::{
    pause::Missed,
    services::automation::{CATCH_UP_LIMIT, JobView, RunStatus},
};

use super::{
    by_hand,
    stand::{self, Stand},
};
use crate::world::{self, Ground, is_soak};

by_hand! {
    three_hours_down_are_none_one_or_the_limit_and_a_row_for_every_slot
    a_paused_jobs_slots_are_what_the_resume_says_even_after_a_kill
    steps_of_the_clock_run_no_slot_twice
    a_long_absence_is_decided_in_steps
}

fn five_minutes(catch_up: &str) -> serde_json::Value {
    json!({"schedule": "*/5 * * * *", "catch_up": catch_up})
}

/// Promise 6.
async fn three_hours_down_are_none_one_or_the_limit_and_a_row_for_every_slot(ground: Ground) {
    let mut stand = Stand::with(ground, &[(&CATCH_UP_LIMIT, 10)]).await;
    let mut jobs = Vec::new();
    for (catch_up, runs) in [("skip", 0), ("latest", 1), ("all", 10)] {
        jobs.push((stand.job(catch_up, five_minutes(catch_up)).await, runs));
    }
    stand.down().await;
    stand.world.pass(Duration::from_mins(182));
    stand.up().await;
    stand.settled().await;
    for (job, runs) in &jobs {
        let expected: Vec<_> = [("missed", 36 - runs), ("succeeded", *runs)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        stand.until_counts(job, &expected).await;
        each_slot_once(&stand, job, 36).await;
    }
    assert_eq!(stand.stage.begun(), 11);
    stand.pass(3).await;
    for (job, runs) in &jobs {
        let counts = stand.counts(job).await;
        assert_eq!(counts.get("succeeded"), Some(&(runs + 1)), "the next slot is on time: {counts:?}");
    }
    stand.down().await;
}

async fn each_slot_once(stand: &Stand, job: &JobView, slots: usize) {
    let runs = stand.runs(job).await;
    let found: BTreeSet<_> = runs.iter().filter_map(|run| run.scheduled_for).collect();
    assert_eq!((runs.len(), found.len()), (slots, slots));
}

/// Promise 8, for jobs.
async fn a_paused_jobs_slots_are_what_the_resume_says_even_after_a_kill(ground: Ground) {
    let mut stand = Stand::with(ground, &[(&CATCH_UP_LIMIT, 10)]).await;
    let mut jobs = Vec::new();
    for (missed, runs) in [(Missed::Drop, 0), (Missed::Latest, 1), (Missed::All, 10)] {
        let job = stand.job(missed.as_str(), five_minutes("skip")).await;
        jobs.push((job, missed, runs));
    }
    stand.pass(5).await;
    for (job, ..) in &jobs {
        stand.pause(job).await;
        assert_eq!(stand.look(job).await.status, "paused");
    }
    stand.world.pass(Duration::from_mins(90));
    tokio::time::sleep(Duration::from_millis(250)).await;
    stand.down().await;
    stand.up().await;
    stand.world.pass(Duration::from_mins(90));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(stand.stage.begun(), 0, "it is still paused");
    stand.world.pass(Duration::from_mins(2));
    for (job, missed, runs) in &jobs {
        let (resumed, runs) = (stand.resume(job, *missed).await, *runs as u64);
        assert_eq!((resumed.kept, resumed.dropped), (runs, 36 - runs), "{missed:?}");
    }
    stand.settled().await;
    for (job, missed, runs) in &jobs {
        let mut expected = vec![("succeeded", 1 + runs), ("skipped_paused", 36 - runs)];
        expected.retain(|(_, count)| *count > 0);
        stand.until_counts(job, &expected).await;
        each_slot_once(&stand, job, 37).await;
        assert_eq!(stand.look(job).await.status, "active", "{missed:?}");
    }
    stand.down().await;
}

/// Promise 6.
async fn steps_of_the_clock_run_no_slot_twice(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("steady", json!({"schedule": "*/10 * * * *", "catch_up": "latest"})).await;
    stand.pass(30).await;
    let manual = stand.world.ground.manual.clone().unwrap();
    let hour = chrono::TimeDelta::hours(1);
    manual.set(stand.now() + hour);
    stand.settled().await;
    each_slot_once(&stand, &job, 9).await;
    manual.set(stand.now() - hour);
    tokio::time::sleep(Duration::from_millis(200)).await;
    stand.pass(50).await;
    each_slot_once(&stand, &job, 9).await;
    stand.pass(20).await;
    each_slot_once(&stand, &job, 10).await;
    let day = chrono::TimeDelta::days(1);
    manual.set(stand.now() + day);
    stand.settled().await;
    each_slot_once(&stand, &job, 154).await;
    manual.set(stand.now() - day);
    stand.pass(60).await;
    each_slot_once(&stand, &job, 154).await;
    stand.down().await;
}

async fn a_long_absence_is_decided_in_steps(ground: Ground) {
    let mut stand = Stand::with(ground, &[(&CATCH_UP_LIMIT, 5)]).await;
    let job = stand.job("minutely", json!({"schedule": "* * * * *", "catch_up": "all"})).await;
    stand.down().await;
    stand.world.pass(Duration::from_secs(1_000 * 60 + 30));
    stand.up().await;
    stand.settled().await;
    // The one that is half a minute old is on time; it waits for the others.
    stand.until_counts(&job, &[("missed", 994), ("succeeded", 6)]).await;
    each_slot_once(&stand, &job, 1_000).await;
    stand.down().await;
}

/// Promise 6: two daemons, one PostgreSQL, a simulated day. Many jobs in a soak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_write_exactly_one_row_for_each_slot() {
    let stand = Stand::on(stand::postgres().await).await;
    let second = stand::duties(&stand.stage);
    let parts = sl_actors::Parts { store: stand.world.ground.other().await, ..stand.parts.clone() };
    let second = world::start(parts, Some(second)).await;
    let (mut jobs, count) = (Vec::new(), if is_soak() { 1_000 } else { 40 });
    for number in 0..count {
        jobs.push(stand.job(&format!("job {number}"), json!({"schedule": "0 * * * *"})).await);
    }
    for _ in 0..24 {
        stand.pass(60).await;
    }
    for job in &jobs {
        each_slot_once(&stand, job, 24).await;
        let runs = stand.runs(job).await;
        assert!(runs.iter().all(|run| run.status == RunStatus::Succeeded), "{runs:?}");
    }
    assert_eq!(stand.stage.begun(), count * 24);
    second.drain(Duration::from_secs(5)).await;
    stand.down().await;
}
