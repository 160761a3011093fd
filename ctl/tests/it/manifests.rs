//! `apply`, `diff` and `export` against a server that keeps functions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    program::Program,
    server::{Reply, Seen, Server},
};

/// A server with functions that can be listed, read, created and amended under `If-Match`.
fn server(functions: &[Value]) -> Server {
    let mut kept: BTreeMap<String, Value> = functions
        .iter()
        .map(|value| (value["id"].as_str().expect("an id").to_owned(), value.clone()))
        .collect();
    Server::start(move |seen: &Seen| {
        let (method, path) = seen.line.split_once(' ').expect("a request line");
        let path = path.split('?').next().expect("a path");
        let id = path.strip_prefix("/accounts/acc/functions").expect("functions").trim_start_matches('/');
        match (method, id) {
            ("GET", "") => list(&kept, &seen.line),
            ("GET", id) => tagged(200, &kept[id]),
            ("POST", "") => {
                let mut value = seen.json();
                let id = format!("new-{}", kept.len());
                value["id"] = json!(id);
                value["version"] = json!(1);
                kept.insert(id, value.clone());
                tagged(201, &value)
            }
            ("PATCH", id) => amend(kept.get_mut(id).expect("a function"), seen),
            _ => Reply::problem(405, "method_not_allowed"),
        }
    })
}

/// One function a page, without sources: a client has to follow and to fetch.
fn list(kept: &BTreeMap<String, Value>, line: &str) -> Reply {
    let place: usize = line.split("cursor=").nth(1).map_or(0, |cursor| cursor.parse().expect("our cursor"));
    let items: Vec<Value> = kept
        .values()
        .skip(place)
        .take(1)
        .map(|value| json!({"id": value["id"], "name": value["name"]}))
        .collect();
    let next = (place + 1 < kept.len()).then(|| (place + 1).to_string());
    Reply::json(200, &json!({"items": items, "next_cursor": next}))
}

fn amend(value: &mut Value, seen: &Seen) -> Reply {
    if seen.header("if-match") != format!("\"{}\"", value["version"]) {
        return Reply::problem(412, "version_mismatch");
    }
    for (name, new) in seen.json().as_object().expect("an object") {
        value[name] = new.clone();
    }
    value["version"] = json!(value["version"].as_u64().expect("a version") + 1);
    tagged(200, value)
}

fn tagged(status: u16, value: &Value) -> Reply {
    Reply::json(status, value).with("etag", &format!("\"{}\"", value["version"]))
}

fn function(id: &str, name: &str, source: &str) -> Value {
    json!({
        "id": id, "name": name, "source": source, "description": null, "secrets": ["b", "a"], "status": "active",
        "limits": {"wall": "1m 30s", "heap_bytes": 64, "fetch": true}, "version": 7, "created_at": "2026-01-01T00:00:00Z",
    })
}

fn changes(server: &Server) -> Vec<String> {
    server.lines().into_iter().filter(|line| !line.starts_with("GET")).collect()
}

#[test]
fn apply_creates_amends_and_then_does_nothing() {
    let server = server(&[function("f1", "one", "old\n"), function("f2", "two", "same\n")]);
    let program = Program::of(&server);
    program.file("src/one.js", "new\n");
    program.file(
        "all.yaml",
        concat!(
            "kind: function\nname: one\nsource_file: src/one.js\nsecrets: [a, b]\n",
            "---\nkind: function\nname: two\nsource: |\n  same\nlimits: {wall: 90s}\n",
            "---\n# nothing\n---\nkind: function\nname: three\nsource: three\n",
        ),
    );
    let ahead = program.out(&["apply", "-f", "all.yaml", "--dry-run", "-o", "jsonl"]);
    assert_eq!(actions(&ahead), ["one update", "two unchanged", "three create"]);
    assert_eq!(changes(&server), Vec::<String>::new());

    let told = program.out(&["apply", "-f", "all.yaml", "-o", "jsonl"]);
    assert_eq!(actions(&told), ["one updated", "two unchanged", "three created"]);
    assert_eq!(changes(&server), ["PATCH /accounts/acc/functions/f1", "POST /accounts/acc/functions"]);
    let patch = server.seen().into_iter().find(|seen| seen.line.starts_with("PATCH")).expect("the amendment");
    assert_eq!((patch.json(), patch.header("if-match")), (json!({"source": "new\n"}), "\"7\""));
    assert!(!patch.header("idempotency-key").is_empty());

    assert_eq!(
        actions(&program.out(&["apply", "-f", "all.yaml", "-o", "jsonl"])),
        ["one unchanged", "two unchanged", "three unchanged"]
    );
    assert_eq!(changes(&server).len(), 2);
}

fn actions(lines: &str) -> Vec<String> {
    let read = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let plain = |value: Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .lines()
        .map(read)
        .map(|item| format!("{} {}", plain(item["name"].clone()), plain(item["action"].clone())))
        .collect()
}

#[test]
fn diff_shows_what_apply_would_change() {
    let server = server(&[function("f1", "one", "a\nold\nz\n")]);
    let program = Program::of(&server);
    let manifest = program.file("f.json", r#"{"kind": "function", "name": "one", "source": "a\nnew\nz\n", "limits": {"heap_bytes": 65, "wall": "90s"}}"#);
    let run = program.run(&["diff", "-f", &manifest]);
    assert_eq!((run.code, run.err.as_str()), (1, ""), "{run:?}");
    for line in [
        "--- server function/one",
        "+++ manifest function/one",
        "-  old",
        "+  new",
        "-  heap_bytes: 64",
        "+  heap_bytes: 65",
        "   wall: 90s",
    ] {
        assert!(run.out.lines().any(|told| told == line), "{line}: {}", run.out);
    }
    assert_eq!(changes(&server), Vec::<String>::new());
    program.out(&["apply", "-f", &manifest]);
    let patch = server.seen().into_iter().find(|seen| seen.line.starts_with("PATCH")).expect("the amendment");
    assert_eq!(
        patch.json()["limits"],
        json!({"heap_bytes": 65, "wall": "90s", "fetch": true}),
        "what is not said stays"
    );
    assert_eq!(program.out(&["diff", "-f", &manifest]), "");
}

#[test]
fn what_is_exported_is_unchanged_when_applied() {
    let server =
        server(&[function("f1", "one", "export default () => 1\n"), function("f2", "a/b", "\"tw\u{e9}\"")]);
    let program = Program::of(&server);
    for format in ["yaml", "json", "toml"] {
        let file = program.file(&format!("all.{format}"), &program.out(&["export", "--format", format]));
        assert_eq!(
            actions(&program.out(&["apply", "-f", &file, "-o", "jsonl"])),
            ["a/b unchanged", "one unchanged"],
            "{format}"
        );
        let folder = program.path(format).to_string_lossy().into_owned();
        program.out(&["export", "--format", format, "--dir", &folder]);
        assert_eq!(program.run(&["diff", "-f", &folder]).code, 0, "{format}");
    }
    assert_eq!(
        std::fs::read_to_string(program.path("yaml/one.js")).expect("the source"),
        "export default () => 1\n"
    );
    assert!(program.path("toml/a-b.toml").is_file());
    assert_eq!(changes(&server), Vec::<String>::new());
    let only = program.out(&["export", "one"]);
    assert!(only.starts_with("---\nkind: function\nname: one\n") && !only.contains("created_at"), "{only}");
    program.fails(5, &["export", "none"]);
}

#[test]
fn a_change_by_somebody_else_in_between_is_a_conflict() {
    let server = Server::start(|seen: &Seen| match seen.line.as_str() {
        line if line.starts_with("PATCH") => Reply::problem(412, "version_mismatch"),
        line if line.contains("?limit=") => {
            Reply::json(200, &json!({"items": [{"id": "f1", "name": "one"}], "next_cursor": null}))
        }
        _ => tagged(200, &function("f1", "one", "old")),
    });
    let program = Program::of(&server);
    let file = program.file("f.yaml", "kind: function\nname: one\nsource: new\n");
    let told = program.fails(6, &["apply", "-f", &file]);
    assert!(told.contains("at function one") && told.contains("0 before it"), "{told}");
}

#[test]
fn bad_manifests_are_told_before_anything_is_changed() {
    let server = server(&[]);
    let cases = [
        ("a.yaml", "kind: function\nname: [", "a.yaml"),
        ("b.yaml", "name: x\n", "kind is missing; known is: function"),
        ("b.yaml", "kind: functional\nname: x\n", "kind `functional` is not known"),
        ("c.yaml", "kind: function\nsource: x\n", "name is missing"),
        (
            "d.yaml",
            "kind: function\nname: x\nsuorce: y\n",
            "unknown field `suorce`; known are: kind, source_file",
        ),
        ("e.yaml", "kind: function\nname: x\nsource: y\nsource_file: z.js\n", "z.js"),
        ("f.toml", "kind = ", "f.toml"),
        ("g.json", "{", "g.json"),
        (
            "h.yaml",
            "kind: function\nname: x\n---\nkind: function\nname: x\n",
            "stands twice: h.yaml, manifest 1 and h.yaml, manifest 2",
        ),
        ("i.yaml", "", "there is no manifest"),
        ("j.yaml", "- 1\n", "a manifest is an object"),
    ];
    for (name, text, wanted) in cases {
        let program = Program::of(&server);
        program.file(name, text);
        let told = program.fails(2, &["apply", "-f", name]);
        assert!(told.contains(wanted), "{name}: {told}");
    }
    assert_eq!(server.lines(), Vec::<String>::new());
    let both = Program::of(&server);
    both.file("z.js", "1");
    both.file("e.yaml", "kind: function\nname: x\nsource: y\nsource_file: z.js\n");
    assert!(both.fails(2, &["apply", "-f", "e.yaml"]).contains("exclude each other"));
}
