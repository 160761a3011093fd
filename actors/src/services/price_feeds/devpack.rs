//! What functions can have done: `pricefeed.recordSnapshot`.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use sl_store::{Batch, Fault};
use uuid::Uuid;

use super::{
    actions::{NewPriceSnapshot, observe},
    price::ExactNumber,
};
use crate::services::executions::{Acting, ActionKind, params};

/// Gives a feed of the account an observation.
pub(super) const RECORD_SNAPSHOT: ActionKind = ActionKind { name: "pricefeed.recordSnapshot", plan };

#[derive(Deserialize)]
struct Params {
    #[serde(alias = "feedId")]
    feed_id: Uuid,
    price: ExactNumber,
    #[serde(default)]
    source: Option<String>,
    #[serde(default, alias = "collectedAt")]
    collected_at: Option<DateTime<Utc>>,
}

fn plan<'a>(
    acting: &'a Acting,
    params: &'a Value,
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        let params: Params = params::read(params)?;
        let source = params.source.or_else(|| Some(format!("function:{}", acting.function_id)));
        let new = NewPriceSnapshot { price: params.price, source, collected_at: params.collected_at };
        let view = observe(&acting.tenant(), params.feed_id, &new, batch).await?;
        Ok(serde_json::json!({ "snapshot": view }))
    })
}
