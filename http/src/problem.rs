//! Failures as answers: `application/problem+json` (RFC 9457), with status and headers that follow from the code.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde::Serialize;
use sl_actors::{Code, Fault, Figure};
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, schema::Type},
};

/// How a failure is written.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A failure, as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// One of a closed set of codes.
    #[schema(schema_with = codes)]
    code: &'static str,
    /// What went wrong, for a person.
    detail: &'a str,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem<'a>>,
    /// The value of the limit that was hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Amount<'a>>,
    /// What stands against that limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Amount<'a>>,
    /// The setting that fixes that limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<&'static str>,
    /// The id of the request, to be told to whoever operates the service.
    request_id: &'a str,
}

/// Every code there is.
fn codes() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("One of a closed set of codes."))
        .enum_values(Some(Code::ALL.map(Code::as_str)))
        .build()
}

/// One side of a limit: a whole number, or an exact decimal as text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Amount<'a> {
    /// A whole number.
    Count(u64),
    /// An exact decimal.
    Decimal(&'a str),
}

impl<'a> From<&'a Figure> for Amount<'a> {
    fn from(figure: &'a Figure) -> Self {
        match figure {
            Figure::Count(count) => Self::Count(*count),
            Figure::Decimal(decimal) => Self::Decimal(decimal),
        }
    }
}

/// One field at fault.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldProblem<'a> {
    /// An RFC 6901 pointer into the body, or `?name` for a query parameter.
    pointer: &'a str,
    /// The rule that is broken.
    code: &'static str,
    /// The rule with its bound and what was found.
    detail: &'a str,
}

/// The HTTP status of a code.
#[must_use]
pub const fn status(code: Code) -> StatusCode {
    match code {
        Code::Malformed => StatusCode::BAD_REQUEST,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::Denied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::Conflict | Code::InvalidState | Code::InFlight | Code::Suspended | Code::FenceLost => {
            StatusCode::CONFLICT
        }
        Code::VersionMismatch => StatusCode::PRECONDITION_FAILED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Invalid | Code::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited | Code::QuotaExceeded | Code::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::Paused => StatusCode::SERVICE_UNAVAILABLE,
        Code::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        Code::Upstream => StatusCode::BAD_GATEWAY,
        Code::Integrity | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code in words.
#[must_use]
pub const fn title(code: Code) -> &'static str {
    match code {
        Code::Malformed => "The request could not be read",
        Code::Unauthorized => "No valid token",
        Code::Forbidden => "The token's scopes do not cover this",
        Code::NotFound => "There is no such thing",
        Code::MethodNotAllowed => "The path has no such method",
        Code::Conflict => "It exists already or was changed meanwhile",
        Code::InvalidState => "Its state does not allow this",
        Code::InFlight => "The first request with this key is still being answered",
        Code::VersionMismatch => "It is at another version",
        Code::TooLarge => "Too large",
        Code::UnsupportedMediaType => "The media type is not accepted",
        Code::Invalid => "Fields break a rule",
        Code::IdempotencyMismatch => "The idempotency key was used for another request",
        Code::RateLimited => "Too many requests",
        Code::QuotaExceeded => "A limit of the account is used up",
        Code::Overloaded => "The queue is full",
        Code::Unavailable => "Not available at the moment",
        Code::TimedOut => "The time limit passed",
        Code::Suspended => "The account is suspended",
        Code::Paused => "Stopped on purpose",
        Code::FenceLost => "Another worker owns the item now",
        Code::Integrity => "Stored data does not verify",
        Code::Denied => "Not allowed to the tenant's code",
        Code::Upstream => "A peer outside failed",
        Code::Internal => "A defect of the service layer",
    }
}

/// After how many seconds to try again where the fault does not say; every 429 and 503 says so.
const fn default_retry_after(code: Code) -> Option<u64> {
    match code {
        Code::RateLimited | Code::Overloaded | Code::Unavailable | Code::InFlight => Some(1),
        Code::QuotaExceeded | Code::Paused => Some(10),
        _ => None,
    }
}

/// The answer to a request that failed.
#[must_use]
pub fn response(fault: &Fault, request_id: &str) -> HttpResponse {
    let status = status(fault.code);
    let mut answer = HttpResponse::build(status);
    headers(&mut answer, fault);
    answer.body(body(fault, status, request_id))
}

/// A failure outside the closed set of statuses, which only the front end itself meets (408, 431).
#[must_use]
pub fn response_with(status: StatusCode, fault: &Fault, request_id: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    headers(&mut answer, fault);
    answer.body(body(fault, status, request_id))
}

fn headers(answer: &mut HttpResponseBuilder, fault: &Fault) {
    answer.insert_header((header::CONTENT_TYPE, MEDIA_TYPE));
    let told = fault.retry_after.map(|after| after.as_secs_f64().ceil().max(1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds, at least 1")]
    if let Some(seconds) = told.map(|seconds| seconds as u64).or(default_retry_after(fault.code)) {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    if fault.code == Code::Unauthorized {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"service-layer\""));
    }
    if fault.code == Code::TooLarge {
        answer.force_close();
    }
}

/// A failure as JSON.
pub fn body(fault: &Fault, status: StatusCode, request_id: &str) -> String {
    let field = |field: &'_ sl_actors::FieldError| (field.pointer.clone(), field.rule, field.detail.clone());
    let fields: Vec<_> = fault.fields.iter().map(field).collect();
    let errors =
        fields.iter().map(|(pointer, code, detail)| FieldProblem { pointer, code, detail }).collect();
    let limit = fault.limit.as_deref();
    let problem = Problem {
        kind: format!("/docs/errors#{}", fault.code.as_str()),
        title: title(fault.code),
        status: status.as_u16(),
        code: fault.code.as_str(),
        detail: &fault.detail,
        errors,
        limit: limit.map(|limit| (&limit.limit).into()),
        current: limit.map(|limit| (&limit.current).into()),
        setting: limit.map(|limit| limit.setting),
        request_id,
    };
    serde_json::to_string(&problem).unwrap_or_default()
}
