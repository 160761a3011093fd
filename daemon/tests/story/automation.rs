//! Jobs: by the clock, by hand, by an event; in two phases; paused, previewed, backfilled, explained.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, each_store, function, text, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a job and answers its path.
async fn job(world: &World, account: &str, function: &str, mut fields: Value) -> String {
    fields["function_id"] = json!(function.rsplit('/').next());
    let made = world.client.post(&format!("{account}/automation/jobs"), &fields).await.expect(201);
    format!("{account}/automation/jobs/{}", text(&made, "id"))
}

fn first(seen: &Value) -> &Value {
    &seen["items"][0]
}

#[test]
fn a_job_checks_and_performs_by_the_clock_and_every_slot_has_its_row() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "(params) => params.phase === 'check' \
                      ? {shouldPerform: 'true', performPayload: {height: 7}} \
                      : {height: params.height, job: params.automation_job, slot: params.scheduled_for}";
        let f = function(&world.client, &account, "keeper", source).await;
        let fields = json!({"name": "keeper", "schedule": "@every 1s", "overlap": "buffer_one"});
        let path = job(world, &account, &f, fields).await;
        let runs = format!("{path}/runs?status=succeeded");
        let seen = until(&world.client, &runs, PATIENCE, |seen| {
            seen["items"].as_array().is_some_and(|i| i.len() > 1)
        })
        .await;
        let run = first(&seen);
        let ran = world
            .client
            .get(&format!("{account}/executions/{}", text(run, "execution_id")))
            .await
            .expect(200);
        assert_eq!((&ran["output"]["height"], &ran["trigger"]["kind"]), (&json!(7), &json!("job")), "{ran}");
        assert_eq!(ran["output"]["slot"], run["scheduled_for"], "{ran}");
        let checked = format!("{account}/executions/{}", text(run, "check_execution_id"));
        let checked = world.client.get(&checked).await.expect(200);
        assert_eq!(checked["input"]["phase"], "check", "{checked}");
        let off = world.client.patch(&path, &json!({"enabled": false})).await.expect(200);
        assert_eq!((off["status"].as_str(), off["next_run"].is_null()), (Some("disabled"), true), "{off}");
        let all = world.client.pages(&format!("{path}/runs"), 100).await;
        let mut slots: Vec<&str> = all.iter().flatten().map(|run| text(run, "scheduled_for")).collect();
        let rows = slots.len();
        slots.dedup();
        assert_eq!(slots.len(), rows, "no slot has two rows");
    });
}

#[test]
fn a_job_is_triggered_previewed_moved_paused_and_explained() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "plain", "(params) => ({got: params.what})").await;
        let path = job(world, &account, &f, json!({"name": "Plain", "schedule": "30 2 * * *", "timezone": "America/New_York", "dst_gap": "shift"})).await;
        let body = json!({"count": 2, "from": "2027-03-13T12:00:00Z"});
        let times = world.client.post(&format!("{path}/preview"), &body).await.expect(200);
        assert_eq!(times["items"], json!(["2027-03-14T07:30:00Z", "2027-03-15T06:30:00Z"]), "{times}");

        let moved = world.client.patch(&path, &json!({"next_run": "2090-01-01T00:00:00Z"})).await.expect(200);
        assert_eq!(moved["next_run"], "2090-01-01T00:00:00Z", "{moved}");
        let back = world.client.patch(&path, &json!({"next_run": ""})).await.expect(200);
        assert_ne!(back["next_run"], moved["next_run"], "{back}");

        world.client.post(&format!("{path}/pause"), &json!({"reason": "maintenance"})).await.expect(200);
        assert_eq!(world.client.get(&path).await.expect(200)["status"], "paused");
        let run = world
            .client
            .post(&format!("{path}/trigger"), &json!({"params": {"what": "luck"}}))
            .await
            .expect(202);
        let run = format!("{path}/runs/{}", text(&run, "id"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        let waits = world.client.get(&run).await.expect(200);
        assert_eq!(waits["status"], "queued", "{waits}");
        let why = world.client.get(&format!("{account}/why/{}", text(&waits, "id"))).await.expect(200);
        assert_eq!((&why["kind"], &why["causes"][0]["code"]), (&json!("run"), &json!("paused")), "{why}");
        world.client.post(&format!("{path}/resume"), &json!({"missed": "all"})).await.expect(200);
        let ended = until(&world.client, &run, PATIENCE, |seen| seen["status"] == "succeeded").await;
        let ran = world
            .client
            .get(&format!("{account}/executions/{}", text(&ended, "execution_id")))
            .await
            .expect(200);
        assert_eq!(ran["output"]["got"], "luck", "{ran}");

        world
            .client
            .post(
                &format!("{account}/automation/jobs"),
                &json!({"name": "bad", "schedule": "61 * * * *", "function_id": f.rsplit('/').next()}),
            )
            .await
            .problem(422, "invalid");
        world
            .client
            .post(
                &format!("{account}/automation/jobs"),
                &json!({"name": "plain", "schedule": "@daily", "function_id": f.rsplit('/').next()}),
            )
            .await
            .problem(409, "conflict");
        world.client.ask(Method::DELETE, &path, None).await.expect(204);
        world.client.get(&path).await.problem(404, "not_found");
    });
}

#[test]
fn a_function_schedules_itself_and_a_failing_job_is_paused() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "(params) => { if (params.automation_job) throw new Error('no luck'); \
                      Devpack.automation.schedule({name: 'own', schedule: '@every 1s', maxFailures: 2, description: 'mine'}); return {}; }";
        let f = function(&world.client, &account, "plans", source).await;
        let ran = world.client.post(&format!("{f}/execute"), &json!({})).await.expect(200);
        assert_eq!(ran["status"], "succeeded", "{ran}");
        let jobs = format!("{account}/automation/jobs?name=own");
        let seen = until(&world.client, &jobs, PATIENCE, |seen| first(seen)["status"] == "paused").await;
        let path = format!("{account}/automation/jobs/{}", text(first(&seen), "id"));
        let failed = world.client.get(&format!("{path}/runs?status=failed")).await.expect(200);
        assert_eq!(failed["items"].as_array().map(Vec::len), Some(2), "{failed}");
        assert!(text(first(&failed), "reason").contains("no luck"), "{failed}");
        let pauses = world.client.get("/system/pauses").await.expect(200);
        let ours = pauses["items"]
            .as_array()
            .and_then(|all| all.iter().find(|pause| pause["target"] == first(&seen)["id"]));
        assert_eq!(ours.map(|pause| &pause["actor"]), Some(&json!("duty:automation")), "{pauses}");
        let resumed = world.client.post(&format!("{path}/resume"), &json!({"missed": "drop"})).await;
        assert_eq!(resumed.status, 200, "{resumed}");
    });
}
