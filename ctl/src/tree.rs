//! The command tree: the operations of the document, and the verbs written by hand.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, builder::PossibleValuesParser};

use crate::{
    document::{Document, Operation},
    flags, verbs,
};

/// The program's name.
pub const PROGRAM: &str = "slctl";

/// A word of the tree: an operation, a group of further words, or both.
#[derive(Default)]
struct Node<'a> {
    operation: Option<&'a Operation>,
    children: BTreeMap<String, Node<'a>>,
}

/// The whole program as clap knows it.
pub fn command(document: &Document) -> Command {
    let mut root = Node::default();
    for operation in &document.operations {
        let node = operation.words().fold(&mut root, |node, word| node.children.entry(word).or_default());
        node.operation = Some(operation);
    }
    let mut program = frame();
    for verb in verbs::commands(document) {
        let name = verb.get_name().to_owned();
        let group = root.children.remove(&name);
        program = program.subcommand(match group {
            Some(group) => with_children(verb, &name, &group, document),
            None => verb,
        });
    }
    for (word, node) in &root.children {
        program = program.subcommand(branch(word, word, node, document));
    }
    program
}

fn frame() -> Command {
    Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Controls the Neo N3 Service Layer through its HTTP API")
        .after_help("Exit codes and manifests: docs/slctl.md. Each command has its own --help.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args(globals())
}

fn globals() -> Vec<Arg> {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).global(true).help_heading("Global options")
    };
    vec![
        option("addr", "URL", "Where the server is [env: SERVICE_LAYER_ADDR]").value_hint(ValueHint::Url),
        option("context", "NAME", "The context to use [env: SERVICE_LAYER_CONTEXT]"),
        option("account", "ID", "The account [env: SERVICE_LAYER_ACCOUNT]").short('a'),
        option(
            "token-file",
            "FILE",
            "A file with the token, - for standard input [env: SERVICE_LAYER_TOKEN]",
        )
        .value_hint(ValueHint::FilePath),
        option("output", "FORMAT", "How to show what is answered [env: SERVICE_LAYER_OUTPUT]")
            .short('o')
            .value_parser(PossibleValuesParser::new(["table", "json", "jsonl", "yaml", "name"])),
        option("color", "WHEN", "Colours, by default on a terminal only")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .default_value("auto")
            .hide_default_value(true),
        option("ca-file", "FILE", "Trust these certificates too [env: SERVICE_LAYER_CA_FILE]")
            .value_hint(ValueHint::FilePath),
        option("request-timeout", "DURATION", "How long one request may take").default_value("60s"),
        option("attempts", "N", "How often to try where trying again is safe")
            .value_parser(clap::value_parser!(u32).range(1..=20))
            .default_value("4"),
        option("verbose", "", "Tell each request on standard error").short('v').action(ArgAction::SetTrue),
    ]
}

fn branch(word: &str, path: &str, node: &Node, document: &Document) -> Command {
    let command = match node.operation {
        Some(operation) => leaf(word.to_owned(), operation),
        None => Command::new(word.to_owned()).about(about(path, node, document)),
    };
    with_children(command, path, node, document)
}

/// Hangs the words below a node under its command; where the command does something itself, both stay possible.
fn with_children(command: Command, path: &str, node: &Node, document: &Document) -> Command {
    if node.children.is_empty() {
        return command;
    }
    let acts = command.get_arguments().next().is_some() || node.operation.is_some();
    let command = node.children.iter().fold(command, |command, (word, child)| {
        command.subcommand(branch(word, &format!("{path} {word}"), child, document))
    });
    if acts {
        command.args_conflicts_with_subcommands(true).subcommand_negates_reqs(true)
    } else {
        command.subcommand_required(true).arg_required_else_help(true)
    }
}

fn about(path: &str, node: &Node, document: &Document) -> String {
    let words: Vec<&str> = node.children.keys().map(String::as_str).collect();
    let described = document.groups.get(path).filter(|text| !text.is_empty());
    described.map_or_else(|| words.join(", "), |text| text.trim_end_matches('.').to_owned())
}

/// The command of one operation.
pub fn leaf(name: String, operation: &Operation) -> Command {
    let summary = operation.summary.trim_end_matches('.').to_owned();
    let told = if operation.description.is_empty() {
        summary.clone()
    } else {
        format!("{summary}\n\n{}", operation.description)
    };
    Command::new(name)
        .about(summary)
        .long_about(told)
        .after_help(format!("{} {} (scope: {})", operation.method, operation.path, operation.scope))
        .args(flags::arguments(operation))
}

/// The words that were typed, down to the last command, and what was given to it.
pub fn chosen(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut words, mut last) = (Vec::new(), matches);
    while let Some((word, inner)) = last.subcommand() {
        words.push(word);
        last = inner;
    }
    (words, last)
}

/// The operation that these words name.
pub fn operation<'a>(document: &'a Document, words: &[&str]) -> Option<&'a Operation> {
    document.operations.iter().find(|operation| operation.words().eq(words.iter().copied()))
}
