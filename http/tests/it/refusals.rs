//! The audit of what was refused: who tried to change what, from where, and what they were told.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, OPERATOR, Running, send, start};

async fn audit(server: &Running, account: &str, request_id: &str) -> Vec<Value> {
    let told = server.get(&format!("{account}/audit?request_id={request_id}")).await;
    assert_eq!(told.status, StatusCode::OK, "{told:?}");
    told.json()["items"].as_array().expect("items").clone()
}

/// One request of its own id, which says what is tried.
struct Try<'a> {
    id: &'a str,
    token: &'a str,
    method: Method,
    path: String,
    body: Value,
}

impl Try<'_> {
    async fn send(&self, server: &Running) -> Answer {
        let request = server.request(self.method.clone(), &self.path, self.token);
        send(request.header("x-request-id", self.id).header("if-match", "\"99\"").json(&self.body)).await
    }
}

#[tokio::test(flavor = "local")]
async fn each_refused_change_is_told_once() {
    let server = start().await;
    let account = server.account().await;
    let reader = server.token(&account, &["read"]).await;
    let writer = server.token(&account, &["write"]).await;
    let functions = format!("{account}/functions");
    let new = json!({"name": "f", "source": "() => 1"});
    let made = server.post(&functions, new.clone()).await.json();
    let id = made["id"].as_str().expect("an id");
    let one = format!("{functions}/{id}");
    let owner = account.trim_start_matches("/accounts/");
    let rename = json!({"name": "g"});
    for (name, token, method, path, body, status, code, subject) in [
        ("forbidden", &reader, Method::POST, &functions, &new, 403, "forbidden", owner),
        ("conflict", &writer, Method::POST, &functions, &new, 409, "conflict", owner),
        ("version", &writer, Method::PATCH, &one, &rename, 412, "version_mismatch", id),
        ("invalid", &writer, Method::POST, &functions, &json!({}), 422, "invalid", owner),
        ("missing", &writer, Method::DELETE, &format!("{functions}/x"), &json!({}), 404, "not_found", owner),
        ("operators", &writer, Method::POST, &"/accounts".to_owned(), &json!({}), 403, "forbidden", owner),
    ] {
        let tried = Try { id: name, token, method, path: path.clone(), body: body.clone() };
        assert_eq!(tried.send(&server).await.status.as_u16(), status, "{name}");
        let told = audit(&server, &account, name).await;
        let [entry] = told.as_slice() else { panic!("{name}: {told:?}") };
        assert_eq!((&entry["action"], &entry["outcome"]), (&json!("request.refused"), &json!("refused")));
        assert_eq!(
            (&entry["data"]["status"], &entry["data"]["code"]),
            (&json!(status), &json!(code)),
            "{entry}"
        );
        assert_eq!((&entry["origin"], &entry["subject"]), (&json!("127.0.0.1"), &json!(subject)), "{entry}");
        assert!(entry["actor"].as_str().is_some_and(|actor| actor.starts_with("token:")), "{entry}");
        assert!(entry["data"]["operation"].is_string(), "{entry}");
    }
    let read =
        server.request(Method::GET, &format!("{account}/audit"), &reader).header("x-request-id", "read");
    assert_eq!(send(read).await.status, StatusCode::FORBIDDEN);
    let broken = Try { id: "broken", token: &writer, method: Method::POST, path: functions, body: json!([]) };
    assert_eq!(broken.send(&server).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(audit(&server, &account, "read").await.is_empty(), "a read changes nothing");
    assert_eq!(audit(&server, &account, "broken").await.len(), 1);
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("service_layer_audit_refusals_total{outcome=\"written\"} 7"), "{metrics}");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_refusal_stands_where_whoever_was_refused_belongs() {
    let server = start().await;
    let (own, foreign) = (server.account().await, server.account().await);
    let token = server.token(&own, &["write", "admin"]).await;
    let functions = format!("{foreign}/functions");
    let reach =
        Try { id: "reach", token: &token, method: Method::POST, path: functions.clone(), body: json!({}) };
    assert_eq!(reach.send(&server).await.status, StatusCode::NOT_FOUND);
    assert!(audit(&server, &foreign, "reach").await.is_empty());
    assert_eq!(audit(&server, &own, "reach").await.len(), 1);
    let operator =
        Try { id: "operator", token: OPERATOR, method: Method::POST, path: functions, body: json!({}) };
    assert_eq!(operator.send(&server).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(audit(&server, &foreign, "operator").await[0]["actor"], "operator:tests");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn only_who_names_a_refusal_hears_of_it() {
    let server = start().await;
    let account = server.account().await;
    let function = json!({"name": "f", "source": "() => 1"});
    let function = server.post(&format!("{account}/functions"), function).await.json();
    let triggers = format!("{account}/triggers");
    let mut made = Vec::new();
    for rule in ["*", "request.refused"] {
        let trigger = json!({"type": "event", "rule": rule, "function_id": function["id"]});
        let trigger = server.post(&triggers, trigger).await;
        assert_eq!(trigger.status, StatusCode::CREATED, "{trigger:?}");
        made.push(format!("{triggers}/{}/deliveries", trigger.json()["id"].as_str().expect("an id")));
    }
    assert_eq!(server.post(&format!("{account}/functions"), json!({})).await.status.as_u16(), 422);
    let kinds = async |path: &str| -> Vec<Value> {
        let told = server.get(&format!("{path}?limit=500")).await.json();
        told["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["input"]["event"]["kind"].clone())
            .collect()
    };
    let began = tokio::time::Instant::now();
    while kinds(&made[1]).await.is_empty() {
        assert!(began.elapsed().as_secs() < 20, "the one that names it hears of it");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let refused = json!("request.refused");
    assert_eq!(kinds(&made[1]).await, std::slice::from_ref(&refused));
    assert!(!kinds(&made[0]).await.contains(&refused), "the one that hears all else does not");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn executions_and_the_secrets_they_read_tell_where_they_were_asked_for() {
    let server = start().await;
    let account = server.account().await;
    let secret = json!({"name": "KEY", "value": "confidential"});
    assert_eq!(server.post(&format!("{account}/secrets"), secret).await.status, StatusCode::CREATED);
    let function = json!({"name": "f", "source": "(params, secrets) => 1", "secrets": ["KEY"]});
    let function = server.post(&format!("{account}/functions"), function).await.json();
    let execute = format!("{account}/functions/{}/execute", function["id"].as_str().expect("an id"));
    for (id, path) in [("waits", execute.clone()), ("queued", format!("{execute}?wait=0s"))] {
        let run = Try { id, token: OPERATOR, method: Method::POST, path, body: json!({}) };
        assert!(run.send(&server).await.status.is_success());
        let began = tokio::time::Instant::now();
        let told = loop {
            let told = audit(&server, &account, id).await;
            let ended = |entry: &Value| entry["action"] == "execution.succeeded";
            if told.iter().any(ended) {
                break told;
            }
            assert!(began.elapsed().as_secs() < 20, "it ends: {told:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert!(told.iter().any(|entry| entry["action"] == "secret.resolved"), "{told:?}");
        assert!(told.iter().all(|entry| entry["origin"] == "127.0.0.1"), "{told:?}");
    }
    server.stop().await;
}
