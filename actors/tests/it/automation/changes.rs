//! Creating, changing, moving and removing jobs.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sl_actors::{
    Code, Fault,
    resource::{Create, Remove},
    services::{
        automation::{AmendJob, ChangeJob, Job, JobView, NewJob},
        functions::Function,
    },
    why::Why,
};
use sl_store::WorkQuery;

use super::{by_hand, stand::Stand};
use crate::world::Ground;

by_hand! {
    bad_jobs_are_refused_by_field_rule_and_bound
    a_job_has_one_item_through_every_change
    the_next_run_can_be_moved_and_moved_back
    a_job_that_is_removed_leaves_nothing
    a_run_is_no_change_of_the_job
    start_and_end_bound_the_slots
    null_puts_back_what_is_usual_and_no_change_is_no_version
    a_job_of_a_removed_function_can_be_changed_and_disabled
}

async fn refusal(stand: &Stand, mut fields: Value) -> Fault {
    if fields.get("function_id").is_none() {
        fields["function_id"] = json!(stand.function);
    }
    let new: NewJob = serde_json::from_value(fields).unwrap();
    stand.perform(Create::<Job>(new)).await.unwrap_err()
}

async fn bad_jobs_are_refused_by_field_rule_and_bound(ground: Ground) {
    let stand = Stand::on(ground).await;
    stand.job("Taken", json!({"schedule": "@daily"})).await;
    let cases = [
        (json!({"name": "a", "schedule": "61 * * * *"}), "/schedule", "bounds"),
        (json!({"name": "a", "schedule": "0 0 30 2 *"}), "/schedule", "never"),
        (json!({"name": "a", "schedule": "at 2020-01-01T00:00:00Z"}), "/schedule", "never"),
        (json!({"name": "a"}), "/schedule", "required"),
        (json!({"name": "a", "schedule": "@daily", "on": {"kind": "x.*"}}), "/schedule", "either_or"),
        (json!({"name": "a", "schedule": "@daily", "timezone": "Mars/Olympus"}), "/timezone", "zone"),
        (json!({"name": "a", "schedule": "@daily", "jitter": "25h"}), "/jitter", "bounds"),
        (json!({"name": "a", "schedule": "@daily", "max_failures": -1}), "/max_failures", "bounds"),
        (json!({"name": "a", "schedule": "@daily", "function_id": stand.account}), "/function_id", "missing"),
        (json!({"name": " ", "schedule": "@daily"}), "/name", "length"),
        (json!({"name": "a", "on": {"kind": "a*b"}}), "/on/kind", "form"),
        (json!({"name": "a", "on": {"kind": "a", "filter": {"data": 1}}}), "/on/filter/data", "form"),
    ];
    for (fields, pointer, rule) in cases {
        let fault = refusal(&stand, fields.clone()).await;
        let found: Vec<_> = fault.fields.iter().map(|field| (field.pointer.as_str(), field.rule)).collect();
        assert_eq!(found, [(pointer, rule)], "{fields}: {fault:?}");
    }
    let fault = refusal(&stand, json!({"name": "taken", "schedule": "@daily"})).await;
    assert_eq!(fault.code, Code::Conflict, "{fault:?}");
    stand.down().await;
}

async fn amend(stand: &Stand, job: &JobView, patch: Value) -> Result<JobView, Fault> {
    let patch: AmendJob = serde_json::from_value(patch).unwrap();
    stand.perform(ChangeJob { id: job.id, expected: None, patch }).await
}

/// When each of the job's items is due.
async fn items(stand: &Stand, job: &JobView) -> Vec<DateTime<Utc>> {
    let query =
        WorkQuery { account: Some(stand.account), gate: Some(job.id), limit: 10, ..WorkQuery::default() };
    let found = stand.world.core().store.work(query).await.unwrap();
    found.iter().map(|item| item.due_at).collect()
}

async fn a_job_has_one_item_through_every_change(ground: Ground) {
    let stand = Stand::on(ground).await;
    let start = stand.now();
    let in_minutes = |minutes| vec![start + TimeDelta::minutes(minutes)];
    let job = stand.job("changes", json!({"schedule": "*/10 * * * *"})).await;
    assert_eq!(items(&stand, &job).await, in_minutes(10));
    amend(&stand, &job, json!({"schedule": "*/15 * * * *"})).await.unwrap();
    assert_eq!(items(&stand, &job).await, in_minutes(15));
    amend(&stand, &job, json!({"description": "the same slots"})).await.unwrap();
    assert_eq!(items(&stand, &job).await, in_minutes(15));
    let off = amend(&stand, &job, json!({"enabled": false})).await.unwrap();
    assert_eq!((off.status, off.next_run), ("disabled", None));
    assert!(items(&stand, &job).await.is_empty());
    stand.pass(60).await;
    let on = amend(&stand, &job, json!({"enabled": true})).await.unwrap();
    assert_eq!((on.status, on.next_run), ("active", Some(in_minutes(75)[0])));
    assert!(stand.runs(&job).await.is_empty(), "a disabled job has no slots");
    let listens = amend(&stand, &job, json!({"on": {"kind": "execution.failed"}})).await.unwrap();
    assert_eq!((listens.schedule, listens.next_run), (None, None));
    assert!(items(&stand, &job).await.is_empty());
    amend(&stand, &job, json!({"schedule": "@every 90m", "timezone": "America/New_York"})).await.unwrap();
    assert_eq!(items(&stand, &job).await, in_minutes(150));
    stand.down().await;
}

async fn the_next_run_can_be_moved_and_moved_back(ground: Ground) {
    let stand = Stand::on(ground).await;
    let start = stand.now();
    let at = |minutes| start + TimeDelta::minutes(minutes);
    let job = stand.job("moves", json!({"schedule": "0 * * * *"})).await;
    let moved = amend(&stand, &job, json!({"next_run": at(7)})).await.unwrap();
    assert_eq!(moved.next_run, Some(at(7)));
    let back = amend(&stand, &job, json!({"next_run": ""})).await.unwrap();
    assert_eq!(back.next_run, Some(at(60)));
    amend(&stand, &job, json!({"next_run": at(90)})).await.unwrap();
    stand.pass(61).await;
    assert!(stand.runs(&job).await.is_empty(), "what was moved does not come where it was");
    stand.pass(30).await;
    stand.pass(30).await;
    let slots: Vec<_> = stand.runs(&job).await.iter().filter_map(|run| run.scheduled_for).collect();
    assert_eq!(slots, [at(90), at(120)]);
    let fault = amend(&stand, &job, json!({"next_run": at(100)})).await.unwrap_err();
    assert_eq!((fault.fields[0].pointer.as_str(), fault.fields[0].rule), ("/next_run", "future"));
    stand.down().await;
}

async fn a_job_that_is_removed_leaves_nothing(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("goes", json!({"schedule": "* * * * *"})).await;
    stand.pass(2).await;
    stand.perform(Remove::<Job>::new(job.id, None)).await.unwrap();
    assert!(items(&stand, &job).await.is_empty());
    assert!(stand.runs(&job).await.is_empty());
    stand.job("goes", json!({"schedule": "* * * * *"})).await;
    stand.down().await;
}

async fn a_run_is_no_change_of_the_job(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("steady", json!({"schedule": "* * * * *"})).await;
    stand.pass(3).await;
    let seen = stand.look(&job).await;
    assert_eq!((seen.version, seen.last_run), (1, Some(stand.now())));
    let patch = serde_json::from_value(json!({"name": "renamed"})).unwrap();
    let renamed = stand.perform(ChangeJob { id: job.id, expected: Some(1), patch }).await.unwrap();
    assert_eq!(renamed.version, 2);
    stand.down().await;
}

async fn start_and_end_bound_the_slots(ground: Ground) {
    let stand = Stand::on(ground).await;
    let at = |minutes| stand.now() + TimeDelta::minutes(minutes);
    let (start, end) = (at(20), at(40));
    let fields = json!({"schedule": "*/10 * * * *", "starts_at": start, "ends_at": end});
    let job = stand.job("bounded", fields).await;
    for _ in 0..6 {
        stand.pass(10).await;
    }
    let slots: Vec<_> = stand.runs(&job).await.iter().filter_map(|run| run.scheduled_for).collect();
    assert_eq!(slots, [start, start + TimeDelta::minutes(10), end]);
    assert_eq!(stand.look(&job).await.status, "ended");
    stand.down().await;
}

async fn null_puts_back_what_is_usual_and_no_change_is_no_version(ground: Ground) {
    let stand = Stand::on(ground).await;
    let fields = json!({
        "schedule": "0 * * * *", "jitter": "5s", "max_failures": 3, "overlap": "allow", "catch_up": "all",
        "timezone": "America/New_York", "phases": "once", "description": "what for", "catch_up_window": "1h",
    });
    let job = stand.job("cleared", fields.clone()).await;
    let same = amend(&stand, &job, fields).await.unwrap();
    assert_eq!((same.version, same.updated_at), (1, job.updated_at), "nothing changed");
    assert_eq!(same.next_run, job.next_run);
    let nulls = json!({
        "jitter": null, "max_failures": null, "overlap": null, "catch_up": null, "timezone": null,
        "phases": null, "description": null, "catch_up_window": null,
    });
    let plain = stand.job("plain", json!({"schedule": "0 * * * *"})).await;
    let cleared = amend(&stand, &job, nulls.clone()).await.unwrap();
    let told = |job: &JobView| {
        let mut told = serde_json::to_value(job).unwrap();
        for name in ["id", "name", "version", "created_at", "updated_at"] {
            told[name].take();
        }
        told
    };
    assert_eq!((cleared.version, told(&cleared)), (2, told(&plain)));
    assert_eq!(amend(&stand, &job, nulls).await.unwrap().version, 2);
    stand.down().await;
}

async fn a_job_of_a_removed_function_can_be_changed_and_disabled(ground: Ground) {
    let stand = Stand::on(ground).await;
    let job = stand.job("orphan", json!({"schedule": "* * * * *"})).await;
    stand.perform(Remove::<Function>::new(stand.function, None)).await.unwrap();
    let why = stand.perform(Why(job.id)).await.unwrap();
    assert!(why.causes.iter().any(|cause| cause.code == "missing_function"), "{why:?}");
    amend(&stand, &job, json!({"description": "an orphan"})).await.unwrap();
    let off = amend(&stand, &job, json!({"enabled": false})).await.unwrap();
    assert_eq!(off.status, "disabled");
    for names in [json!({"enabled": true}), json!({"function_id": stand.function})] {
        let fault = amend(&stand, &job, names).await.unwrap_err();
        assert_eq!((fault.fields[0].pointer.as_str(), fault.fields[0].rule), ("/function_id", "missing"));
    }
    let function = super::stand::function(stand.world.core(), stand.account).await;
    let on = amend(&stand, &job, json!({"enabled": true, "function_id": function})).await.unwrap();
    assert_eq!(on.status, "active");
    stand.down().await;
}
