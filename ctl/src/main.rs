//! slctl: the control program, a client of the HTTP API.
//!
//! The commands are made from the operation document (`tree`, `flags`, `call`); the verbs that are more than one
//! operation are written by hand (`verbs`). Everything ends in an [`exit::Exit`].

mod call;
mod client;
mod contexts;
mod document;
mod exit;
mod failure;
mod flags;
mod follow;
mod names;
mod output;
mod price_round;
mod problem;
mod randomness;
mod request;
mod schema;
mod session;
mod signature;
mod sse;
mod surroundings;
mod table;
mod text;
mod token;
mod tree;
mod value;
mod verbs;
mod watch;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use document::Document;
use exit::Exit;
use failure::{Failure, Outcome};
use output::note;
use session::Session;

fn main() -> ExitCode {
    let Err(failure) = start() else { return Exit::Done.into() };
    if !failure.message.is_empty() {
        note(&format!("error: {failure}"));
    }
    failure.exit.into()
}

fn start() -> Outcome<()> {
    let document = Document::load()?;
    let command = tree::command(&document);
    let matches = command.clone().try_get_matches().map_err(|error| refused(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Other, format!("no runtime: {error}")))?;
    runtime.block_on(run(document, command, &matches))
}

/// Clap says what it has to say itself: the help, or what is wrong and what was perhaps meant.
fn refused(error: &clap::Error) -> Failure {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    let _ = error.print();
    Failure::silent(exit)
}

async fn run(document: Document, command: Command, matches: &ArgMatches) -> Outcome<()> {
    let (words, last) = tree::chosen(matches);
    if let Some(done) = verbs::run_alone(&words, command, last) {
        return done;
    }
    let session = Session::open(document, last)?;
    match tree::operation(&session.document, &words) {
        Some(operation) => call::run(&session, operation, last).await,
        None => verbs::run(&session, &words, last).await,
    }
}
