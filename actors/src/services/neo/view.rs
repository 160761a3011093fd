//! How far the chain was read, for operators.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sl_store::{Fault, SYSTEM};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY,
    chain::{NeoChain, TroubleKind},
};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    mirror::Around,
};

/// How far the chain was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NeoView {
    /// The id of the checkpoint and of its work item, for `why`.
    pub id: Uuid,
    /// `unconfigured` where this daemon knows no node, `starting` before the node has answered, `paused`, a trouble's name,
    /// `catching_up` while the node has further blocks, or `following`.
    pub status: &'static str,
    /// The network's magic number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<u32>,
    /// The block that is told next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_height: Option<u32>,
    /// The hash of the block before it, where that one was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hash: Option<String>,
    /// The node's newest block when it was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_height: Option<u32>,
    /// How many blocks the node has that are not told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// When a look last ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
    /// Why the chain is not read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleKind>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// How many looks in a row failed.
    pub consecutive_failures: u32,
}

impl NeoView {
    /// How far it was read, as the store says now.
    pub(crate) async fn of(core: &Core) -> Result<Self, Fault> {
        let chain = NeoChain::find(core).await?;
        let configured = core.peers.neo_rpc.is_some();
        Ok(Self::new(chain.unwrap_or_else(|| NeoChain::new(core.clock.now())), configured, is_paused(core)))
    }

    fn new(chain: NeoChain, configured: bool, paused: bool) -> Self {
        let lag = chain.lag();
        let status = match (&chain.trouble, &chain.place) {
            _ if !configured => "unconfigured",
            _ if paused => "paused",
            (Some(trouble), _) => trouble.kind.as_str(),
            (None, None) => "starting",
            (None, Some(_)) if lag > Some(0) => "catching_up",
            (None, Some(_)) => "following",
        };
        let (place, trouble) = (chain.place, chain.trouble);
        Self {
            id: chain.head.id,
            status,
            network: place.as_ref().map(|place| place.network),
            next_height: place.as_ref().map(|place| place.next),
            last_hash: place.and_then(|place| place.last_hash),
            node_height: chain.node_height,
            lag,
            answered_at: chain.answered_at,
            trouble: trouble.as_ref().map(|trouble| trouble.kind),
            since: trouble.as_ref().map(|trouble| trouble.since),
            consecutive_failures: trouble.as_ref().map_or(0, |trouble| trouble.failures),
            error: trouble.map(|trouble| trouble.detail),
        }
    }
}

fn is_paused(core: &Core) -> bool {
    let around = Around { duty: DUTY, account: SYSTEM, gates: &[] };
    core.mirror.is_held(around, core.clock.now())
}

/// Tells how far the chain was read; run for the system.
#[derive(Clone, Copy, Debug)]
pub struct FetchNeo;

impl Action for FetchNeo {
    type Output = NeoView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<NeoView, Fault> {
        NeoView::of(&tenant.core).await
    }
}
