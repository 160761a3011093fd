//! `sld`: settings, telemetry, boot. Everything that decides something for a tenant lies in the crates below.

pub mod boot;
pub mod command;
pub mod notify;
pub mod refusal;
pub mod serve;
pub mod settings;
pub mod signals;
pub mod telemetry;
