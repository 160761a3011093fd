//! For tests of any crate: one conformance suite over both backends.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test panics to fail")]

pub mod conformance;
