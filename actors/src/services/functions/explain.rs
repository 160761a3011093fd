//! What a function is, and whether its runs are held back.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::entity::Function;
use crate::{Core, services::executions, why::Explained};

/// Explains the function of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let found: Option<Function> = core.store.find(Key::new(account, id)).await?;
        Ok(found.map(|function| {
            let status = core.standing(executions::DUTY, &function.head, "active").to_owned();
            Explained { kind: "function", status, gates: vec![id], causes: Vec::new() }
        }))
    })
}
