//! The verbs written by hand: each is more than one operation, or none.

mod api;
mod context;
mod dev;
mod doctor;
mod logs;
mod manifest;
mod pause;
mod round;
mod shell;
mod top;
mod verify;
mod version;
mod wait;
mod why;

use clap::{ArgMatches, Command};

use crate::{
    document::Document,
    failure::{Failure, Outcome},
    session::Session,
};

/// The commands of all verbs.
pub fn commands(document: &Document) -> Vec<Command> {
    let mut commands = vec![
        dev::command(),
        logs::command(),
        wait::command(),
        why::command(),
        pause::command(document, "pause", "Stop work from being started"),
        pause::command(document, "resume", "Let work be started again"),
        verify::command(),
        doctor::command(),
        api::command(),
        top::command(),
        version::command(),
        context::command(),
    ];
    commands.extend(manifest::commands());
    commands.extend(shell::commands());
    commands
}

/// Runs a verb that needs no server; `None` where the words name another one.
pub fn run_alone(words: &[&str], program: Command, matches: &ArgMatches) -> Option<Outcome<()>> {
    match words {
        ["context", word] => Some(context::run(word, matches)),
        ["completions"] => Some(shell::completions(program, matches)),
        ["man"] => Some(shell::man(program, matches)),
        _ => None,
    }
}

/// Runs a verb.
pub async fn run(session: &Session, words: &[&str], matches: &ArgMatches) -> Outcome<()> {
    match words {
        ["dev"] => dev::run(session, matches).await,
        ["logs"] => logs::run(session, matches).await,
        ["wait"] => wait::run(session, matches).await,
        ["why"] => why::run(session, matches).await,
        [verb @ ("pause" | "resume"), target] => pause::run(session, verb, target, matches).await,
        ["verify", "round"] => round::run(session, matches).await,
        ["verify", what] => verify::run(session, what, matches).await,
        ["doctor"] => doctor::run(session).await,
        ["api"] => api::run(session, matches).await,
        ["apply"] => manifest::apply(session, matches).await,
        ["diff"] => manifest::diff(session, matches).await,
        ["export"] => manifest::export(session, matches).await,
        ["top"] => top::run(session, matches).await,
        ["version"] => version::run(session, matches).await,
        _ => Err(Failure::usage(format!("no command `{}`", words.join(" ")))),
    }
}
