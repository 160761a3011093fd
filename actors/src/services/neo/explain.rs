//! Why the chain is not read on.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::chain::NeoChain;
use crate::{
    Core,
    why::{Cause, Explained},
};

/// Tells of the checkpoint.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        if Key::new(account, id) != NeoChain::key() {
            return Ok(None);
        }
        let Some(chain) = NeoChain::find(core).await? else { return Ok(None) };
        let status = chain.trouble.as_ref().map_or("following", |trouble| trouble.kind.as_str());
        let causes = chain.trouble.iter().map(|trouble| {
            let cause = Cause::new("neo_node", trouble.detail.clone()).since(trouble.since);
            cause.with("trouble", trouble.kind.as_str()).with("failures", trouble.failures)
        });
        Ok(Some(Explained {
            kind: "neo chain",
            status: status.to_owned(),
            gates: Vec::new(),
            causes: causes.collect(),
        }))
    })
}
