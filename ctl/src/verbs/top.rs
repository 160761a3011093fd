//! `top`: what the daemon is doing, again and again.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use crate::{
    call,
    failure::Outcome,
    output::{self, Mode},
    request::Request,
    session::{Session, duration},
    table::{self, Table},
};

/// Where the duties are listed.
const DUTIES: &str = "/system/duties";

/// The command.
pub fn command() -> Command {
    Command::new("top")
        .about("Show the daemon's status and its duties, refreshed")
        .arg(
            Arg::new("interval")
                .long("interval")
                .value_name("DURATION")
                .default_value("2s")
                .help("How often to look"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(clap::value_parser!(u64).range(1..))
                .help("Stop after so many looks"),
        )
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let interval =
        duration(matches, "interval")?.unwrap_or(Duration::from_secs(2)).max(Duration::from_millis(100));
    let count = matches.get_one::<u64>("count").copied().unwrap_or(u64::MAX);
    for look in 0..count {
        if look > 0 {
            tokio::time::sleep(interval).await;
        }
        let status = session.client.get("/system/status").await?;
        let duties = call::all(session, Request::get(DUTIES)).await?;
        show(session, &status, &duties, look > 0)?;
    }
    Ok(())
}

fn show(session: &Session, status: &Value, duties: &Value, again: bool) -> Outcome<()> {
    if session.output.mode != Mode::Table {
        return session.output.show(&serde_json::json!({"status": status, "duties": duties["items"]}), &[]);
    }
    let list = session.document.operations.iter().find(|list| list.path == DUTIES && list.is_read());
    let columns = list.map_or(&[][..], |operation| &operation.columns);
    let items = output::items(duties).map_or(&[][..], Vec::as_slice);
    let duties = Table::of_items(items, columns).render(session.output.color);
    let before = match (output::is_terminal(), again) {
        (true, _) => "\u{1b}[H\u{1b}[2J",
        (false, true) => "\n",
        (false, false) => "",
    };
    let status = table::details(&without_lists(status), session.output.color);
    output::write(&format!("{before}{status}\n{duties}"))
}

/// The status without the lists in it: the duties stand below it.
fn without_lists(status: &Value) -> Value {
    let members = status.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array());
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}
