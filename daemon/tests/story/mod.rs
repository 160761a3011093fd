//! What users do, told once and run on both stores.

mod accounts;
mod automation;
mod actions;
mod daemons;
mod functions;
mod health;
mod pause;
mod price_feeds;
mod random;
mod secrets;
mod tokens;
mod tour;
