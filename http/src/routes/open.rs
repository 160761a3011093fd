//! What anybody may ask: health, readiness, the document; and metrics.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{http::Method, web::Bytes};
use serde::Serialize;
use sl_actors::{Code, Fault};
use utoipa::ToSchema;

use crate::{
    front::Front,
    input::Input,
    operation::{Operation, operation},
};

/// That the daemon lives.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// `ok`.
    status: &'static str,
}

/// That the daemon takes requests.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// `ready`, or `degraded` where some part fails again and again.
    status: &'static str,
    /// The parts that run degraded, with the reason of each.
    degraded: BTreeMap<String, String>,
}

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/healthz", "health.get", "Whether the daemon answers")
            .open()
            .read(|_, _: Input| async { Ok(Alive { status: "ok" }) }),
        operation(Method::GET, "/livez", "health.live", "Whether the daemon lives")
            .open()
            .read(|_, _: Input| async { Ok(Alive { status: "ok" }) }),
        operation(Method::GET, "/readyz", "health.ready", "Whether the daemon takes requests")
            .told("Fails while the daemon drains and while its store does not answer.")
            .open()
            .read(|front, _: Input| ready(front)),
        operation(Method::GET, "/openapi.json", "openapi.get", "This document")
            .open()
            .text("application/json", |front| Ok(front.document.clone())),
        operation(Method::GET, "/metrics", "metrics.get", "Metrics in the text format of Prometheus")
            .operator()
            .text("text/plain; version=0.0.4", metrics),
    ]
}

/// How long the store may take to show that it answers.
const PROBE: Duration = Duration::from_millis(1_500);

async fn ready(front: Arc<Front>) -> Result<Ready, Fault> {
    let core = front.runtime.core();
    if front.draining.is_cancelled() {
        return Err(Fault::new(Code::Unavailable, "the daemon drains"));
    }
    let probe = tokio::time::timeout(PROBE, core.store.health()).await;
    let health = probe.map_err(|_| Fault::new(Code::Unavailable, "the store does not answer in time"))?;
    health.map_err(|fault| Fault::new(Code::Unavailable, "the store does not answer").because(fault))?;
    let degraded = core.health.degraded();
    Ok(Ready { status: if degraded.is_empty() { "ready" } else { "degraded" }, degraded })
}

fn metrics(front: &Front) -> Result<Bytes, Fault> {
    let metrics = &front.runtime.core().metrics;
    metrics.account_actors.set(i64::try_from(front.runtime.accounts()).unwrap_or(i64::MAX));
    let degraded = front.runtime.core().health.degraded().len();
    metrics.degraded.set(i64::try_from(degraded).unwrap_or(i64::MAX));
    metrics.text().map(Bytes::from)
}
