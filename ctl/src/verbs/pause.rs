//! `pause` and `resume`: one word for every operation that pauses something.

use clap::{ArgMatches, Command};

use crate::{
    call,
    document::{Document, Operation},
    failure::{Failure, Outcome},
    names::singular,
    session::Session,
    tree,
};

/// The command `pause` or `resume`, with one word for each thing that the document can pause.
pub fn command(document: &Document, verb: &'static str, about: &'static str) -> Command {
    let program = Command::new(verb).about(about).subcommand_required(true).arg_required_else_help(true);
    targets(document, verb)
        .into_iter()
        .fold(program, |program, (name, operation)| program.subcommand(tree::leaf(name, operation)))
}

/// Runs it.
pub async fn run(session: &Session, verb: &str, target: &str, matches: &ArgMatches) -> Outcome<()> {
    let found = targets(&session.document, verb).into_iter().find(|(name, _)| name == target);
    let (_, operation) =
        found.ok_or_else(|| Failure::usage(format!("nothing called `{target}` can {verb}")))?;
    call::run(session, operation, matches).await
}

/// The operations that end in the verb, by what they are about: `functions.pause` is about a `function`.
fn targets<'a>(document: &'a Document, verb: &str) -> Vec<(String, &'a Operation)> {
    let named = |operation: &'a Operation| {
        let (group, last) = operation.id.rsplit_once('.')?;
        let name = group.rsplit('.').next().unwrap_or(group).replace('_', "-");
        (last == verb).then(|| (singular(&name), operation))
    };
    document.operations.iter().filter_map(named).collect()
}
