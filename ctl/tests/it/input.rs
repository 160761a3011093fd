//! What is typed: turned into requests, or refused with a word that helps.

use serde_json::json;

use crate::{program::Program, server::Server};

fn server() -> Server {
    Server::always(200, &json!({"id": "x", "status": "succeeded"}))
}

/// The method, path and body that these words send.
fn sent(arguments: &[&str]) -> (String, serde_json::Value) {
    let server = server();
    Program::of(&server).out(arguments);
    let seen = server.only();
    let body = if seen.body.is_empty() { serde_json::Value::Null } else { seen.json() };
    (seen.line, body)
}

#[test]
fn flags_become_a_body_of_the_right_types() {
    let (line, body) = sent(&[
        "functions",
        "create",
        "--name",
        "hello",
        "--source",
        "() => 1",
        "--secrets",
        "a,b",
        "--secrets",
        "c",
        "--limits",
        "wall=5s,heap-bytes=64,fetch=false",
        "--body-output",
        "there",
        "--timeout",
        "1s",
    ]);
    assert_eq!(line, "POST /accounts/acc/functions");
    let limits = json!({"wall": "5s", "heap_bytes": 64, "fetch": false});
    let wanted = json!({"name": "hello", "source": "() => 1", "secrets": ["a", "b", "c"], "limits": limits, "output": "there", "timeout": "1s"});
    assert_eq!(body, wanted);
}

#[test]
fn a_body_comes_from_words_files_and_standard_input_and_flags_win() {
    let whole = r#"{"name": "a", "source": "b"}"#;
    let server = server();
    let program = Program::of(&server).input(whole);
    let file = program.file("body.json", whole);
    program.out(&["functions", "create", "--body", whole]);
    program.out(&["functions", "create", "--body", &format!("@{file}"), "--name", "c"]);
    program.out(&["functions", "create", "--body", "-"]);
    let bodies: Vec<_> = server.seen().iter().map(|seen| seen.json()["name"].clone()).collect();
    assert_eq!(bodies, ["a", "c", "a"]);
}

#[test]
fn a_source_and_a_secret_come_from_files() {
    let server = server();
    let program = Program::of(&server).input("s3cret\n\n");
    let source = program.file("f.js", "export default () => 1\n");
    program.out(&["functions", "create", "--name", "a", "--source", &format!("@{source}")]);
    program.out(&["secrets", "create", "--name", "k", "--value-file", "-"]);
    program.out(&["secrets", "update", "k", "--value", "@not-a-file"]);
    let bodies: Vec<_> = server.seen().iter().map(crate::server::Seen::json).collect();
    assert_eq!(bodies[0]["source"], "export default () => 1\n");
    assert_eq!(bodies[1], json!({"name": "k", "value": "s3cret\n"}));
    assert_eq!(bodies[2], json!({"value": "@not-a-file"}));
}

#[test]
fn the_params_of_an_execution_are_the_body_itself() {
    let (line, body) =
        sent(&["functions", "execute", "f1", "--wait", "30s", "--params", r#"{"n": [1, 2.5]}"#]);
    assert_eq!(
        (line.as_str(), body),
        ("POST /accounts/acc/functions/f1/execute?wait=30s", json!({"n": [1, 2.5]}))
    );
    assert_eq!(sent(&["functions", "execute", "f1"]).1, json!({}));
}

#[test]
fn a_failed_execution_is_shown_and_ends_with_ten() {
    let failed = json!({"id": "e1", "status": "failed", "error": {"class": "TypeError", "message": "x is not a function"}});
    let run = Program::of(&Server::always(200, &failed)).run(&["functions", "execute", "f1", "-o", "name"]);
    assert_eq!((run.code, run.out.as_str()), (10, "e1\n"));
    assert!(run.err.contains("execution e1 failed: x is not a function"), "{run:?}");
    assert_eq!(Program::of(&Server::always(200, &failed)).run(&["executions", "get", "e1"]).code, 0);
}

#[test]
fn parts_of_paths_are_encoded() {
    assert_eq!(sent(&["secrets", "get", "a/b?c d"]).0, "GET /accounts/acc/secrets/a%2Fb%3Fc%20d");
    for name in ["..", ".", ""] {
        assert!(Program::of(&server()).fails(2, &["secrets", "delete", name]).contains("names nothing"));
    }
}

#[test]
fn the_account_is_a_flag_except_where_it_is_the_thing_itself() {
    assert_eq!(sent(&["functions", "list", "-a", "other"]).0, "GET /accounts/other/functions");
    assert_eq!(sent(&["accounts", "get", "that"]).0, "GET /accounts/that");
    assert_eq!(sent(&["accounts", "get"]).0, "GET /accounts/acc");
    assert!(Program::of(&server()).fails(2, &["accounts", "delete"]).contains("name the account"));
    assert!(Program::alone().fails(2, &["functions", "list"]).contains("which account?"));
}

#[test]
fn maps_lists_booleans_and_nulls_are_typed() {
    let (_, body) = sent(&["accounts", "update", "--metadata", "team=x", "--metadata", "tier=2"]);
    assert_eq!(body, json!({"metadata": {"team": "x", "tier": "2"}}));
    let (line, body) = sent(&["dead-letters", "redrive", "d1", "--dry-run"]);
    assert_eq!(
        (line.as_str(), body),
        ("POST /accounts/acc/dead-letters/d1/redrive", json!({"dry_run": true}))
    );
    assert_eq!(sent(&["dead-letters", "redrive", "d1", "--dry_run=false"]).1, json!({"dry_run": false}));
    assert_eq!(
        sent(&["functions", "update", "f1", "--unset", "description"]).1,
        json!({"description": null})
    );
}

#[test]
fn a_version_becomes_an_entity_tag() {
    let server = server();
    let program = Program::of(&server);
    program.out(&["functions", "update", "f1", "--name", "n", "--if-match", "3"]);
    program.out(&["functions", "delete", "f1", "--if-match", "\"4\""]);
    let tags: Vec<_> = server.seen().iter().map(|seen| seen.header("if-match").to_owned()).collect();
    assert_eq!(tags, ["\"3\"", "\"4\""]);
}

#[test]
fn bad_input_is_told_before_anything_is_sent() {
    let server = server();
    let program = Program::of(&server);
    let cases: &[(&[&str], &str)] = &[
        (&["functionz"], "'functions'"),
        (&["functions", "creat"], "'create'"),
        (&["functions", "list", "--limti", "3"], "'--limit'"),
        (&["functions", "list", "--limit", "many"], "--limit: `many` is no whole number"),
        (&["functions", "list", "--status", "activ"], "active"),
        (&["functions", "create", "--name", "x"], "--source"),
        (&["functions", "create", "--body", "[1]"], "a JSON object is wanted"),
        (&["functions", "create", "--body", "{"], "the body is no JSON"),
        (&["functions", "create", "--body", "@missing.json"], "missing.json"),
        (
            &["functions", "create", "--name", "x", "--source", "y", "--limits", "wall"],
            "neither JSON nor key=value",
        ),
        (&["functions", "list", "-o", "xml"], "jsonl"),
        (&["functions", "list", "--request-timeout", "soon"], "no duration"),
        (&["functions", "list", "--addr", "ftp://x"], "neither http nor https"),
        (&["functions", "list", "--addr", "http://a:b@x"], "must not hold a name or password"),
        (&["functions", "list", "--context", "none"], "no context `none`"),
        (&["functions", "list", "--ca-file", "none.pem"], "none.pem"),
        (&["functions", "list", "--token-file", "none"], "none"),
        (&["tokens", "create", "--name", "x"], "--scopes"),
        (&["wait", "nothings", "x", "--for", "status=a"], "resources: accounts,"),
        (&["wait", "executions", "x", "y", "--for", "status=a"], "1 id wanted, 2 given"),
        (&["wait", "executions", "x", "--for", "soon"], "none of NAME=VALUE"),
        (&["pause", "functio", "x"], "'function'"),
        (&["api", "GET", "nopath"], "does not begin with /"),
        (&["api", "GET", "/a/{b}"], "write the value itself"),
        (&["api", "GET", "/a", "-H", "novalue"], "has no `:`"),
        (&["apply", "-f", "missing.yaml"], "missing.yaml"),
        (&["verify", "execution", "--file", "missing.json"], "missing.json"),
        (&["verify", "execution", "x", "--public-key", "zz"], "no Ed25519 public key"),
    ];
    for (arguments, wanted) in cases {
        let told = program.fails(2, arguments);
        assert!(told.contains(wanted), "{arguments:?}: {told}");
    }
    assert_eq!(server.lines(), Vec::<String>::new());
    let told = Program::of(&server).with("SERVICE_LAYER_OUTPUT", "xml").fails(2, &["functions", "list"]);
    assert!(told.contains("output `xml`"), "{told}");
}

#[test]
fn help_tells_method_path_and_scope() {
    let help = Program::alone().out(&["functions", "create", "--help"]);
    assert!(help.contains("POST /accounts/{account}/functions (scope: write)"), "{help}");
    assert!(help.contains("[required]"), "{help}");
    assert!(Program::alone().out(&["--version"]).starts_with("slctl "));
}

#[test]
fn a_name_is_understood_where_a_list_tells_the_id() {
    let id = "0198c0de-0000-7000-8000-000000000001";
    let list = json!({"items": [
        {"id": "0198c0de-0000-7000-8000-000000000002", "name": "twin"}, {"id": id, "name": "ci"},
        {"id": "0198c0de-0000-7000-8000-000000000003", "name": "twin"},
    ], "next_cursor": null});
    let server = Server::always(200, &list);
    let program = Program::of(&server);
    program.out(&["tokens", "revoke", "ci"]);
    program.out(&["tokens", "revoke", id]);
    let revoke = format!("DELETE /accounts/acc/tokens/{id}");
    assert_eq!(server.lines(), ["GET /accounts/acc/tokens?limit=500", &revoke, &revoke]);
    assert!(program.fails(5, &["tokens", "revoke", "cd"]).contains("no token is called `cd`"));
    assert!(program.fails(6, &["tokens", "revoke", "twin"]).contains("give the id"));
}
