//! Completions and manual pages.

use crate::program::Program;

#[test]
fn completions_exist_for_every_shell_and_know_the_operations() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Program::alone().out(&["completions", shell]);
        assert!(script.contains("versions") && script.contains("redrive"), "{shell}");
    }
    let told = Program::alone().fails(2, &["completions", "bsh"]);
    assert!(told.contains("bash"), "{told}");
}

#[test]
fn the_bash_completion_is_valid_bash() {
    let program = Program::alone();
    let script = program.file("slctl.bash", &program.out(&["completions", "bash"]));
    let checked = std::process::Command::new("bash").args(["-n", &script]).output().expect("bash");
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn manual_pages_exist_for_the_program_and_each_command() {
    let program = Program::alone();
    assert!(program.out(&["man"]).contains(".TH slctl 1"));
    let page = program.out(&["man", "functions", "create"]);
    assert!(page.contains("slctl-functions-create") && page.contains("\\-\\-source"), "{page}");
    assert!(program.fails(2, &["man", "nothing"]).contains("no command `nothing`"));

    let folder = program.path("pages");
    program.out(&["man", "--dir", &folder.to_string_lossy()]);
    for name in ["slctl.1", "slctl-functions-versions-list.1", "slctl-wait.1"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
}
