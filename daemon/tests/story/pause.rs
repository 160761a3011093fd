//! Pausing and resuming, and why something waits.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, each_store, function, on_one_thread, text, until};

/// Pauses the duty that runs executions.
async fn pause(world: &World) {
    let body = json!({"reason": "maintenance"});
    let answer = world.client.post("/system/duties/executions/pause", &body).await;
    assert!(answer.status < 300, "{answer}");
}

async fn resume(world: &World, missed: &str) -> Value {
    let answer = world.client.post("/system/duties/executions/resume", &json!({"missed": missed})).await;
    assert!(answer.status < 300, "{answer}");
    answer.body
}

#[test]
fn what_is_paused_waits_says_why_and_goes_on() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "waits", "() => 1").await;
        pause(world).await;
        let listed = world.client.get("/system/pauses").await.expect(200);
        let ours = listed["items"]
            .as_array()
            .and_then(|items| items.iter().find(|item| item["target"] == "executions"));
        let ours = ours.unwrap_or_else(|| panic!("{listed}"));
        assert_eq!((&ours["reason"], &ours["scope"]), (&json!("maintenance"), &json!("duty")), "{listed}");
        assert!(text(ours, "actor").contains("tester"), "{listed}");
        tokio::time::sleep(Duration::from_millis(250)).await;

        let queued = world.client.post(&format!("{path}/execute?wait=300ms"), &json!({})).await.expect(202);
        assert_eq!(queued["status"], "queued", "{queued}");
        let why = world.client.get(&format!("{account}/why/{}", text(&queued, "id"))).await.expect(200);
        assert_eq!(why["causes"][0]["code"], "paused", "{why}");
        assert!(text(&why["causes"][0], "detail").contains("maintenance"), "{why}");

        resume(world, "all").await;
        let execution = format!("{account}/executions/{}", text(&queued, "id"));
        until(&world.client, &execution, Duration::from_secs(20), |seen| seen["status"] == "succeeded").await;
    });
}

#[test]
fn a_pause_outlives_the_daemon() {
    on_one_thread(async {
        let world = World::on_postgres().await;
        let account = world.account().await;
        let path = function(&world.client, &account, "waits", "() => 1").await;
        pause(&world).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        let queued = world.client.post(&format!("{path}/execute?wait=0s"), &json!({})).await.expect(202);
        let second = world.beside().await;
        world.end().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let execution = format!("{account}/executions/{}", text(&queued, "id"));
        assert_eq!(second.client.get(&execution).await.expect(200)["status"], "queued");
        resume(&second, "all").await;
        until(&second.client, &execution, Duration::from_secs(20), |seen| seen["status"] == "succeeded")
            .await;
        second.end().await;
    });
}

#[test]
fn what_is_dropped_at_resume_does_not_run() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "waits", "() => 1").await;
        pause(world).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
        let mut queued = Vec::new();
        for _ in 0..3 {
            let answer = world.client.post(&format!("{path}/execute?wait=0s"), &json!({})).await.expect(202);
            queued.push(format!("{account}/executions/{}", text(&answer, "id")));
        }
        resume(world, "drop").await;
        for execution in queued {
            let ended =
                until(&world.client, &execution, Duration::from_secs(10), |seen| seen["status"] != "queued")
                    .await;
            assert_eq!(ended["status"], "cancelled", "{ended}");
        }
    });
}

#[test]
fn a_pause_is_of_what_its_path_names() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "paused", "() => 1").await;
        let id = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let new = json!({"name": "t", "scopes": ["read"]});
        let token = world.client.post(&format!("{account}/tokens"), &new).await.expect(201);
        let foreign = [
            format!("{account}/functions/{}", id(&account)),
            format!("{account}/functions/{}", text(&token, "id")),
            format!("{account}/automation/jobs/{}", id(&path)),
        ];
        for one in foreign {
            for verb in ["pause", "resume"] {
                world.client.post(&format!("{one}/{verb}"), &json!({})).await.problem(404, "not_found");
            }
        }
        let listed = world.client.get(&format!("{account}/pauses")).await.expect(200);
        assert_eq!(listed["items"], json!([]), "{listed}");

        let status = async || world.client.get(&path).await.expect(200)["status"].clone();
        assert_eq!(status().await, "active");
        world.client.post(&format!("{path}/pause"), &json!({})).await.expect(200);
        assert_eq!(status().await, "paused", "as jobs show it");
        let why = world.client.get(&format!("{account}/why/{}", id(&path))).await.expect(200);
        assert_eq!((&why["kind"], &why["status"]), (&json!("function"), &json!("paused")), "{why}");
        world.client.post(&format!("{path}/resume"), &json!({})).await.expect(200);
        assert_eq!(status().await, "active");
    });
}
