//! What functions can have done: `oracle.createRequest`.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use sl_store::{Batch, Fault};
use uuid::Uuid;

use super::{judge::Aggregation, requests, text::JsonText, views::NewOracleRequest};
use crate::services::executions::{Acting, ActionKind, params};

/// Asks sources of the account.
pub(super) const CREATE_REQUEST: ActionKind = ActionKind { name: "oracle.createRequest", plan };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default, alias = "dataSourceId")]
    data_source_id: Option<Uuid>,
    #[serde(default, alias = "dataSourceIds")]
    data_source_ids: Option<Vec<Uuid>>,
    #[serde(default)]
    aggregation: Option<Aggregation>,
    #[serde(default)]
    payload: Option<Value>,
    #[serde(default)]
    ttl: Option<String>,
    #[serde(default, alias = "callbackFunctionId")]
    callback_function_id: Option<Uuid>,
}

fn plan<'a>(
    acting: &'a Acting,
    params: &'a Value,
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        let params: Params = params::read(params)?;
        let new = NewOracleRequest {
            data_source_id: params.data_source_id,
            data_source_ids: params.data_source_ids,
            aggregation: params.aggregation,
            payload: params.payload.and_then(|payload| JsonText::read(&payload.to_string())),
            ttl: params.ttl,
            callback_function_id: params.callback_function_id,
        };
        let view = requests::create(&acting.tenant(), new, batch).await?;
        Ok(json!({ "request": view }))
    })
}
