//! The bounds of every outgoing request.

use std::time::Duration;

use crate::settings::{Setting, Settings};

const TOTAL: Setting = Setting::millis(
    "egress.total_time",
    10_000,
    100,
    300_000,
    "How long an outgoing request may take, waiting, name resolution, redirects and body included.",
);
const CONNECT: Setting = Setting::millis(
    "egress.connect_time",
    5_000,
    50,
    60_000,
    "How long connecting to a peer may take, TLS included.",
);
pub(super) const RESPONSE_BODY: Setting = Setting::bytes(
    "egress.response_body",
    1 << 20,
    1 << 10,
    4 << 20,
    "How large a response's body may be, on the wire and again as decompressed.",
);
pub(super) const RESPONSE_HEADER_BYTES: Setting = Setting::bytes(
    "egress.response_header_bytes",
    64 << 10,
    1 << 10,
    256 << 10,
    "How large names and values of a response's headers may be together.",
);
pub(super) const RESPONSE_HEADERS: Setting =
    Setting::count("egress.response_headers", 100, 8, 256, "How many headers a response may have.");
pub(super) const REQUEST_BODY: Setting = Setting::bytes(
    "egress.request_body",
    1 << 20,
    0,
    4 << 20,
    "How large an outgoing request's body may be.",
);
const REDIRECTS: Setting =
    Setting::count("egress.redirects", 5, 0, 20, "How many redirects of an outgoing request are followed.");
const ACCOUNT_CONCURRENCY: Setting = Setting::count(
    "egress.account_concurrency",
    16,
    1,
    1_000,
    "How many outgoing requests of one account are under way at once.",
);
pub(super) const ACCOUNT_WAITING: Setting = Setting::count(
    "egress.account_waiting",
    64,
    0,
    10_000,
    "How many outgoing requests of one account wait for their turn; further ones are refused.",
);
pub(super) const CONCURRENCY: Setting = Setting::count(
    "egress.concurrency",
    512,
    1,
    10_000,
    "How many outgoing requests of all accounts are under way at once.",
);
const RESOLUTIONS: Setting = Setting::count(
    "egress.resolutions",
    64,
    1,
    256,
    "How many host names are resolved at once; each takes a thread.",
);

/// The settings of the egress guard.
pub const SETTINGS: &[&Setting] = &[
    &TOTAL,
    &CONNECT,
    &RESPONSE_BODY,
    &RESPONSE_HEADER_BYTES,
    &RESPONSE_HEADERS,
    &REQUEST_BODY,
    &REDIRECTS,
    &ACCOUNT_CONCURRENCY,
    &ACCOUNT_WAITING,
    &CONCURRENCY,
    &RESOLUTIONS,
];

/// The bounds of every outgoing request. A request may ask for less, never for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressLimits {
    /// Time for everything: waiting, name resolution, all redirects, the body.
    pub total: Duration,
    /// Time for one connection, TLS included.
    pub connect: Duration,
    /// Response body as read from the wire and again as decompressed; bytes.
    pub response_body: u64,
    /// Names and values of the response's headers; bytes.
    pub response_header_bytes: u64,
    /// Response headers in number.
    pub response_headers: u64,
    /// Request body; bytes.
    pub request_body: u64,
    /// Redirects that are followed.
    pub redirects: u64,
    /// Requests of one account under way at once.
    pub account_concurrency: u64,
    /// Requests of one account that wait for their turn.
    pub account_waiting: u64,
    /// Requests of all accounts under way at once.
    pub concurrency: u64,
    /// Name resolutions under way at once.
    pub resolutions: u64,
}

impl From<&Settings> for EgressLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            total: settings.duration(&TOTAL),
            connect: settings.duration(&CONNECT),
            response_body: settings.count(&RESPONSE_BODY),
            response_header_bytes: settings.count(&RESPONSE_HEADER_BYTES),
            response_headers: settings.count(&RESPONSE_HEADERS),
            request_body: settings.count(&REQUEST_BODY),
            redirects: settings.count(&REDIRECTS),
            account_concurrency: settings.count(&ACCOUNT_CONCURRENCY),
            account_waiting: settings.count(&ACCOUNT_WAITING),
            concurrency: settings.count(&CONCURRENCY),
            resolutions: settings.count(&RESOLUTIONS),
        }
    }
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}
