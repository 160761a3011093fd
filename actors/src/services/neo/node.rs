//! Asking the operator's node, by JSON-RPC 2.0 over HTTP, through the egress guard.

use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sl_store::{Code, Fault, SYSTEM};

use super::{RPC_TIME, chain::TroubleKind};
use crate::{
    Core,
    egress::{
        EgressError, HeaderMap, HeaderValue, Method, Redirects, Request, Response, StatusCode, retry_after,
    },
    peers::Peer,
};

/// How many characters of what a node says are kept.
const WORDS: usize = 300;
/// How long a node may ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// A method that the node does not have.
const METHOD_NOT_FOUND: i64 = -32_601;

/// The node, for one look.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    core: &'a Core,
    peer: &'a Peer,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub kind: TroubleKind,
    pub detail: String,
    /// How long the node asked to be left alone.
    pub wait: Option<Duration>,
}

/// What came of a question.
pub(super) enum Answer<T> {
    /// This.
    Told(T),
    /// More than may be read; the bound and its setting, in words.
    TooLarge(String),
}

impl Trouble {
    pub fn new(kind: TroubleKind, detail: impl AsRef<str>) -> Self {
        Self { kind, detail: words(detail.as_ref()), wait: None }
    }

    pub fn unreadable(detail: impl AsRef<str>) -> Self {
        Self::new(TroubleKind::Unreadable, detail)
    }

    /// As the duty's failure; it is tried again whatever it is.
    pub fn fault(&self, wait: Duration) -> Fault {
        Fault::new(Code::Unavailable, format!("{}: {}", self.kind.as_str(), self.detail)).retry_after(wait)
    }
}

/// What is kept of a node's words: one line of bounded length.
fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    result: Option<T>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
}

impl<'a> Node<'a> {
    pub const fn new(core: &'a Core, peer: &'a Peer) -> Self {
        Self { core, peer }
    }

    /// The answer to a question that must fit.
    pub async fn ask<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<T, Trouble> {
        match self.ask_large(method, params).await? {
            Answer::Told(told) => Ok(told),
            Answer::TooLarge(detail) => Err(Trouble::unreadable(format!("{method}: {detail}"))),
        }
    }

    /// The answer to a question that may be larger than may be read.
    pub async fn ask_large<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<Answer<T>, Trouble> {
        let request = self.request(method, params)?;
        let response = match self.core.egress.send(request).await {
            Ok(response) => response,
            Err(error @ EgressError::TooLarge { what: "response body", .. }) => {
                return Ok(Answer::TooLarge(error.to_string()));
            }
            Err(error) => {
                let detail = format!("{method}: {error}");
                return Err(Trouble::new(TroubleKind::Unreachable, detail));
            }
        };
        self.read(method, &response).map(Answer::Told)
    }

    fn request(&self, method: &str, params: &Value) -> Result<Request, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Some(key) = &self.peer.key {
            let bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()));
            let mut bearer = bearer
                .map_err(|_| Trouble::new(TroubleKind::Unreachable, "the node's key is no header value"))?;
            bearer.set_sensitive(true);
            headers.insert("authorization", bearer);
        }
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = Request::new(SYSTEM, Method::POST, self.peer.url.clone());
        (request.headers, request.redirects) = (headers, Redirects::Refuse);
        request.body = Bytes::from(question.to_string());
        request.timeout = Some(self.core.settings.duration(&RPC_TIME));
        Ok(request)
    }

    /// Reads an answer. Nodes send the error of a question with any status, so that the body comes first.
    fn read<T: DeserializeOwned>(&self, method: &str, response: &Response) -> Result<T, Trouble> {
        let status = response.status;
        let asked = retry_after(&response.headers, self.core.clock.now()).map(|wait| wait.min(LONGEST_WAIT));
        match serde_json::from_slice::<Envelope<T>>(&response.body) {
            Ok(Envelope { error: Some(error), .. }) => {
                Err(Trouble { wait: asked, ..refused(method, &error) })
            }
            Ok(Envelope { result: Some(result), .. }) if status == StatusCode::OK => Ok(result),
            Ok(_) if status == StatusCode::OK => {
                Err(Trouble::unreadable(format!("{method}: the answer has neither result nor error")))
            }
            Err(error) if status == StatusCode::OK => {
                Err(Trouble::unreadable(format!("{method}: the answer cannot be read: {error}")))
            }
            _ => {
                let detail = format!("{method}: the node answered {}", status.as_u16());
                Err(Trouble { wait: asked, ..Trouble::new(TroubleKind::Refused, detail) })
            }
        }
    }
}

fn refused(method: &str, error: &RpcError) -> Trouble {
    let hint = if error.code == METHOD_NOT_FOUND && method == "getapplicationlog" {
        "; the node needs its ApplicationLogs plugin"
    } else {
        ""
    };
    let detail = format!("{method}: the node answered error {}: {}{hint}", error.code, error.message);
    Trouble::new(TroubleKind::Refused, detail)
}
