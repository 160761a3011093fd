//! For tests of any crate: one conformance suite over both backends, and a real `PostgreSQL` to run it on.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test panics to fail")]

pub mod conformance;
pub mod postgres;
