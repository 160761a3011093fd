//! What anybody may ask without a token, and what nobody may.

use std::time::Duration;

use serde_json::json;
use sl_actors::settings::Settings;

use crate::world::{World, each_store, function, on_one_thread};

#[test]
fn health_is_open_and_everything_else_is_not() {
    each_store(async |world| {
        let anybody = world.client.without_token();
        for path in ["/healthz", "/livez", "/readyz"] {
            anybody.get(path).await.expect(200);
        }
        for path in ["/accounts", "/metrics", "/system/status"] {
            anybody.get(path).await.problem(401, "unauthorized");
            anybody.with_token("no-token-of-ours-at-all").get(path).await.problem(401, "unauthorized");
        }
    });
}

#[test]
fn a_daemon_answers_itself() {
    each_store(async |world| {
        world.daemon.is_alive(Duration::from_secs(5)).await.expect("it is alive");
    });
}

#[test]
fn the_status_says_which_walls_hold() {
    each_store(async |world| {
        let account = world.account().await;
        let function = function(&world.client, &account, "walls", "() => 1").await;
        world.client.post(&format!("{function}/execute"), &json!({})).await.expect(200);
        let status = world.client.get("/system/status").await.expect(200);
        let walls = status["sandbox"]["walls"].as_array().expect("a list").clone();
        for name in ["seccomp", "no_new_privileges", "resource_limits", "memory_watch"] {
            let wall = walls.iter().find(|wall| wall["name"] == name);
            assert!(wall.is_some_and(|wall| wall["held"] == true), "{name}: {walls:?}");
        }
        for wall in walls.iter().filter(|wall| wall["held"] == false) {
            assert!(wall["missing"].is_string(), "{wall}");
        }
    });
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    each_store(async |world| {
        world.client.get("/accounts/nothing/at/all").await.problem(404, "not_found");
        let refused = world.client.delete("/healthz").await;
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{refused}");
        refused.problem(405, "method_not_allowed");
    });
}

#[test]
fn a_request_keeps_its_id() {
    each_store(async |world| {
        let named = world.client.with_header("x-request-id", "mine-1").get("/accounts/none").await;
        assert_eq!(named.header("x-request-id"), Some("mine-1"), "{named}");
        assert_eq!(named.body["request_id"], "mine-1", "{named}");
    });
}

#[test]
fn a_drained_daemon_is_gone() {
    on_one_thread(async {
        let world = World::start(None, &Settings::default()).await;
        let client = world.client.clone();
        client.get("/readyz").await.expect(200);
        world.end().await;
        assert!(client.try_ask(reqwest::Method::GET, "/readyz", None).await.is_err());
    });
}

#[test]
fn the_settings_of_every_room_are_told() {
    each_store(async |world| {
        let told = world.client.get("/system/limits").await.expect(200);
        assert_eq!(told.get("next_cursor"), None);
        let names: Vec<&str> = told["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|limit| limit["name"].as_str())
            .collect();
        let known: Vec<&str> = sl_daemon::settings::catalogue().iter().map(|setting| setting.name).collect();
        assert_eq!(names, known);
    });
}

#[test]
fn an_empty_object_says_as_much_as_no_body() {
    each_store(async |world| {
        let account = world.account().await;
        let function = function(&world.client, &account, "quick", "() => 1").await;
        let ran = world
            .client
            .post(&format!("{function}/execute?wait=0s"), &serde_json::json!({}))
            .await
            .expect(202);
        let id = ran["id"].as_str().unwrap_or_default();
        let replay = format!("{account}/executions/{id}/replay");
        let again = world.client.post(&replay, &serde_json::json!({})).await;
        assert!(again.status < 300, "{again}");
        world.client.post(&replay, &serde_json::json!({"more": 1})).await.problem(422, "invalid");
    });
}
