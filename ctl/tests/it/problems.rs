//! What the server refuses, as exit codes and words.

use serde_json::json;

use crate::{
    program::Program,
    server::{Reply, Server},
};

/// Every code with its usual status and the exit code it has in `docs/slctl.md`.
const CODES: [(u16, &str, i32); 25] = [
    (400, "malformed", 7),
    (401, "unauthorized", 3),
    (403, "forbidden", 4),
    (404, "not_found", 5),
    (405, "method_not_allowed", 1),
    (409, "conflict", 6),
    (409, "invalid_state", 6),
    (409, "in_flight", 6),
    (412, "version_mismatch", 6),
    (413, "too_large", 7),
    (415, "unsupported_media_type", 7),
    (422, "invalid", 7),
    (422, "idempotency_mismatch", 6),
    (429, "rate_limited", 8),
    (429, "quota_exceeded", 8),
    (429, "overloaded", 8),
    (503, "unavailable", 9),
    (504, "timed_out", 9),
    (409, "suspended", 6),
    (503, "paused", 9),
    (409, "fence_lost", 6),
    (500, "integrity", 1),
    (403, "denied", 4),
    (502, "upstream", 1),
    (500, "internal", 1),
];

#[test]
fn every_code_has_its_exit_code() {
    for (status, code, exit) in CODES {
        let server = Server::script(vec![Reply::problem(status, code)]);
        let told = Program::of(&server).fails(exit, &["functions", "list", "--attempts", "1"]);
        assert!(told.contains(&format!("error: about {code} ({code}, {status})")), "{told}");
        assert!(told.contains("request id r-1"), "{told}");
    }
}

#[test]
fn every_code_of_the_server_is_one_of_them_with_its_status() {
    let told = include_str!("../../../docs/errors.md");
    let mut statuses = told.lines().filter_map(|line| line.strip_prefix("Status "));
    let headings = told.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'));
    let told: Vec<(u16, &str)> = headings
        .map(|code| {
            let status = statuses.next().and_then(|text| text.get(..3)).and_then(|text| text.parse().ok());
            (status.expect("each heading is followed by a status"), code)
        })
        .collect();
    assert_eq!(told, CODES.map(|(status, code, _)| (status, code)));
}

#[test]
fn exit_codes_are_those_of_the_manual() {
    let manual = include_str!("../../../docs/slctl.md");
    for (_, code, exit) in CODES {
        let row = manual.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{code}`")));
        let row = row.unwrap_or_else(|| panic!("{code} is not in the manual"));
        assert!(row.starts_with(&format!("| {exit} |")), "{code}: {row}");
    }
}

#[test]
fn fields_and_limits_are_told() {
    let body = json!({
        "title": "Invalid", "status": 422, "code": "invalid", "detail": "two fields; /wall: too long",
        "errors": [
            {"pointer": "/name", "code": "too_long", "detail": "at most 64 letters, not 65"},
            {"pointer": "/wall", "code": "bounds", "detail": "too long"},
        ],
        "setting": "functions.max", "limit": 10, "current": 10,
    });
    let reply =
        Reply::text(422, "application/problem+json", &body.to_string()).with("x-request-id", "from-header");
    let told = Program::of(&Server::script(vec![reply])).fails(7, &["functions", "list"]);
    assert!(told.contains("/name: at most 64 letters, not 65 (too_long)"), "{told}");
    assert_eq!(told.matches("/wall: too long").count(), 1, "{told}");
    assert!(told.contains("limit functions.max is 10, current is 10"), "{told}");
    assert!(told.contains("request id from-header"), "{told}");
}

#[test]
fn what_is_no_problem_is_told_by_its_status() {
    let page = |status| Server::script(vec![Reply::text(status, "text/html", "<html>")]);
    for (status, exit) in [(404, 5), (500, 1), (502, 9), (418, 1)] {
        Program::of(&page(status)).fails(exit, &["functions", "list", "--attempts", "1"]);
    }
    let moved = Reply::text(301, "text/plain", "").with("location", "http://127.0.0.1:1/");
    let told = Program::of(&Server::script(vec![moved])).fails(1, &["functions", "list"]);
    assert!(told.contains("mend --addr"), "{told}");
}

#[test]
fn no_token_is_said_where_there_is_none() {
    let server = Server::script(vec![Reply::problem(401, "unauthorized")]);
    let told = Program::of(&server).with("SERVICE_LAYER_TOKEN", "").fails(3, &["functions", "list"]);
    assert!(told.contains("no token was sent"), "{told}");
    assert_eq!(server.only().header("authorization"), "");
}

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let body = json!({"code": "invalid", "detail": "a\u{1b}]0;b\u{7}", "errors": [{"pointer": "\u{1b}[2J"}], "request_id": "\u{1b}c"});
    let reply = Reply::text(422, "application/problem+json", &body.to_string());
    let told = Program::of(&Server::script(vec![reply])).fails(7, &["functions", "list"]);
    assert!(!told.contains('\u{1b}') && !told.contains('\u{7}'), "{told}");
}

#[test]
fn nobody_there_is_unavailable() {
    let program =
        Program::alone().with("SERVICE_LAYER_ADDR", "http://127.0.0.1:1").with("SERVICE_LAYER_ACCOUNT", "a");
    let told = program.fails(9, &["functions", "list", "--attempts", "2", "-v"]);
    assert!(told.contains("no answer from http://127.0.0.1:1/"), "{told}");
    assert!(told.contains("attempt 1 failed"), "{told}");
}
