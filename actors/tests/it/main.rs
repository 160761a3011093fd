//! The runtime's behaviour, against real sockets and real processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "numbers by chance are small here")]
#![allow(clippy::needless_pass_by_value, reason = "what a test says is read as a sentence")]

mod accounts;
mod actors;
mod automation;
mod control;
mod duties;
mod egress;
mod events;
mod executions;
mod functions;
mod gasbank;
mod handing;
mod neo;
mod neo_chain;
mod oracle;
mod pauses;
mod price_feeds;
mod random;
mod redact;
mod sandbox;
mod script;
mod secrets;
mod signing;
mod tables;
mod wallets;
mod webhooks;
mod workshop;
mod world;
