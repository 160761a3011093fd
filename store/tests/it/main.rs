//! The conformance suite over both backends, and what only one of them must survive.

mod memory;
mod postgres;
