//! Slots that nobody could decide about in time: a pause that ended by itself held them back, a suspension, a short outage.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    SYSTEM,
    pause::{NewPause, PauseWork, Target},
    services::{
        accounts::{AmendAccount, PatchAccount, Status},
        automation::{DUTY, Job, JobView, RunStatus},
    },
};

use super::{by_hand, stand::Stand};
use crate::world::Ground;

by_hand! {
    slots_of_a_pause_that_ends_by_itself_follow_catch_up
    slots_of_a_suspension_follow_catch_up
    slots_of_a_short_outage_are_not_skipped_for_each_other
}

/// How many of six slots run by each `catch_up`.
const RUNS: [(&str, usize); 3] = [("skip", 0), ("latest", 1), ("all", 6)];

impl Stand {
    /// Jobs that have six slots within the next half minute.
    async fn six_slots(&self, stage: &str) -> Vec<(JobView, usize)> {
        let mut jobs = Vec::new();
        for (catch_up, runs) in RUNS {
            let fields = json!({"schedule": "*/5 * * * * *", "catch_up": catch_up});
            jobs.push((self.job(&format!("{stage} {catch_up}"), fields).await, runs));
        }
        jobs
    }

    async fn pause_for(&self, target: Target, how_long: Duration) {
        let whose = if matches!(target, Target::Duty(_)) { SYSTEM } else { self.account };
        let new = NewPause { reason: "maintenance".to_owned(), until: Some(self.now() + how_long) };
        self.world.act(whose, PauseWork { target, new }).await.unwrap();
    }

    /// The last ones of them ran, and the others say that they were held back.
    async fn followed_catch_up(&self, jobs: &[(JobView, usize)]) {
        self.settled().await;
        for (job, runs) in jobs {
            let rows = self.runs(job).await;
            let ran: Vec<bool> = rows.iter().map(|run| run.status == RunStatus::Succeeded).collect();
            let expected: Vec<bool> = (0..6).map(|slot| slot >= 6 - runs).collect();
            assert_eq!(ran, expected, "{}: {rows:?}", job.name);
            for run in &rows[..6 - runs] {
                assert_eq!(run.status, RunStatus::Missed, "{}", job.name);
                assert!(run.reason.as_deref().unwrap().contains("held it back"), "{:?}", run.reason);
            }
        }
    }

    async fn set_status(&self, status: Status) {
        let patch = AmendAccount { status: Some(status), ..AmendAccount::default() };
        self.perform(PatchAccount { expected: None, patch }).await.unwrap();
    }
}

async fn slots_of_a_pause_that_ends_by_itself_follow_catch_up(ground: Ground) {
    let stand = Stand::on(ground).await;
    stand.world.pass(Duration::from_secs(3));
    let jobs = stand.six_slots("each").await;
    for (job, _) in &jobs {
        stand.pause_for(Target::of::<Job>(job.id), Duration::from_secs(29)).await;
    }
    stand.world.pass(Duration::from_secs(30));
    stand.followed_catch_up(&jobs).await;
    for target in [Target::Account, Target::Duty(DUTY.to_owned())] {
        let jobs = stand.six_slots(&format!("{target:?}")).await;
        stand.pause_for(target, Duration::from_secs(29)).await;
        stand.world.pass(Duration::from_secs(30));
        stand.followed_catch_up(&jobs).await;
    }
    stand.down().await;
}

async fn slots_of_a_suspension_follow_catch_up(ground: Ground) {
    let stand = Stand::on(ground).await;
    stand.world.pass(Duration::from_secs(3));
    let jobs = stand.six_slots("suspended").await;
    stand.set_status(Status::Suspended).await;
    stand.world.pass(Duration::from_secs(30));
    stand.set_status(Status::Active).await;
    stand.followed_catch_up(&jobs).await;
    for (job, runs) in &jobs {
        stand.world.pass(Duration::from_secs(5));
        stand.settled().await;
        let last = &stand.newest(job, 1).await[0];
        assert_eq!(last.status, RunStatus::Succeeded, "what comes after it is on time: {runs}");
    }
    stand.down().await;
}

async fn slots_of_a_short_outage_are_not_skipped_for_each_other(ground: Ground) {
    let mut stand = Stand::on(ground).await;
    let jobs = stand.six_slots("down").await;
    stand.down().await;
    stand.world.pass(Duration::from_secs(31));
    stand.up().await;
    stand.settled().await;
    for (job, runs) in &jobs {
        // The last is on time.
        let runs = (*runs).max(1);
        let expected = [("succeeded", runs), ("missed", 6 - runs)];
        let expected: Vec<_> = expected.into_iter().filter(|(_, count)| *count > 0).collect();
        stand.until_counts(job, &expected).await;
    }
    stand.down().await;
}
