//! `--watch`: the same question again and again, its answer shown whenever it changes.

use std::time::Duration;

use clap::ArgMatches;

use crate::{
    failure::Outcome,
    output::{self, Mode},
    request::Request,
    session::{Session, duration},
};

/// The shortest interval: more often is no watching but a load.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Asks until the program is stopped or the server refuses.
pub async fn run(
    session: &Session,
    mut request: Request,
    columns: &[String],
    matches: &ArgMatches,
) -> Outcome<()> {
    let interval = duration(matches, "interval")?.unwrap_or(Duration::from_secs(2)).max(INTERVAL_MIN);
    let mut last: Option<Vec<u8>> = None;
    loop {
        let answer = session.client.send(&request).await?;
        if answer.status != 304 && last.as_ref() != Some(&answer.body) {
            if last.is_some() {
                output::write(between(session))?;
            }
            match answer.json() {
                Some(value) => session.output.show(&value, columns)?,
                None => output::write_bytes(&answer.body)?,
            }
            remember(&mut request, answer.header("etag"));
            last = Some(answer.body);
        }
        tokio::time::sleep(interval).await;
    }
}

/// Asks only for what is not this version any more.
fn remember(request: &mut Request, tag: Option<&str>) {
    request.headers.retain(|(name, _)| name != "if-none-match");
    request.headers.extend(tag.map(|tag| ("if-none-match".to_owned(), tag.to_owned())));
}

/// What stands between two answers: a person sees the new one in the place of the old one.
fn between(session: &Session) -> &'static str {
    match session.output.mode {
        Mode::Table if output::is_terminal() => "\u{1b}[H\u{1b}[2J",
        Mode::Table => "\n",
        Mode::Yaml => "---\n",
        Mode::Json | Mode::JsonLines | Mode::Name => "",
    }
}
