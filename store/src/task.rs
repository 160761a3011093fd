//! The few tasks that live with a connection and not with a supervisor.

use std::future::Future;

use tokio::task::JoinHandle;

/// Runs a task that ends with what it serves.
#[allow(clippy::disallowed_methods, reason = "it belongs to a connection or a lane and ends with it")]
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}
