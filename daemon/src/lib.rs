//! `sld`: settings, telemetry, boot. Everything that decides something for a tenant lies in the crates below.

pub mod command;
pub mod notify;
pub mod refusal;
pub mod settings;
pub mod signals;
pub mod telemetry;
