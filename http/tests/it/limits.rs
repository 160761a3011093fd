//! Limits with their use, and the short lists of what an operator looks at.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sl_http::{
    Config,
    settings::{ACCOUNT_RATE, RATE_BURST, TOKEN_RATE},
};

use crate::server::{Running, send, start, start_with};

fn named<'a>(told: &'a Value, name: &str) -> &'a Value {
    let items = told["items"].as_array().expect("items");
    items.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{name} is among {told}"))
}

#[tokio::test(flavor = "local")]
async fn the_rates_that_hold_for_an_account_are_told_with_their_use() {
    let server =
        start_with(&[(&TOKEN_RATE, 1), (&ACCOUNT_RATE, 1), (&RATE_BURST, 600)], Config::default()).await;
    let account = server.account().await;
    let token = server.token(&account, &["read"]).await;
    let path = format!("{account}/limits");
    for _ in 0..20 {
        send(server.request(Method::GET, &account, &token)).await;
    }
    let told = send(server.request(Method::GET, &path, &token)).await.json();
    for (name, value, source, current) in [
        ("http.account_rate", 1, "flag", json!(1)),
        ("http.account_streams", 64, "default", json!(0)),
        ("http.rate_burst", 600, "flag", Value::Null),
        ("http.token_rate", 1, "flag", json!(1)),
        ("accounts.queue", 1_024, "default", json!(0)),
        ("accounts.tokens", 100, "default", json!(1)),
    ] {
        let limit = named(&told, name);
        assert_eq!((&limit["value"], &limit["source"]), (&json!(value), &json!(source)), "{limit}");
        assert_eq!(limit.get("current").unwrap_or(&Value::Null), &current, "{limit}");
    }
    let told = server.get(&path).await.json();
    assert_eq!(
        named(&told, "http.token_rate").get("current"),
        None,
        "an operator's token is none of the account's"
    );
    assert_eq!(named(&told, "http.account_rate")["current"], 1, "the account's own requests are");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn what_is_queued_and_runs_stands_against_its_limit() {
    let server = start().await;
    let account = server.account().await;
    let function = json!({"name": "quick", "source": "() => 1"});
    let function = server.post(&format!("{account}/functions"), function).await.json();
    let paused = server.post("/system/duties/executions/pause", json!({"reason": "a test"})).await;
    assert_eq!(paused.status, StatusCode::OK, "{paused:?}");
    let execute = format!("{account}/functions/{}/execute?wait=0s", function["id"].as_str().expect("an id"));
    for _ in 0..3 {
        assert_eq!(server.post(&execute, json!({})).await.status, StatusCode::ACCEPTED);
    }
    let told = server.get(&format!("{account}/limits")).await.json();
    assert_eq!(named(&told, "executions.queue")["current"], 3);
    assert_eq!(named(&told, "executions.concurrency")["current"], 0);
    server.stop().await;
}

async fn walk(server: &Running, path: &str) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), format!("{path}?limit=3"));
    loop {
        let page = server.get(&next).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        let page = page.json();
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 3, "{page}");
        found.extend(items.iter().map(|item| item["name"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=3&cursor={cursor}"),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "local")]
async fn short_lists_have_the_form_of_all_lists() {
    let server = start().await;
    let account = server.account().await;
    for path in ["/system/duties".to_owned(), "/system/limits".to_owned(), format!("{account}/limits")] {
        let whole = server.get(&path).await.json();
        assert_eq!(whole.get("next_cursor"), None, "{path}");
        let names: Vec<Value> =
            whole["items"].as_array().expect("items").iter().map(|item| item["name"].clone()).collect();
        assert!(names.len() > 10, "{path}");
        assert_eq!(walk(&server, &path).await, names, "{path}");
        let broken = server.get(&format!("{path}?cursor=AAAA")).await;
        assert_eq!((broken.status, broken.problem().as_str()), (StatusCode::BAD_REQUEST, "malformed"));
        let since = server.get(&format!("{path}?since=2026-01-01T00:00:00Z")).await;
        assert_eq!(since.status, StatusCode::BAD_REQUEST, "it has no times: {path}");
    }
    let descriptors = server.get("/system/descriptors").await.json();
    assert!(descriptors.as_array().is_some_and(|services| !services.is_empty()));
    server.stop().await;
}
