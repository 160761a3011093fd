//! One request over its redirects.

use std::{error::Error, io, sync::Arc};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
        LOCATION, RANGE, USER_AGENT,
    },
};

use super::{
    Egress, EgressError, EgressLimits, Redirects, Request, Response,
    body::{self, broken},
    hop::Hop,
    limits,
    resolve::HOP,
};

/// Headers about one connection, or that the client makes itself: what a caller sends under these names is left out
/// (Fetch standard, "forbidden request-header"; RFC 9110, section 7.6.1).
pub(super) const NEVER_SENT: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The only headers that follow a redirect to another origin. Any other may be a secret: keys travel under names of
/// their own (`X-Api-Key`), not only as `Authorization` and `Cookie`.
const SENT_ANYWHERE: [&str; 8] = [
    "accept",
    "accept-language",
    "cache-control",
    "content-language",
    "content-type",
    "idempotency-key",
    "range",
    "user-agent",
];

/// What is sent next.
struct Exchange {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Egress {
    /// Makes the request and follows its redirects.
    pub(super) async fn perform(&self, request: Request) -> Result<Response, EgressError> {
        let shared = &*self.0;
        let limit = request.max_response.unwrap_or(u64::MAX).min(shared.limits.response_body);
        let (redirects, head_only) = (request.redirects, request.head_only);
        let mut exchange = Exchange::new(request, &shared.limits)?;
        let mut followed = 0;
        loop {
            let mut response = self.hop(&exchange).await?;
            let target = match redirects {
                Redirects::Manual => None,
                Redirects::Follow | Redirects::Refuse => exchange.target(&response)?,
            };
            let Some(target) = target else {
                let gzip = body::is_gzip(response.headers());
                let body =
                    if head_only { Bytes::new() } else { body::read(&mut response, limit, gzip).await? };
                return Ok(exchange.answer(&mut response, body, gzip, followed > 0));
            };
            let limit = if redirects == Redirects::Refuse { 0 } else { shared.limits.redirects };
            if followed >= limit {
                return Err(EgressError::TooManyRedirects { limit });
            }
            followed += 1;
            exchange.redirect(response.status(), target)?;
        }
    }

    /// One request to one origin, and the head of its response.
    async fn hop(&self, exchange: &Exchange) -> Result<reqwest::Response, EgressError> {
        let shared = &*self.0;
        let hop = Hop::new(&exchange.url, &shared.policy)?;
        let sent = shared
            .client
            .request(exchange.method.clone(), exchange.url.clone())
            .headers(exchange.headers.clone())
            .body(exchange.body.clone())
            .send();
        let response = HOP
            .scope(Arc::clone(&hop), sent)
            .await
            .map_err(|error| hop.failure().unwrap_or_else(|| explain(&error, &hop.host, &shared.limits)))?;
        if let Some(peer) = response.remote_addr() {
            hop.judge(peer.ip())?;
        }
        check_headers(response.headers(), &shared.limits)?;
        Ok(response)
    }
}

impl Exchange {
    fn new(request: Request, bounds: &EgressLimits) -> Result<Self, EgressError> {
        let Request { method, url, mut headers, body, .. } = request;
        let invalid = |detail: String| EgressError::Invalid { detail };
        if ["CONNECT", "TRACE", "TRACK"].iter().any(|name| method.as_str().eq_ignore_ascii_case(name)) {
            return Err(invalid(format!("the method {method} cannot be used")));
        }
        if body.len() as u64 > bounds.request_body {
            let (what, setting) = ("request body", limits::REQUEST_BODY.name);
            return Err(EgressError::TooLarge { what, setting, limit: bounds.request_body });
        }
        let mut url = Url::parse(&url).map_err(|error| invalid(format!("not a URL: {error}")))?;
        url.set_fragment(None);
        for name in NEVER_SENT {
            headers.remove(name);
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(super::AGENT));
        // A range of a compressed body cannot be decompressed alone.
        let coding = if headers.contains_key(RANGE) { "identity" } else { "gzip" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding));
        Ok(Self { method, url, headers, body })
    }

    /// Where a redirect leads, or none where the response is no redirect.
    fn target(&self, response: &reqwest::Response) -> Result<Option<Url>, EgressError> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
        let target = location.to_str().ok().and_then(|location| self.url.join(location).ok());
        target.map(Some).ok_or_else(|| EgressError::Protocol { detail: "the redirect names no URL".into() })
    }

    /// Turns to the target of a redirect (Fetch standard, "HTTP-redirect fetch"); never from https down to http.
    fn redirect(&mut self, status: StatusCode, mut target: Url) -> Result<(), EgressError> {
        if self.url.scheme() == "https" && target.scheme() == "http" {
            let host = target.host_str().unwrap_or_default().to_owned();
            return Err(EgressError::Refused { host, reason: "downgrade" });
        }
        target.set_fragment(None);
        if target.origin() != self.url.origin() {
            self.headers = std::mem::take(&mut self.headers)
                .into_iter()
                .filter_map(|(name, value)| name.map(|name| (name, value)))
                .filter(|(name, _)| SENT_ANYWHERE.contains(&name.as_str()) || *name == ACCEPT_ENCODING)
                .collect();
        }
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::GET && self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            let about_body: [HeaderName; 3] = [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH];
            for name in about_body {
                self.headers.remove(name);
            }
        }
        self.url = target;
        Ok(())
    }

    fn answer(self, response: &mut reqwest::Response, body: Bytes, gzip: bool, redirected: bool) -> Response {
        let mut headers = std::mem::take(response.headers_mut());
        if gzip {
            body::forget_coding(&mut headers);
        }
        let elapsed = std::time::Duration::ZERO;
        Response { status: response.status(), headers, body, url: self.url, redirected, elapsed }
    }
}

fn check_headers(headers: &HeaderMap, bounds: &EgressLimits) -> Result<(), EgressError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let limit = bounds.response_header_bytes;
    if bytes as u64 > limit {
        let (what, setting) = ("response headers", limits::RESPONSE_HEADER_BYTES.name);
        return Err(EgressError::TooLarge { what, setting, limit });
    }
    Ok(())
}

/// What the client library's error means.
fn explain(error: &reqwest::Error, host: &str, bounds: &EgressLimits) -> EgressError {
    let host = host.to_owned();
    let root = root_cause(error);
    if error.is_timeout() {
        let detail = format!("not connected within {} ms", bounds.connect.as_millis());
        return EgressError::Connect { host, detail };
    }
    if error.is_connect() {
        let detail = root.to_string();
        let tls = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_tls);
        return if tls { EgressError::Tls { host, detail } } else { EgressError::Connect { host, detail } };
    }
    // hyper tells this apart for servers only; the words are its own.
    if root.to_string() == "message head is too large" {
        let (what, setting) = ("response headers", limits::RESPONSE_HEADERS.name);
        return EgressError::TooLarge { what, setting, limit: bounds.response_headers };
    }
    broken(error)
}

/// TLS failures arrive as invalid data, wrapped in other errors of the same type; the system's own never do.
fn is_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    error.kind() == io::ErrorKind::InvalidData || inner.is_some_and(is_tls)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The innermost cause: the layers above it repeat the URL, which may hold a secret.
pub(super) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}
