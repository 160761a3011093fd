//! Live streams: what happens is told, from where one left off, until one drains.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::server::{OPERATOR, Running, send, start};

/// A stream, read frame by frame.
struct Stream {
    response: Response,
    buffer: String,
}

impl Stream {
    async fn open(server: &Running, path: &str, last: Option<&str>) -> Self {
        let request = server.request(Method::GET, path, OPERATOR);
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next frame that is an event: its id, kind and data; none at the end.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        timeout(Duration::from_secs(10), async {
            loop {
                while let Some((frame, _)) = self.buffer.split_once("\n\n") {
                    let length = frame.len() + 2;
                    let field = |name: &str| {
                        let line = frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                        line.unwrap_or_default().to_owned()
                    };
                    let (id, kind, data) = (field("id"), field("event"), field("data"));
                    self.buffer.drain(..length);
                    if !kind.is_empty() {
                        return Some((id, kind, serde_json::from_str(&data).expect("JSON")));
                    }
                }
                let part = self.response.chunk().await.expect("a part")?;
                self.buffer.push_str(std::str::from_utf8(&part).expect("UTF-8"));
            }
        })
        .await
        .expect("an event in time")
    }
}

async fn tokens(server: &Running, account: &str, names: &[&str]) {
    for name in names {
        let made = server.post(&format!("{account}/tokens"), json!({"name": name, "scopes": ["read"]})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    }
}

#[tokio::test(flavor = "local")]
async fn events_come_live_and_from_where_one_left_off() {
    let server = start().await;
    let (account, other) = (server.account().await, server.account().await);
    let path = format!("{account}/events?kind=token.*");
    let mut live = Stream::open(&server, &path, None).await;
    tokens(&server, &other, &["foreign"]).await;
    tokens(&server, &account, &["a", "b", "c"]).await;
    let (first, kind, data) = live.next().await.expect("an event");
    assert_eq!(kind, "token.created");
    assert_eq!(data["id"], first.as_str());
    let (second, ..) = live.next().await.expect("an event");
    drop(live);

    let mut again = Stream::open(&server, &path, Some(&second)).await;
    let (third, ..) = again.next().await.expect("an event");
    tokens(&server, &account, &["d"]).await;
    let (fourth, ..) = again.next().await.expect("an event");
    assert!(![&first, &second].contains(&&third) && third != fourth);

    let mut all = Stream::open(&server, "/system/events?after=0-0&kind=account.created", None).await;
    for _ in 0..2 {
        assert_eq!(all.next().await.expect("an event").1, "account.created");
    }
    // From before the log began anew.
    let mut beyond = Stream::open(&server, &path, Some("999999999-999999999")).await;
    tokens(&server, &account, &["e"]).await;
    assert_eq!(beyond.next().await.expect("an event").1, "token.created");
    let bad = send(server.request(Method::GET, &path, OPERATOR).header("last-event-id", "x")).await;
    assert_eq!(bad.problem(), "malformed");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn streams_end_cleanly_when_the_daemon_drains() {
    let server = start().await;
    let account = server.account().await;
    let mut stream = Stream::open(&server, &format!("{account}/events"), None).await;
    server.draining.cancel();
    assert_eq!(stream.next().await, None);
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.problem().as_str()), (503, "unavailable"));
    assert!(ready.header("retry-after").is_some());
    let refused = server.get(&format!("{account}/events")).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "paused"));
    timeout(Duration::from_secs(5), server.stop()).await.expect("no stream holds the server back");
}

#[tokio::test(flavor = "local")]
async fn a_revoked_tokens_streams_end() {
    let server = start().await;
    let account = server.account().await;
    let made =
        server.post(&format!("{account}/tokens"), json!({"name": "t", "scopes": ["read"]})).await.json();
    let token = made["token"].as_str().expect("a token");
    let response =
        server.request(Method::GET, &format!("{account}/events"), token).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = Stream { response, buffer: String::new() };
    let path = format!("{account}/tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(send(server.request(Method::DELETE, &path, OPERATOR)).await.status, StatusCode::NO_CONTENT);
    while stream.next().await.is_some() {}
    server.stop().await;
}
