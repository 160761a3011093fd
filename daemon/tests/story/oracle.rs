//! Oracle: asked over HTTP by a tenant, answered by a resolver of theirs, paused and explained.

use std::time::Duration;

use serde_json::json;
use sl_store::{Clock as _, SystemClock};

use crate::world::{each_store, function, text, until};

#[test]
fn a_request_is_answered_by_a_resolver_and_reaches_its_function() {
    each_store(async |world| {
        let account = world.account().await;
        let sources = format!("{account}/oracle/sources");
        let new = json!({
            "name": "prices", "url": "https://prices.invalid/neo", "headers": {"x-api-key": "canary-31"},
            "result_type": "number", "rate_limit": "10/s",
        });
        let source = world.client.post(&sources, &new).await.expect(201);
        assert!(text(&source, "secret").starts_with("whsec_"), "{source}");
        assert!(!source.to_string().contains("canary-31"), "{source}");
        world.client.post(&sources, &new).await.problem(409, "conflict");
        let path = format!("{sources}/{}", text(&source, "id"));
        let read = world.client.get(&path).await.expect(200);
        assert_eq!((read.get("secret"), &read["rate_limit"]), (None, &json!("10/s")), "{read}");

        world.client.post(&format!("{path}/pause"), &json!({"reason": "upstream is down"})).await.expect(200);
        let listens = "(params) => ({ price: params.oracle_request.result })";
        let listens = function(&world.client, &account, "listens", listens).await;
        let callback = listens.rsplit('/').next().unwrap_or_default();
        let requests = format!("{account}/oracle/requests");
        let ask = json!({"data_source_id": source["id"], "callback_function_id": callback, "ttl": "10m"});
        let request = world.client.post(&requests, &ask).await.expect(201);
        let id = text(&request, "id");
        let why = world.client.get(&format!("{account}/why/{id}")).await.expect(200);
        assert!(why["causes"].to_string().contains("paused"), "{why}");

        let path = format!("{requests}/{id}");
        world.client.patch(&path, &json!({"status": "running"})).await.expect(200);
        world.client.patch(&path, &json!({"status": "succeeded"})).await.problem(422, "invalid");
        let done =
            world.client.patch(&path, &json!({"status": "succeeded", "result": "12.50"})).await.expect(200);
        assert_eq!((&done["status"], &done["result"]), (&json!("succeeded"), &json!("12.5")), "{done}");
        world.client.patch(&path, &json!({"status": "failed"})).await.problem(409, "invalid_state");
        let told = |seen: &serde_json::Value| seen["callback_execution_id"].is_string();
        let seen = until(&world.client, &path, Duration::from_secs(20), told).await;
        let run = format!("{account}/executions/{}", text(&seen, "callback_execution_id"));
        let ran = |seen: &serde_json::Value| seen["status"] == "succeeded";
        let ran = until(&world.client, &run, Duration::from_secs(20), ran).await;
        assert_eq!(ran["output"], json!({"price": "12.5"}), "{ran}");
        let page = world.client.get(&format!("{requests}?status=succeeded")).await.expect(200);
        assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
    });
}

#[test]
fn a_callback_needs_a_signature_and_no_token() {
    each_store(async |world| {
        let account = world.account().await;
        let new = json!({"name": "later", "url": "https://later.invalid/"});
        let source = world.client.post(&format!("{account}/oracle/sources"), &new).await.expect(201);
        let ask = json!({"data_source_id": source["id"]});
        let request = world.client.post(&format!("{account}/oracle/requests"), &ask).await.expect(201);
        let path = format!("{account}/oracle/requests/{}/callback", text(&request, "id"));
        let anybody = world.client.without_token();
        let says = json!({"status": "succeeded", "result": 1});
        anybody.post(&path, &says).await.problem(401, "unauthorized");
        let now = SystemClock.now().timestamp();
        let forged = anybody
            .with_header("webhook-id", "msg_1")
            .with_header("webhook-timestamp", &now.to_string())
            .with_header("webhook-signature", "v1,AAAA");
        forged.post(&path, &says).await.problem(401, "unauthorized");
        world.client.post(&path, &says).await.problem(401, "unauthorized");
    });
}
