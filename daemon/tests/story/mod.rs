//! What users do, told once and run on both stores.

mod accounts;
mod actions;
mod automation;
mod daemons;
mod functions;
mod gasbank;
mod health;
mod hooks;
mod neo;
mod oracle;
mod pause;
mod price_feeds;
mod random;
mod secrets;
mod standing;
mod tokens;
mod tour;
mod triggers;
pub mod wallets;
mod webhooks;
