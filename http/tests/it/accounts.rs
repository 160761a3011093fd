//! Accounts over HTTP, and with them what every operation has: tokens, problems, versions, pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{OPERATOR, send, start};

#[tokio::test(flavor = "local")]
async fn null_is_absent_in_what_is_made_and_clears_in_what_is_changed() {
    let server = start().await;
    let made = server.post("/accounts", json!({"owner": "Ada", "metadata": null})).await;
    assert_eq!((made.status, &made.json()["metadata"]), (StatusCode::CREATED, &json!({})));
    let account = server.account().await;
    let new = json!({"name": "f", "source": "() => 1", "description": null, "secrets": null, "limits": null,
        "keep_context": null});
    let made = server.post(&format!("{account}/functions"), new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let path = format!("{account}/functions/{}", made.json()["id"].as_str().expect("an id"));
    let amend = |body: Value| send(server.request(Method::PATCH, &path, OPERATOR).json(&body));
    let changed = amend(json!({"description": "x", "keep_context": true})).await.json();
    assert_eq!((&changed["description"], &changed["keep_context"]), (&json!("x"), &json!(true)));
    let cleared = amend(json!({"description": null, "keep_context": null})).await.json();
    assert_eq!((&cleared["description"], &cleared["keep_context"]), (&json!(""), &json!(false)));
    let paused = server.post(&format!("{path}/pause"), json!({"reason": null})).await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    let resumed = server.post(&format!("{path}/resume"), json!({"missed": null})).await;
    assert_eq!(resumed.status, StatusCode::OK, "{resumed:?}");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn an_account_is_created_read_changed_and_listed() {
    let server = start().await;
    let made = server.post("/accounts", json!({"owner": "Ada", "metadata": {"tier": "gold"}})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/accounts/{id}");
    assert_eq!(made.header("location"), Some(path.as_str()));
    assert_eq!(made.header("etag"), Some("\"1\""));

    let read = server.get(&path).await;
    assert_eq!((read.status, read.json()), (StatusCode::OK, made.json()));
    let known = send(server.request(Method::GET, &path, OPERATOR).header("if-none-match", "\"1\"")).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let change = |version: &str, owner: &str| {
        let body = json!({"owner": owner});
        send(server.request(Method::PATCH, &path, OPERATOR).header("if-match", version).json(&body))
    };
    assert_eq!(change("\"1\"", "Grace").await.json()["version"], 2);
    let late = change("\"1\"", "Eve").await;
    assert_eq!((late.status, late.problem().as_str()), (StatusCode::PRECONDITION_FAILED, "version_mismatch"));
    assert_eq!(change("*", "Joan").await.json()["owner"], "Joan");
    let listed = change("\"9\", \"3\", \"1\"", "Ada").await;
    assert_eq!(
        (listed.status, &listed.json()["version"]),
        (StatusCode::OK, &json!(4)),
        "one of the list matches"
    );
    for none in ["W/\"4\"", "\"9\", \"8\"", "\"four\""] {
        let refused = change(none, "Eve").await;
        assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{none}: {refused:?}");
    }
    assert_eq!(change("4", "Eve").await.status, StatusCode::BAD_REQUEST);

    for _ in 0..3 {
        server.account().await;
    }
    let first = server.get("/accounts?limit=3").await.json();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(3));
    let cursor = first["next_cursor"].as_str().expect("more").to_owned();
    let rest = server.get(&format!("/accounts?limit=3&cursor={cursor}")).await.json();
    assert_eq!(rest["items"][0]["id"], id.as_str());
    assert!(rest.get("next_cursor").is_none(), "{rest}");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn every_failure_is_a_problem() {
    let server = start().await;
    let account = server.account().await;
    let missing = format!("/accounts/{}", server.runtime.core().ids.next());
    for (method, path, body, status, code) in [
        ("GET", "/nowhere/at/all.json", "", 404, "not_found"),
        ("GET", "/accounts/x", "", 404, "not_found"),
        ("GET", missing.as_str(), "", 404, "not_found"),
        ("PUT", account.as_str(), "{}", 405, "method_not_allowed"),
        ("TRACE", "/healthz", "", 405, "method_not_allowed"),
        ("GET", "/accounts?limit=0", "", 400, "malformed"),
        ("GET", "/accounts?cursor=forged", "", 400, "malformed"),
        ("GET", "/accounts?colour=red", "", 400, "malformed"),
        ("POST", "/accounts", "{", 400, "malformed"),
        ("POST", "/accounts", "", 400, "malformed"),
        ("POST", "/accounts", "{}", 422, "invalid"),
        ("POST", "/accounts", r#"{"owner":"a","owner":"b"}"#, 400, "malformed"),
        ("POST", "/accounts", r#"{"ownr":"a"}"#, 422, "invalid"),
        ("POST", "/accounts", r#"{"owner":" "}"#, 422, "invalid"),
        ("POST", "/healthz", "", 405, "method_not_allowed"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request =
            server.request(method.clone(), path, OPERATOR).header("content-type", "application/json");
        let answer = send(request.body(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {answer:?}");
        assert_eq!(answer.problem(), code, "{method} {path} {body}");
    }
    let refused = send(server.request(Method::PUT, &account, OPERATOR)).await;
    assert_eq!(refused.header("allow"), Some("GET, PATCH, DELETE, HEAD"));
    let typed = send(server.request(Method::POST, "/accounts", OPERATOR).body("owner=a")).await;
    assert_eq!(typed.problem(), "unsupported_media_type");
    let head = send(server.request(Method::HEAD, &account, OPERATOR)).await;
    assert_eq!((head.status, head.text.as_str(), head.header("etag")), (StatusCode::OK, "", Some("\"1\"")));
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_request_id_is_taken_over_or_made() {
    let server = start().await;
    let told = send(server.bare(Method::GET, "/healthz").header("x-request-id", "trace-1:2")).await;
    assert_eq!(told.header("x-request-id"), Some("trace-1:2"));
    let bad = send(server.bare(Method::GET, "/healthz").header("x-request-id", "a b")).await;
    assert_eq!(bad.header("x-request-id").map(str::len), Some(36));
    server.stop().await;
}
