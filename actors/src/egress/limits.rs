//! The bounds of every outgoing request.

use std::time::Duration;

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

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            response_body: 1 << 20,
            response_header_bytes: 64 << 10,
            response_headers: 100,
            request_body: 1 << 20,
            redirects: 5,
            account_concurrency: 16,
            account_waiting: 64,
            concurrency: 512,
            resolutions: 64,
        }
    }
}
