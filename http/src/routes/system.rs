//! The daemon itself.

use std::sync::Arc;

use actix_web::http::Method;
use serde::Serialize;
use sl_actors::{Fault, settings::write_duration};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    front::Front,
    input::Input,
    operation::{Operation, operation},
};

/// Which program answers.
#[derive(Debug, Serialize, ToSchema)]
struct ProgramVersion {
    /// `sld`.
    name: &'static str,
    /// The version of the program and of the document it serves.
    version: &'static str,
}

/// How the daemon is.
#[derive(Debug, Serialize, ToSchema)]
struct SystemStatus {
    /// This daemon's id, the holder of its leases.
    daemon_id: Uuid,
    /// The version of the program.
    version: &'static str,
    /// How long it has run.
    uptime: String,
    /// Whether it drains.
    draining: bool,
    /// The store.
    store: StoreStatus,
    /// How many accounts have an actor in this daemon.
    account_actors: usize,
    /// The parts that run degraded, with the reason of each.
    degraded: std::collections::BTreeMap<String, String>,
}

/// How the store is.
#[derive(Debug, Serialize, ToSchema)]
struct StoreStatus {
    /// `memory` or `postgres`.
    backend: &'static str,
    /// How long a round trip took, in seconds.
    latency_seconds: f64,
    /// Connections in use.
    connections_in_use: usize,
    /// Connections in all.
    connections: usize,
}

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/system/version", "system.version", "Which program answers").read(
            |_, _: Input| async { Ok(ProgramVersion { name: "sld", version: env!("CARGO_PKG_VERSION") }) },
        ),
        operation(Method::GET, "/system/status", "system.status", "How the daemon is")
            .operator()
            .read(|front, _: Input| status(front)),
    ]
}

async fn status(front: Arc<Front>) -> Result<SystemStatus, Fault> {
    let core = front.runtime.core();
    let health = core.store.health().await?;
    let (connections_in_use, connections) = health.connections;
    Ok(SystemStatus {
        daemon_id: core.daemon_id,
        version: env!("CARGO_PKG_VERSION"),
        uptime: write_duration(std::time::Duration::from_secs(front.started.elapsed().as_secs())),
        draining: front.draining.is_cancelled(),
        store: StoreStatus {
            backend: health.backend,
            latency_seconds: health.latency.as_secs_f64(),
            connections_in_use,
            connections,
        },
        account_actors: front.runtime.accounts(),
        degraded: core.health.degraded(),
    })
}
