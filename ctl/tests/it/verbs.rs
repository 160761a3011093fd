//! The verbs written by hand.

use std::{os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::{Value, json};

use crate::{
    program::Program,
    server::{Reply, Seen, Server},
};

#[test]
fn wait_ends_when_it_is_so() {
    let with = |status: &str| Reply::json(200, &json!({"id": "e1", "status": status, "output": null}));
    let server = Server::script(vec![with("queued"), with("running"), with("succeeded")]);
    assert_eq!(
        Program::of(&server).out(&["wait", "executions", "e1", "--for", "status=succeeded", "-o", "name"]),
        "e1\n"
    );
    assert_eq!(server.lines(), vec!["GET /accounts/acc/executions/e1"; 3]);
    let program = Program::of(&Server::script(vec![with("running")]));
    program.out(&["wait", "execution", "e1", "--for", "$.status=running"]);
    assert!(
        program
            .fails(9, &["wait", "executions", "e1", "--for", "$.output", "--timeout", "50ms"])
            .contains("`running`")
    );
}

#[test]
fn wait_ends_when_it_cannot_become_so() {
    let with = |status: &str| Program::of(&Server::always(200, &json!({"id": "e1", "status": status})));
    with("failed").fails(10, &["wait", "executions", "e1", "--for", "status=succeeded"]);
    with("cancelled").fails(6, &["wait", "executions", "e1", "--for", "status=succeeded"]);
    let bare = Program::of(&Server::always(200, &json!({"id": "a1"})));
    let told = bare.fails(9, &["wait", "accounts", "a1", "--for", "$.owner", "--timeout", "1ms"]);
    assert!(told.contains("it has no status"), "{told}");
    with("succeeded").fails(6, &["wait", "executions", "e1", "--for", "status=failed"]);
    with("failed").out(&["wait", "executions", "e1", "--for", "status=succeeded,failed"]);
    let gone =
        Program::of(&Server::script(vec![Reply::json(200, &json!({})), Reply::problem(404, "not_found")]));
    gone.out(&["wait", "accounts", "a1", "--for", "deleted"]);
    gone.fails(5, &["wait", "accounts", "a1", "--for", "status=active"]);
}

#[test]
fn why_tells_the_causes_in_order() {
    let answer = json!({"id": "e1", "kind": "execution", "status": "queued", "causes": [
        {"code": "paused", "detail": "the duty is paused", "since": "T0", "until": null},
        {"code": "quota", "detail": "no run left", "limit": 5},
    ]});
    let server = Server::always(200, &answer);
    let program = Program::of(&server);
    let id = "00000000-0000-0000-0000-0000000000e1";
    let wanted = "execution e1 is queued\n  1. paused: the duty is paused (since=T0)\n  2. quota: no run left (limit=5)\n";
    assert_eq!(program.out(&["why", id]), wanted);
    assert_eq!(serde_json::from_str::<Value>(&program.out(&["why", id, "-o", "json"])).ok(), Some(answer));
    program.out(&["why", "get", id]);
    assert_eq!(server.lines(), vec![format!("GET /accounts/acc/why/{id}"); 3]);
}

#[test]
fn pause_and_resume_reach_every_kind_of_target() {
    let cases: [(&[&str], &str, Value); 6] = [
        (&["pause", "system", "--reason", "r"], "POST /system/pause", json!({"reason": "r"})),
        (
            &["pause", "duty", "executions", "--reason", "r"],
            "POST /system/duties/executions/pause",
            json!({"reason": "r"}),
        ),
        (
            &["pause", "account", "a9", "--reason", "r", "--until", "2030-01-01T00:00:00Z"],
            "POST /accounts/a9/pause",
            json!({"reason": "r", "until": "2030-01-01T00:00:00Z"}),
        ),
        (
            &["pause", "function", "f1", "--reason", "r"],
            "POST /accounts/acc/functions/f1/pause",
            json!({"reason": "r"}),
        ),
        (
            &["resume", "function", "f1", "--missed", "drop"],
            "POST /accounts/acc/functions/f1/resume",
            json!({"missed": "drop"}),
        ),
        (&["resume", "system"], "POST /system/resume", json!({})),
    ];
    for (arguments, line, body) in cases {
        let server = Server::always(200, &json!({}));
        Program::of(&server).out(arguments);
        let seen = server.only();
        assert_eq!((seen.line.as_str(), seen.json()), (line, body));
    }
    assert!(Program::alone().fails(2, &["pause", "system"]).contains("--reason"));
}

#[test]
fn a_time_may_be_said_as_how_long_from_now() {
    let server = Server::always(200, &json!({}));
    let program = Program::of(&server);
    program.out(&["pause", "function", "f1", "--reason", "r", "--until", "10m"]);
    let until = server.only().json()["until"].as_str().map(str::to_owned).expect("a time");
    assert!(until.len() == 20 && until.starts_with("20") && until.ends_with('Z'), "{until}");
    let told = program.fails(2, &["pause", "function", "f1", "--reason", "r", "--until", "soon"]);
    assert!(told.contains("--until: `soon` is neither a time") && told.contains("10m"), "{told}");
}

#[test]
fn names_will_do_where_ids_are_wanted() {
    const ID: &str = "00000000-0000-0000-0000-0000000000f1";
    const JOB: &str = "00000000-0000-0000-0000-0000000000a1";
    let server = Server::start(|seen: &Seen| {
        let page = |items: Value| json!({"items": items, "next_cursor": null});
        let path = seen.line.split([' ', '?']).nth(1).expect("a path");
        Reply::json(
            200,
            &match path {
                "/accounts/acc/functions" => page(json!([{"id": ID, "name": "hello"}])),
                "/accounts/acc/automation/jobs" => page(json!([{"id": JOB, "name": "j1"}])),
                "/accounts/acc/oracle/sources" | "/accounts/acc/tokens" => page(json!([])),
                _ => json!({"id": ID, "name": "hello", "kind": "job", "status": "active", "causes": []}),
            },
        )
    });
    // The document that is built in: its parameters say that they are ids.
    let program = Program::of(&server).with("SERVICE_LAYER_OPENAPI", "");
    let asked = |arguments: &[&str]| {
        program.out(arguments);
        server.seen().pop().expect("a request")
    };
    let function = format!("GET /accounts/acc/functions/{ID}");
    assert_eq!(asked(&["wait", "functions", "hello", "--for", "$.name=hello"]).line, function);
    assert_eq!(asked(&["why", "j1"]).line, format!("GET /accounts/acc/why/{JOB}"));
    let listed = asked(&["jobs", "list", "--function-id", "hello"]).line;
    assert_eq!(listed, format!("GET /accounts/acc/automation/jobs?function_id={ID}"));
    let amended = asked(&["jobs", "update", "j1", "--function-id", "hello"]);
    assert_eq!(amended.line, format!("PATCH /accounts/acc/automation/jobs/{JOB}"));
    assert_eq!(amended.json(), json!({"function_id": ID}));
    for (arguments, kind) in [
        (&["wait", "functions", "other", "--for", "deleted"][..], "function"),
        (&["jobs", "list", "--function-id", "other"], "function"),
        (&["why", "other"], "thing"),
        (&["logs", "other"], "execution"),
        (&["verify", "execution", "other"], "execution"),
    ] {
        let told = program.fails(5, arguments);
        assert!(told.contains(&format!("no {kind} is called `other`")), "{told}");
    }
}

#[test]
fn api_sends_anything() {
    let server = Server::always(200, &json!({"ok": true}));
    let program = Program::of(&server);
    program.out(&[
        "api",
        "post",
        "/accounts/{account}/x?b=1",
        "--query",
        "a=b c",
        "-H",
        "If-Match: \"1\"",
        "--body",
        "{\"n\":1}",
    ]);
    let seen = server.only();
    assert_eq!(seen.line, "POST /accounts/acc/x?b=1&a=b+c");
    assert_eq!(
        (seen.header("if-match"), seen.body.as_str(), seen.header("idempotency-key").len()),
        ("\"1\"", "{\"n\":1}", 32)
    );
    let told = program.out(&["api", "GET", "/x", "-i", "-o", "jsonl"]);
    assert!(
        told.starts_with("200\n")
            && told.contains("content-type: application/json\n")
            && told.ends_with("\n\n{\"ok\":true}\n"),
        "{told}"
    );
}

/// A daemon in good health, but for what `change` says.
fn daemon(change: impl Fn(&str) -> Option<Reply> + Send + 'static) -> Server {
    Server::start(move |seen: &Seen| {
        let path = seen.line.split(' ').nth(1).expect("a path");
        if let Some(reply) = change(path) {
            return reply;
        }
        match path {
            "/livez" => {
                Reply::json(200, &json!({"status": "ok"})).with("date", "Thu, 01 Jan 2015 00:00:00 GMT")
            }
            "/system/version" => Reply::json(200, &json!({"version": "0.1.0"})),
            "/system/status" => {
                Reply::json(200, &json!({"status": "ok", "services": 3, "duties": [{"name": "x"}]}))
            }
            "/system/duties" => Reply::json(
                200,
                &json!({"items": [{"name": "executions", "status": "running", "pending": 4}], "next_cursor": null}),
            ),
            "/accounts/acc/limits" => Reply::json(
                200,
                &json!({"items": [
                    {"name": "functions.max", "value": 100, "current": 90}, {"name": "secrets.max", "value": 100, "current": 5},
                ]}),
            ),
            _ => Reply::json(200, &json!({"status": "ok"})),
        }
    })
}

#[test]
fn doctor_tells_what_is_wrong() {
    let told = Program::of(&daemon(|_| None)).out(&["doctor", "-o", "jsonl"]);
    let found: Vec<(String, String)> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|row| {
            (
                row["name"].as_str().unwrap_or_default().to_owned(),
                row["status"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let found: Vec<(&str, &str)> =
        found.iter().map(|(name, status)| (name.as_str(), status.as_str())).collect();
    let wanted = [
        ("address", "ok"),
        ("clock", "warn"),
        ("health", "ok"),
        ("readiness", "ok"),
        ("token", "ok"),
        ("version", "ok"),
        ("limits", "warn"),
    ];
    assert_eq!(found, wanted);
    assert!(told.contains("functions.max: 90 of 100 used") && !told.contains("secrets.max"), "{told}");
}

#[test]
fn doctor_ends_with_the_code_of_what_fails_first() {
    let refused = daemon(|path| (path == "/system/version").then(|| Reply::problem(401, "unauthorized")));
    Program::of(&refused).fails(3, &["doctor"]);
    let draining = daemon(|path| (path == "/readyz").then(|| Reply::problem(503, "unavailable")));
    Program::of(&draining).fails(9, &["doctor"]);
    let nobody = Program::alone().with("SERVICE_LAYER_ADDR", "http://127.0.0.1:1");
    let run = nobody.run(&["doctor"]);
    assert_eq!(run.code, 9);
    assert!(run.out.contains("address  fail"), "{run:?}");
    Program::of(&daemon(|_| None)).with("SERVICE_LAYER_TOKEN", "").fails(3, &["doctor"]);
    let other =
        daemon(|path| (path == "/system/version").then(|| Reply::json(200, &json!({"version": "9.0.0"}))));
    assert!(Program::of(&other).out(&["doctor"]).contains("the server is 9.0.0"));
}

#[test]
fn top_is_plain_text_without_a_terminal() {
    let told = Program::of(&daemon(|_| None)).out(&["top", "--count", "2", "--interval", "100ms"]);
    let once = "status    ok\nservices  3\n\nNAME        STATUS   PENDING  RUNNING  PAUSED\nexecutions  running  4        -        -\n";
    assert_eq!(told, format!("{once}\n{once}"));
}

#[test]
fn version_tells_program_document_and_server() {
    let program = Program::of(&daemon(|_| None));
    let told: Value = serde_json::from_str(&program.out(&["version", "-o", "json"])).expect("JSON");
    assert_eq!(told, json!({"client": env!("CARGO_PKG_VERSION"), "document": "0.1.0", "server": "0.1.0"}));
    let nobody = Program::alone().with("SERVICE_LAYER_ADDR", "http://127.0.0.1:1");
    let run = nobody.run(&["version", "--attempts", "1"]);
    assert!(run.code == 0 && run.err.contains("not known"), "{run:?}");
    assert_eq!(nobody.run(&["version", "--client"]).err, "");
}

/// A stand-in for `sld`: it writes down how it was started and stays until it is asked to stop.
const SLD: &str = "#!/bin/sh\necho \"$@\" > args\necho \"$API_TOKENS\" > tokens\necho \"<$SERVICE_LAYER_ACCOUNT>\" > account\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n";

#[test]
fn dev_starts_the_server_and_lends_a_context() {
    let server = Server::start(|seen: &Seen| match seen.line.as_str() {
        "POST /accounts" => Reply::json(201, &json!({"id": "a-dev"})),
        _ => Reply::json(200, &json!({"items": [{"id": "seen"}], "next_cursor": null})),
    });
    let program = Program::alone().apart();
    let path = program.file("bin/sld", SLD);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    program.out(&["context", "set", "before", "--addr", "http://127.0.0.1:1"]);
    let folders = format!("{}:/usr/bin:/bin", program.path("bin").display());
    let program = program.with("PATH", &folders);
    let listen = server.addr.to_string();
    let mut child = program
        .command(&["dev", "--listen", &listen, "--", "--more"])
        .env("SERVICE_LAYER_ACCOUNT", "elsewhere")
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut told = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stderr.as_mut().expect("piped")),
        &mut told,
    )
    .expect("a line");
    assert!(told.contains("context `dev` is in use"), "{told}");

    assert_eq!(program.out(&["functions", "list", "-o", "name"]), "seen\n");
    let asked = server.seen().into_iter().next_back().expect("the list");
    assert_eq!(asked.line, "GET /accounts/a-dev/functions");
    let read = |name| std::fs::read_to_string(program.path(name)).expect("the stand-in wrote it");
    assert_eq!(read("args"), format!("dev --listen {listen} --more\n"));
    let token = read("tokens").trim_end().strip_prefix("dev:").expect("a name").to_owned();
    assert_eq!((asked.header("authorization"), token.len()), (format!("Bearer {token}").as_str(), 48));
    assert!(!told.contains(&token));
    assert_eq!(read("account"), "<>\n", "what is no setting of the server's is not passed on");

    // To this program alone, as a supervisor does; a terminal would tell its whole group.
    let stopped =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(stopped.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(program.out(&["context", "list", "-o", "name"]), "before\n");
    assert!(program.out(&["context", "list"]).contains("*        before"));
}

#[test]
fn dev_without_a_server_says_so() {
    assert!(
        Program::alone()
            .apart()
            .fails(2, &["dev"])
            .contains("`sld` is neither beside this program nor in PATH")
    );
}
