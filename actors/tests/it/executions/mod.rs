//! Executions, with real hosts.

mod cancelling;
mod content;
mod logs;
mod queue;
mod repeats;
mod runs;
mod signatures;
