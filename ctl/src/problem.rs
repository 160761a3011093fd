//! Failures as the server tells them: `application/problem+json` (RFC 9457) with the closed set of codes of `docs/errors.md`.

use serde::Deserialize;
use serde_json::Value;

use crate::{exit::Exit, failure::Failure, text};

/// Declares the closed set of codes once: the type, the list and the names.
macro_rules! codes {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// A code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = concat!("`", $name, "`.")] $variant),+ }

        impl Code {
            /// Every code, in the order of `docs/errors.md`.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code of this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// The name, as it stands in answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

codes! {
    Malformed => "malformed",
    Unauthorized => "unauthorized",
    Forbidden => "forbidden",
    NotFound => "not_found",
    MethodNotAllowed => "method_not_allowed",
    Conflict => "conflict",
    InvalidState => "invalid_state",
    InFlight => "in_flight",
    VersionMismatch => "version_mismatch",
    TooLarge => "too_large",
    UnsupportedMediaType => "unsupported_media_type",
    Invalid => "invalid",
    IdempotencyMismatch => "idempotency_mismatch",
    RateLimited => "rate_limited",
    QuotaExceeded => "quota_exceeded",
    Overloaded => "overloaded",
    Unavailable => "unavailable",
    TimedOut => "timed_out",
    Suspended => "suspended",
    Paused => "paused",
    FenceLost => "fence_lost",
    Integrity => "integrity",
    Denied => "denied",
    Upstream => "upstream",
    Internal => "internal",
}

impl Code {
    /// The exit code that tells a script of this.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Unauthorized => Exit::Unauthorized,
            Self::Forbidden | Self::Denied => Exit::Forbidden,
            Self::NotFound => Exit::NotFound,
            Self::Conflict
            | Self::InvalidState
            | Self::InFlight
            | Self::VersionMismatch
            | Self::IdempotencyMismatch
            | Self::Suspended
            | Self::FenceLost => Exit::Conflict,
            Self::Malformed | Self::TooLarge | Self::UnsupportedMediaType | Self::Invalid => Exit::Invalid,
            Self::RateLimited | Self::QuotaExceeded | Self::Overloaded => Exit::Limited,
            Self::Unavailable | Self::TimedOut | Self::Paused => Exit::Unavailable,
            Self::MethodNotAllowed | Self::Integrity | Self::Upstream | Self::Internal => Exit::Other,
        }
    }

    /// Whether the same request may succeed a little later.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::QuotaExceeded
                | Self::Overloaded
                | Self::Unavailable
                | Self::TimedOut
                | Self::Paused
                | Self::InFlight
        )
    }

    /// The code that a bare HTTP status stands for: a proxy between us and the server knows no codes.
    pub const fn of_status(status: u16) -> Self {
        match status {
            400 => Self::Malformed,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 => Self::Conflict,
            412 => Self::VersionMismatch,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            422 => Self::Invalid,
            429 => Self::RateLimited,
            502 | 503 => Self::Unavailable,
            408 | 504 => Self::TimedOut,
            _ => Self::Internal,
        }
    }
}

/// One field at fault.
#[derive(Debug, Deserialize)]
struct FieldError {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

/// A failure as the server tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status; taken from the answer itself.
    #[serde(skip)]
    pub status: u16,
    title: String,
    code: String,
    detail: String,
    errors: Vec<FieldError>,
    request_id: Option<String>,
    limit: Option<Value>,
    current: Option<Value>,
    setting: Option<String>,
}

impl Problem {
    /// Reads the problem out of an answer; any other body is told by its status.
    pub fn read(status: u16, request_id: Option<&str>, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status;
        problem.request_id = problem.request_id.or_else(|| request_id.map(str::to_owned));
        problem
    }

    /// The code: the one told, else the one that the status stands for.
    pub fn code(&self) -> Code {
        Code::parse(&self.code).unwrap_or(Code::of_status(self.status))
    }

    fn message(&self) -> String {
        let told = [&self.detail, &self.title].into_iter().find(|text| !text.is_empty());
        let told =
            told.map_or_else(|| format!("the server answered {}", self.status), |told| text::one_line(told));
        let code = if self.code.is_empty() { self.code().as_str() } else { &self.code };
        format!("{told} ({}, {})", text::one_line(code), self.status)
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        // The message often tells the fields already.
        let untold = |field: &&FieldError| !self.detail.contains(&field_line(field));
        let fields = self
            .errors
            .iter()
            .filter(untold)
            .map(|field| text::one_line(&format!("{} ({})", field_line(field), field.code)));
        let plain = |value: &Option<Value>| value.as_ref().map_or_else(|| "?".to_owned(), text::plain);
        let limit = self.setting.as_ref().map(|setting| {
            text::one_line(&format!(
                "limit {setting} is {}, current is {}",
                plain(&self.limit),
                plain(&self.current)
            ))
        });
        let id = self.request_id.as_ref().map(|id| text::one_line(&format!("request id {id}")));
        fields.chain(limit).chain(id)
    }
}

/// What is wrong with a field; the whole body has no pointer.
fn field_line(field: &FieldError) -> String {
    if field.pointer.is_empty() {
        field.detail.clone()
    } else {
        format!("{}: {}", field.pointer, field.detail)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        problem.notes().fold(Self::new(problem.code().exit(), problem.message()), Self::note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
        assert_eq!(Code::parse("unheard_of"), None);
    }

    #[test]
    fn what_is_wrong_with_the_whole_body_is_told_once() {
        let errors =
            serde_json::json!([{"pointer": "", "code": "type", "detail": "the params must be an object"}]);
        let body = |detail: &str| {
            serde_json::json!({"detail": detail, "code": "invalid", "errors": errors}).to_string()
        };
        let notes = |detail: &str| -> Vec<String> {
            Problem::read(422, None, body(detail).as_bytes()).notes().collect()
        };
        assert_eq!(notes("the params must be an object"), [""; 0]);
        assert_eq!(notes("the body is wrong"), ["the params must be an object (type)"]);
    }

    #[test]
    fn a_body_that_is_no_problem_is_told_by_its_status() {
        let failure = Failure::from(Problem::read(502, None, b"<html>Bad Gateway</html>"));
        assert_eq!(failure.exit, Exit::Unavailable);
        assert_eq!(failure.message, "the server answered 502 (unavailable, 502)");
    }
}
