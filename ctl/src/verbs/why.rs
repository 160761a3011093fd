//! `why`: what a waiting thing waits for.

use clap::{Arg, ArgMatches, Command};
use reqwest::Method;
use serde_json::Value;

use crate::{
    failure::Outcome,
    names,
    output::{self, Mode},
    request::Request,
    session::{Session, flag},
    text,
};

/// The command.
pub fn command() -> Command {
    Command::new("why").about("Say why something is pending, stuck or paused").arg(
        Arg::new("id")
            .value_name("ID")
            .required(true)
            .help("The id of anything of the account, or its name where it has one"),
    )
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let id = names::of_anything(session, &flag(matches, "id").unwrap_or_default()).await?;
    let request = Request::fill(Method::GET, "/accounts/{account}/why/{id}", |name| match name {
        "account" => session.account().map(str::to_owned),
        _ => Ok(id.clone()),
    })?;
    let answer = session.client.send(&request).await?.value()?;
    if session.output.mode == Mode::Table {
        output::write(&told(&answer))
    } else {
        session.output.show(&answer, &[])
    }
}

fn told(answer: &Value) -> String {
    let name = |key: &str| text::one_line(&text::plain(&answer[key]));
    let mut told = format!("{} {} is {}\n", name("kind"), name("id"), name("status"));
    let causes = answer["causes"].as_array().map_or(&[][..], Vec::as_slice);
    if causes.is_empty() {
        told += "  nothing holds it up\n";
    }
    let lines = causes.iter().zip(1..).map(|(cause, place)| format!("  {place}. {}\n", cause_line(cause)));
    told + &lines.collect::<String>()
}

/// The code, the sentence, and every number that comes with them.
fn cause_line(cause: &Value) -> String {
    let members = cause.as_object().into_iter().flatten();
    let rest = members.filter(|(name, value)| *name != "code" && *name != "detail" && !value.is_null());
    let rest: Vec<String> = rest.map(|(name, value)| format!("{name}={}", text::plain(value))).collect();
    let numbers = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
    text::one_line(&format!("{}: {}{numbers}", text::plain(&cause["code"]), text::plain(&cause["detail"])))
}
