//! `context`: the servers a user works with.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use crate::{
    contexts::{Context, Contexts},
    failure::{Failure, Outcome},
    note,
    session::{self, flag},
    token::Token,
    value,
};

/// The command.
pub fn command() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true).help("The context's name");
    Command::new("context")
        .about("Keep servers, accounts and tokens under names")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about("List the contexts; tokens are not shown"))
        .subcommand(Command::new("use").about("Use a context from now on").arg(name()))
        .subcommand(Command::new("delete").about("Forget a context").arg(name()))
        .subcommand(
            Command::new("set")
                .about("Make a context or change what is given: --addr, --account, --ca-file and the token")
                .after_help(
                    "The token is kept by --token-stdin (in the file of the contexts, mode 0600), or read when it is \
                     needed from --token-file or --token-env. It never stands on a command line.",
                )
                .arg(name())
                .arg(
                    Arg::new("token-stdin")
                        .long("token-stdin")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("token-env")
                        .help("Keep the token that standard input holds"),
                )
                .arg(
                    Arg::new("token-env")
                        .long("token-env")
                        .value_name("NAME")
                        .help("Read the token from this environment variable"),
                ),
        )
}

/// Runs it.
pub fn run(word: &str, matches: &ArgMatches) -> Outcome<()> {
    let mut contexts = Contexts::load()?;
    if let Some(warning) = Contexts::loose_permissions() {
        note(&format!("warning: {warning}"));
    }
    let name = flag(matches, "name").unwrap_or_default();
    match word {
        "list" => return list(&contexts, matches),
        "use" => {
            contexts.get(&name)?;
            contexts.current = Some(name);
        }
        "delete" => {
            contexts.contexts.remove(&name).ok_or_else(|| contexts.unknown(&name))?;
            contexts.current = contexts.current.filter(|current| *current != name);
        }
        _ => {
            let context = contexts.contexts.entry(name.clone()).or_default();
            change(context, matches)?;
            contexts.current.get_or_insert(name);
        }
    }
    contexts.save()
}

fn list(contexts: &Contexts, matches: &ArgMatches) -> Outcome<()> {
    let item = |(name, context): (&String, &Context)| {
        json!({
            "current": if contexts.current.as_ref() == Some(name) { "*" } else { "" },
            "name": name, "addr": context.addr, "account": context.account, "token": context.token_source(),
        })
    };
    let items: Vec<Value> = contexts.contexts.iter().map(item).collect();
    let columns = ["current", "name", "addr", "account", "token"].map(str::to_owned);
    session::output(matches)?.show(&json!({"items": items}), &columns)
}

/// The path as it is found from any folder.
fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}

fn change(context: &mut Context, matches: &ArgMatches) -> Outcome<()> {
    let changed = |old: &mut Option<String>, name: &str| *old = flag(matches, name).or(old.take());
    changed(&mut context.addr, "addr");
    changed(&mut context.account, "account");
    changed(&mut context.ca_file, "ca-file");
    context.ca_file = context.ca_file.as_deref().map(absolute);
    let (file, variable) =
        (flag(matches, "token-file").map(|path| absolute(&path)), flag(matches, "token-env"));
    if matches.get_flag("token-stdin") {
        let token = Token::new(&value::file("-")?);
        if token.is_empty() {
            return Err(Failure::usage("standard input holds no token"));
        }
        (context.token, context.token_file, context.token_env) = (Some(token), None, None);
    } else if file.is_some() || variable.is_some() {
        (context.token, context.token_file, context.token_env) = (None, file, variable);
    }
    Ok(())
}
