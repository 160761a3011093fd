//! What ordinary origins and ordinary callers can count on.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use sl_actors::egress::{HeaderMap, HeaderValue, Redirects, StatusCode};
use sl_store::{Code, Fault};

use super::*;

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-made: here\r\n\r\n{body}", body.len())
}

fn with_headers(method: Method, url: String, headers: &[(&'static str, &str)]) -> Request {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect::<HeaderMap>();
    Request { headers, ..Request::new(Uuid::nil(), method, url) }
}

#[tokio::test]
async fn every_form_of_the_allow_list_opens_its_target_and_no_other() {
    let origin = Origin::saying(ok("hello")).await;
    let names = Names::of(&[("opened.test", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])]);
    let port = origin.port;
    for (allow, opened, closed) in [
        ("opened.test".to_owned(), "opened.test", "other.test"),
        (format!("Opened.Test.:{port}"), "opened.test", "127.0.0.1"),
        ("127.0.0.0/8".to_owned(), "other.test", "127.0.0.1.test"),
        (format!("127.0.0.1:{port}"), "127.0.0.1", "[::1]"),
        (format!("127.0.0.1:{port}"), "other.test", "127.0.0.2"),
        ("127.0.0.1".to_owned(), "0x7f.1", "127.0.0.2"),
    ] {
        let egress = guard(quick(), &allow, &names);
        let response = get(&egress, format!("http://{opened}:{port}/")).await.expect(&allow);
        assert_eq!((response.status, &response.body[..]), (StatusCode::OK, &b"hello"[..]));
        assert!(
            get(&egress, format!("http://{closed}:{port}/")).await.is_err(),
            "{allow} leaves {closed} closed"
        );
    }
    let elsewhere = guard(quick(), &format!("127.0.0.1:{}", port ^ 1), &names);
    assert!(matches!(get(&elsewhere, origin.url("/")).await, Err(EgressError::Refused { .. })));
}

#[tokio::test]
async fn the_caller_sees_status_headers_body_and_place() {
    let origin =
        Origin::saying("HTTP/1.1 404 Nothing\r\ncontent-length: 4\r\nx-made: here\r\n\r\nnope").await;
    let response = get(&guard(quick(), "127.0.0.1", &Names::of(&[])), origin.url("/a?b#c")).await.unwrap();
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert_eq!(
        (&response.headers["x-made"], &response.body[..]),
        (&HeaderValue::from_static("here"), &b"nope"[..])
    );
    assert_eq!((response.url.as_str(), response.redirected), (origin.url("/a?b").as_str(), false));
    assert!(response.elapsed > Duration::ZERO);
}

#[tokio::test]
async fn headers_of_the_connection_are_ours() {
    let origin = Origin::saying(ok("")).await;
    let forbidden =
        [("host", "internal"), ("content-length", "7"), ("transfer-encoding", "chunked"), ("te", "x")];
    let headers = [&forbidden[..], &[("x-own", "kept"), ("accept-encoding", "br")]].concat();
    let request = with_headers(Method::GET, origin.url("/"), &headers);
    guard(quick(), "127.0.0.1", &Names::of(&[])).send(request).await.unwrap();
    let head = origin.last_head().to_ascii_lowercase();
    assert!(head.contains("x-own: kept") && head.contains("accept-encoding: gzip"), "{head}");
    assert!(head.contains(&format!("host: 127.0.0.1:{}", origin.port)), "{head}");
    assert!(head.contains("user-agent: neo-service-layer/"), "{head}");
    for absent in ["internal", "chunked", "content-length", "te: x", "br\r\n"] {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
}

#[tokio::test]
async fn a_compressed_body_arrives_plain() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&b"price".repeat(1000)).unwrap();
    let body = encoder.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    let origin = Origin::saying([head.as_bytes(), &body].concat()).await;
    let response = get(&guard(quick(), "127.0.0.1", &Names::of(&[])), origin.url("/")).await.unwrap();
    assert_eq!(response.body, b"price".repeat(1000));
    assert!(
        !response.headers.contains_key("content-encoding")
            && !response.headers.contains_key("content-length")
    );
}

#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let end = Origin::saying(ok("end")).await;
    let answer = |status, target: String| {
        format!(
            "HTTP/1.1 {status} Go\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    };
    let secrets =
        [("authorization", "Bearer s1"), ("cookie", "s2"), ("x-api-key", "s3"), ("content-type", "a/b")];
    let egress = guard(quick(), "127.0.0.1", &Names::of(&[]));
    for (status, method, becomes, body) in [
        (302, Method::POST, "GET", ""),
        (303, Method::PUT, "GET", ""),
        (307, Method::POST, "POST", "payload"),
        (308, Method::PUT, "PUT", "payload"),
        (301, Method::HEAD, "HEAD", ""),
    ] {
        let start = Origin::saying(answer(status, end.url("/end"))).await;
        let request = with_headers(method, start.url("/"), &secrets);
        let response = egress.send(Request { body: body.into(), ..request }).await.unwrap();
        assert!(response.redirected && response.url.path() == "/end");
        let (first, last) = (start.last_head(), end.last_head());
        assert!(first.contains("s1") && first.contains("s2") && first.contains("s3"), "{first}");
        assert!(last.starts_with(&format!("{becomes} /end")), "{last}");
        assert!(!last.contains("s1") && !last.contains("s2") && !last.contains("s3"), "{last}");
        assert_eq!(last.contains("content-type: a/b"), becomes != "GET", "{last}");
    }
}

#[tokio::test]
async fn secrets_follow_within_their_origin() {
    let origin = Origin::start(|mut stream, head| async move {
        let answer = if head.starts_with("GET /start") {
            "HTTP/1.1 302 Go\r\nlocation: end\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        } else {
            ok("end")
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let request = with_headers(Method::GET, origin.url("/start"), &[("x-api-key", "s3")]);
    guard(quick(), "127.0.0.1", &Names::of(&[])).send(request).await.unwrap();
    assert!(origin.last_head().starts_with("GET /end") && origin.last_head().contains("s3"));
}

#[tokio::test]
async fn a_caller_may_take_redirects_itself_or_refuse_them() {
    let origin = Origin::saying("HTTP/1.1 302 Go\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n").await;
    let egress = guard(quick(), "127.0.0.1", &Names::of(&[]));
    let request = Request::new(Uuid::nil(), Method::GET, origin.url("/"));
    let manual = egress.send(Request { redirects: Redirects::Manual, ..request.clone() }).await.unwrap();
    assert_eq!(
        (manual.status, &manual.headers["location"]),
        (StatusCode::FOUND, &HeaderValue::from_static("/x"))
    );
    let refused = egress.send(Request { redirects: Redirects::Refuse, ..request }).await;
    assert_eq!(refused.expect_err("refused"), EgressError::TooManyRedirects { limit: 0 });
}

#[tokio::test]
async fn a_request_body_over_the_limit_is_not_sent() {
    let origin = Origin::saying(ok("")).await;
    let egress = guard(EgressLimits { request_body: 10, ..quick() }, "127.0.0.1", &Names::of(&[]));
    let request = Request::new(Uuid::nil(), Method::POST, origin.url("/"));
    assert!(egress.send(Request { body: vec![0; 10].into(), ..request.clone() }).await.is_ok());
    let fault =
        Fault::from(egress.send(Request { body: vec![0; 11].into(), ..request }).await.expect_err("large"));
    assert_eq!(fault.code, Code::Upstream);
    assert_eq!(
        fault.limit.map(|limit| (limit.setting, limit.limit)),
        Some(("egress.request_body", 10.into()))
    );
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn a_peer_that_is_not_there_and_a_peer_without_tls_are_told_apart() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    sl_actors::supervisor::spawn_task("origin", async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"220 I speak first, and no TLS\r\n").await.unwrap();
    });
    let names = Names::of(&[]);
    let egress = guard(quick(), "127.0.0.1", &names);
    let tls = get(&egress, format!("https://127.0.0.1:{port}/")).await.expect_err("no TLS there");
    assert!(matches!(tls, EgressError::Tls { .. }) && !tls.is_transient(), "{tls:?}");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let closed = get(&egress, format!("http://127.0.0.1:{free}/")).await.expect_err("nobody there");
    assert!(matches!(closed, EgressError::Connect { .. }) && closed.is_transient(), "{closed:?}");
    let nameless = get(&egress, "http://nowhere.test/").await.expect_err("no such name");
    assert_eq!(nameless, EgressError::Dns { host: "nowhere.test".into() });
}
