//! Asking the operator's resolver what became of a deposit or withdrawal.
//!
//! `GET ?transaction_id=` with the id of a withdrawal, or the chain's id of a deposit's transaction; `type`, `amount` and
//! the addresses go along, so that a resolver can hold them against the chain. Only 200 with `{done: true, success}` says
//! anything for good, and only where it does not name another transaction. 429 and 503 with `Retry-After` ask to wait. All
//! else, whatever its status, says nothing: money is not moved on a guess.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use sl_store::Fault;

use super::{
    RESOLVER_TIME,
    gas::Gas,
    transaction::{GasDirection, GasTransaction},
};
use crate::{
    Core,
    check::Check,
    egress::{HeaderMap, HeaderValue, Method, Redirects, Request, Response, StatusCode, Url, retry_after},
    peers::Peer,
    services::price_feeds::ExactNumber,
};

/// How large an answer may be.
const ANSWER: u64 = 64 << 10;
/// How long a message may be that is kept.
const MESSAGE: usize = 500;
/// How soon it is asked again where it does not say.
const USUAL: Duration = Duration::from_secs(5);
/// How soon at the soonest.
const SOONEST: Duration = Duration::from_millis(100);
/// How long a resolver may ask to wait.
const LATEST: Duration = Duration::from_hours(1);

/// What says, with `Retry-After`, that it has no time now.
const BUSY: [StatusCode; 2] = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// What the resolver says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resolved {
    /// It is done.
    Yes,
    /// It is not done and will not be.
    No(String),
    /// It is under way; asked again after this.
    Later(Duration),
    /// It has no time; asked again after this, as if it had not been asked.
    Busy(String, Duration),
    /// Nothing that could be made out; asked again, at the soonest after this where it said so.
    Unclear(String, Option<Duration>),
    /// It says that something else was done than was asked for.
    Contradicted(String),
}

#[derive(Deserialize)]
struct Told {
    done: bool,
    success: Option<bool>,
    message: Option<String>,
    retry_after_seconds: Option<f64>,
    amount: Option<ExactNumber>,
    transaction_id: Option<String>,
}

/// Asks about a deposit or withdrawal.
pub(super) async fn ask(core: &Core, peer: &Peer, transaction: &GasTransaction) -> Resolved {
    let request = match request(core, peer, transaction) {
        Ok(request) => request,
        Err(fault) => return Resolved::Unclear(fault.detail, None),
    };
    match core.egress.send(request).await {
        Ok(response) if response.status == StatusCode::OK => read(&response, transaction),
        Ok(response) => {
            let wait = retry_after(&response.headers, core.clock.now()).map(bounded);
            let told = format!("the resolver answered {}", response.status.as_u16());
            match wait {
                Some(wait) if BUSY.contains(&response.status) => Resolved::Busy(told, wait),
                wait => Resolved::Unclear(told, wait),
            }
        }
        Err(error) => Resolved::Unclear(cut(&format!("the resolver did not answer: {error}")), None),
    }
}

fn request(core: &Core, peer: &Peer, transaction: &GasTransaction) -> Result<Request, Fault> {
    let mut url = Url::parse(&peer.url).map_err(Fault::internal)?;
    url.query_pairs_mut()
        .append_pair("transaction_id", &transaction.resolved_by())
        .append_pair("type", transaction.direction.as_str())
        .append_pair("amount", &transaction.amount.to_string());
    let addresses = [("from_address", transaction.from_address), ("to_address", transaction.to_address)];
    for (name, hash) in addresses {
        if let Some(hash) = hash {
            url.query_pairs_mut().append_pair(name, &hash.address());
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    if let Some(key) = &peer.key {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
            .map_err(|_| Fault::internal("the key of the resolver is no header value"))?;
        bearer.set_sensitive(true);
        headers.insert("authorization", bearer);
    }
    let mut request = Request::new(transaction.head.account_id, Method::GET, url);
    (request.headers, request.redirects) = (headers, Redirects::Refuse);
    request.timeout = Some(core.settings.duration(&RESOLVER_TIME));
    request.max_response = Some(ANSWER);
    Ok(request)
}

fn read(response: &Response, transaction: &GasTransaction) -> Resolved {
    let Ok(told) = serde_json::from_slice::<Told>(&response.body) else {
        let detail = "the resolver's answer is not {done, success, message, retry_after_seconds}";
        return Resolved::Unclear(detail.to_owned(), None);
    };
    if let Some(other) = told.transaction_id.filter(|id| !transaction.is_resolved_by(id)) {
        return Resolved::Unclear(cut(&format!("the resolver's answer is about another: {other}")), None);
    }
    let amount = transaction.amount;
    let message = told.message.as_deref().map(str::trim).filter(|text| !text.is_empty());
    match (told.done, told.success) {
        (false, _) => Resolved::Later(told.retry_after_seconds.map_or(USUAL, seconds)),
        (true, None) => {
            Resolved::Unclear("the resolver says done, and not whether it succeeded".to_owned(), None)
        }
        (true, Some(false)) => Resolved::No(cut(message.unwrap_or("the resolver says that it failed"))),
        (true, Some(true)) => match told.amount {
            Some(other) if !is_amount(&other, amount) => {
                let other: String = other.as_str().chars().take(40).collect();
                Resolved::Contradicted(format!("the resolver says that {other} was moved, not {amount}"))
            }
            _ => Resolved::Yes,
        },
    }
}

fn is_amount(told: &ExactNumber, amount: Gas) -> bool {
    Gas::read("", told, &mut Check::new()) == Some(amount)
}

fn seconds(told: f64) -> Duration {
    bounded(Duration::try_from_secs_f64(told.clamp(0.0, LATEST.as_secs_f64())).unwrap_or(USUAL))
}

fn bounded(wait: Duration) -> Duration {
    wait.clamp(SOONEST, LATEST)
}

fn cut(text: &str) -> String {
    text.chars().take(MESSAGE).collect()
}

impl GasTransaction {
    /// Whether an id that the resolver names is this one's, in whatever spelling of hexadecimal.
    fn is_resolved_by(&self, told: &str) -> bool {
        let plain = |text: &str| {
            let text = text.trim().to_ascii_lowercase();
            text.strip_prefix("0x").map(ToOwned::to_owned).unwrap_or(text)
        };
        plain(told) == plain(&self.resolved_by())
    }
}

impl GasDirection {
    /// What is done with it, in words.
    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::Deposit => "confirmed",
            Self::Withdrawal => "settled",
        }
    }
}
