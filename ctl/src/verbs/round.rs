//! `verify round`: whether a round of a price feed comes to what the server says it came to.

use clap::{Arg, ArgMatches, Command};
use reqwest::Method;
use serde_json::Value;

use crate::{
    failure::{Failure, Outcome},
    note, price_round,
    request::Request,
    session::{Session, flag},
    value,
};

const PATH: &str = "/accounts/{account}/pricefeeds/{feed}/rounds/{round}";

/// The command.
pub fn command() -> Command {
    Command::new("round")
        .about("Decide a round of a price feed again: rejects, median, publication")
        .after_help("Exit code 11 if it does not verify.")
        .arg(
            Arg::new("feed")
                .value_name("FEED")
                .required_unless_present("file")
                .requires("round")
                .help("The id of a price feed"),
        )
        .arg(Arg::new("round").value_name("ROUND").help("The number of its round, which is fetched"))
        .arg(
            Arg::new("file")
                .long("file")
                .short('f')
                .value_name("FILE|-")
                .conflicts_with_all(["feed", "round"])
                .help("A round in JSON, as `pricefeeds rounds get -o json` gives it; nothing is sent"),
        )
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let round = match flag(matches, "file") {
        Some(path) => read(&path)?,
        None => fetch(session, matches).await?,
    };
    let told = price_round::verify(&round)?;
    if told["status"] == "open" {
        note("the round is open: what it comes to may still change");
    }
    session.output.show(&told, &[])
}

fn read(path: &str) -> Outcome<Value> {
    serde_json::from_str(&value::file(path)?)
        .map_err(|error| Failure::usage(format!("{path}: no JSON: {error}")))
}

async fn fetch(session: &Session, matches: &ArgMatches) -> Outcome<Value> {
    let request = Request::fill(Method::GET, PATH, |name| match name {
        "account" => session.account().map(str::to_owned),
        name => Ok(flag(matches, name).unwrap_or_default()),
    })?;
    session.client.send(&request).await?.value()
}
