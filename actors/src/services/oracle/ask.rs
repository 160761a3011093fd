//! One question to one source, over HTTP, in the wire forms that sources know.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ANSWER, RESULT,
    judge::read_number,
    request::OracleRequest,
    source::{OracleSource, ResultType, SourceKind},
    text::JsonText,
};
use crate::{
    Core,
    egress::{EgressError, HeaderValue, Method, Request, Response, Url, headers, retry_after},
    exact,
    settings::Settings,
};

/// How long the words for a failure may be.
const ERROR: usize = 500;

/// What a source said.
pub(super) enum Said {
    /// This.
    Result(JsonText),
    /// That it answers later.
    Later,
    /// Something that may be otherwise another time.
    Again(String, Option<Duration>),
    /// Something that will not be otherwise.
    Never(String),
}

/// What an attempt came to, and what is kept of it.
pub(super) struct Asked {
    pub said: Said,
    pub http_status: Option<u16>,
    pub size: Option<u64>,
    pub latency: Duration,
}

/// Asks a source.
pub(super) async fn ask(
    core: &Core,
    settings: &Settings,
    source: &OracleSource,
    request: &OracleRequest,
) -> Asked {
    let began = tokio::time::Instant::now();
    let asked = |said, response: Option<&Response>| Asked {
        said,
        http_status: response.map(|response| response.status.as_u16()),
        size: response.map(|response| response.body.len() as u64),
        latency: began.elapsed(),
    };
    let question = match question(core, settings, source, request) {
        Ok(question) => question,
        Err(why) => return asked(Said::Never(why), None),
    };
    match core.egress.send(question).await {
        Ok(response) => {
            let most = share(settings, request.question.source_ids.len());
            asked(heard(core, most, source, &response), Some(&response))
        }
        Err(error) => asked(unanswered(&error), None),
    }
}

fn question(
    core: &Core,
    settings: &Settings,
    source: &OracleSource,
    request: &OracleRequest,
) -> Result<Request, String> {
    let confidential = source.open(core).map_err(|fault| fault.detail)?;
    let method = Method::from_bytes(source.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut url = Url::parse(&source.url).map_err(|error| error.to_string())?;
    let given = request.question.payload.as_ref().filter(|payload| !payload.is_empty());
    let payload = given.or(source.body.as_ref());
    let mut body = Bytes::new();
    match source.kind {
        SourceKind::ExternalAdapter => body = adapter_body(request.head.id, payload).into(),
        SourceKind::Http if matches!(source.method.as_str(), "GET" | "HEAD") => {
            spread(&mut url, payload.map(String::as_str));
        }
        SourceKind::Http => body = payload.cloned().unwrap_or_default().into(),
    }
    let mut question = Request::new(request.head.account_id, method, url);
    question.headers = headers::sent(&confidential.headers);
    if !body.is_empty() {
        question.headers.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
    }
    question.body = body;
    question.timeout = Some(source.timeout);
    question.max_response = Some(settings.count(&ANSWER));
    Ok(question)
}

/// What an external adapter is sent: the run's id and the data, always an object.
fn adapter_body(id: Uuid, payload: Option<&String>) -> String {
    let data = payload.and_then(|payload| serde_json::from_str::<Value>(payload).ok());
    let data = match data {
        Some(Value::Object(members)) => Value::Object(members),
        Some(other) => json!({"value": other}),
        None => payload.map_or_else(|| json!({}), |text| json!({"value": text})),
    };
    json!({"id": id, "data": data}).to_string()
}

/// Spreads a payload over the query: the members of an object, or everything else as `payload`.
fn spread(url: &mut Url, payload: Option<&str>) {
    let Some(payload) = payload else { return };
    match serde_json::from_str::<Value>(payload) {
        Ok(Value::Object(members)) => {
            let mut query = url.query_pairs_mut();
            for (name, value) in members {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                query.append_pair(&name, &text);
            }
        }
        _ => {
            url.query_pairs_mut().append_pair("payload", payload);
        }
    }
}

fn unanswered(error: &EgressError) -> Said {
    let told = short(&error.to_string());
    match error {
        EgressError::Invalid { .. } | EgressError::Refused { .. } | EgressError::TooLarge { .. } => {
            Said::Never(told)
        }
        _ => Said::Again(told, None),
    }
}

/// How large the result of one source may be, where so many are asked.
pub(super) fn share(settings: &Settings, sources: usize) -> u64 {
    settings.count(&RESULT) / (sources.max(1) as u64)
}

fn heard(core: &Core, most: u64, source: &OracleSource, response: &Response) -> Said {
    let status = response.status.as_u16();
    let waits = retry_after(&response.headers, core.clock.now());
    match status {
        200..=299 => {}
        408 | 425 | 429 | 500..=599 => return Said::Again(format!("it answered {status}"), waits),
        _ => return Said::Never(short(&format!("it answered {status}: {}", told(&response.body)))),
    }
    if status == 202 {
        return Said::Later;
    }
    let Ok(text) = std::str::from_utf8(&response.body) else {
        return Said::Never("its response is not UTF-8".to_owned());
    };
    match source.kind {
        SourceKind::Http => result(most, source, text),
        SourceKind::ExternalAdapter => adapter(most, source, text),
    }
}

/// What an external adapter answers, classic or current.
#[derive(Deserialize)]
struct Adapted {
    #[serde(default)]
    pending: bool,
    #[serde(default)]
    result: Option<JsonText>,
    #[serde(default)]
    data: Option<AdaptedData>,
    #[serde(default, rename = "statusCode")]
    status_code: Option<u16>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default, rename = "errorMessage")]
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct AdaptedData {
    #[serde(default)]
    result: Option<JsonText>,
}

fn adapter(most: u64, source: &OracleSource, text: &str) -> Said {
    let Ok(adapted) = serde_json::from_str::<Adapted>(text) else {
        return Said::Never("its response is not what an external adapter answers".to_owned());
    };
    if adapted.pending {
        return Said::Later;
    }
    let code = adapted.status_code.unwrap_or(200);
    let errored = adapted.status.as_deref() == Some("errored") || adapted.error.is_some();
    if errored || adapted.error_message.is_some() || code >= 400 {
        let told = adapted
            .error
            .map(|error| error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned));
        let told = adapted.error_message.or(told).unwrap_or_default();
        let told = short(&format!("the adapter failed with {code}: {told}"));
        let passes = matches!(code, 200 | 408 | 425 | 429) || code >= 500;
        return if passes { Said::Again(told, None) } else { Said::Never(told) };
    }
    if source.result_path.is_some() {
        return result(most, source, text);
    }
    match adapted.result.or_else(|| adapted.data.and_then(|data| data.result)) {
        Some(value) => typed(most, source.result_type, value),
        None => Said::Never("its response has no result".to_owned()),
    }
}

/// The result in a response: at the path, or all of it.
fn result(most: u64, source: &OracleSource, text: &str) -> Said {
    let value = match &source.result_path {
        Some(path) => match exact::at(text, path) {
            Ok(raw) => JsonText::read(raw.get()),
            Err(why) => return Said::Never(short(&why)),
        },
        // Existing clients read the whole response as text.
        None if matches!(source.result_type, ResultType::Json | ResultType::String) => {
            Some(JsonText::string(text))
        }
        None => JsonText::read(text.trim()).or_else(|| Some(JsonText::string(text.trim()))),
    };
    match value {
        Some(value) => typed(most, source.result_type, value),
        None => Said::Never("its response is not JSON".to_owned()),
    }
}

/// A result of at most so many bytes as its type, or why it is none.
pub(super) fn typed(most: u64, kind: ResultType, value: JsonText) -> Said {
    if value.text().len() as u64 > most {
        let size = value.text().len();
        return Said::Never(format!("its result has {size} bytes; the limit is {most} ({})", RESULT.name));
    }
    if !value.is_sound() {
        return Said::Never("its result is nested too deeply, or holds what is no text or number".to_owned());
    }
    let plain = value.plain();
    match kind {
        ResultType::Json => Said::Result(value),
        ResultType::String => Said::Result(JsonText::string(&plain)),
        ResultType::Number => match read_number(&plain) {
            Ok(number) => Said::Result(JsonText::string(&number.to_string())),
            Err(why) => Said::Never(format!("its result {why}")),
        },
        ResultType::Boolean => match plain.trim() {
            truth @ ("true" | "false") => match JsonText::read(truth) {
                Some(truth) => Said::Result(truth),
                None => Said::Never("its result is neither true nor false".to_owned()),
            },
            _ => Said::Never("its result is neither true nor false".to_owned()),
        },
    }
}

/// The beginning of what a source says about a failure.
fn told(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ERROR)]).into_owned()
}

/// The beginning of words for a failure, without the control characters that a peer may have put there.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(ERROR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_spread_over_the_query() {
        let query = |payload: &str| {
            let mut url = Url::parse("https://x.example/p?k=1").expect("a URL");
            spread(&mut url, Some(payload));
            url.query().unwrap_or_default().to_owned()
        };
        assert_eq!(query(r#"{"a":"b c","n":2,"o":{"x":[1]}}"#), "k=1&a=b+c&n=2&o=%7B%22x%22%3A%5B1%5D%7D");
        assert_eq!(query("plain text"), "k=1&payload=plain+text");
        assert_eq!(query("[1,2]"), "k=1&payload=%5B1%2C2%5D");
    }

    #[test]
    fn an_adapter_is_always_sent_an_object() {
        let sent = |payload: Option<&str>| {
            let body = adapter_body(Uuid::nil(), payload.map(str::to_owned).as_ref());
            serde_json::from_str::<Value>(&body).expect("JSON")["data"].clone()
        };
        assert_eq!(sent(None), json!({}));
        assert_eq!(sent(Some(r#"{"base":"NEO"}"#)), json!({"base": "NEO"}));
        assert_eq!(sent(Some("NEO")), json!({"value": "NEO"}));
        assert_eq!(sent(Some("[1]")), json!({"value": [1]}));
    }
}
