//! What is sent by those who mean no good: too much, too deep, too slow, framed twice; and readers that never read.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use sl_http::{
    Config,
    settings::{
        ACCOUNT_STREAMS, BODY_DEADLINE, BODY_LIMIT, CONNECTIONS, HEAD_DEADLINE, RATE_BURST, TOKEN_RATE,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::server::{OPERATOR, Running, send, start, start_with};

/// Sends bytes as they are and reads what comes until the connection ends or nothing comes for a while.
async fn raw(server: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    // The server may have refused and gone before all is written.
    let _written = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ended = timeout(Duration::from_secs(3), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    let head =
        "POST /accounts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n";
    format!("{head}authorization: Bearer {OPERATOR}\r\n{headers}\r\n{body}").into_bytes()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test(flavor = "local")]
async fn bodies_over_the_cap_are_refused_before_they_are_read() {
    let server = start_with(&[(&BODY_LIMIT, 4_096)], Config::default()).await;
    let announced = raw(&server, &post("content-length: 1000000000\r\n", "")).await;
    assert_eq!(status(&announced), "413", "{announced}");
    assert!(announced.contains("\"setting\":\"http.body_limit\"") && announced.contains("connection: close"));
    let chunks = format!("{:x}\r\n{}\r\n", 3_000, "x".repeat(3_000)).repeat(2);
    let chunked = raw(&server, &post("transfer-encoding: chunked\r\n", &chunks)).await;
    assert_eq!(status(&chunked), "413", "{chunked}");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn deep_doubled_and_encoded_bodies_are_refused() {
    let server = start().await;
    let deep = "[".repeat(100_000);
    let keys: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\":0")).collect();
    let many = format!("{{{}}}", keys.join(","));
    for (body, code) in [
        (deep.as_str(), "malformed"),
        (many.as_str(), "invalid"),
        (r#"{"owner":"a","metadata":{"k":"1","k":"2"}}"#, "malformed"),
        (r#"{"owner":"a\u0000b"}"#, "malformed"),
        ("[\"Ada\"]", "invalid"),
        ("\u{feff}{}", "malformed"),
    ] {
        let request =
            server.request(Method::POST, "/accounts", OPERATOR).header("content-type", "application/json");
        let answer = send(request.body(body.to_owned())).await;
        assert_eq!(answer.problem(), code, "{:.60}: {:.300}", body, answer.text);
    }
    let request =
        server.request(Method::POST, "/accounts", OPERATOR).header("content-type", "application/json");
    let zipped = send(request.header("content-encoding", "gzip").body(vec![0x1f, 0x8b, 8, 0])).await;
    assert_eq!(zipped.problem(), "unsupported_media_type");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn two_framings_of_one_body_are_refused() {
    let server = start().await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for (headers, body) in [
        ("content-length: 2\r\ncontent-length: 3\r\n", "{}"),
        ("content-length: 2, 3\r\n", "{}"),
        ("content-length: +2\r\n", "{}"),
        ("content-length: 4\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 4\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n"),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding : chunked\r\n", "0\r\n\r\n"),
        ("x-a: 1\rx-b: 2\r\ncontent-length: 2\r\n", "{}"),
        ("x-a: 1\n y: 2\r\ncontent-length: 2\r\n", "{}"),
        ("host: y\r\ncontent-length: 2\r\n", "{}"),
        ("transfer-encoding: chunked\r\n", "-1\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    ] {
        let answer = raw(&server, &post(headers, &format!("{body}{smuggled}"))).await;
        assert_eq!(status(&answer), "400", "{headers:?} {body:?}: {answer}");
        assert!(!answer.contains("200 OK"), "{headers:?}: the second request was answered: {answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn large_heads_are_refused() {
    let server = start().await;
    let answer =
        send(server.request(Method::GET, "/healthz", OPERATOR).header("x-large", "x".repeat(40_000))).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (431, "too_large"));
    let endless = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {}", "x".repeat(200_000));
    assert_eq!(status(&raw(&server, endless.as_bytes()).await), "431");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn slow_heads_and_slow_bodies_are_let_go() {
    let server = start_with(&[(&HEAD_DEADLINE, 300)], Config::default()).await;
    let began = Instant::now();
    let head = raw(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    assert!(began.elapsed() < Duration::from_secs(2), "a slow head is cut");
    assert!(matches!(status(&head), "408" | "none"), "{head}");
    server.stop().await;
    let server = start_with(&[(&BODY_DEADLINE, 300)], Config::default()).await;
    let body = raw(&server, &post("content-length: 100\r\n", "{\"owner\":")).await;
    assert_eq!(status(&body), "408", "{body}");
    assert!(body.contains("http.body_deadline"), "{body}");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let server = start_with(&[(&TOKEN_RATE, 5), (&RATE_BURST, 1)], Config::default()).await;
    let first = server.get("/system/version").await;
    assert_eq!(
        (first.header("ratelimit-limit"), first.header("ratelimit-remaining")),
        (Some("5"), Some("4"))
    );
    assert_eq!(first.header("ratelimit-policy"), Some("5;w=1"));
    let mut refused = None;
    for _ in 0..20 {
        let answer = server.get("/system/version").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the sixth within a second is refused");
    assert_eq!((refused.problem().as_str(), refused.header("retry-after")), ("rate_limited", Some("1")));
    assert_eq!(refused.json()["setting"], "http.token_rate");
    assert_eq!(
        ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy"]
            .map(|name| refused.header(name)),
        [Some("5"), Some("0"), Some("1"), Some("5;w=1")]
    );
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn more_connections_than_are_held_wait_for_one_to_end() {
    let server = start_with(&[(&CONNECTIONS, 1)], Config::default()).await;
    let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let answered = async |stream: &mut TcpStream| {
        let mut first = [0; 1_024];
        let count = stream.read(&mut first).await.expect("an answer");
        assert!(first[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&first));
    };
    let mut held = TcpStream::connect(server.address).await.expect("a connection");
    held.write_all(ask).await.expect("written");
    answered(&mut held).await;
    // The kernel takes it; nobody else does.
    let mut waiting = TcpStream::connect(server.address).await.expect("a connection");
    waiting.write_all(ask).await.expect("written");
    for _ in 0..20 {
        held.write_all(ask).await.expect("written");
        answered(&mut held).await;
    }
    let early = waiting.try_read(&mut [0; 1]);
    assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    drop(held);
    answered(&mut waiting).await;
    drop(waiting);
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn readers_that_never_read_hold_no_more_than_their_seats() {
    let server = start_with(&[(&ACCOUNT_STREAMS, 2)], Config::default()).await;
    let account = server.account().await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        let head =
            format!("GET {account}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("a status line");
        assert_eq!(&first, b"HTTP/1.1 200");
        idle.push(stream);
    }
    let third = server.get(&format!("{account}/events")).await;
    assert_eq!((third.status.as_u16(), third.problem().as_str()), (429, "quota_exceeded"));
    for _ in 0..200 {
        server.post(&format!("{account}/tokens"), json!({})).await;
    }
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    drop(idle);
    let freed = async {
        loop {
            let again = server.request(Method::GET, &format!("{account}/events"), OPERATOR).send().await;
            if again.expect("an answer").status() == StatusCode::OK {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), freed).await.expect("a seat is free again when its reader has gone");
    server.stop().await;
}
