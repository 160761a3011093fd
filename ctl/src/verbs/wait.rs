//! `wait`: until a thing is as one wants it.

use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use reqwest::Method;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::{
    document::Operation,
    exit::Exit,
    failure::{Failure, Outcome},
    follow, names,
    request::Request,
    session::{Session, duration, flag},
    text,
};

/// The time between the first two looks; it doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest time between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Debug)]
enum Condition {
    /// A member, by its dotted path, has one of these values.
    Member(String, Vec<String>),
    /// A JSON path finds something; with a value, it finds exactly that.
    Path(JsonPath, Option<String>),
    /// The thing is gone.
    Deleted,
}

/// The command.
pub fn command() -> Command {
    Command::new("wait")
        .about("Wait until a thing is as it should be, then show it")
        .after_help(
            "CONDITION is status=succeeded (several values with commas; any member by its dotted path), '$.error' \
             (a JSON path of RFC 9535 that finds something), '$.error.code=denied' (that finds this), or deleted.\n\
             A thing that settles in another state ends the wait: exit code 10 if it failed, 6 otherwise. Too late: 9.",
        )
        .arg(Arg::new("resource").value_name("RESOURCE").required(true).help("Such as executions: what has a get command"))
        .arg(Arg::new("id").value_name("ID").required(true).num_args(1..).help("Its id, or its name where it has one"))
        .arg(Arg::new("for").long("for").value_name("CONDITION").required(true).help("What to wait for"))
        .arg(Arg::new("timeout").long("timeout").value_name("DURATION").default_value("5m").help("How long at most"))
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let condition = Condition::parse(&flag(matches, "for").unwrap_or_default())?;
    let request = request(session, matches).await?;
    let limit = duration(matches, "timeout")?.unwrap_or(Duration::MAX);
    let (began, mut pause) = (Instant::now(), PAUSE_FIRST);
    loop {
        let value = match session.client.send(&request).await {
            Ok(answer) => answer.value()?,
            Err(failure) if failure.exit == Exit::NotFound && matches!(condition, Condition::Deleted) => {
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        if condition.holds(&value) {
            return session.output.show(&value, &[]);
        }
        if follow::is_settled(&value) && !matches!(condition, Condition::Deleted) {
            return Err(settled_otherwise(&value));
        }
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            let limit = humantime::format_duration(limit);
            let how = match text::one_line(&text::plain(&value["status"])) {
                none if none.is_empty() => "it has no status".to_owned(),
                status => format!("its status is `{status}`"),
            };
            return Err(Failure::new(Exit::Unavailable, format!("not so within {limit}; {how}")));
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn settled_otherwise(value: &Value) -> Failure {
    let status = text::one_line(&text::plain(&value["status"]));
    let failed = matches!(status.as_str(), "failed" | "timed_out");
    let exit = if failed { Exit::ExecutionFailed } else { Exit::Conflict };
    Failure::new(exit, format!("it ended as `{status}`: what is waited for cannot come any more"))
}

async fn request(session: &Session, matches: &ArgMatches) -> Outcome<Request> {
    let resource = flag(matches, "resource").unwrap_or_default();
    let operation = reader(session, &resource)?;
    let ids: Vec<String> = matches.get_many::<String>("id").into_iter().flatten().cloned().collect();
    let parameters: Vec<&str> =
        operation.path_parameters.iter().map(|property| property.name.as_str()).collect();
    let typed: Vec<&str> =
        parameters.iter().copied().filter(|name| *name != "account" || parameters.len() == 1).collect();
    if ids.len() != typed.len() {
        return Err(Failure::usage(format!("{resource}: {} id wanted, {} given", typed.len(), ids.len())));
    }
    let found = names::resolve(session, operation, |name| {
        match typed.iter().position(|known| *known == name).and_then(|place| ids.get(place)) {
            Some(id) => Ok(id.clone()),
            None => session.account().map(str::to_owned),
        }
    });
    let found = found.await?;
    Request::fill(Method::GET, &operation.path, |name| Ok(found.get(name).cloned().unwrap_or_default()))
}

/// The operation that reads one of these; the singular and dashes are understood too.
fn reader<'a>(session: &'a Session, resource: &str) -> Outcome<&'a Operation> {
    let name = resource.replace('-', "_");
    let found =
        [format!("{name}.get"), format!("{name}s.get")].into_iter().find_map(|id| session.document.find(&id));
    found.ok_or_else(|| {
        let all =
            session.document.operations.iter().filter_map(|operation| operation.id.strip_suffix(".get"));
        Failure::usage(format!("nothing called `{resource}` can be waited for"))
            .note(format!("resources: {}", all.collect::<Vec<_>>().join(", ")))
    })
}

impl Condition {
    fn parse(text: &str) -> Outcome<Self> {
        if text == "deleted" {
            return Ok(Self::Deleted);
        }
        if text.starts_with('$') {
            let (path, value) = split_path(text);
            let path =
                JsonPath::parse(path).map_err(|error| Failure::usage(format!("--for: `{path}`: {error}")))?;
            return Ok(Self::Path(path, value.map(str::to_owned)));
        }
        let (member, values) = text.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--for: `{text}` is none of NAME=VALUE, a JSON path, deleted"))
        })?;
        Ok(Self::Member(member.to_owned(), values.split(',').map(str::to_owned).collect()))
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Deleted => false,
            Self::Member(path, wanted) => {
                let found = text::plain(path.split('.').fold(value, |value, name| &value[name]));
                wanted.contains(&found)
            }
            Self::Path(path, wanted) => {
                let found = path.query(value).all();
                match wanted {
                    None => found.iter().any(|value| !value.is_null()),
                    Some(wanted) => found.iter().any(|value| text::plain(value) == *wanted),
                }
            }
        }
    }
}

/// Splits at the first `=` that is outside of brackets and quotes: inside it belongs to the path.
fn split_path(text: &str) -> (&str, Option<&str>) {
    let (mut depth, mut quote) = (0_u32, None);
    for (place, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, '=') if depth == 0 => return (&text[..place], Some(&text[place + 1..])),
            _ => {}
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_or_not() {
        let value = json!({"status": "failed", "attempts": 2, "error": {"code": "denied"}, "actions": [{"type": "a=b"}], "done": null});
        let cases = [
            ("status=failed", true),
            ("status=succeeded,failed", true),
            ("status=succeeded", false),
            ("attempts=2", true),
            ("error.code=denied", true),
            ("$.error", true),
            ("$.done", false),
            ("$.error.code=denied", true),
            ("$.error.code=other", false),
            ("$.actions[?@.type=='a=b']", true),
            ("$.actions[?@.type=='c']", false),
            ("$.actions[0].type=a=b", true),
            ("deleted", false),
        ];
        for (text, wanted) in cases {
            let condition = Condition::parse(text).expect("a valid condition");
            assert_eq!(condition.holds(&value), wanted, "{text}");
        }
    }

    #[test]
    fn a_condition_that_is_none_is_refused() {
        for text in ["", "status", "$[", "$.a["] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }
}
