//! `verify`: whether what a server signed is what it signed.

use clap::{Arg, ArgMatches, Command};
use reqwest::Method;
use serde_json::{Value, json};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    failure::{Failure, Outcome},
    note,
    request::Request,
    session::{Session, flag},
    signature, value,
};

/// The command.
pub fn command() -> Command {
    Command::new("verify")
        .about("Check a signature, without trusting the server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(super::round::command())
        .subcommand(
            Command::new("execution")
                .about("Check the Ed25519 signature over an execution's content")
                .after_help("Exit code 11 if it does not verify.")
                .arg(
                    Arg::new("execution")
                        .value_name("EXECUTION")
                        .required_unless_present("file")
                        .help("The id of an execution, which is fetched"),
                )
                .arg(
                    Arg::new("file")
                        .long("file")
                        .short('f')
                        .value_name("FILE|-")
                        .conflicts_with("execution")
                        .help("An execution in JSON, as `executions get -o json` gives it; nothing is sent"),
                )
                .arg(
                    Arg::new("public-key")
                        .long("public-key")
                        .value_name("KEY")
                        .help("The only key to accept, in base64 or hex"),
                ),
        )
}

/// Runs it.
pub async fn run(session: &Session, _what: &str, matches: &ArgMatches) -> Outcome<()> {
    let pinned = flag(matches, "public-key")
        .map(|text| {
            signature::public_key(&text).ok_or_else(|| Failure::usage("--public-key: no Ed25519 public key"))
        })
        .transpose()?;
    let execution = match flag(matches, "file") {
        Some(path) => read(&path)?,
        None => fetch(session, &flag(matches, "execution").unwrap_or_default()).await?,
    };
    let key = signature::verify(&execution, pinned.as_ref())?;
    if pinned.is_none() {
        note("the key is the one that the execution itself names: pin it with --public-key");
    }
    let told = json!({
        "id": execution["id"], "verified": true, "pinned": pinned.is_some(), "public_key": STANDARD.encode(key),
    });
    session.output.show(&told, &[])
}

fn read(path: &str) -> Outcome<Value> {
    serde_json::from_str(&value::file(path)?)
        .map_err(|error| Failure::usage(format!("{path}: no JSON: {error}")))
}

async fn fetch(session: &Session, id: &str) -> Outcome<Value> {
    let request =
        Request::fill(Method::GET, "/accounts/{account}/executions/{execution}", |name| match name {
            "account" => session.account().map(str::to_owned),
            _ => Ok(id.to_owned()),
        })?;
    session.client.send(&request).await?.value()
}
