//! What becomes of a slot while an earlier run goes on, and of a job that fails.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    caller::Scope,
    pause::{Missed, Resume, ResumeWork, Target},
    services::automation::{Job, RunStatus},
};

use super::{by_hand, stand::Stand};
use crate::world::{Ground, tenant, until};

by_hand! {
    overlapping_slots_do_as_the_rule_says
    a_buffered_run_does_not_begin_during_a_pause
    a_job_that_fails_too_often_is_paused_and_its_owner_may_resume_it
    a_job_whose_function_is_gone_fails
}

/// How many runs stand where.
type Standing = &'static [(&'static str, usize)];

async fn overlapping_slots_do_as_the_rule_says(ground: Ground) {
    let stand = Stand::on(ground).await;
    let cases: [(&str, Standing, Standing); 5] = [
        ("skip", &[("running", 1), ("skipped_overlap", 2)], &[("succeeded", 1), ("skipped_overlap", 2)]),
        (
            "buffer_one",
            &[("running", 1), ("queued", 1), ("skipped_overlap", 1)],
            &[("succeeded", 2), ("skipped_overlap", 1)],
        ),
        ("buffer_all", &[("running", 1), ("queued", 2)], &[("succeeded", 3)]),
        ("cancel_other", &[("running", 1), ("cancelled", 2)], &[("succeeded", 1), ("cancelled", 2)]),
        ("allow", &[("running", 3)], &[("succeeded", 3)]),
    ];
    stand.stage.close();
    let mut jobs = Vec::new();
    for (overlap, ..) in cases {
        jobs.push(stand.job(overlap, json!({"schedule": "* * * * *", "overlap": overlap})).await);
    }
    for passed in 1..=3 {
        stand.world.pass(Duration::from_mins(1));
        for job in &jobs {
            stand.until_rows(job, passed).await;
        }
    }
    for (job, (_, expected, _)) in jobs.iter().zip(cases) {
        stand.until_counts(job, expected).await;
    }
    stand.stage.open();
    for (job, (.., expected)) in jobs.iter().zip(cases) {
        stand.until_counts(job, expected).await;
    }
    stand.down().await;
}

async fn a_buffered_run_does_not_begin_during_a_pause(ground: Ground) {
    let stand = Stand::on(ground).await;
    stand.stage.close();
    let job = stand.job("buffers", json!({"schedule": "* * * * *", "overlap": "buffer_all"})).await;
    for passed in 1..=2 {
        stand.world.pass(Duration::from_mins(1));
        stand.until_rows(&job, passed).await;
    }
    stand.pause(&job).await;
    stand.stage.open();
    stand.until_counts(&job, &[("succeeded", 1), ("queued", 1)]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stand.until_counts(&job, &[("succeeded", 1), ("queued", 1)]).await;
    stand.resume(&job, Missed::All).await;
    stand.until_counts(&job, &[("succeeded", 2)]).await;
    stand.down().await;
}

async fn a_job_that_fails_too_often_is_paused_and_its_owner_may_resume_it(ground: Ground) {
    let stand = Stand::on(ground).await;
    stand.stage.fail();
    let job = stand.job("fails", json!({"schedule": "* * * * *", "max_failures": 2})).await;
    stand.pass(1).await;
    assert_eq!(stand.look(&job).await.consecutive_failures, 1);
    stand.pass(1).await;
    until("it is paused", async || stand.look(&job).await.status == "paused").await;
    assert_eq!(stand.look(&job).await.consecutive_failures, 2, "so many led to it");
    stand.world.pass(Duration::from_mins(10));
    tokio::time::sleep(Duration::from_millis(200)).await;
    stand.until_counts(&job, &[("failed", 2)]).await;
    let resume = ResumeWork { target: Target::of::<Job>(job.id), how: Resume { missed: Missed::Drop } };
    let owner = tenant(stand.account, &[Scope::Write]);
    stand.world.act_as(stand.account, owner, resume).await.expect("what a duty paused its owner may resume");
    stand.until_counts(&job, &[("failed", 2), ("skipped_paused", 10)]).await;
    let resumed = stand.look(&job).await;
    assert_eq!((resumed.status, resumed.consecutive_failures), ("active", 0));
    stand.pass(1).await;
    let again = stand.look(&job).await;
    assert_eq!((again.status, again.consecutive_failures), ("active", 1), "counted anew");
    stand.down().await;
}

async fn a_job_whose_function_is_gone_fails(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("orphan", json!({"schedule": "* * * * *"})).await;
    let store = &stand.world.core().store;
    let key = sl_store::Key::new(stand.account, stand.function);
    let function: sl_actors::services::functions::Function = store.get(key).await.unwrap();
    let mut batch = sl_store::Batch::new();
    batch.remove(&function);
    store.commit(batch).await.unwrap();
    stand.pass(1).await;
    let runs = stand.runs(&job).await;
    assert_eq!(runs[0].status, RunStatus::Failed);
    assert!(runs[0].reason.as_deref().is_some_and(|reason| reason.contains("function")), "{runs:?}");
    stand.down().await;
}
