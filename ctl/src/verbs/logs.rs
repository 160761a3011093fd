//! `logs`: what an execution wrote, as it writes it.

use clap::{Arg, ArgAction, ArgMatches, Command};
use reqwest::Method;
use serde_json::Value;

use crate::{
    call,
    failure::Outcome,
    follow::{self, End},
    names,
    output::Mode,
    request::Request,
    session::{Session, flag},
    sse::Event,
};

const EXECUTION: &str = "/accounts/{account}/executions/{execution}";

/// The command.
pub fn command() -> Command {
    Command::new("logs")
        .about("Show the logs of an execution; with -f until it ends")
        .after_help("With -f the exit code is 10 if the execution failed.")
        .arg(Arg::new("execution").value_name("EXECUTION").required(true).help("The execution's id"))
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Go on until it ends"),
        )
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let typed = flag(matches, "execution").unwrap_or_default();
    let id = names::at_end(session, EXECUTION, &typed).await?;
    let at = |template: &str| {
        Request::fill(Method::GET, template, |name| match name {
            "account" => session.account().map(str::to_owned),
            _ => Ok(id.clone()),
        })
    };
    if matches.get_flag("follow") {
        let stream = at("/accounts/{account}/executions/{execution}/logs")?;
        let end = follow::follow(session, stream, |event| print(session, event)).await?;
        return if let End::Settled(execution) = end { call::ended(&execution) } else { Ok(()) };
    }
    let execution = session.client.send(&at(EXECUTION)?).await?.value()?;
    if session.output.mode != Mode::Table {
        return session.output.show(&execution["logs"], &[]);
    }
    let logs = execution["logs"].as_array().into_iter().flatten();
    logs.map(entry).try_for_each(|event| print(session, &event))
}

fn entry(log: &Value) -> Event {
    Event { data: log.to_string(), ..Event::default() }
}

/// In a table's place a log is a line; elsewhere it is the log itself, without the frame of the stream.
fn print(session: &Session, event: &Event) -> Outcome<()> {
    match serde_json::from_str::<Value>(&event.data) {
        Ok(log) if follow::is_settled(&log) => Ok(()),
        Ok(log) if session.output.mode != Mode::Table => session.output.show(&log, &[]),
        _ => follow::print(session, event),
    }
}
