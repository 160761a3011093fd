//! An operation of the document, called with what was typed.

use std::time::Duration;

use clap::{ArgMatches, parser::ValueSource};
use reqwest::Method;
use serde_json::{Map, Value};

use crate::{
    client::Answer,
    document::Operation,
    exit::Exit,
    failure::{Failure, Outcome},
    flags::{self, Flag, Place},
    follow, names, note, output,
    request::Request,
    schema::{Kind, Role},
    session::{Session, flag},
    surroundings, text, value, watch,
};

/// The most pages that `--all` follows: a server that never ends a list must not fill the machine's memory.
const PAGES_MAX: usize = 100_000;

/// Calls the operation and shows its answer.
pub async fn run(session: &Session, operation: &Operation, matches: &ArgMatches) -> Outcome<()> {
    let request = request(session, operation, matches).await?;
    if operation.streams {
        return follow::show(session, request).await;
    }
    let columns = columns(operation, matches);
    if is_set(matches, "watch") {
        return watch::run(session, request, &columns, matches).await;
    }
    if is_set(matches, "all") {
        let all = all(session, request).await?;
        return session.output.show(&all, &columns);
    }
    let answer = session.client.send_within(&request, timeout(session, &request)).await?;
    show(session, operation, &answer, &columns)
}

/// The request that the typed words ask for.
pub async fn request(session: &Session, operation: &Operation, matches: &ArgMatches) -> Outcome<Request> {
    let method = Method::from_bytes(operation.method.as_bytes())
        .map_err(|_| Failure::usage(format!("{}: unknown method {}", operation.id, operation.method)))?;
    let named =
        names::resolve(session, operation, |name| parameter(session, operation, matches, name)).await?;
    let mut request =
        Request::fill(method, &operation.path, |name| Ok(named.get(name).cloned().unwrap_or_default()))?;
    let flags = flags::of(operation);
    for flag in flags.iter().filter(|flag| flag.place == Place::Query) {
        if let Some(value) = typed(matches, flag)? {
            request.query.push((flag.property.name.clone(), text::plain(&value)));
        }
    }
    request.body = body(operation, &flags, matches)?;
    names::resolve_flags(session, &flags, matches, &mut request).await?;
    if let Some(tag) = flag(matches, "if-match") {
        request.headers.push(("if-match".to_owned(), entity_tag(&tag)));
    }
    if let Some(id) = flag(matches, "last-event-id") {
        request.headers.push(("last-event-id".to_owned(), id));
    }
    if operation.idempotent {
        request.key = Some(flag(matches, "idempotency-key").map_or_else(fresh_key, Ok)?);
    }
    Ok(request)
}

/// A key that no other request has.
pub fn fresh_key() -> Outcome<String> {
    Ok(hex::encode(surroundings::random::<16>()?))
}

/// A bare version as the entity tag it is in a header.
pub fn entity_tag(tag: &str) -> String {
    if tag == "*" || tag.contains('"') { tag.to_owned() } else { format!("\"{tag}\"") }
}

/// All items of a list, page by page.
pub async fn all(session: &Session, mut request: Request) -> Outcome<Value> {
    let mut items = Vec::new();
    for _ in 0..PAGES_MAX {
        let mut page = session.client.send(&request).await?.value()?;
        if let Value::Array(more) = if page.is_array() { page.take() } else { page["items"].take() } {
            items.extend(more);
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            return Ok(serde_json::json!({"items": items, "next_cursor": null}));
        };
        request.set_query("cursor", cursor);
    }
    Err(Failure::new(Exit::Other, format!("the list has not ended after {PAGES_MAX} pages")))
}

/// The columns: those asked for, else those of the document.
fn columns(operation: &Operation, matches: &ArgMatches) -> Vec<String> {
    let asked = matches.try_get_many::<String>("columns").ok().flatten();
    asked.map_or_else(|| operation.columns.clone(), |columns| columns.cloned().collect())
}

fn is_set(matches: &ArgMatches, name: &str) -> bool {
    matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

/// A parameter of the path as it was typed; the account may be known otherwise.
fn parameter(session: &Session, operation: &Operation, matches: &ArgMatches, name: &str) -> Outcome<String> {
    if let Some(value) = flag(matches, &format!("path:{name}")) {
        return Ok(value);
    }
    if operation.is_about_account() && operation.method == "DELETE" {
        return Err(Failure::usage("name the account to delete: the one of the context is not enough"));
    }
    Ok(session.account()?.to_owned())
}

/// The value typed for a flag, or for its sister that reads a file.
fn typed(matches: &ArgMatches, flag: &Flag) -> Outcome<Option<Value>> {
    if let Some(path) = crate::session::flag(matches, &flag.file_id()).filter(|_| flag.is_secret()) {
        let text = value::file(&path)?;
        return Ok(Some(Value::String(text.strip_suffix('\n').unwrap_or(&text).to_owned())));
    }
    let mut found: Option<Value> = None;
    for text in matches.try_get_many::<String>(&flag.id()).ok().flatten().into_iter().flatten() {
        let text = if flag.property.name == "source" { value::input(text)? } else { text.clone() };
        let wrong = |why: String| Failure::usage(format!("--{}: {why}", flag.long));
        let text =
            if flag.property.role == Role::Time { time(&text, flag.place).map_err(wrong)? } else { text };
        let value = value::parse(&flag.property.kind, &text).map_err(wrong)?;
        match &mut found {
            Some(found) => value::merge(found, value),
            None => found = Some(value),
        }
    }
    Ok(found)
}

/// A time as it is, or so long from now: ahead where it is said of a thing, back where things are looked for.
fn time(text: &str, place: Place) -> Result<String, String> {
    if let Ok(length) = humantime::parse_duration(text) {
        return surroundings::time_from_now(length, place == Place::Body)
            .ok_or_else(|| format!("`{text}` is too long"));
    }
    if text.starts_with(|letter: char| letter.is_ascii_digit()) && text.contains(['T', 't']) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is neither a time such as 2026-01-02T03:04:05Z (RFC 3339) nor a duration such as 10m"
    ))
}

fn body(operation: &Operation, flags: &[Flag], matches: &ArgMatches) -> Outcome<Option<Value>> {
    let Some(described) = &operation.body else { return Ok(None) };
    let whole = flag(matches, "body").map(|text| json(&text)).transpose()?;
    if !matches!(described.kind, Kind::Object(_)) {
        return Ok(whole);
    }
    let mut members = match whole {
        Some(Value::Object(members)) => members,
        None => Map::new(),
        Some(_) => return Err(Failure::usage("--body: a JSON object is wanted")),
    };
    for flag in flags.iter().filter(|flag| flag.place == Place::Body) {
        if let Some(value) = typed(matches, flag)? {
            members.insert(flag.property.name.clone(), value);
        }
    }
    for name in matches.try_get_many::<String>("unset").ok().flatten().into_iter().flatten() {
        members.insert(name.replace('-', "_"), Value::Null);
    }
    let given = matches.try_contains_id("body").unwrap_or(false)
        && matches.value_source("body") == Some(ValueSource::CommandLine);
    Ok((described.required || given || !members.is_empty()).then_some(Value::Object(members)))
}

/// JSON given as itself, as `@FILE` or as `-`.
pub fn json(text: &str) -> Outcome<Value> {
    serde_json::from_str(&value::input(text)?)
        .map_err(|error| Failure::usage(format!("the body is no JSON: {error}")))
}

/// An execution may be waited for as long as the request asks, beyond what a request takes otherwise.
fn timeout(session: &Session, request: &Request) -> Duration {
    let wait = request.query.iter().find(|(name, _)| name == "wait");
    let wait = wait.and_then(|(_, text)| humantime::parse_duration(text).ok()).unwrap_or_default();
    session.client.timeout() + wait
}

fn show(session: &Session, operation: &Operation, answer: &Answer, columns: &[String]) -> Outcome<()> {
    let Some(value) = answer.json() else {
        return output::write_bytes(&answer.body);
    };
    session.output.show(&value, columns)?;
    if let Some(cursor) = value["next_cursor"].as_str().filter(|_| operation.is_list()) {
        note(&format!("there is more: --cursor {} or --all", text::one_line(cursor)));
    }
    let runs = matches!(operation.id.rsplit('.').next(), Some("execute" | "replay"));
    if runs { ended(&value) } else { Ok(()) }
}

/// Whether an execution ended as one wishes; one that has not ended yet did.
pub fn ended(execution: &Value) -> Outcome<()> {
    let status = execution["status"].as_str().unwrap_or_default();
    if !matches!(status, "failed" | "timed_out" | "cancelled") {
        return Ok(());
    }
    let id = text::one_line(execution["id"].as_str().unwrap_or("?"));
    let why = match (&execution["error"]["message"], &execution["error"]) {
        (Value::String(message), _) | (_, Value::String(message)) => format!(": {}", text::one_line(message)),
        _ => String::new(),
    };
    Err(Failure::new(Exit::ExecutionFailed, format!("execution {id} {status}{why}")))
}
