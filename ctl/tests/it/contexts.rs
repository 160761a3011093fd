//! Contexts: kept for the user alone, used where nothing else is said.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::{
    program::{Program, TOKEN},
    server::{Reply, Server},
};

fn server() -> Server {
    Server::always(200, &json!({"items": [], "next_cursor": null}))
}

#[test]
fn a_context_gives_address_account_and_token() {
    let server = server();
    let addr = format!("http://{}", server.addr);
    let program = Program::alone().input(&format!("{TOKEN}\n"));
    program.out(&["context", "set", "prod", "--addr", &addr, "--account", "a1", "--token-stdin"]);
    program.out(&["functions", "list"]);
    let seen = server.only();
    assert_eq!(seen.line, "GET /accounts/a1/functions");
    assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));

    let file = program.path("service-layer/slctl.toml");
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    let list = program.out(&["context", "list"]);
    assert!(list.contains("*        prod") && list.contains("kept here"), "{list}");
}

#[test]
fn contexts_are_chosen_changed_and_forgotten() {
    let (one, two) = (server(), server());
    let program = Program::alone();
    program.out(&["context", "set", "one", "--addr", &format!("http://{}", one.addr), "-a", "a1"]);
    program.out(&["context", "set", "two", "--addr", &format!("http://{}", two.addr), "-a", "a2"]);
    program.out(&["functions", "list"]);
    program.out(&["functions", "list", "--context", "two"]);
    program.out(&["context", "use", "two"]);
    program.out(&["context", "set", "two", "-a", "a3"]);
    program.out(&["functions", "list"]);
    assert_eq!(one.lines(), ["GET /accounts/a1/functions"]);
    assert_eq!(two.lines(), ["GET /accounts/a2/functions", "GET /accounts/a3/functions"]);
    program.out(&["context", "delete", "two"]);
    let told = program.fails(2, &["context", "use", "two"]);
    assert!(told.contains("no context `two`") && told.contains("contexts: one"), "{told}");
    assert_eq!(program.out(&["context", "list", "-o", "name"]), "one\n");
}

#[test]
fn a_token_is_read_from_file_and_environment() {
    let server = server();
    let program = Program::of(&server).with("SERVICE_LAYER_TOKEN", "");
    let file = program.file("token", &format!("{TOKEN}\n"));
    program.out(&["functions", "list", "--token-file", &file]);
    program.out(&[
        "context",
        "set",
        "here",
        "--addr",
        &format!("http://{}", server.addr),
        "--token-file",
        &file,
    ]);
    program.out(&["functions", "list"]);
    program.out(&["context", "set", "here", "--token-env", "MY_TOKEN"]);
    let program = program.with("MY_TOKEN", TOKEN);
    program.out(&["functions", "list"]);
    let program = program.with("MY_TOKEN", "").with("SERVICE_LAYER_TOKEN_FILE", &file);
    program.out(&["functions", "list"]);
    let sent: Vec<String> =
        server.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(sent, vec![format!("Bearer {TOKEN}"); 4]);
}

#[test]
fn the_token_of_a_context_goes_to_no_other_server() {
    let (own, other) = (server(), server());
    let program = Program::alone().input(TOKEN);
    program.out(&[
        "context",
        "set",
        "own",
        "--addr",
        &format!("http://{}", own.addr),
        "-a",
        "a1",
        "--token-stdin",
    ]);
    program.out(&["functions", "list", "--addr", &format!("http://{}", other.addr)]);
    assert_eq!(other.only().header("authorization"), "");
}

#[test]
fn a_broken_file_is_told_without_showing_its_tokens() {
    let program = Program::alone();
    program.file("service-layer/slctl.toml", &format!("[contexts.a]\ntoken = \"{TOKEN}\n"));
    let told = program.fails(2, &["context", "list"]);
    assert!(told.contains("slctl.toml: line 2"), "{told}");
}

#[test]
fn a_file_open_to_others_is_warned_of() {
    let program = Program::alone();
    let path = program.file("service-layer/slctl.toml", "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(program.run(&["context", "list"]).err.contains("chmod 600"));
}

#[test]
fn a_token_in_clear_text_over_the_network_is_warned_of() {
    let program =
        Program::alone().with("SERVICE_LAYER_TOKEN", TOKEN).with("SERVICE_LAYER_ADDR", "http://host.invalid");
    let told = program.fails(9, &["system", "version", "--attempts", "1"]);
    assert!(told.contains("in clear text"), "{told}");
    let near = Program::of(&Server::script(vec![Reply::json(200, &json!({}))]));
    assert_eq!(near.run(&["system", "version"]).err, "");
}
