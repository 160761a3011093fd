//! Beginning anew: an operator's word where the node is right and the checkpoint is not.

use serde::Deserialize;
use serde_json::json;
use sl_store::{Batch, Code, Fault};
use utoipa::ToSchema;

use super::{DUTY, NAME, chain::NeoChain, view::NeoView};
use crate::{
    action::{Action, Tenant},
    duty,
};

/// How often it is tried where blocks are told meanwhile.
const TRIES: usize = 16;

/// Where reading begins anew.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NeoRestart {
    /// The block with which it begins; the newest one of the node, or `neo.start_height` where that is set, unless told
    /// otherwise. Blocks that were told before are told again where it is one of them.
    pub height: Option<u32>,
}

/// Forgets how far the chain was read, its network too; run for the system.
#[derive(Clone, Debug)]
pub struct RestartNeo(pub NeoRestart);

impl Action for RestartNeo {
    type Output = NeoView;

    async fn run(self, tenant: &Tenant) -> Result<NeoView, Fault> {
        let core = &tenant.core;
        if core.peers.neo_rpc.is_none() {
            return Err(Fault::new(Code::InvalidState, "this daemon knows no Neo node; set NEO_RPC_URL"));
        }
        for _ in 0..TRIES {
            let Some(mut chain) = NeoChain::find(core).await? else {
                return Err(Fault::new(Code::InvalidState, "nothing was read yet; it begins by itself"));
            };
            let before = chain.place.take();
            (chain.start, chain.node_height, chain.trouble) = (self.0.height, None, None);
            let told = json!({
                "network": before.as_ref().map(|before| before.network),
                "next_height": before.as_ref().map(|before| before.next),
                "last_hash": before.and_then(|before| before.last_hash),
                "height": self.0.height,
            });
            let mut batch = Batch::new();
            batch.replace(&mut chain, tenant.now());
            batch.event(tenant.event(NAME, "neo_node.restarted", chain.head.id, told));
            match core.store.commit(batch).await {
                Ok(()) => {
                    self.hasten(tenant).await?;
                    return tenant.commit(Batch::new(), NeoView::of(core).await?).await;
                }
                Err(fault) if fault.code == Code::Conflict => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::new(Code::Conflict, "the checkpoint moved on at every try"))
    }
}

impl RestartNeo {
    /// The node is asked now; whoever asks it at this moment sees the checkpoint changed.
    async fn hasten(&self, tenant: &Tenant) -> Result<(), Fault> {
        let mut batch = Batch::new();
        duty::hasten(&tenant.core, DUTY, &mut batch).await?;
        match tenant.core.store.commit(batch).await {
            Err(fault) if fault.code != Code::FenceLost => Err(fault),
            _ => {
                tenant.core.bells.ring(DUTY);
                Ok(())
            }
        }
    }
}
