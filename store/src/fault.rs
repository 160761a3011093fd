//! The one error of the system.

use std::{fmt, time::Duration};

/// Why an operation did not happen: a closed set, from which HTTP status, retry class, metric label and exit code follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request could not be read: bad JSON, bad parameter, bad header.
    Malformed,
    /// No token, or one that is unknown, expired or revoked.
    Unauthorized,
    /// The token's scopes do not cover the operation.
    Forbidden,
    /// There is no such thing, or it belongs to another account.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Something of that name or key exists already, or a concurrent change won.
    Conflict,
    /// The thing is in a state from which the operation is not possible.
    InvalidState,
    /// A request with the same idempotency key is still being answered.
    InFlight,
    /// `If-Match` names another version than the stored one.
    VersionMismatch,
    /// The body, or a part of it, is over its size limit.
    TooLarge,
    /// The content type or encoding is not accepted.
    UnsupportedMediaType,
    /// Fields of the request break a rule; each is listed.
    Invalid,
    /// The idempotency key was used before with another body.
    IdempotencyMismatch,
    /// Too many requests in the current window.
    RateLimited,
    /// A limit of the account is used up.
    QuotaExceeded,
    /// A queue in front of the work is full.
    Overloaded,
    /// Something the operation needs does not answer at the moment.
    Unavailable,
    /// The operation did not end within its time limit.
    TimedOut,
    /// The account is suspended.
    Suspended,
    /// Stopped on purpose: the daemon drains or the work is paused.
    Paused,
    /// The lease was lost: another worker owns the item now.
    FenceLost,
    /// Stored data does not decrypt or verify.
    Integrity,
    /// The tenant's code may not do this.
    Denied,
    /// A peer outside answered with a permanent failure.
    Upstream,
    /// A defect of the service layer.
    Internal,
}

impl Code {
    /// Every code, in the order of `docs/errors.md`.
    pub const ALL: [Self; 25] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::InvalidState,
        Self::InFlight,
        Self::VersionMismatch,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::IdempotencyMismatch,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::Overloaded,
        Self::Unavailable,
        Self::TimedOut,
        Self::Suspended,
        Self::Paused,
        Self::FenceLost,
        Self::Integrity,
        Self::Denied,
        Self::Upstream,
        Self::Internal,
    ];

    /// The code as it stands in answers, logs and metrics: `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::InvalidState => "invalid_state",
            Self::InFlight => "in_flight",
            Self::VersionMismatch => "version_mismatch",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Invalid => "invalid",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::FenceLost => "fence_lost",
            Self::Integrity => "integrity",
            Self::Denied => "denied",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }

    /// Whether the same attempt may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::RateLimited
            | Self::QuotaExceeded
            | Self::Overloaded
            | Self::Unavailable
            | Self::TimedOut
            | Self::InFlight
            | Self::Paused
            | Self::Conflict => true,
            Self::Malformed
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::InvalidState
            | Self::VersionMismatch
            | Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::Invalid
            | Self::IdempotencyMismatch
            | Self::Suspended
            | Self::FenceLost
            | Self::Integrity
            | Self::Denied
            | Self::Upstream
            | Self::Internal => false,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One field of a request that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where: an RFC 6901 JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// Which rule, in `snake_case`: `required`, `too_long`, `unknown_field`.
    pub rule: &'static str,
    /// The rule with its bound and the value seen, for a person.
    pub detail: String,
}

impl FieldError {
    /// The rule with its field; what is about the whole names none.
    fn told(&self) -> String {
        if self.pointer.is_empty() {
            self.detail.clone()
        } else {
            format!("{}: {}", self.pointer, self.detail)
        }
    }
}

/// The limit that was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "it is the field of the answer")]
pub struct Limit {
    /// The setting that fixes it, as `sld print-config` names it, or the field of the thing that does.
    pub setting: &'static str,
    /// Its value, in the setting's unit.
    pub limit: Figure,
    /// What stands against it.
    pub current: Figure,
}

/// One side of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A whole number.
    Count(u64),
    /// An exact decimal, as text: an amount of money.
    Decimal(String),
}

impl From<u64> for Figure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<String> for Figure {
    fn from(decimal: String) -> Self {
        Self::Decimal(decimal)
    }
}

/// The one error: a code, a message for people, and what a program needs to act on it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The closed code.
    pub code: Code,
    /// The message, without secrets.
    pub detail: String,
    /// The fields at fault, for [`Code::Invalid`].
    pub fields: Vec<FieldError>,
    /// The limit that was hit, where one was.
    pub limit: Option<Box<Limit>>,
    /// When to try again, where that is known.
    pub retry_after: Option<Duration>,
    /// What lies behind it; logged, never answered.
    pub cause: Option<Box<str>>,
}

impl Fault {
    /// A fault of `code` with a message for people.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), limit: None, retry_after: None, cause: None }
    }

    /// Nothing of `kind` (`function`, `secret`) has this name or id in the account.
    #[must_use]
    pub fn not_found(kind: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {kind}"))
    }

    /// One field breaks one rule; `detail` names the bound and the value seen.
    pub fn field(pointer: impl Into<String>, rule: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), rule, detail: detail.into() }])
    }

    /// Several fields break rules. The message tells all of them.
    #[must_use]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let told: Vec<String> = fields.iter().map(FieldError::told).collect();
        Self { fields, ..Self::new(Code::Invalid, told.join("; ")) }
    }

    /// A defect of ours; `cause` is logged, the caller sees a neutral sentence.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(
            Code::Internal,
            "the service layer met a defect of its own; the request id finds it in the log",
        )
        .because(cause)
    }

    /// Adds what lies behind the fault, for the log only.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string().into_boxed_str());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds the limit that was hit.
    #[must_use]
    pub fn limited(
        mut self,
        setting: &'static str,
        limit: impl Into<Figure>,
        current: impl Into<Figure>,
    ) -> Self {
        self.limit = Some(Box::new(Limit { setting, limit: limit.into(), current: current.into() }));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.detail)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(formatter, " ({cause})"))
    }
}

impl std::error::Error for Fault {}
