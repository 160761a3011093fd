//! A small client of the API that says what it expected when it got something else.

use std::{fmt, time::Duration};

use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

/// Speaks to one daemon with one token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// `POST /accounts`, for messages.
    asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `Null` where it is none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Client {
    /// A client of the daemon at `base` (`http://127.0.0.1:1234`) with an operator's or account's token.
    pub fn new(base: &str, token: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .expect("a client is made");
        Self { http, base: base.to_owned(), token: Some(token.to_owned()), headers: Vec::new() }
    }

    /// The same daemon with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same daemon without a token.
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same with a header more on every request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// Asks, and fails the test only where nothing answers at all.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let asked = format!("{method} {path}");
        self.try_ask(method, path, body).await.unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    /// Asks; an error where nothing answers.
    pub async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let asked = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { asked, status, headers, body, text })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// `POST` with a body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// `POST` with a body that need not be JSON.
    pub async fn post_text(&self, path: &str, media_type: &str, body: &str) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.base)).header("content-type", media_type);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response =
            request.body(body.to_owned()).send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { asked: format!("POST {path}"), status, headers, body, text }
    }

    /// `PUT` with a body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// `PATCH` with a body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// The first events of a live stream.
    pub async fn first_events(&self, path: &str, count: usize) -> Vec<Value> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.expect("a stream");
        assert_eq!(response.status().as_u16(), 200, "{path}");
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read);
            let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
            let events: Vec<Value> = whole
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(|data| serde_json::from_str(data).expect("JSON"))
                .take(count)
                .collect();
            if events.len() == count {
                return events;
            }
            let part = response.chunk().await.unwrap_or_else(|error| panic!("{path}: {error}"));
            read.extend(part.unwrap_or_else(|| panic!("{path} ended after {events:?}")));
        }
    }

    /// Every item of a list, page after page; each page has `limit` items at most.
    pub async fn pages(&self, path: &str, limit: usize) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut cursor = String::new();
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{mark}limit={limit}{cursor}")).await.expect(200);
            pages.push(
                page["items"].as_array().cloned().unwrap_or_else(|| panic!("{path}: no items in {page}")),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return pages,
            }
        }
    }
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.body
    }

    /// The body of a refusal: a problem with this status and code, in the form that all of them have.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self}");
        let content_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("application/problem+json"), "{self}");
        assert_eq!(self.body["status"], status, "{self}");
        for field in ["type", "title", "detail", "request_id"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {self}");
        }
        self.body
    }

    /// A header as text, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.text.chars().take(2_000).collect();
        write!(formatter, "{} answered {}: {start}", self.asked, self.status)
    }
}

/// The text of a field that has to be there.
#[track_caller]
pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field:?} in {value}"))
}
