//! Which crate may know which: `daemon -> http -> actors -> {store, js-host protocol}`, and who may hold V8, SQL, HTTP.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use super::{none, root};

/// Every arrow there may be between our crates.
const ARROWS: [(&str, &[&str]); 7] = [
    ("sl-daemon", &["sl-http", "sl-actors", "sl-store"]),
    ("sl-http", &["sl-actors", "sl-store"]),
    ("sl-actors", &["sl-store", "sl-js-protocol"]),
    ("sl-store", &[]),
    ("sl-js-host", &["sl-js-protocol"]),
    ("sl-js-protocol", &[]),
    ("sl-ctl", &[]),
];

/// Crates from outside that only some rooms may name directly.
const RESERVED: [(&str, &[&str]); 7] = [
    ("v8", &["sl-js-host"]),
    ("tokio-postgres", &["sl-store"]),
    ("deadpool-postgres", &["sl-store"]),
    ("refinery", &["sl-store"]),
    ("actix-web", &["sl-http", "sl-daemon"]),
    ("backoff", &["sl-store"]),
    ("schnorrkel", &["sl-actors"]),
];

/// The dependencies of each of our crates: name, and whether only its tests have it.
fn dependencies() -> BTreeMap<String, Vec<(String, bool)>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo tells its metadata");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let named = package["dependencies"].as_array().expect("dependencies").iter();
            let named = named.map(|found| (text(&found["name"]), found["kind"] == "dev")).collect();
            (text(&package["name"]), named)
        })
        .collect()
}

#[test]
fn arrows_between_our_crates_only_point_down() {
    let mut breaches = Vec::new();
    for (package, dependencies) in dependencies() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package) else {
            breaches.push(format!("{package} has no place in the map"));
            continue;
        };
        for (dependency, only_tests) in dependencies {
            let ours = dependency.starts_with("sl-") && dependency != package;
            if ours && !only_tests && !allowed.contains(&dependency.as_str()) {
                breaches.push(format!("{package} -> {dependency}"));
            }
        }
    }
    none("arrows point down", &breaches);
}

#[test]
fn only_the_right_rooms_name_what_is_reserved() {
    let mut breaches = Vec::new();
    for (package, dependencies) in dependencies() {
        for (dependency, only_tests) in dependencies {
            let reserved = RESERVED.iter().find(|(name, _)| *name == dependency);
            if reserved.is_some_and(|(_, rooms)| !only_tests && !rooms.contains(&package.as_str())) {
                breaches.push(format!("{package} -> {dependency}"));
            }
        }
    }
    none("V8 in js-host, SQL in store, HTTP in http", &breaches);
}

#[test]
fn the_daemon_does_not_hold_v8_by_a_detour() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "sl-daemon", "--edges", "normal", "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo tells its tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let held: Vec<&str> =
        tree.lines().filter(|line| line.starts_with("v8 ") || line.starts_with("sl-js-host ")).collect();
    assert!(held.is_empty(), "the daemon holds {held:?}");
    assert!(tree.contains("sl-actors "), "the tree is the daemon's");
}
