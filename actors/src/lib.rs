//! The runtime: a supervision tree of account actors and duties, and the services that live on it.
//!
//! An API operation is an [`Action`], run for a [`Tenant`] by the account's actor. What must happen later is an item of
//! the work queue, performed by a [`duty::Duty`]. Create, fetch, list, amend and remove exist once, for every
//! [`resource::Resource`]. What a service adds is its entities, its rules, its actions and its duties, in
//! `services/<name>/`, and one line in [`services::ALL`].
//!
//! This crate knows the store and the js-host's protocol; it knows nothing of HTTP and nothing of SQL.

mod account;
pub mod action;
pub mod caller;
pub mod check;
mod core;
mod directory;
pub mod duty;
pub mod egress;
mod exact;
pub mod idempotency;
pub mod metrics;
pub mod mirror;
pub mod neo;
pub mod page;
mod patch;
pub mod pause;
pub mod peers;
pub mod redact;
pub mod resource;
mod retention;
mod runtime;
pub mod sandbox;
pub mod schedule;
pub mod sealed;
pub mod services;
pub mod settings;
pub mod signing;
pub mod supervisor;
mod together;
pub mod why;

pub use self::{
    action::{Action, Order, Tenant},
    core::{Core, Parts},
    runtime::Runtime,
};
pub use sl_store::{
    Code, Event, EventQuery, Fault, FieldError, Figure, Health, Hint, KeyRing, Limit, Position, RetryPolicy,
    SYSTEM, Store,
};

/// The settings of every module, gathered by [`settings::catalogue`].
pub(crate) const SETTINGS: &[&[&settings::Setting]] = &[
    &[&idempotency::KEPT_FOR],
    directory::SETTINGS,
    duty::SETTINGS,
    egress::SETTINGS,
    mirror::SETTINGS,
    sandbox::SETTINGS,
    services::accounts::SETTINGS,
    services::automation::SETTINGS,
    services::control::SETTINGS,
    services::executions::SETTINGS,
    services::functions::SETTINGS,
    services::functions::LIMIT_SETTINGS,
    services::oracle::SETTINGS,
    services::gasbank::SETTINGS,
    services::neo::SETTINGS,
    services::price_feeds::SETTINGS,
    services::random::SETTINGS,
    services::secrets::SETTINGS,
    services::wallets::SETTINGS,
    services::triggers::SETTINGS,
    services::webhooks::SETTINGS,
];
