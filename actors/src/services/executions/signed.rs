//! The signature over an execution: what is signed, and how.
//!
//! The message is the UTF-8 text `service-layer/execution/v1`, a line feed, and the canonical JSON (RFC 8785) of the
//! members `id`, `account_id`, `function_id`, `function_version`, `input`, `output`, `error`, `logs`, `actions` (of each
//! `id`, `type`, `params`), `status`, `started_at` and `completed_at`, as they are answered; what is absent is null.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use sl_store::Fault;

use super::{
    entity::{Execution, Signature},
    view::LogEntry,
};
use crate::{canonical::canonical, signing::Signer};

const PURPOSE: &str = "service-layer/execution/v1\n";

/// Signs an execution that has ended.
///
/// # Errors
/// [`sl_store::Code::Internal`] where its JSON is not JSON.
pub(super) fn sign(execution: &mut Execution, signer: &Signer) -> Result<(), Fault> {
    let message = message(execution)?;
    let (public_key, value) = (signer.public_key().to_vec(), signer.sign(message.as_bytes()).to_vec());
    execution.signature = Some(Signature { public_key, value });
    Ok(())
}

fn message(execution: &Execution) -> Result<String, Fault> {
    let logs: Vec<String> =
        execution.log_entries()?.into_iter().map(|LogEntry { message, .. }| message).collect();
    let content = json!({
        "id": execution.head.id,
        "account_id": execution.head.account_id,
        "function_id": execution.function_id,
        "function_version": execution.function_version,
        "input": parsed(Some(&execution.input))?,
        "output": parsed(execution.output.as_deref())?,
        "error": parsed(execution.error.as_deref())?,
        "logs": logs,
        "actions": actions(&execution.actions)?,
        "status": execution.status,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
    });
    Ok(format!("{PURPOSE}{}", canonical(&content)))
}

fn parsed(text: Option<&RawValue>) -> Result<Value, Fault> {
    text.map_or(Ok(Value::Null), |text| serde_json::from_str(text.get()).map_err(Fault::internal))
}

fn actions(text: &RawValue) -> Result<Value, Fault> {
    #[derive(serde::Deserialize, Serialize)]
    struct Asked {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        params: Value,
    }
    let asked: Vec<Asked> = serde_json::from_str(text.get()).map_err(Fault::internal)?;
    serde_json::to_value(asked).map_err(Fault::internal)
}
