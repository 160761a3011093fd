//! Triggers, previews, backfills, events, and why something waits.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use serde_json::json;
use sl_actors::{
    EventQuery, Parts,
    caller::Caller,
    pause::Missed,
    services::automation::{
        Backfill, BackfillJob, Backfilled, NewRun, Preview, PreviewJob, RunKind, SERVICE, TriggerJob,
    },
    why::Why,
};
use sl_store::Batch;

use super::{by_hand, stand::Stand};
use crate::world::{self, Ground, until};

by_hand! {
    a_triggered_run_begins_at_once_unless_the_job_is_paused
    a_backfill_runs_what_never_ran
    backfills_at_once_are_all_answered
    a_preview_tells_the_next_times
    an_event_makes_exactly_one_run_of_each_job_that_waits_for_it
    why_tells_what_a_job_and_a_run_wait_for
}

async fn a_triggered_run_begins_at_once_unless_the_job_is_paused(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("off", json!({"schedule": "@daily", "enabled": false, "description": null})).await;
    assert_eq!(job.description, "", "what is null is as absent");
    let trigger = || {
        let params = json!({"height": 7}).as_object().cloned().unwrap();
        TriggerJob { job_id: job.id, new: NewRun { params } }
    };
    let run = stand.perform(trigger()).await.unwrap();
    assert_eq!((run.kind, run.scheduled_for), (RunKind::Manual, None));
    stand.until_counts(&job, &[("succeeded", 1)]).await;
    let input = &stand.stage.inputs()[0];
    assert_eq!((&input["height"], &input["phase"]), (&json!(7), &json!("check")), "{input}");
    assert_eq!(input["automation_job"], json!(job.id), "{input}");
    stand.pause(&job).await;
    stand.perform(trigger()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stand.until_counts(&job, &[("succeeded", 1), ("queued", 1)]).await;
    stand.resume(&job, Missed::Drop).await;
    stand.until_counts(&job, &[("succeeded", 1), ("skipped_paused", 1)]).await;
    stand.down().await;
}

async fn a_backfill_runs_what_never_ran(ground: Ground) {
    let mut stand = Stand::on(ground).await;
    let job = stand.job("late", json!({"schedule": "*/5 * * * *", "catch_up": "skip"})).await;
    stand.pass(5).await;
    stand.down().await;
    stand.world.pass(Duration::from_mins(32));
    stand.up().await;
    stand.until_counts(&job, &[("succeeded", 1), ("missed", 6)]).await;
    let (from, to) = (stand.now() - TimeDelta::minutes(60), stand.now());
    let backfill = || BackfillJob { job_id: job.id, which: Backfill { from, to } };
    // Five slots before the job was made have no row.
    let done = stand.perform(backfill()).await.unwrap();
    assert_eq!(done, Backfilled { queued: 6 + 5, kept: 1 });
    stand.until_counts(&job, &[("succeeded", 12)]).await;
    assert_eq!(stand.perform(backfill()).await.unwrap(), Backfilled { queued: 0, kept: 12 });
    let far = Backfill { from: stand.now() - TimeDelta::days(30), to };
    let fault = stand.perform(BackfillJob { job_id: job.id, which: far }).await.unwrap_err();
    assert!(fault.fields[0].detail.contains("automation.backfill"), "{fault:?}");
    stand.down().await;
}

async fn backfills_at_once_are_all_answered(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("many", json!({"schedule": "*/5 * * * *", "overlap": "allow"})).await;
    stand.pass(5).await;
    let (from, to) = (stand.now() - TimeDelta::minutes(60), stand.now());
    let mut daemons = Vec::new();
    for _ in 0..10 {
        let parts = Parts { store: stand.world.ground.other().await, ..stand.parts.clone() };
        daemons.push(world::start(parts, Some(Vec::new())).await);
    }
    let asked = daemons.iter().map(|daemon| {
        let backfill = BackfillJob { job_id: job.id, which: Backfill { from, to } };
        daemon.perform(stand.account, Arc::new(Caller::operator("alice")), None, backfill)
    });
    let answers = futures_util::future::join_all(asked).await;
    let queued: Vec<usize> = answers.into_iter().map(|answer| answer.unwrap().queued).collect();
    assert_eq!(queued.iter().sum::<usize>(), 12, "each slot by one of them: {queued:?}");
    assert_eq!(stand.runs(&job).await.len(), 13);
    for daemon in daemons {
        daemon.drain(Duration::from_secs(5)).await;
    }
    stand.down().await;
}

async fn a_preview_tells_the_next_times(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand
        .job("shown", json!({"schedule": "30 2 * * *", "timezone": "America/New_York", "dst_gap": "shift"}))
        .await;
    let from = Some("2027-03-13T12:00:00Z".parse().unwrap());
    let times =
        stand.perform(PreviewJob { job_id: job.id, which: Preview { count: Some(2), from } }).await.unwrap();
    let times: Vec<String> = times.items.iter().map(chrono::DateTime::to_rfc3339).collect();
    assert_eq!(times, ["2027-03-14T07:30:00+00:00", "2027-03-15T06:30:00+00:00"]);
    let too_many = PreviewJob { job_id: job.id, which: Preview { count: Some(501), from: None } };
    assert_eq!(stand.perform(too_many).await.unwrap_err().fields[0].pointer, "/count");
    stand.down().await;
}

async fn an_event_makes_exactly_one_run_of_each_job_that_waits_for_it(ground: Ground) {
    let stand = Stand::on(ground).await;
    let all = stand.job("all jobs", json!({"on": {"kind": "job.*"}})).await;
    let one =
        stand.job("one name", json!({"on": {"kind": "job.created", "filter": {"/name": "wanted"}}})).await;
    let off = stand.job("off", json!({"on": {"kind": "*"}, "enabled": false})).await;
    let wanted = stand.job("wanted", json!({"schedule": "@daily"})).await;
    let core = stand.world.core().clone();
    let query = || EventQuery { account: Some(stand.account), limit: 100, ..EventQuery::default() };
    until("the event can be read", async || {
        core.store.events(query()).await.unwrap().iter().any(|event| event.subject == wanted.id)
    })
    .await;
    let events = core.store.events(query()).await.unwrap();
    let hear = SERVICE.hear.unwrap();
    let mut batch = Batch::new();
    hear(&core, &events, &mut batch).await.unwrap();
    core.store.commit(batch.clone()).await.unwrap();
    core.bells.ring("automation");
    stand.settled().await;
    assert_eq!(stand.runs(&one).await.len(), 1);
    assert_eq!(stand.runs(&all).await.len(), 3, "each job made after it was an event");
    assert!(stand.runs(&off).await.is_empty());
    let input =
        stand.stage.inputs().into_iter().find(|input| input["automation_job"] == json!(one.id)).unwrap();
    assert_eq!(input["event"]["data"]["name"], "wanted", "{input}");
    assert!(core.store.commit(batch).await.is_err(), "the same events make no other runs");
    let heard = core.store.events(query()).await.unwrap();
    let mut echo = Batch::new();
    let own: Vec<_> = heard.into_iter().filter(|event| event.actor.starts_with("listener:")).collect();
    hear(&core, &own, &mut echo).await.unwrap();
    assert!(echo.is_empty(), "jobs do not hear what jobs that wait for events do");
    stand.down().await;
}

async fn why_tells_what_a_job_and_a_run_wait_for(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("waits", json!({"schedule": "* * * * *", "overlap": "buffer_all"})).await;
    let why = stand.perform(Why(job.id)).await.unwrap();
    assert_eq!((why.kind.as_str(), why.status.as_str()), ("job", "active"));
    assert!(why.causes.iter().any(|cause| cause.code == "scheduled"), "{why:?}");
    stand.stage.close();
    for passed in 1..=2 {
        stand.world.pass(Duration::from_mins(1));
        stand.until_rows(&job, passed).await;
    }
    let runs = stand.newest(&job, 2).await;
    let behind = stand.perform(Why(runs[0].id)).await.unwrap();
    assert!(behind.causes.iter().any(|cause| cause.code == "behind_run"), "{behind:?}");
    let running = stand.perform(Why(runs[1].id)).await.unwrap();
    assert!(running.causes.iter().any(|cause| cause.code == "execution"), "{running:?}");
    stand.pause(&job).await;
    let paused = stand.perform(Why(job.id)).await.unwrap();
    assert_eq!((paused.status.as_str(), paused.causes[0].code), ("paused", "paused"), "{paused:?}");
    stand.stage.open();
    stand.down().await;
}
