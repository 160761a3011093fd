//! `version`: which program this is, which document it was built with, which server answers.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use crate::{failure::Outcome, note, session::Session};

/// The command.
pub fn command() -> Command {
    Command::new("version")
        .about("Show the version of this program and of the server")
        .arg(Arg::new("client").long("client").action(ArgAction::SetTrue).help("Do not ask the server"))
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let mut told = json!({"client": env!("CARGO_PKG_VERSION"), "document": session.document.version});
    if !matches.get_flag("client") {
        match session.client.get("/system/version").await {
            Ok(answer) => told["server"] = answer["version"].clone(),
            Err(failure) => note(&format!("the server's version is not known: {failure}")),
        }
    }
    session.output.show(&told, &[])
}
