//! What every answer carries, and what the log says of it.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        ConnectionType, Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};
use sl_actors::Fault;

use crate::{exchange::Seen, front::Front, operation::Operation, request_id};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const RATE_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The headers that a page of another origin may read.
const EXPOSED: &str = "ETag, Location, Retry-After, X-Request-Id, Idempotency-Replayed, RateLimit-Limit, \
                       RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy";

/// Adds what every answer carries.
pub(crate) fn dress(front: &Front, request: &HttpRequest, seen: &Seen, response: &mut HttpResponse) {
    if front.draining.is_cancelled() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&seen.request_id) {
        headers.insert(request_id::HEADER, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
    if let Some(standing) = seen.standing {
        headers.insert(RATE_LIMIT, standing.limit.into());
        headers.insert(RATE_REMAINING, standing.remaining.into());
        headers.insert(RATE_RESET, standing.reset.into());
        let policy = format!("{};w={}", standing.limit, standing.window);
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(RATE_POLICY, policy);
        }
    }
    if let Some(origin) = origin(front, request) {
        share(headers, origin);
    }
}

/// The origin of the page that asks, where its pages may.
fn origin(front: &Front, request: &HttpRequest) -> Option<HeaderValue> {
    if front.config.origins.is_empty() {
        return None;
    }
    let origin = request.headers().get(header::ORIGIN)?;
    front.config.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn share(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Answers a browser that asks whether it may ask (CORS preflight), for origins that may.
pub(crate) fn preflight(front: &Front, request: &HttpRequest) -> Option<HttpResponse> {
    if *request.method() != Method::OPTIONS {
        return None;
    }
    request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    origin(front, request)?;
    let allowed =
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id";
    let mut response = HttpResponse::NoContent();
    response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"));
    response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, allowed));
    response.insert_header((header::ACCESS_CONTROL_MAX_AGE, 600));
    Some(response.finish())
}

/// Tells the log of a request: what changed something or failed at `info`, our own failures at `error`, the rest at
/// `debug`.
pub(crate) fn record(
    request: &HttpRequest,
    operation: Option<&Operation>,
    seen: &Seen,
    status: StatusCode,
    took: Duration,
    fault: Option<&Fault>,
) {
    macro_rules! told {
        ($level:ident, $($more:tt)*) => {
            tracing::$level!(
                target: "sl_http::request",
                operation = operation.map_or("none", |operation| operation.id.as_str()),
                method = %request.method(),
                status = status.as_u16(),
                latency_seconds = took.as_secs_f64(),
                account_id = seen.account.map(tracing::field::display),
                actor = seen.actor,
                request_id = seen.request_id,
                $($more)*
            )
        };
    }
    let code = fault.map(|fault| fault.code.as_str());
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        let cause = fault.map(tracing::field::display);
        told!(error, code, cause, "Request failed");
    } else if code.is_some() || operation.is_some_and(Operation::mutates) {
        told!(info, code, "Request answered");
    } else {
        told!(debug, "Request answered");
    }
}
