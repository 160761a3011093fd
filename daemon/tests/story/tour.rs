//! The README's tour, run as it stands: each block of commands has to print what the block after it says.

use std::process::{Command, Stdio};

use crate::{
    house,
    world::{
        TOKEN,
        process::{Daemon, program},
    },
};

/// Between the outputs of two blocks.
const MARK: &str = "--8<--";

struct Step {
    commands: String,
    expected: Vec<String>,
}

/// The steps of the chapter called "Five minutes".
fn steps(readme: &str) -> Vec<Step> {
    let chapter = readme.split("## Five minutes").nth(1).expect("the README has the tour");
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    for (number, block) in chapter.split("```").enumerate().filter(|(number, _)| number % 2 == 1) {
        match block.split_once('\n') {
            Some(("sh", commands)) => {
                steps.push(Step { commands: commands.to_owned(), expected: Vec::new() });
            }
            Some(("text", lines)) => {
                let step = steps.last_mut().expect("commands come before what they print");
                step.expected = lines.lines().map(str::to_owned).collect();
            }
            _ => panic!("block {number} of the tour is neither sh nor text"),
        }
    }
    // The first names the address and token of the reader's own daemon.
    steps.remove(0);
    steps
}

#[test]
fn the_tour_of_the_readme_works_as_it_stands() {
    let steps = steps(&house::read("README.md"));
    assert!(steps.len() >= 4, "the tour has its steps");
    let daemon = Daemon::start(&[]);
    let home = tempfile::tempdir().expect("a folder");
    let after = format!("\necho '{MARK}'\necho '{MARK}' >&2\n");
    let script: String = steps.iter().flat_map(|step| [step.commands.as_str(), after.as_str()]).collect();
    let programs = program("slctl").parent().expect("a folder").display().to_string();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("PATH", format!("{programs}:/usr/bin:/bin"))
        .env("HOME", home.path())
        .env("SERVICE_LAYER_ADDR", &daemon.base)
        .env("SERVICE_LAYER_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    for ((step, out), err) in steps.iter().zip(out.split(MARK)).zip(err.split(MARK)) {
        for line in &step.expected {
            assert!(
                out.contains(line) || err.contains(line),
                "no {line:?} after{}:\n{out}\n{err}",
                step.commands
            );
        }
        assert!(!out.contains("sesame") && !err.contains("sesame"), "a secret was told:\n{out}\n{err}");
    }
}

#[test]
fn the_demo_lays_out_something_to_look_at() {
    let daemon = Daemon::start(&[]);
    let home = tempfile::tempdir().expect("a folder");
    let output = Command::new("bash")
        .arg(house::root().join("configs/demo.sh"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .env("SLCTL", program("slctl"))
        .env("SERVICE_LAYER_ADDR", &daemon.base)
        .env("SERVICE_LAYER_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("account  "), "{}\n{out}\n{err}", output.status);
}
