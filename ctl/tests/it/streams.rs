//! Following streams across lost connections.

use serde_json::json;

use crate::{
    program::Program,
    server::{Reply, Seen, Server},
};

/// An execution that writes two logs over three connections, the second of which brings nothing. It has ended so before
/// the last connection is made: what it wrote until then must still come.
fn execution(status: &'static str) -> Server {
    let mut connections = 0;
    Server::start(move |seen: &Seen| {
        if !seen.line.ends_with("/logs") {
            let status = if connections < 2 { "running" } else { status };
            let error = json!({"class": "Error", "message": "it broke"});
            return Reply::json(
                200,
                &json!({"id": "e1", "status": status, "error": error, "logs": ["one", {"level": "warn", "message": "two"}]}),
            );
        }
        connections += 1;
        match connections {
            1 => Reply::events(
                "retry: 10\n\nid: 1\nevent: log\ndata: {\"at\":\"T1\",\"level\":\"info\",\"message\":\"one\"}\n\nid: 2\nda",
            ),
            2 => Reply::hang_up(),
            _ => Reply::events(
                "id: 2\nevent: log\ndata: {\"at\":\"T2\",\"level\":\"warn\",\"message\":\"two\\u001b[2J\"}\n\n",
            ),
        }
    })
}

#[test]
fn logs_are_followed_to_the_end_without_loss_or_repetition() {
    let server = execution("succeeded");
    assert_eq!(Program::of(&server).out(&["logs", "-f", "e1"]), "T1  info  one\nT2  warn  two\\u{1b}[2J\n");
    let streams: Vec<_> = server.seen().into_iter().filter(|seen| seen.line.ends_with("/logs")).collect();
    let ids: Vec<&str> = streams.iter().map(|seen| seen.header("last-event-id")).collect();
    assert_eq!(ids, ["", "1", "1"]);
    assert!(streams.iter().all(|seen| seen.header("accept") == "text/event-stream"));
}

#[test]
fn following_a_failed_execution_ends_with_ten() {
    let told = Program::of(&execution("failed")).fails(10, &["logs", "--follow", "e1"]);
    assert!(told.contains("execution e1 failed: it broke"), "{told}");
}

#[test]
fn logs_without_following_are_those_kept() {
    let program = Program::of(&execution("succeeded"));
    assert_eq!(program.out(&["logs", "e1"]), "one\nwarn  two\n");
    assert_eq!(
        program.out(&["logs", "e1", "-o", "jsonl"]),
        "\"one\"\n{\"level\":\"warn\",\"message\":\"two\"}\n"
    );
    let whole: Vec<serde_json::Value> =
        serde_json::from_str(&program.out(&["logs", "e1", "-o", "json"])).expect("one document");
    assert_eq!(whole.len(), 2);
}

#[test]
fn events_are_followed_until_the_server_has_no_more() {
    let server = Server::script(vec![
        Reply::events(
            "id: 7\nevent: function.created\ndata: {\"kind\":\"function.created\",\"subject\":\"f1\"}\n\n",
        ),
        Reply::text(204, "text/plain", ""),
    ]);
    let told = Program::of(&server).out(&[
        "events",
        "follow",
        "--kind",
        "function.*",
        "--last-event-id",
        "6",
        "-o",
        "jsonl",
    ]);
    assert_eq!(
        told,
        "{\"data\":{\"kind\":\"function.created\",\"subject\":\"f1\"},\"event\":\"function.created\",\"id\":\"7\"}\n"
    );
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /accounts/acc/events?kind=function.*");
    assert_eq!((seen[0].header("last-event-id"), seen[1].header("last-event-id")), ("6", "7"));
}

#[test]
fn a_stream_that_is_refused_is_not_tried_again() {
    let server = Server::script(vec![Reply::problem(404, "not_found")]);
    Program::of(&server).fails(5, &["logs", "-f", "nothing"]);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn logs_end_with_the_execution_where_the_stream_tells_it() {
    let ended = r#"{"id":"e1","status":"failed","error":{"message":"it broke"}}"#;
    let line = r#"{"sequence":1,"level":"info","message":"one","at":"0.5ms"}"#;
    let stream = format!("id: 1\nevent: log\ndata: {line}\n\nevent: ended\ndata: {ended}\n\n");
    let server = Server::script(vec![Reply::events(&stream)]);
    let program = Program::of(&server);
    let run = program.run(&["logs", "-f", "e1"]);
    assert_eq!((run.code, run.out.as_str()), (10, "0.5ms  info  one\n"), "{run:?}");
    assert_eq!(server.lines().len(), 1, "nothing more is asked");
    assert_eq!(program.out(&["executions", "logs", "e1"]), "0.5ms  info  one\nfailed\n");
}
