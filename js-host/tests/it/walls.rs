//! Promise 15: an escape from V8 is assumed, and finds itself walled in.

use crate::client::Host;
use sl_js_protocol::{ToDaemon, WallName, read_frame};
use std::{
    collections::BTreeMap,
    io::Read,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
};

#[derive(serde::Deserialize)]
struct Told {
    attacks: BTreeMap<String, String>,
    descriptors: Vec<i32>,
    environment: usize,
    missing: String,
}

fn command(socket: UnixStream, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sl-js-host"));
    command
        .args(["--fd", "0"])
        .args(flags)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null());
    command
}

fn probe(flags: &[&str]) -> Told {
    let (mut ours, theirs) = UnixStream::pair().expect("a socket pair");
    let mut command = command(theirs, flags);
    let mut child = command.arg("--probe").env("LEAKED", "secret").spawn().expect("the host starts");
    drop(command);
    let mut told = String::new();
    ours.read_to_string(&mut told).expect("what it found");
    assert!(child.wait().expect("a child").success());
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
}

#[test]
fn native_code_finds_every_way_out_closed() {
    for flags in [&[][..], &["--jitless"]] {
        let told = probe(flags);
        assert!(told.attacks.len() > 50);
        let allowed: Vec<_> = told.attacks.iter().filter(|(_, came)| *came != "refused").collect();
        assert!(allowed.is_empty(), "{flags:?}: {allowed:?}");
        // Nothing at 0 to 2, the socket, and the process's own memory figures.
        assert_eq!(told.descriptors, [0, 1, 2, 3, 4]);
        assert_eq!(told.environment, 0);
    }
}

/// What every Linux that the daemon runs on has; Landlock and namespaces depend on how the kernel was built.
#[test]
fn the_walls_that_need_nothing_special_stand() {
    let host = Host::spawn();
    let missing: BTreeMap<_, _> = host
        .hello
        .walls
        .iter()
        .filter_map(|wall| Some((wall.name, wall.missing.clone()?)))
        .filter(|(name, _)| {
            !matches!(
                name,
                WallName::Landlock
                    | WallName::UserNamespace
                    | WallName::NetworkNamespace
                    | WallName::IpcNamespace
            )
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(host.hello.walls.len(), 11, "each wall is told once");
}

#[test]
fn a_host_without_a_jit_runs_functions() {
    let mut host = Host::spawn_with(&["--jitless"]);
    assert!(!host.hello.jit);
    assert_eq!(host.run("() => [1, 2].map((n) => n * 2)").output(), r#"{"result":[2,4]}"#);
}

#[test]
fn an_inherited_environment_is_removed_and_told_of() {
    let told = probe(&[]);
    assert_eq!(told.environment, 0);
    assert!(told.missing.contains("environment: 1 variables were inherited"), "{}", told.missing);
}

#[test]
fn a_host_that_needs_every_wall_leaves_where_one_is_missing() {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let mut child = command(theirs, &["--require-walls"]).env("LEAKED", "secret").spawn().expect("it starts");
    let hello = read_frame::<ToDaemon>(&mut &ours).expect("a frame");
    let Some(ToDaemon::Hello(hello)) = hello else { panic!("no hello") };
    assert!(hello.walls.iter().any(|wall| wall.name == WallName::Environment && wall.missing.is_some()));
    assert_eq!(read_frame::<ToDaemon>(&mut &ours).expect("an end"), None);
    assert_eq!(child.wait().expect("a child").code(), Some(71));
}
