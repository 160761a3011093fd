//! Output modes, paging, watching.

use std::io::{BufRead, BufReader, Read};

use serde_json::{Value, json};

use crate::{
    program::Program,
    server::{Reply, Server},
};

fn functions() -> Value {
    json!({"items": [
        {"id": "f1", "name": "hello", "status": "active", "version": 2, "updated_at": "2026-01-02T03:04:05Z", "secrets": ["a"]},
        {"id": "f2", "name": "bye\u{1b}[31m", "status": "paused", "version": 1, "updated_at": null},
    ], "next_cursor": null})
}

#[test]
fn a_list_is_shown_in_every_mode() {
    let server = Server::always(200, &functions());
    let program = Program::of(&server);
    let table = program.out(&["functions", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "ID  NAME           STATUS  VERSION  UPDATED AT");
    assert_eq!(lines[1], "f1  hello          active  2        2026-01-02T03:04:05Z");
    assert_eq!(lines[2], "f2  bye\\u{1b}[31m  paused  1        -");

    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    assert_eq!(read(&program.out(&["functions", "list", "-o", "json"])), functions());
    let lines = program.out(&["-o", "jsonl", "functions", "list"]);
    assert_eq!(lines.lines().map(read).collect::<Vec<_>>(), *functions()["items"].as_array().expect("items"));
    let yaml = program.out(&["functions", "-o", "yaml", "list"]);
    assert!(yaml.contains("- id: f1\n") || yaml.contains("  id: f1\n"), "{yaml}");
    assert_eq!(program.out(&["functions", "list", "-o", "name"]), "f1\nf2\n");
    assert_eq!(program.with("SERVICE_LAYER_OUTPUT", "name").out(&["functions", "list"]), "f1\nf2\n");
    assert_eq!(server.lines(), vec!["GET /accounts/acc/functions"; 6]);
}

#[test]
fn one_thing_is_shown_in_every_mode() {
    let thing = json!({"id": "f1", "name": "hello", "source": "a\nb", "limits": {"wall": "5s"}, "secrets": ["x", "y"]});
    let program = Program::of(&Server::always(200, &thing));
    let told = program.out(&["functions", "get", "f1"]);
    assert_eq!(
        told,
        "id       f1\nname     hello\nlimits   {\"wall\":\"5s\"}\nsecrets  x,y\nsource   \n    a\n    b\n"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&program.out(&["functions", "get", "f1", "-o", "json"])).ok(),
        Some(thing)
    );
    assert_eq!(program.out(&["functions", "get", "f1", "-o", "jsonl"]).lines().count(), 1);
    assert!(program.out(&["functions", "get", "f1", "-o", "yaml"]).contains("source: |-\n  a\n  b\n"));
    assert_eq!(program.out(&["functions", "get", "f1", "-o", "name"]), "f1\n");
}

#[test]
fn a_list_without_the_frame_of_a_page_is_a_list() {
    let program = Program::of(&Server::always(200, &functions()["items"]));
    assert_eq!(program.out(&["functions", "list", "-o", "name"]), "f1\nf2\n");
    assert_eq!(program.out(&["functions", "list", "--all", "-o", "name"]), "f1\nf2\n");
    assert_eq!(program.out(&["functions", "list"]).lines().count(), 3);
}

#[test]
fn columns_can_be_chosen() {
    let program = Program::of(&Server::always(200, &functions()));
    assert_eq!(
        program.out(&["functions", "list", "--columns", "name,version"]).lines().next(),
        Some("NAME           VERSION")
    );
}

#[test]
fn colours_are_for_those_who_want_them() {
    let program = Program::of(&Server::always(200, &functions()));
    assert!(!program.out(&["functions", "list"]).contains('\u{1b}'), "no terminal, no colour");
    assert!(program.out(&["functions", "list", "--color", "always"]).contains("\u{1b}[32mactive\u{1b}[0m"));
    assert!(!program.out(&["functions", "list", "--color", "never"]).contains('\u{1b}'));
}

#[test]
fn all_pages_are_followed_and_a_single_page_says_that_there_is_more() {
    let page = |id: &str, next: Value| Reply::json(200, &json!({"items": [{"id": id}], "next_cursor": next}));
    let pages = || vec![page("1", json!("c/1")), page("2", json!("c2")), page("3", Value::Null)];
    let server = Server::script(pages());
    assert_eq!(
        Program::of(&server).out(&["functions", "list", "--all", "--limit", "1", "-o", "name"]),
        "1\n2\n3\n"
    );
    assert_eq!(
        server.lines(),
        [
            "GET /accounts/acc/functions?limit=1",
            "GET /accounts/acc/functions?limit=1&cursor=c%2F1",
            "GET /accounts/acc/functions?limit=1&cursor=c2",
        ]
    );
    let run = Program::of(&Server::script(pages())).run(&["functions", "list", "-o", "name"]);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("1\n", "there is more: --cursor c/1 or --all\n"));
}

#[test]
fn watching_asks_with_the_tag_and_shows_changes_only() {
    let server = Server::script(vec![
        Reply::json(200, &json!({"id": "f1", "version": 1})).with("etag", "\"1\""),
        Reply::text(304, "text/plain", ""),
        Reply::json(200, &json!({"id": "f1", "version": 1})),
        Reply::json(200, &json!({"id": "f1", "version": 2})).with("etag", "\"2\""),
        Reply::problem(404, "not_found"),
    ]);
    let run = Program::of(&server).run(&[
        "functions",
        "get",
        "f1",
        "--watch",
        "--interval",
        "100ms",
        "-o",
        "jsonl",
    ]);
    assert_eq!(run.code, 5, "{run:?}");
    assert_eq!(run.out, "{\"id\":\"f1\",\"version\":1}\n{\"id\":\"f1\",\"version\":2}\n");
    let tags: Vec<String> =
        server.seen().iter().map(|seen| seen.header("if-none-match").to_owned()).collect();
    assert_eq!(tags, ["", "\"1\"", "\"1\"", "\"1\"", "\"2\""].map(str::to_owned));
}

#[test]
fn text_and_nothing_are_passed_on_as_they_are() {
    let metrics = "# HELP a b\na_total 1\n";
    let program = Program::of(&Server::script(vec![Reply::text(200, "text/plain", metrics)]));
    assert_eq!(program.out(&["metrics", "get"]), metrics);
    let program = Program::of(&Server::script(vec![Reply::text(204, "text/plain", "")]));
    assert_eq!(program.out(&["functions", "delete", "f1"]), "");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let items: Vec<Value> =
        (0..20_000).map(|id| json!({"id": id, "name": "a name that takes some room"})).collect();
    let server = Server::always(200, &json!({"items": items, "next_cursor": null}));
    let mut child =
        Program::of(&server).command(&["functions", "list", "-o", "jsonl"]).spawn().expect("it starts");
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut first).expect("a line");
    drop(out);
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), told.as_str()), (Some(0), ""));
}
