//! Pages for people, and what every answer carries.

use reqwest::{Method, StatusCode};
use sl_http::Config;

use crate::server::{OPERATOR, send, start, start_with};

#[tokio::test(flavor = "local")]
async fn the_viewer_of_the_document_runs_no_inline_script_and_loads_nothing_from_elsewhere() {
    let server = start().await;
    let page = send(server.bare(Method::GET, "/docs")).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, Some("text/html; charset=utf-8"))
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<script>") && !page.text.contains("style=") && !page.text.contains("http"));
    for (path, media_type) in [("/docs/viewer.js", "text/javascript"), ("/docs/viewer.css", "text/css")] {
        let file = send(server.bare(Method::GET, path)).await;
        assert!(file.header("content-type").is_some_and(|found| found.starts_with(media_type)), "{path}");
        let tag = file.header("etag").expect("a tag").to_owned();
        let known = send(server.bare(Method::GET, path).header("if-none-match", tag)).await;
        assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    }
    let document = send(server.bare(Method::GET, "/openapi.json")).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn the_codes_of_problems_are_explained_where_problems_say() {
    let server = start().await;
    let kind = server.get("/accounts/x").await.json()["type"].as_str().expect("a type").to_owned();
    let (path, code) = kind.split_once('#').expect("a code");
    let page = send(server.bare(Method::GET, path)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains(&format!("id=\"{code}\"")), "{}", page.text);
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn what_is_not_there_is_no_page_for_a_program() {
    let server = start().await;
    for path in ["/accountss", "/v1/accounts", "/healthz/x", "/docs/nope", "/docs/a/b"] {
        for accepted in ["*/*", "application/json"] {
            let answer = send(server.bare(Method::GET, path).header("accept", accepted)).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "not_found"), "{path}");
        }
    }
    let answer = send(server.bare(Method::GET, "/docs/nope").header("accept", "text/html")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    for path in ["/docs", "/docs/errors", "/docs/viewer.js"] {
        let answer = send(server.bare(Method::POST, path)).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn every_answer_carries_what_keeps_browsers_honest() {
    let server = start().await;
    for path in ["/healthz", "/accounts", "/nowhere", "/docs"] {
        let answer = send(server.bare(Method::GET, path)).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn other_origins_are_let_in_by_name_only() {
    let config = Config { origins: vec!["https://app.example".to_owned()], ..Config::default() };
    let server = start_with(&[], config).await;
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
        let preflight = server.bare(Method::OPTIONS, "/accounts").header("origin", origin);
        let preflight = send(preflight.header("access-control-request-method", "POST")).await;
        assert_eq!(preflight.status == StatusCode::NO_CONTENT, allowed, "{origin}");
        let answer = send(server.request(Method::GET, "/accounts", OPERATOR).header("origin", origin)).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(origin).filter(|_| allowed),
            "{origin}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn metrics_count_by_operation() {
    let server = start().await;
    server.get("/system/version").await;
    let refused = send(server.bare(Method::GET, "/metrics")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let metrics = server.get("/metrics").await.text;
    let counted = "service_layer_http_requests_total{operation=\"system.version\",status=\"2xx\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    server.stop().await;
}
