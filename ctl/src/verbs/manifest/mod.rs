//! `apply`, `diff`, `export`: functions kept as files.
//!
//! A manifest says what a function should be; what it does not say is left as it is. Functions are found by name, and a
//! change is made only to the version that was compared (`If-Match`), so that applying twice does nothing the second time.

mod compare;
mod export;
mod file;
mod plan;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

pub use export::export;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output::{self, Mode},
    session::Session,
};
use plan::{Plan, Step};

/// The commands.
pub fn commands() -> [Command; 3] {
    let files = || {
        Arg::new("files")
            .long("file")
            .short('f')
            .value_name("FILE|FOLDER|-")
            .required(true)
            .action(ArgAction::Append)
            .help("Manifests in YAML, JSON or TOML [repeatable]")
    };
    let dry =
        Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only say what would be done");
    [
        Command::new("apply").about("Make functions what manifests say, by name").arg(files()).arg(dry),
        Command::new("diff")
            .about("Show what apply would change")
            .after_help("Exit code 0: nothing; 1: something.")
            .arg(files()),
        export::command(),
    ]
}

/// Makes everything what the manifests say. All of them are read and compared before anything is changed.
pub async fn apply(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let manifests = file::read_all(session, matches.get_many::<String>("files").into_iter().flatten())?;
    let plan = Plan::make(session, manifests).await?;
    let dry = matches.get_flag("dry-run");
    let mut items = Vec::new();
    for step in &plan.steps {
        if !dry {
            step.carry_out(session).await.map_err(|failure| told_so_far(failure, step, &items))?;
        }
        items.push(
            json!({"kind": step.manifest.kind, "name": step.manifest.name, "action": step.action(dry)}),
        );
    }
    let columns = ["kind", "name", "action"].map(str::to_owned);
    session.output.show(&json!({"items": items}), &columns)
}

fn told_so_far(failure: Failure, step: &Step, done: &[serde_json::Value]) -> Failure {
    let failure =
        failure.note(format!("at {} {} ({})", step.manifest.kind, step.manifest.name, step.manifest.origin));
    failure.note(format!("{} before it are as they should be", done.len()))
}

/// Shows the differences.
pub async fn diff(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let manifests = file::read_all(session, matches.get_many::<String>("files").into_iter().flatten())?;
    let plan = Plan::make(session, manifests).await?;
    let mut items = Vec::new();
    for step in plan.steps.iter().filter(|step| !step.is_nothing()) {
        let diff = step.diff()?;
        if session.output.mode == Mode::Table {
            output::write(&diff)?;
        }
        items.push(json!({"kind": step.manifest.kind, "name": step.manifest.name, "action": step.action(true), "diff": diff}));
    }
    let differs = !items.is_empty();
    if session.output.mode != Mode::Table {
        session.output.show(&json!({"items": items}), &[])?;
    }
    if differs { Err(Failure::silent(Exit::Other)) } else { Ok(()) }
}
