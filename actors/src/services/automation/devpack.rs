//! What functions can have done: `automation.schedule`.

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use sl_store::{Batch, Fault};

use super::{job::Job, resource::NewJob};
use crate::{
    resource::{self, Resource as _},
    services::executions::{Acting, ActionKind, params},
};

/// Makes a job of the function that asks for it: `name` and `schedule`, and what else creates a job.
pub(super) const SCHEDULE: ActionKind = ActionKind { name: "automation.schedule", plan: schedule };

fn schedule<'a>(
    acting: &'a Acting,
    params: &'a Value,
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<Value, Fault>> {
    Box::pin(async move {
        let given =
            params.as_object().ok_or_else(|| Fault::field("", "type", "the params must be an object"))?;
        let mut fields: Map<String, Value> = given
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (params::snake_case(name), value.clone()))
            .collect();
        fields.insert("function_id".to_owned(), json!(acting.function_id));
        let new: NewJob = params::read(&Value::Object(fields))?;
        let job = resource::create::<Job>(new, &acting.tenant(), batch).await?;
        Ok(json!({"job": job.seen(&acting.core)}))
    })
}
