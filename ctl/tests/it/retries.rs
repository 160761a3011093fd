//! Trying again: only where it is safe, with the same key, not too soon.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    program::Program,
    server::{Reply, Server},
};

fn created() -> Reply {
    Reply::json(201, &json!({"id": "f1"}))
}

const CREATE: [&str; 8] = ["functions", "create", "--name", "hello", "--source", "() => 1", "-o", "name"];

#[test]
fn a_change_is_repeated_with_the_same_key() {
    let server = Server::script(vec![
        Reply::hang_up(),
        Reply::problem(503, "unavailable"),
        Reply::problem(409, "in_flight"),
        created(),
    ]);
    assert_eq!(Program::of(&server).out(&CREATE), "f1\n");
    let seen = server.seen();
    let keys: Vec<&str> = seen.iter().map(|seen| seen.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0].len() == 32 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(seen.iter().all(|seen| seen.body == seen.body && seen.json()["name"] == "hello"));
}

#[test]
fn two_commands_have_two_keys_and_a_given_one_is_sent() {
    let server = Server::script(vec![created()]);
    let program = Program::of(&server);
    program.out(&CREATE);
    program.out(&CREATE);
    program.out(&[&CREATE[..], &["--idempotency-key", "mine"]].concat());
    let seen = server.seen();
    assert_ne!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    assert_eq!(seen[2].header("idempotency-key"), "mine");
}

#[test]
fn the_server_says_when_to_come_back() {
    let server =
        Server::script(vec![Reply::problem(429, "rate_limited").with("retry-after", "1"), created()]);
    let began = Instant::now();
    Program::of(&server).out(&CREATE);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_long_wait_is_left_to_the_user() {
    let server = Server::script(vec![Reply::problem(429, "quota_exceeded").with("retry-after", "3600")]);
    let told = Program::of(&server).fails(8, &CREATE);
    assert!(told.contains("try again in 1h"), "{told}");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn attempts_are_bounded() {
    let server = Server::script(vec![Reply::problem(503, "unavailable")]);
    Program::of(&server).fails(9, &[&CREATE[..], &["--attempts", "2"]].concat());
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn what_has_no_key_is_not_repeated() {
    let text =
        include_str!("../fixtures/openapi.json").replace("\"x-idempotent\": true", "\"x-idempotent\": false");
    let server = Server::script(vec![Reply::hang_up(), created()]);
    let program = Program::of(&server);
    let document = program.file("openapi.json", &text);
    program.with("SERVICE_LAYER_OPENAPI", &document).fails(9, &CREATE);
    assert_eq!(server.only().header("idempotency-key"), "");
}

#[test]
fn what_is_refused_for_good_is_not_repeated() {
    for (status, code, exit) in
        [(422, "invalid", 7), (500, "internal", 1), (409, "conflict", 6), (502, "upstream", 1)]
    {
        let server = Server::script(vec![Reply::problem(status, code)]);
        Program::of(&server).fails(exit, &CREATE);
        assert_eq!(server.lines().len(), 1, "{code}");
    }
}
