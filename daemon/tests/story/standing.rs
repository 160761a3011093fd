//! What things stand as, how they are changed, and that a pause shows the same everywhere.

use reqwest::Method;
use serde_json::{Value, json};

use super::wallets::ADDRESS;
use crate::world::{World, each_store, function, text};

/// One of everything that has a status of its own, by path.
async fn one_of_each(world: &World, account: &str, function_id: &str) -> Vec<String> {
    let make = async |path: &str, new: Value| {
        let made = world.client.post(&format!("{account}/{path}"), &new).await;
        assert!(matches!(made.status, 200 | 201), "{path}: {made:?}");
        assert_eq!(made.body["status"], "active", "{path}: {made:?}");
        format!("{account}/{path}/{}", text(&made.body, "id"))
    };
    let feed = json!({
        "base_asset": "NEO", "quote_asset": "USD", "deviation_percent": "1",
        "sources": ["https://prices.invalid/neo"],
    });
    vec![
        make("automation/jobs", json!({"name": "j", "function_id": function_id, "schedule": "@daily"})).await,
        make("triggers", json!({"function_id": function_id, "rule": "@daily"})).await,
        make("webhooks", json!({"url": "https://receiver.invalid/hook"})).await,
        make("oracle/sources", json!({"name": "s", "url": "https://source.invalid/"})).await,
        make("pricefeeds", feed).await,
        make("gasbank", json!({"wallet_address": ADDRESS})).await,
    ]
}

#[test]
fn a_pause_shows_the_same_wherever_one_looks() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "runs", "() => 1").await;
        for path in one_of_each(world, &account, f.rsplit('/').next().unwrap_or_default()).await {
            let (all, id) = path.rsplit_once('/').unwrap_or_default();
            let stands = async || {
                let one = world.client.get(&path).await.expect(200)["status"].clone();
                let listed = world.client.get(all).await.expect(200)["items"][0]["status"].clone();
                let why =
                    world.client.get(&format!("{account}/why/{id}")).await.expect(200)["status"].clone();
                [one, listed, why]
            };
            assert_eq!(stands().await, ["active"; 3], "{path}");
            world.client.post(&format!("{path}/pause"), &json!({"reason": "maintenance"})).await.expect(200);
            assert_eq!(stands().await, ["paused"; 3], "{path}");
            world.client.post(&format!("{path}/resume"), &json!({})).await.expect(200);
            assert_eq!(stands().await, ["active"; 3], "{path}");
        }
    });
}

#[test]
fn a_change_leaves_alone_what_it_does_not_name() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "runs", "() => 1").await;
        let function_id = f.rsplit('/').next().unwrap_or_default();
        let triggers = format!("{account}/triggers");
        let config = json!({
            "scheme": "stripe", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "schema": {"type": "object"}, "URL": "https://old.example/x", "method": "put",
        });
        let new = json!({"function_id": function_id, "type": "webhook", "config": config});
        let made = world.client.post(&triggers, &new).await.expect(201);
        assert_eq!(made["config"]["method"], "PUT", "{made}");
        let path = format!("{triggers}/{}", text(&made, "id"));
        let labelled =
            world.client.patch(&path, &json!({"config": {"Label": "x", "schema": null}})).await.expect(200);
        let kept = json!({"scheme": "stripe", "label": "x", "url": "https://old.example/x", "method": "PUT"});
        assert_eq!((&labelled["config"], &labelled["version"]), (&kept, &json!(2)), "{labelled}");
        let same =
            world.client.patch(&path, &json!({"config": {"label": "x"}, "enabled": true})).await.expect(200);
        assert_eq!(same["version"], 2, "nothing changed: {same}");
        let posts = world.client.patch(&path, &json!({"config": {"method": null}})).await.expect(200);
        assert_eq!(posts["config"]["method"], "POST", "{posts}");
        let new = json!({"function_id": function_id, "type": "event", "rule": "*", "config": {"filter": {"/a": 1}}});
        let event = world.client.post(&triggers, &new).await.expect(201);
        let hears = format!("{triggers}/{}", text(&event, "id"));
        let hears_still = world.client.patch(&hears, &json!({"config": {"label": "y"}})).await.expect(200);
        assert_eq!(hears_still["config"], json!({"filter": {"/a": 1}, "label": "y"}), "{hears_still}");
        let bad = world.client.patch(&hears, &json!({"config": {"filter": {"name": 1}}})).await;
        assert_eq!(bad.problem(422, "invalid")["errors"][0]["pointer"], "/config/filter");

        world.client.delete(&f).await.expect(204);
        world.client.patch(&hears, &json!({"config": {"label": null}})).await.expect(200);
        let off = world.client.ask(Method::POST, &format!("{hears}/disable"), None).await.expect(200);
        assert_eq!(off["status"], "disabled", "{off}");
        let why = world.client.get(&format!("{account}/why/{}", text(&event, "id"))).await.expect(200);
        assert!(why["causes"].to_string().contains("missing_function"), "{why}");
        let on =
            world.client.ask(Method::POST, &format!("{hears}/enable"), None).await.problem(422, "invalid");
        assert_eq!(on["errors"][0]["pointer"], "/function_id", "{on}");
    });
}
