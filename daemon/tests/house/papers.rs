//! What has to be written down: rooms, dependencies, error codes, waivers.

use std::{collections::BTreeSet, path::Path};

use chrono::NaiveDate;
use sl_store::{Clock, Code, SystemClock};

use super::{files, none, read, root};

/// The top-level folders, and no others besides dot-folders.
const ROOMS: [&str; 12] = [
    "actors",
    "configs",
    "ctl",
    "daemon",
    "docs",
    "http",
    "js-host",
    "migrations",
    "sdk",
    "store",
    "systemd",
    "ui",
];

#[test]
fn there_are_no_rooms_but_those_of_the_map() {
    let breaches: BTreeSet<String> = files()
        .iter()
        .filter_map(|file| file.path.split_once('/').map(|(room, _)| room.to_owned()))
        .filter(|room| !room.starts_with('.') && !ROOMS.contains(&room.as_str()))
        .collect();
    none("a new top-level folder", &breaches.into_iter().collect::<Vec<_>>());
}

#[test]
fn every_dependency_has_its_line() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("the manifest is TOML");
    let decided = read("docs/decisions/0002-dependencies.md");
    let breaches: Vec<String> = manifest["workspace"]["dependencies"]
        .as_table()
        .expect("a table")
        .keys()
        .filter(|name| !name.starts_with("sl-") && !decided.contains(&format!("| `{name}` |")))
        .cloned()
        .collect();
    none("a dependency without a line in docs/decisions/0002-dependencies.md", &breaches);
}

#[test]
fn dependencies_are_named_once_in_the_workspace() {
    let mut breaches = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let manifest: toml::Table =
            file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            let loose = table
                .iter()
                .filter(|(_, wanted)| wanted.get("workspace").is_none() && wanted.get("path").is_none());
            breaches.extend(loose.map(|(name, _)| format!("{}: {name}", file.path)));
        }
    }
    none("versions stand in the workspace's Cargo.toml", &breaches);
}

#[test]
fn every_error_code_has_its_heading() {
    let text = read("docs/errors.md");
    let headings: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.trim().trim_matches('`'))
        .collect();
    let breaches: Vec<String> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !headings.contains(code))
        .map(str::to_owned)
        .collect();
    none("an error code without a heading in docs/errors.md", &breaches);
}

#[test]
fn every_waiver_has_a_reason_and_has_not_run_out() {
    let text = read("deny.toml");
    let today = SystemClock.now().date_naive();
    let lines: Vec<&str> = text.lines().collect();
    let mut waivers = 0;
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("RUSTSEC-")) {
        waivers += 1;
        assert!(line.contains("reason = \""), "a waiver without a reason: {line}");
        let expires = index.checked_sub(1).and_then(|above| lines[above].trim().strip_prefix("# expires "));
        let expires = expires.unwrap_or_else(|| panic!("no `# expires YYYY-MM-DD` above {line}"));
        let expires: NaiveDate = expires.parse().unwrap_or_else(|error| panic!("{expires}: {error}"));
        assert!(today <= expires, "ran out on {expires}; decide anew: {line}");
    }
    assert_ne!(waivers, 0, "the search sees the waivers");
}

#[test]
fn decisions_are_numbered_and_no_number_is_used_twice() {
    let mut seen = BTreeSet::new();
    let mut breaches = Vec::new();
    for file in files() {
        let Some(name) = file.path.strip_prefix("docs/decisions/") else { continue };
        let number = name.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        if number.is_none_or(|number| !seen.insert(number.to_owned())) {
            breaches.push(file.path.clone());
        }
    }
    none("decisions are docs/decisions/NNNN-name.md, each number once", &breaches);
}

#[test]
fn every_link_within_the_documents_leads_somewhere() {
    let mut breaches = Vec::new();
    for file in files().iter().filter(|file| Path::new(&file.path).extension().is_some_and(|end| end == "md"))
    {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        let links = file.text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.contains(':')) {
            let target = link.split('#').next().unwrap_or_default();
            if !root().join(folder).join(target).exists() {
                breaches.push(format!("{}: {target}", file.path));
            }
        }
    }
    none("a link to nothing", &breaches);
}
