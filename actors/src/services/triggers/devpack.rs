//! What functions can have done: `triggers.register`.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sl_store::{Batch, Fault};

use super::{
    named::TriggerType,
    resource::NewTrigger,
    trigger::{Shown, Trigger},
};
use crate::{
    resource::{self, Resource as _},
    services::executions::{Acting, ActionKind, params},
};

/// Makes a trigger of the function that asks for it.
pub(super) const REGISTER: ActionKind = ActionKind { name: "triggers.register", plan };

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "type")]
    kind: TriggerType,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    config: Option<Map<String, Value>>,
    #[serde(default)]
    enabled: Option<bool>,
}

/// The URL and the secret of a webhook are not told in the result, which is kept and shown: a rotation gives both.
fn plan<'a>(
    acting: &'a Acting,
    params: &'a Value,
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        let params: Params = params::read(params)?;
        let new = NewTrigger {
            function_id: acting.function_id,
            kind: Some(params.kind),
            rule: params.rule,
            config: params.config,
            enabled: params.enabled,
        };
        let mut made = resource::create::<Trigger>(new, &acting.tenant(), batch).await?;
        made.shown = Shown::default();
        Ok(json!({"trigger": made.seen(&acting.core)}))
    })
}
