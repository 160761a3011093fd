//! Following a stream: across lost connections, without an event missed or shown twice.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    note,
    output::{self, Mode},
    request::Request,
    session::Session,
    sse::{Decoder, Event},
    surroundings, text,
};

/// The time before coming back to a stream, where the server names none.
const RETRY: Duration = Duration::from_millis(500);

/// How long a stream may be silent: a server says now and then that it is still there.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// How many times in a row a stream may break before anything came, until that is a failure.
const EMPTY_MAX: u32 = 8;

/// The states in which nothing more happens to a thing.
pub const SETTLED: [&str; 8] =
    ["succeeded", "failed", "timed_out", "cancelled", "completed", "expired", "revoked", "discarded"];

/// How following ended.
#[derive(Debug)]
pub enum End {
    /// The thing that the stream is about is settled; this is how it stands.
    Settled(Value),
    /// The server has nothing more to tell.
    Over,
}

/// Follows a stream and shows each event.
pub async fn show(session: &Session, request: Request) -> Outcome<()> {
    follow(session, request, |event| print(session, event)).await.map(drop)
}

/// Follows a stream until the thing it is about is settled: `/…/{execution}/logs` ends with its execution. A stream about
/// no one thing goes on for good.
pub async fn follow(
    session: &Session,
    mut request: Request,
    mut each: impl FnMut(&Event) -> Outcome<()>,
) -> Outcome<End> {
    request.headers.push(("accept".to_owned(), "text/event-stream".to_owned()));
    let (mut empty, mut retry, mut begun, mut settled) = (0, RETRY, false, None);
    loop {
        let read = match session.client.open(&request).await {
            Ok(response) if response.status().as_u16() == 204 => {
                return Ok(settled.map_or(End::Over, End::Settled));
            }
            Ok(response) => read(response, &mut request, &mut retry, &mut each).await?,
            Err(failure) if failure.exit != Exit::Unavailable || !begun => return Err(failure),
            Err(_) => Read::default(),
        };
        begun = true;
        // A stream that began when the thing was settled already has told everything when it ends.
        if let Some(end) = read.end.or(settled.filter(|_| read.complete)) {
            return Ok(End::Settled(end));
        }
        settled = self::settled(session, &request).await?;
        empty = if read.seen > 0 { 0 } else { empty + 1 };
        if empty > EMPTY_MAX {
            return Err(Failure::new(Exit::Unavailable, "the stream breaks before anything comes"));
        }
        note("the stream broke; going on from where it was");
        tokio::time::sleep(surroundings::jittered(retry * 2_u32.saturating_pow(empty.min(5)))).await;
    }
}

/// What one connection brought.
#[derive(Default)]
struct Read {
    /// How many events.
    seen: usize,
    /// Whether the server ended it, and not a fault on the way.
    complete: bool,
    /// The settled thing, where the last event told it.
    end: Option<Value>,
}

/// Reads a stream to its end. What came after the last whole event comes again.
async fn read(
    response: Response,
    request: &mut Request,
    retry: &mut Duration,
    each: &mut impl FnMut(&Event) -> Outcome<()>,
) -> Outcome<Read> {
    let (mut decoder, mut read) = (Decoder::default(), Read::default());
    let mut stream = response.bytes_stream();
    loop {
        let bytes = match tokio::time::timeout(SILENCE_MAX, stream.next()).await {
            Ok(Some(Ok(bytes))) => bytes,
            Ok(None) => {
                read.complete = true;
                return Ok(read);
            }
            Ok(Some(Err(_))) | Err(_) => return Ok(read),
        };
        for event in decoder.push(&bytes) {
            each(&event)?;
            read.seen += 1;
            read.end = end(request, &event);
            if read.end.is_some() {
                return Ok(read);
            }
            if let Some(id) = &event.id {
                request.headers.retain(|(name, _)| name != "last-event-id");
                request.headers.push(("last-event-id".to_owned(), id.clone()));
            }
        }
        *retry = decoder.retry.unwrap_or(*retry);
    }
}

/// The last event of the logs of a thing is the thing itself, settled.
fn end(stream: &Request, event: &Event) -> Option<Value> {
    let data = is_about_one(stream).then(|| serde_json::from_str(&event.data).ok())??;
    is_settled(&data).then_some(data)
}

fn is_about_one(stream: &Request) -> bool {
    stream.path.last().is_some_and(|last| last == "logs")
}

/// The thing above the stream in its path, if it is settled.
async fn settled(session: &Session, stream: &Request) -> Outcome<Option<Value>> {
    if !is_about_one(stream) {
        return Ok(None);
    }
    let path = stream.path[..stream.path.len() - 1].to_vec();
    let above = Request { path, ..Request::new(Method::GET, "") };
    let value = session.client.send(&above).await?.value()?;
    Ok(is_settled(&value).then_some(value))
}

/// Whether nothing more happens to this.
pub fn is_settled(value: &Value) -> bool {
    value["status"].as_str().is_some_and(|status| SETTLED.contains(&status))
}

/// Shows an event in the wished form.
pub fn print(session: &Session, event: &Event) -> Outcome<()> {
    let data = serde_json::from_str(&event.data).unwrap_or_else(|_| Value::String(event.data.clone()));
    if session.output.mode == Mode::Table {
        return output::write(&line(event, &data));
    }
    let whole = json!({"id": event.id, "event": event.kind, "data": data});
    match session.output.mode {
        Mode::Yaml => output::write(&format!("---\n{}", output::yaml(&whole)?)),
        Mode::Name => {
            output::write(&format!("{}\n", text::one_line(event.id.as_deref().unwrap_or_default())))
        }
        _ => output::write(&format!("{whole}\n")),
    }
}

/// An event on one line: when, what, about what, and the rest.
fn line(event: &Event, data: &Value) -> String {
    let Some(members) = data.as_object().filter(|_| !is_settled(data)) else {
        let told = if is_settled(data) { &data["status"] } else { data };
        return format!("{}\n", text::one_line(&text::plain(told)));
    };
    let part = |names: &[&str]| names.iter().find_map(|name| members.get(*name)).map(text::plain);
    let known =
        ["at", "created_at", "level", "kind", "subject", "message", "account_id", "sequence", "id", "data"];
    let kind = part(&["level", "kind"]).or_else(|| Some(event.kind.clone()).filter(|kind| !kind.is_empty()));
    let inner = members.get("data").filter(|data| !data.is_null()).map(Value::to_string);
    let rest = members.iter().filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
    let rest = rest.map(|(name, value)| format!("{name}={}", text::plain(value)));
    let told: Vec<String> =
        [part(&["at", "created_at"]), kind, part(&["subject"]), part(&["message"]), inner]
            .into_iter()
            .flatten()
            .chain(rest)
            .collect();
    format!("{}\n", text::one_line(&told.join("  ")))
}
