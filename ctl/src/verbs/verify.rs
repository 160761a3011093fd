//! `verify`: whether what a server signed is what it signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Arg, ArgMatches, Command};
use ed25519_dalek::VerifyingKey;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Outcome},
    names, note, randomness,
    request::Request,
    session::{Session, flag},
    signature, value,
};

/// Checks an answer, with the key that it must have been signed with, where one is pinned; gives the key.
type Verify = fn(&Value, Option<&VerifyingKey>) -> Outcome<VerifyingKey>;

/// The command.
pub fn command() -> Command {
    Command::new("verify")
        .about("Check a signature, without trusting the server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(super::round::command())
        .subcommand(signed(
            "execution",
            "Check the Ed25519 signature over an execution's content",
            "executions get",
        ))
        .subcommand(signed("random", "Check that a random value follows from its signature", "random get"))
}

fn signed(name: &'static str, about: &'static str, source: &str) -> Command {
    let file = format!("What to check in JSON, as `{source} -o json` gives it; nothing is sent");
    Command::new(name)
        .about(about)
        .after_help("Exit code 11 if it does not verify.")
        .arg(Arg::new("id").value_name("ID").required_unless_present("file").help("Its id; it is fetched"))
        .arg(Arg::new("file").long("file").short('f').value_name("FILE|-").conflicts_with("id").help(file))
        .arg(
            Arg::new("public-key")
                .long("public-key")
                .value_name("KEY")
                .help("The only key to accept, in base64 or hex"),
        )
}

/// Runs it.
pub async fn run(session: &Session, what: &str, matches: &ArgMatches) -> Outcome<()> {
    let pinned = flag(matches, "public-key")
        .map(|text| {
            signature::public_key(&text).ok_or_else(|| Failure::usage("--public-key: no Ed25519 public key"))
        })
        .transpose()?;
    let (path, verify): (_, Verify) = match what {
        "random" => ("/accounts/{account}/random/{random}", randomness::verify),
        _ => ("/accounts/{account}/executions/{execution}", signature::verify),
    };
    let answer = match flag(matches, "file") {
        Some(file) => read(&file)?,
        None => fetch(session, path, &flag(matches, "id").unwrap_or_default()).await?,
    };
    let key = verify(&answer, pinned.as_ref())?;
    if pinned.is_none() {
        note(&format!("the key is the one that the {what} itself names: pin it with --public-key"));
    }
    let told = json!({
        "id": answer["id"], "verified": true, "pinned": pinned.is_some(), "public_key": STANDARD.encode(key),
    });
    session.output.show(&told, &[])
}

fn read(path: &str) -> Outcome<Value> {
    serde_json::from_str(&value::file(path)?)
        .map_err(|error| Failure::usage(format!("{path}: no JSON: {error}")))
}

async fn fetch(session: &Session, path: &str, typed: &str) -> Outcome<Value> {
    let id = names::at_end(session, path, typed).await?;
    let request = Request::fill(Method::GET, path, |name| match name {
        "account" => session.account().map(str::to_owned),
        _ => Ok(id.clone()),
    })?;
    session.client.send(&request).await?.value()
}
