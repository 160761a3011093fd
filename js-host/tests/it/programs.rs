//! Programs with what they must do: `tests/programs/<name>.js`, and beside it `<name>.expected`.
//!
//! A program's first comment lines may set it up: `// params: <JSON>`, `// secret: <name> <value>`,
//! `// option: allow_eval`, `// phase: <phase>`. What it fetches is answered by [`peer`]. Each program is run twice in
//! one host and must do the same both times. With `UPDATE_EXPECTED=1` the expectations are written anew, to be read
//! before they are believed.

use crate::client::{Host, Outcome};
use sl_js_protocol::*;
use std::{fmt::Write, fs, path::Path};

fn set_up(run: &mut Run, source: &str) {
    for line in source.lines().map_while(|line| line.strip_prefix("// ")) {
        match line.split_once(": ") {
            Some(("params", json)) => json.clone_into(&mut run.params_json),
            Some(("secret", pair)) => {
                let (name, value) = pair.split_once(' ').expect("a name and a value");
                run.secrets.0.insert(name.to_owned(), value.to_owned());
            }
            Some(("option", "allow_eval")) => run.options.allow_eval = true,
            Some(("option", "allow_wasm")) => run.options.allow_wasm = true,
            Some(("phase", phase)) => run.context.phase = Some(phase.to_owned()),
            _ => {}
        }
    }
}

/// Answers as a well-behaved server that tells what it was sent.
fn peer(request: &FetchRequest) -> FetchOutcome {
    if request.url.contains("refused") {
        return FetchOutcome::Failed {
            code: "egress_denied".to_owned(),
            message: "the address is private".to_owned(),
        };
    }
    let body = request.body.as_deref().map(String::from_utf8_lossy);
    let told = serde_json::json!({
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": body,
        "follow": request.follow_redirects,
    });
    let status = if request.url.contains("missing") { 404 } else { 200 };
    FetchOutcome::Response(FetchResponse {
        status,
        status_text: if status == 200 { "OK" } else { "Not Found" }.to_owned(),
        url: request.url.clone(),
        redirected: false,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("set-cookie".to_owned(), "a=1".to_owned()),
            ("set-cookie".to_owned(), "b=2".to_owned()),
        ],
        body: told.to_string().into_bytes(),
    })
}

fn told(outcome: &Outcome) -> String {
    let mut text = String::new();
    for log in &outcome.logs {
        writeln!(text, "{:?}: {}", log.level, log.text).expect("a text");
    }
    for action in &outcome.done.actions {
        writeln!(text, "{} {} {}", action.id, action.kind, action.params_json).expect("a text");
    }
    match &outcome.done.ending {
        Ending::Returned { output_json } => writeln!(text, "=> {output_json}"),
        Ending::Threw(thrown) => writeln!(text, "threw {}", told_thrown(thrown)),
        Ending::Denied(thrown) => writeln!(text, "denied {}", told_thrown(thrown)),
        other => writeln!(text, "{other:?}"),
    }
    .expect("a text");
    text
}

fn told_thrown(thrown: &Thrown) -> String {
    let mut text = format!("{}: {}", thrown.class, thrown.message);
    for Frame { function, line, column } in &thrown.stack {
        write!(text, "\n  {function} {line}:{column}").expect("a text");
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever changes a program")]
fn programs_do_what_is_expected_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut host = Host::spawn();
    let mut wrong = String::new();
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "js"));
    names.sort();
    assert!(names.len() > 20, "the programs are there");
    for path in names {
        let source = fs::read_to_string(&path).expect("a program");
        let mut once = || {
            let mut run = host.ask(&source);
            set_up(&mut run, &source);
            told(&host.perform_with(run, |request| peer(&request)))
        };
        let (first, second) = (once(), once());
        let expected_path = path.with_extension("expected");
        if update {
            fs::write(&expected_path, &first).expect("written");
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if first != expected || second != expected {
            write!(
                wrong,
                "\n{}\n--- expected\n{expected}--- first\n{first}--- second\n{second}",
                path.display()
            )
            .expect("a text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
