//! Functions and their executions over HTTP: large sources, and the paths under which an execution is read.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sl_http::{Config, settings::SOURCE_BODY_LIMIT};

use crate::server::{OPERATOR, Running, send, start, start_with};

fn named(name: &str, source: &str) -> Value {
    json!({"name": name, "source": source})
}

/// A source of so many bytes, each line feed of which JSON writes as two.
fn source_of(bytes: usize) -> String {
    let expression = "() => 1";
    format!("{expression}{}", "\n".repeat(bytes - expression.len()))
}

#[tokio::test(flavor = "local")]
async fn a_source_of_the_size_allowed_fits_whatever_json_makes_of_it() {
    let server = start().await;
    let functions = format!("{}/functions", server.account().await);
    let made = server.post(&functions, named("large", &source_of(1 << 20))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:.300}", made.text);
    let path = format!("{functions}/{}", made.json()["id"].as_str().expect("an id"));
    let change = json!({"source": source_of((1 << 20) - 1)});
    let changed = send(server.request(Method::PATCH, &path, OPERATOR).json(&change)).await;
    assert_eq!(changed.status, StatusCode::OK, "{:.300}", changed.text);
    let more = server.post(&functions, named("larger", &source_of((1 << 20) + 1))).await;
    assert_eq!((more.status.as_u16(), more.problem().as_str()), (422, "invalid"), "{:.300}", more.text);
    let problem = more.json();
    assert_eq!(
        (&problem["setting"], &problem["limit"], &problem["current"], &problem["errors"][0]["pointer"]),
        (&json!("functions.source"), &json!(1 << 20), &json!((1 << 20) + 1), &json!("/source"))
    );
    let other = server.post("/accounts", json!({"owner": "x".repeat(1 << 20)})).await;
    assert_eq!((other.status.as_u16(), &other.json()["setting"]), (413, &json!("http.body_limit")));
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn the_bodies_of_functions_have_a_limit_of_their_own() {
    let server = start_with(&[(&SOURCE_BODY_LIMIT, 1_024)], Config::default()).await;
    let account = server.account().await;
    let refused = server.post(&format!("{account}/functions"), named("f", &source_of(2_000))).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (413, "too_large"));
    assert_eq!(refused.json()["setting"], "http.source_body_limit");
    server.stop().await;
}

async fn made(server: &Running, account: &str, name: &str) -> String {
    let made = server.post(&format!("{account}/functions"), named(name, "() => 1")).await;
    format!("{account}/functions/{}", made.json()["id"].as_str().expect("an id"))
}

#[tokio::test(flavor = "local")]
async fn an_execution_is_read_under_its_function_and_under_no_other() {
    let server = start().await;
    let account = server.account().await;
    let (function, other) = (made(&server, &account, "f").await, made(&server, &account, "other").await);
    let ran = server.post(&format!("{function}/execute?wait=0s"), json!({})).await.json();
    let id = ran["id"].as_str().expect("an id");
    for path in [
        format!("{account}/executions/{id}"),
        format!("{function}/executions/{id}"),
        format!("{account}/functions/executions/{id}"),
    ] {
        let read = server.get(&path).await;
        assert_eq!((read.status, &read.json()["id"]), (StatusCode::OK, &json!(id)), "{path}");
    }
    let absent = server.runtime.core().ids.next();
    for path in [
        format!("{other}/executions/{id}"),
        format!("{function}/executions/{absent}"),
        format!("{account}/functions/executions/{absent}"),
    ] {
        let read = server.get(&path).await;
        assert_eq!((read.status.as_u16(), read.problem().as_str()), (404, "not_found"), "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_body_that_is_not_wanted_is_told_by_its_fields() {
    let server = start().await;
    let account = server.account().await;
    let cancel = format!("{account}/executions/{}/cancel", server.runtime.core().ids.next());
    let refused = server.post(&cancel, json!({"reason": "x"})).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "invalid"));
    let error = &refused.json()["errors"][0];
    assert_eq!((&error["pointer"], &error["code"]), (&json!("/reason"), &json!("unknown_field")), "{error}");
    assert_eq!(error["detail"], "\"reason\" is not a known field; there are none");
    let list = server.post(&cancel, json!([])).await;
    assert_eq!((list.status.as_u16(), &list.json()["detail"]), (422, &json!("the body must be an object")));
    let typed = server.post("/accounts", json!("Ada")).await;
    assert_eq!(typed.json()["detail"], "the body must be an object");
    assert_eq!(server.post(&cancel, json!({})).await.status, StatusCode::NOT_FOUND);
    server.stop().await;
}
