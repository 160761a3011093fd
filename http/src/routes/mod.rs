//! The operations of the API: one table per service.

use crate::operation::Operation;

mod accounts;
mod open;
mod system;

/// The services as the document groups their operations, each with a sentence.
pub const SERVICES: &[(&str, &str)] = &[
    ("accounts", "Tenants, by whoever operates the service layer."),
    ("tokens", "An account's tokens."),
    ("system", "The daemon itself."),
    ("health", "Whether the daemon lives and is ready."),
    ("metrics", "Numbers for Prometheus."),
    ("openapi", "This document."),
];

/// Every operation.
#[must_use]
pub fn all() -> Vec<Operation> {
    [open::table(), system::table(), accounts::table()].into_iter().flatten().collect()
}
