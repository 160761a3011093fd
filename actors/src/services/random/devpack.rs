//! Randomness for functions: `Devpack.random.generate({length, requestId, encoding})`.
//!
//! Where the function names no request id, the action's own name stands for it, so that an action that is performed
//! again, by whoever takes it over, has the same value.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use sl_store::{Batch, Fault};

use super::{
    actions::{NewRandom, draw},
    derive::Encoding,
};
use crate::services::executions::{Acting, ActionKind, params};

/// What functions can have done.
pub(super) const ACTIONS: &[ActionKind] = &[ActionKind { name: "random.generate", plan: generate }];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    length: Option<i64>,
    #[serde(alias = "requestId")]
    request_id: Option<String>,
    encoding: Option<Encoding>,
}

fn generate<'a>(
    acting: &'a Acting,
    params: &'a Value,
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        let params: Params = params::read(params)?;
        let new = NewRandom {
            length: params.length,
            request_id: params.request_id.filter(|id| !id.is_empty()).or_else(|| Some(acting.key())),
            encoding: params.encoding,
        };
        let view = draw(&new, &acting.tenant(), batch).await?.view()?;
        serde_json::to_value(view).map_err(Fault::internal)
    })
}
