//! How the running system is.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sl_store::{Code, Fault, WorkQuery};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Core,
    action::{Action, Order, Tenant},
    duty::DutyStatus,
    page::{Page, PageRequest},
    sandbox::SandboxStatus,
    services::{
        neo::NeoView,
        secrets::{self, RotationProgress},
    },
};

/// A duty as it is answered: how it is in this daemon, and what stands in the queue for all of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DutyView {
    /// In this daemon.
    #[serde(flatten)]
    pub status: DutyStatus,
    /// Items due and not held by anybody.
    pub waiting: u64,
    /// Items not yet due.
    pub later: u64,
    /// Items that some daemon performs.
    pub running: u64,
}

/// How the store is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreView {
    /// `memory` or `postgres`.
    pub backend: String,
    /// How long a round trip took, in milliseconds.
    pub latency_ms: f64,
    /// Connections in use.
    pub connections_in_use: usize,
    /// Connections in all.
    pub connections: usize,
}

/// How the system is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemView {
    /// `ok`, or `degraded` where a part of this daemon is, or `unavailable` where the store does not answer.
    pub status: &'static str,
    /// This daemon's id, the holder of its leases.
    pub daemon_id: Uuid,
    /// The store; absent where it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreView>,
    /// How many account actors run in this daemon.
    pub account_actors: i64,
    /// The processes of tenant code in this daemon, and the walls around it.
    pub sandbox: SandboxStatus,
    /// The duties.
    pub duties: Vec<DutyView>,
    /// The parts of this daemon that run degraded, with the reason of each.
    pub degraded: BTreeMap<String, String>,
    /// How many pauses hold now.
    pub pauses: usize,
    /// How far the rotation of the root key is; absent where the store does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_rotation: Option<RotationProgress>,
    /// How far the Neo chain was read; absent where this daemon knows no node, and where the store does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neo: Option<NeoView>,
    /// What parts of this daemon tell of themselves: the sandbox, which of its walls hold.
    pub parts: BTreeMap<String, Value>,
}

/// Tells how the system is; run for the system. It answers even where the store does not.
#[derive(Clone, Copy, Debug)]
pub struct SystemStatus;

impl Action for SystemStatus {
    type Output = SystemView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<SystemView, Fault> {
        let core = &tenant.core;
        let now = tenant.now();
        let store = core.store.health().await.ok().map(|health| StoreView {
            backend: health.backend.to_owned(),
            latency_ms: health.latency.as_secs_f64() * 1_000.0,
            connections_in_use: health.connections.0,
            connections: health.connections.1,
        });
        let degraded = core.health.degraded();
        let status = match (&store, degraded.is_empty()) {
            (None, _) => "unavailable",
            (Some(_), false) => "degraded",
            (Some(_), true) => "ok",
        };
        Ok(SystemView {
            status,
            daemon_id: core.daemon_id,
            account_actors: core.metrics.account_actors.get(),
            sandbox: core.sandbox.status(),
            duties: duties(core).await,
            degraded,
            pauses: core.mirror.pauses().iter().filter(|pause| pause.holds(now)).count(),
            secret_rotation: secrets::progress(core).await.ok(),
            neo: neo(core).await,
            parts: core.health.notes(),
            store,
        })
    }
}

async fn neo(core: &Core) -> Option<NeoView> {
    core.peers.neo_rpc.as_ref()?;
    NeoView::of(core).await.ok()
}

/// Every duty of this daemon; where the queue cannot be counted, its numbers are 0.
async fn duties(core: &Core) -> Vec<DutyView> {
    let mut views = Vec::new();
    for status in core.bells.inspect().await {
        let query = WorkQuery { duty: Some(status.name.to_owned()), ..WorkQuery::default() };
        let count = core.store.work_count(query).await.unwrap_or_default();
        let (waiting, later, running) = (count.waiting, count.later, count.running);
        views.push(DutyView { status, waiting, later, running });
    }
    views
}

/// A page of the duties, by name; run for the system.
#[derive(Clone, Debug, Default)]
pub struct Duties(pub PageRequest);

impl Action for Duties {
    type Output = Page<DutyView>;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<Page<DutyView>, Fault> {
        self.0.by_name(tenant, "duties", duties(&tenant.core).await, |duty| duty.status.name)
    }
}

/// One duty; run for the system.
#[derive(Clone, Debug)]
pub struct FetchDuty(pub String);

impl Action for FetchDuty {
    type Output = DutyView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<DutyView, Fault> {
        if tenant.core.duty(&self.0).is_none() {
            return Err(Fault::not_found("duty"));
        }
        let found = duties(&tenant.core).await.into_iter().find(|duty| duty.status.name == self.0);
        found.ok_or_else(|| Fault::new(Code::Unavailable, "the duty does not answer at the moment"))
    }
}
