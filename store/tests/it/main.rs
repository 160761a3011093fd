//! The conformance suite over both backends, and what only one of them must survive.

#![allow(clippy::disallowed_methods, reason = "a test's tasks end with the test")]

mod encryption;
mod faults;
mod guess;
mod memory;
mod postgres;
mod proxy;
