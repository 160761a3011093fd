//! The runtime's behaviour, against real sockets and real processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod egress;
mod sandbox;
