//! The operations of the API: one table per service.

use crate::operation::Operation;

mod accounts;
mod automation;
mod control;
mod executions;
mod functions;
mod gasbank;
mod neo;
mod open;
mod oracle;
mod price_feeds;
mod random;
mod secrets;
mod system;
mod triggers;
mod wallets;
mod webhooks;

/// The first words of operations' ids: as the document groups them, with a sentence, and the service they belong to.
pub const GROUPS: &[(&str, &str, &str)] = &[
    ("accounts", "Tenants.", "accounts"),
    ("tokens", "An account's tokens.", "accounts"),
    ("secrets", "What functions know and nobody reads.", "secrets"),
    ("functions", "JavaScript functions and their versions.", "functions"),
    ("jobs", "What runs by the clock, and when something happens.", "automation"),
    ("triggers", "What runs functions by the clock, on events and when somebody outside calls.", "triggers"),
    ("webhooks", "URLs outside that are told what happens.", "webhooks"),
    ("hooks", "The URLs of inbound webhooks.", "triggers"),
    ("executions", "Runs of functions, and what they log.", "executions"),
    ("oracle", "Questions to sources outside, and their answers.", "oracle"),
    ("pricefeeds", "Prices observed, agreed on and published.", "pricefeeds"),
    ("random", "Random bytes that anybody can check.", "random"),
    ("gasbank", "GAS that is deposited and withdrawn, by double entry.", "gasbank"),
    ("neo", "What happens on the Neo chain, and how far it was read.", "neo"),
    ("wallets", "Neo wallets that an account has proved to be its own.", "wallets"),
    ("pauses", "What of an account's work is held back.", "control"),
    ("dead_letters", "Work that was given up.", "dead_letters"),
    ("events", "What happens, live.", "control"),
    ("why", "Why something waits.", "control"),
    ("limits", "What bounds an account.", "control"),
    ("audit", "Who did what, and when.", "control"),
    ("system", "The daemon itself.", "control"),
    ("health", "Whether the daemon lives and is ready.", "control"),
    ("metrics", "Numbers for Prometheus.", "control"),
    ("openapi", "This document.", "control"),
];

/// Every operation.
#[must_use]
pub fn all() -> Vec<Operation> {
    let tables = [
        open::table(),
        system::table(),
        accounts::table(),
        secrets::table(),
        functions::table(),
        executions::table(),
        oracle::table(),
        price_feeds::table(),
        random::table(),
        automation::table(),
        gasbank::table(),
        wallets::table(),
        triggers::table(),
        webhooks::table(),
        control::table(),
        neo::table(),
    ];
    tables.into_iter().flatten().collect()
}

/// The service an operation belongs to.
fn service_of(operation: &Operation) -> &'static str {
    let group = operation.group();
    GROUPS.iter().find(|(name, ..)| *name == group).map_or("", |(.., service)| service)
}
