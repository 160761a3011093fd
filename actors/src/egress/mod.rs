//! The egress guard: every HTTP request that leaves the service layer goes through [`Egress`].
//!
//! It promises that nothing a tenant writes reaches an address that is not public: URLs are read by the URL standard's
//! parser, names are resolved once per connection and the addresses that were judged are the ones connected to,
//! redirects are followed here with every hop judged anew. No proxy, no cookie, no HTTP/2, no credential in a URL;
//! headers that may be secrets stay with their origin. Time, sizes and concurrency are bounded, per account and over
//! all. What the operator names in [`AllowList`] is open although it is private.

mod address;
mod allow;
mod body;
mod error;
mod exchange;
pub(crate) mod headers;
mod hop;
mod lanes;
mod limits;
mod resolve;
mod retry_after;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
pub use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use sl_store::Fault;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

pub use self::{
    allow::AllowList,
    error::EgressError,
    limits::{EgressLimits, SETTINGS},
    resolve::{Resolver, SystemResolver},
    retry_after::retry_after,
};
use self::{hop::Policy, lanes::Lanes};

/// How we name ourselves where the caller does not.
const AGENT: &str = concat!("neo-service-layer/", env!("CARGO_PKG_VERSION"));

/// The egress guard; cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Shared>);

struct Shared {
    limits: EgressLimits,
    policy: Arc<Policy>,
    client: reqwest::Client,
    lanes: Arc<Lanes>,
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
}

/// One request. Headers about the connection (`Host`, `Content-Length`, `Transfer-Encoding`, ...) are left out.
#[derive(Clone)]
pub struct Request {
    /// For whom it is made: its turns are counted there.
    pub account: Uuid,
    /// Any but `CONNECT`, `TRACE` and `TRACK`.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: String,
    /// What is sent along.
    pub headers: HeaderMap,
    /// The body, possibly empty.
    pub body: Bytes,
    /// Time for everything; the setting bounds it.
    pub timeout: Option<Duration>,
    /// Bytes of the response's body; the setting bounds it.
    pub max_response: Option<u64>,
    /// What becomes of redirects.
    pub redirects: Redirects,
    /// Whether the response's body is left unread: whoever asks only wants to know how it was answered.
    pub head_only: bool,
}

/// What becomes of redirects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    /// They are followed, as many as the setting allows.
    #[default]
    Follow,
    /// They are answered like any response.
    Manual,
    /// They are [`EgressError::TooManyRedirects`].
    Refuse,
}

/// What came back, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// The status of the last hop.
    pub status: StatusCode,
    /// Its headers; of a decompressed body without `Content-Encoding` and `Content-Length`.
    pub headers: HeaderMap,
    /// The whole body, decompressed where it was gzip; empty where it was left unread.
    pub body: Bytes,
    /// Where it came from in the end.
    pub url: Url,
    /// Whether a redirect was followed.
    pub redirected: bool,
    /// Time from the call to the last byte, waiting included.
    pub elapsed: Duration,
}

/// The guard at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressStatus {
    /// Accounts with requests under way or waiting.
    pub accounts: usize,
    /// Requests since start by outcome: `ok` or [`EgressError::label`].
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Request {
    /// A request without headers and body that follows redirects.
    #[must_use]
    pub fn new(account: Uuid, method: Method, url: impl Into<String>) -> Self {
        Self {
            account,
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: None,
            max_response: None,
            redirects: Redirects::Follow,
            head_only: false,
        }
    }
}

impl Egress {
    /// A guard with these bounds; names come from `resolver`. Fails where the system's trusted certificates cannot be
    /// read.
    pub fn new(limits: EgressLimits, allow: AllowList, resolver: Arc<dyn Resolver>) -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits.connect)
            .http1_max_headers(usize::try_from(limits.response_headers).unwrap_or(usize::MAX))
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .dns_resolver(Arc::new(resolve::Guarded(resolver)))
            .build()
            .map_err(|error| Fault::internal(exchange::root_cause(&error)))?;
        let policy = Arc::new(Policy { allow, own: address::OwnAddresses::probe() });
        let lanes = Lanes::new(&limits);
        Ok(Self(Arc::new(Shared { limits, policy, client, lanes, outcomes: Mutex::default() })))
    }

    /// Makes the request, follows its redirects and reads the whole response. Dropping the future ends the exchange.
    pub async fn send(&self, request: Request) -> Result<Response, EgressError> {
        let started = Instant::now();
        let limit = request.timeout.unwrap_or(self.0.limits.total).min(self.0.limits.total);
        let account = request.account;
        let exchange = async {
            let _turn = self.0.lanes.enter(account).await?;
            self.perform(request).await
        };
        let mut outcome = timeout(limit, exchange).await.unwrap_or(Err(EgressError::TimedOut { limit }));
        match &mut outcome {
            Ok(response) => response.elapsed = started.elapsed(),
            Err(error) => {
                let outcome = error.label();
                tracing::debug!(account_id = %account, outcome, "An outgoing request was not answered");
            }
        }
        self.count(outcome.as_ref().map_or_else(EgressError::label, |_| "ok"));
        outcome
    }

    /// Whether a URL could be fetched, as far as that can be told without resolving its name: for admission of what a
    /// tenant stores.
    pub fn admit(&self, url: &str) -> Result<(), EgressError> {
        let url = Url::parse(url)
            .map_err(|error| EgressError::Invalid { detail: format!("not a URL: {error}") })?;
        hop::Hop::new(&url, &self.0.policy).map(drop)
    }

    /// The guard at this moment.
    #[must_use]
    pub fn status(&self) -> EgressStatus {
        let outcomes = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        EgressStatus { accounts: self.0.lanes.accounts(), outcomes }
    }

    fn count(&self, outcome: &'static str) {
        let mut outcomes = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome).or_default() += 1;
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Egress").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    /// Without query, headers and body: any of them may hold a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        formatter
            .debug_struct("Request")
            .field("method", &self.method)
            .field("url", &url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.len();
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("body", &body)
            .finish_non_exhaustive()
    }
}
