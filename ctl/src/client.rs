//! The way to the server: one request at a time, repeated where that is safe.

use std::{fs, time::Duration};

use reqwest::{
    Certificate, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::Value;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    note,
    problem::{Code, Problem},
    request::Request,
    surroundings, text,
    token::Token,
};

/// The longest time between two attempts; a server that wants more is told to the user instead.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The time before the second attempt; each further one waits twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client needs to know.
#[derive(Debug)]
pub struct Settings {
    /// The server's address.
    pub addr: String,
    /// Who we are.
    pub token: Option<Token>,
    /// Certificates to trust besides those of the machine.
    pub ca_file: Option<String>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is tried, at most.
    pub attempts: u32,
    /// Whether each request is told on standard error.
    pub verbose: bool,
}

/// The way to one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    settings: Settings,
}

/// What the server answered, when it was not a problem.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status: 2xx or 304.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `None` where there is none or it is something else.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as JSON, which it must be.
    pub fn value(&self) -> Outcome<Value> {
        self.json().ok_or_else(|| Failure::new(Exit::Other, "the server's answer is no JSON"))
    }
}

/// Why an attempt did not work.
enum Trouble {
    /// Nothing was sent.
    Unreached(Failure),
    /// Something may have been sent, and no answer came.
    Broken(Failure),
    /// The server answered a problem, and perhaps when to come back.
    Refused(Problem, Option<Duration>),
}

impl Client {
    /// Prepares the way; nothing is sent yet.
    pub fn new(settings: Settings) -> Outcome<Self> {
        let base = base(&settings.addr)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("slctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none());
        if let Some(path) = &settings.ca_file {
            builder = builder.tls_certs_merge(certificates(path)?);
        } else if base.scheme() == "http" {
            // Loading the machine's certificates takes time and fails where there are none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| {
            Failure::new(Exit::Other, format!("TLS cannot be prepared: {}", chain(&error)))
        })?;
        warn_of_clear_text(&base, settings.token.is_some());
        Ok(Self { http, base, settings })
    }

    /// The server's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// How long one request may take.
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Whether there is a token to send.
    pub fn has_token(&self) -> bool {
        self.settings.token.is_some()
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: &Request) -> Outcome<Answer> {
        self.send_within(request, self.settings.timeout).await
    }

    /// The JSON at a path that takes no parameters.
    pub async fn get(&self, path: &str) -> Outcome<Value> {
        self.send(&Request::get(path)).await?.value()
    }

    /// Sends a request once, whatever comes of it.
    pub async fn send_once(&self, request: &Request) -> Outcome<Answer> {
        let answer = self.attempt(request, self.settings.timeout).await;
        answer.map_err(|trouble| trouble.into_failure(&self.base, self.has_token()))
    }

    /// Like [`Self::send`], with a time limit of its own for each attempt.
    pub async fn send_within(&self, request: &Request, timeout: Duration) -> Outcome<Answer> {
        let mut attempt = 1;
        loop {
            let trouble = match self.attempt(request, timeout).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let pause = trouble.pause(request, attempt).filter(|_| attempt < self.settings.attempts);
            let Some(pause) = pause else {
                return Err(trouble.into_failure(&self.base, self.has_token()));
            };
            self.tell(&format!("attempt {attempt} failed; again in {} ms", pause.as_millis()));
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Opens a stream: the answer's head is here, its body is still to come, without a time limit.
    pub async fn open(&self, request: &Request) -> Outcome<Response> {
        let opened = self.open_within(request, None).await;
        opened.map_err(|trouble| trouble.into_failure(&self.base, self.has_token()))
    }

    async fn attempt(&self, request: &Request, timeout: Duration) -> Result<Answer, Trouble> {
        let response = self.open_within(request, Some(timeout)).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| Trouble::of(&error))?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }

    async fn open_within(&self, request: &Request, timeout: Option<Duration>) -> Result<Response, Trouble> {
        let built = self.build(request, timeout).map_err(Trouble::Unreached)?;
        self.tell(&format!("{} {}", request.method, built.url()));
        let response = self.http.execute(built).await.map_err(|error| Trouble::of(&error))?;
        self.tell(&format!("{}", response.status()));
        let status = response.status();
        if status.is_success() || status.as_u16() == 304 {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let read = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let after = read(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = response.bytes().await.unwrap_or_default();
        Err(Trouble::Refused(Problem::read(status.as_u16(), read("x-request-id"), &body), after))
    }

    fn build(&self, request: &Request, timeout: Option<Duration>) -> Outcome<reqwest::Request> {
        let mut builder = self.http.request(request.method.clone(), request.url(&self.base)?);
        if let Some(token) = &self.settings.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
                .map_err(|_| Failure::usage("the token holds letters that no header can carry"))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(key) = &request.key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some(timeout) = timeout {
            builder = builder.header(ACCEPT, "application/json, */*;q=0.5").timeout(timeout);
        }
        builder = request.headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        builder.build().map_err(|error| Failure::usage(chain(&error)))
    }

    fn tell(&self, line: &str) {
        if self.settings.verbose {
            note(line);
        }
    }
}

impl Trouble {
    fn of(error: &reqwest::Error) -> Self {
        let failure = Failure::new(Exit::Unavailable, chain(error));
        if error.is_connect() { Self::Unreached(failure) } else { Self::Broken(failure) }
    }

    /// How long to wait before the next attempt; nothing where there must be none.
    fn pause(&self, request: &Request, attempt: u32) -> Option<Duration> {
        let growing = surroundings::jittered(PAUSE_FIRST * 2_u32.saturating_pow(attempt - 1)).min(PAUSE_MAX);
        match self {
            Self::Unreached(failure) => (failure.exit == Exit::Unavailable).then_some(growing),
            Self::Broken(_) => request.is_repeatable().then_some(growing),
            Self::Refused(problem, after) => {
                let transient = problem.code().is_transient();
                let pause = after.unwrap_or(growing);
                (transient && request.is_repeatable() && pause <= PAUSE_MAX).then_some(pause)
            }
        }
    }

    fn into_failure(self, base: &Url, has_token: bool) -> Failure {
        match self {
            Self::Unreached(failure) if failure.exit == Exit::Usage => failure,
            Self::Unreached(failure) | Self::Broken(failure) => {
                Failure { message: format!("no answer from {base}: {}", failure.message), ..failure }
            }
            Self::Refused(problem, after) => {
                let (status, code) = (problem.status, problem.code());
                let mut failure = Failure::from(problem);
                if (300..400).contains(&status) {
                    failure = failure.note("the server sends elsewhere, which is not followed: mend --addr");
                }
                if code == Code::Unauthorized && !has_token {
                    failure = failure.note("no token was sent: SERVICE_LAYER_TOKEN, --token-file, or a context (slctl context set)");
                }
                match after {
                    Some(after) => {
                        failure.note(format!("try again in {}", humantime::format_duration(after)))
                    }
                    None => failure,
                }
            }
        }
    }
}

fn base(addr: &str) -> Outcome<Url> {
    let wrong = |why: &str| Failure::usage(format!("address `{}`: {why}", text::one_line(addr)));
    let url =
        Url::parse(addr).map_err(|error| wrong(&error.to_string()).note("such as http://127.0.0.1:8080"))?;
    match url.scheme() {
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(Failure::usage("the address must not hold a name or password"))
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err(wrong("has a query or fragment"))
        }
        "http" | "https" => Ok(url),
        other => Err(wrong(&format!("is neither http nor https but {other}"))),
    }
}

fn warn_of_clear_text(base: &Url, has_token: bool) {
    let host = base.host_str().unwrap_or_default();
    let near = host == "localhost" || host.starts_with("127.") || host == "[::1]";
    if has_token && base.scheme() == "http" && !near {
        note(&format!("warning: the token goes to {host} in clear text; use https"));
    }
}

fn certificates(path: &str) -> Outcome<Vec<Certificate>> {
    let about = |error: &dyn std::fmt::Display| Failure::usage(format!("{path}: {error}"));
    let bytes = fs::read(path).map_err(|error| about(&error))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| about(&error))?;
    if found.is_empty() {
        return Err(about(&"holds no certificate"));
    }
    Ok(found)
}

/// What lies behind the error, without the layers that say only that a request was sent.
fn chain(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let told = inner.to_string();
        if !told.starts_with("client error (") && parts.last() != Some(&told) {
            parts.push(told);
        }
        source = inner.source();
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if parts.is_empty() { error.to_string() } else { parts.join(": ") }
}
