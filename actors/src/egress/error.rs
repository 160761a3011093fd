//! Why a request did not come back with a response.

use std::{fmt, time::Duration};

use sl_store::{Code, Fault};

/// Why a request was not made or not answered: a closed set. Messages hold no header, no body and no address that the
/// caller did not write itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressError {
    /// The URL, the method or a header cannot be used.
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
    /// The target is not a public address, and the operator has not opened it.
    Refused {
        /// The host as the URL names it.
        host: String,
        /// The kind of address or rule, in `snake_case`: `loopback`, `private`, `port`, `downgrade`.
        reason: &'static str,
    },
    /// The host's name has no address, or the resolver does not answer.
    Dns {
        /// The host as the URL names it.
        host: String,
    },
    /// No connection came about.
    Connect {
        /// The host as the URL names it.
        host: String,
        /// What the system said.
        detail: String,
    },
    /// The peer's certificate or its TLS handshake is not acceptable.
    Tls {
        /// The host as the URL names it.
        host: String,
        /// What the TLS library said.
        detail: String,
    },
    /// The whole exchange did not end in time.
    TimedOut {
        /// The time it had.
        limit: Duration,
    },
    /// Something is larger than it may be.
    TooLarge {
        /// What: `request body`, `response body`, `response headers`.
        what: &'static str,
        /// The setting that bounds it.
        setting: &'static str,
        /// The bound, in bytes (of headers in number where the setting counts).
        limit: u64,
    },
    /// The peer does not speak HTTP/1.1, or broke off.
    Protocol {
        /// What was wrong.
        detail: String,
    },
    /// One redirect more than may be followed.
    TooManyRedirects {
        /// How many are followed.
        limit: u64,
    },
    /// Too many requests of the account are under way and waiting already.
    Busy {
        /// The setting that bounds it.
        setting: &'static str,
        /// The bound.
        limit: u64,
    },
}

impl EgressError {
    /// The kind of error as a metric label: `snake_case`.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Refused { .. } => "refused",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::TimedOut { .. } => "timed_out",
            Self::TooLarge { .. } => "too_large",
            Self::Protocol { .. } => "protocol",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::Busy { .. } => "busy",
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Protocol { .. }
            | Self::Busy { .. } => true,
            Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::TooManyRedirects { .. } => false,
        }
    }

    const fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => Code::Invalid,
            Self::Refused { .. } => Code::Denied,
            Self::Dns { .. } | Self::Connect { .. } | Self::Protocol { .. } => Code::Unavailable,
            Self::TimedOut { .. } => Code::TimedOut,
            Self::Tls { .. } | Self::TooLarge { .. } | Self::TooManyRedirects { .. } => Code::Upstream,
            Self::Busy { .. } => Code::Overloaded,
        }
    }
}

impl fmt::Display for EgressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { detail } => formatter.write_str(detail),
            Self::Refused { host, reason } => {
                write!(formatter, "{host} may not be reached from here: {}", reason.replace('_', " "))
            }
            Self::Dns { host } => write!(formatter, "{host} has no address"),
            Self::Connect { host, detail } => write!(formatter, "no connection to {host}: {detail}"),
            Self::Tls { host, detail } => write!(formatter, "no trusted connection to {host}: {detail}"),
            Self::TimedOut { limit } => {
                write!(formatter, "no complete response within {} ms", limit.as_millis())
            }
            Self::TooLarge { what, setting, limit } => {
                write!(formatter, "the {what} is over the limit of {limit} ({setting})")
            }
            Self::Protocol { detail } => write!(formatter, "the response cannot be read: {detail}"),
            Self::TooManyRedirects { limit } => write!(formatter, "more than {limit} redirects"),
            Self::Busy { setting, limit } => {
                write!(formatter, "too many requests of this account wait already: {limit} ({setting})")
            }
        }
    }
}

impl std::error::Error for EgressError {}

impl From<EgressError> for Fault {
    fn from(error: EgressError) -> Self {
        let fault = Self::new(error.code(), error.to_string());
        match error {
            EgressError::TooLarge { setting, limit, .. } => fault.limited(setting, limit, limit),
            EgressError::Busy { setting, limit } => {
                fault.limited(setting, limit, limit).retry_after(Duration::from_secs(1))
            }
            _ => fault,
        }
    }
}
