//! Asking sources for a price: each through the egress guard, in its time, and every failure told.

use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use sl_store::{Fault, SYSTEM};
use uuid::Uuid;

use super::{
    SOURCE_TIME,
    entity::{PriceFeed, Source},
    hosts::{self, Turns},
    price::{ExactNumber, Price},
    rules::Rejection,
    sources,
    standing::{Failed, News, Observed},
};
use crate::{
    Core,
    egress::{EgressError, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Url, retry_after},
    exact,
    peers::Peer,
};

/// How large an answer with a price may be.
const ANSWER: u64 = 256 << 10;
/// How long the name of a source may be.
const NAME: usize = 128;

/// One question.
struct Question {
    name: String,
    /// Whose wish to wait it is: the account's own host, or the operator's price service.
    owner: Uuid,
    url: String,
    headers: HeaderMap,
    answer: Form,
}

/// How an answer is read.
enum Form {
    /// The number at a place.
    At(String),
    /// `{price, source}`, as the operator's price service answers.
    Named,
}

/// Why a source brought nothing.
type Refusal = (Rejection, String);

/// Asks every source of a feed.
pub(super) async fn ask(core: &Core, turns: &Turns, feed: &PriceFeed) -> Result<News, Fault> {
    let questions = questions(core, feed)?;
    let asked = questions.into_iter().map(|question| async {
        let name = question.name.clone();
        (name, answer(core, turns, feed, question).await)
    });
    let mut news = News::default();
    for (source, answered) in join_all(asked).await {
        match answered {
            Ok(observed) => news.observed.push(observed),
            Err((reason, detail)) => news.failed.push(Failed { source, reason, detail }),
        }
    }
    Ok(news)
}

/// Whether a feed has anybody to ask.
pub(super) fn has_sources(core: &Core, feed: &PriceFeed) -> bool {
    !feed.sources.is_empty() || core.peers.price_fetch.is_some()
}

fn questions(core: &Core, feed: &PriceFeed) -> Result<Vec<Question>, Fault> {
    if feed.sources.is_empty() {
        return core.peers.price_fetch.iter().map(|peer| operators(peer, feed)).collect();
    }
    let headers = sources::open(core, feed)?;
    let account = feed.head.account_id;
    Ok(feed.sources.iter().zip(headers).map(|(source, headers)| own(account, source, headers)).collect())
}

fn own(owner: Uuid, source: &Source, headers: HeaderMap) -> Question {
    let Source { name, url, result_path, .. } = source.clone();
    Question { name, owner, url, headers, answer: Form::At(result_path) }
}

/// The question to the operator's price service: `GET ?base=NEO&quote=USD`, with its key.
fn operators(peer: &Peer, feed: &PriceFeed) -> Result<Question, Fault> {
    let mut url = Url::parse(&peer.url).map_err(Fault::internal)?;
    url.query_pairs_mut().append_pair("base", &feed.base_asset).append_pair("quote", &feed.quote_asset);
    let mut headers = HeaderMap::new();
    if let Some(key) = &peer.key {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
            .map_err(|_| Fault::internal("the key of the price service is no header value"))?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
    }
    let name = url.host_str().unwrap_or("price service").to_owned();
    Ok(Question { name, owner: SYSTEM, url: url.into(), headers, answer: Form::Named })
}

async fn answer(
    core: &Core,
    turns: &Turns,
    feed: &PriceFeed,
    question: Question,
) -> Result<Observed, Refusal> {
    let host = host_of(&question.url);
    let owner = question.owner;
    let unknown = |fault: Fault| (Rejection::Unreachable, fault.detail);
    if let Some(until) = hosts::blocked(core, owner, &host).await.map_err(unknown)? {
        return Err((Rejection::RateLimited, format!("{host} asked to wait until {}", until.to_rfc3339())));
    }
    let time = core.settings.duration(&SOURCE_TIME);
    let busy = || (Rejection::RateLimited, format!("{host} is asked too often by this daemon"));
    tokio::time::sleep(turns.take(core, &host, time).ok_or_else(busy)?).await;
    let form = question.answer;
    let mut request = Request::new(feed.head.account_id, Method::GET, question.url);
    request.headers = question.headers;
    request.headers.entry("accept").or_insert(HeaderValue::from_static("application/json"));
    (request.timeout, request.max_response) = (Some(time), Some(ANSWER));
    let response = core.egress.send(request).await.map_err(|error| unanswered(&error))?;
    if response.status != StatusCode::OK {
        return Err(turned_away(core, owner, &host, &response).await);
    }
    read(&response.body, &form, feed, &question.name).map_err(|detail| (Rejection::Unreadable, detail))
}

fn unanswered(error: &EgressError) -> Refusal {
    let reason = match error {
        EgressError::Refused { .. } | EgressError::Invalid { .. } => Rejection::Refused,
        EgressError::Busy { .. } => Rejection::RateLimited,
        EgressError::TooLarge { .. } => Rejection::Unreadable,
        _ => Rejection::Unreachable,
    };
    (reason, error.to_string())
}

/// A status other than 200; a wish to wait is remembered.
async fn turned_away(core: &Core, owner: Uuid, host: &str, response: &Response) -> Refusal {
    let status = response.status.as_u16();
    let asked = retry_after(&response.headers, core.clock.now())
        .or_else(|| (response.status == StatusCode::TOO_MANY_REQUESTS).then_some(Duration::from_secs(1)));
    let waits = matches!(status, 429 | 503);
    match asked.filter(|_| waits) {
        Some(asked) => match hosts::block(core, owner, host, asked).await {
            Ok(until) => {
                let detail =
                    format!("{host} answered {status} and asked to wait until {}", until.to_rfc3339());
                (Rejection::RateLimited, detail)
            }
            Err(fault) => (Rejection::RateLimited, format!("{host} answered {status} ({})", fault.detail)),
        },
        None => (Rejection::HttpStatus, format!("{host} answered {status}")),
    }
}

/// Host and port of a URL.
fn host_of(url: &str) -> String {
    let url = Url::parse(url).ok();
    let parts = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    parts.map_or_else(String::new, |(host, port)| format!("{host}:{port}"))
}

/// What the operator's price service answers.
#[derive(Deserialize)]
struct Named {
    price: ExactNumber,
    #[serde(default)]
    source: Option<String>,
}

fn read(body: &[u8], form: &Form, feed: &PriceFeed, name: &str) -> Result<Observed, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let (number, source) = match form {
        Form::At(path) => (number_at(text, path)?, name.to_owned()),
        Form::Named => {
            let named: Named = serde_json::from_str(text)
                .map_err(|_| "the answer is not an object with a price that is a number".to_owned())?;
            (named.price, named.source.as_deref().and_then(named_well).unwrap_or(name).to_owned())
        }
    };
    let price = Price::read(number.as_str(), feed.rules.decimals)
        .map_err(|flaw| format!("the price {} ({})", flaw.detail, flaw.rule))?;
    Ok(Observed { source, price, collected_at: None })
}

/// A source's name for itself, where it is one.
fn named_well(name: &str) -> Option<&str> {
    let name = name.trim();
    let fits = (1..=NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// The number at a JSONPath, by its own text: what serde makes of numbers would have passed through floating point.
pub(super) fn number_at(text: &str, path: &str) -> Result<ExactNumber, String> {
    let raw = exact::at(text, path)?;
    ExactNumber::of_json(raw.get())
        .ok_or_else(|| "what the path names is neither a number nor a string".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_by_its_text_wherever_it_stands() {
        let text = r#" {"data": {"a b": [{"p": 1}, {"p": 12345678901234567890.125, "id": 2}]}, "s": " 1", "q": "0.10"} "#;
        let at = |path: &str| number_at(text, path).map(|number| number.as_str().to_owned());
        assert_eq!(at("$.data['a b'][1].p").as_deref(), Ok("12345678901234567890.125"));
        assert_eq!(at("$.data['a b'][?@.id == 2].p").as_deref(), Ok("12345678901234567890.125"));
        assert_eq!(at("$.q").as_deref(), Ok("0.10"));
        for path in ["$.none", "$.data['a b'][*].p", "$.data", "$"] {
            assert!(at(path).is_err(), "{path}");
        }
        assert!(number_at("<html>", "$.price").is_err());
    }
}
