//! Executions, with real hosts.

mod actions;
mod cancelling;
mod content;
mod drains;
mod logs;
mod queue;
mod repeats;
mod runs;
mod signatures;
