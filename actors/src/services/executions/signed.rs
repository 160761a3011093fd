//! The signature over an execution: what is signed, and how.
//!
//! The message is the UTF-8 text `service-layer/execution/v1`, a line feed, and the canonical JSON (RFC 8785) of the
//! members [`SIGNED`] of the execution as it is answered, of each action [`SIGNED_ACTION`]; what is absent is left out.

use serde_json::{Map, Value};
use sl_store::Fault;

use super::entity::{Execution, Signature};
use crate::signing::Signer;

const PURPOSE: &[u8] = b"service-layer/execution/v1\n";

const SIGNED: [&str; 12] = [
    "id",
    "account_id",
    "function_id",
    "function_version",
    "input",
    "output",
    "error",
    "logs",
    "actions",
    "status",
    "started_at",
    "completed_at",
];

/// What was asked for, not what became of it.
const SIGNED_ACTION: [&str; 3] = ["id", "type", "params"];

/// Signs an execution that has ended.
///
/// # Errors
/// [`sl_store::Code::Internal`] where its JSON is not JSON.
pub(super) fn sign(execution: &mut Execution, signer: &Signer) -> Result<(), Fault> {
    let answered = serde_json::to_value(execution.clone().view()?).map_err(Fault::internal)?;
    let message = message(&answered)?;
    let (public_key, value) = (signer.public_key().to_vec(), signer.sign(&message).to_vec());
    execution.signature = Some(Signature { public_key, value });
    Ok(())
}

fn message(answered: &Value) -> Result<Vec<u8>, Fault> {
    let mut members = only(answered, &SIGNED);
    if let Some(Value::Array(actions)) = members.get_mut("actions") {
        for action in actions {
            *action = Value::Object(only(action, &SIGNED_ACTION));
        }
    }
    let canonical = serde_json_canonicalizer::to_vec(&Value::Object(members)).map_err(Fault::internal)?;
    Ok([PURPOSE, &canonical].concat())
}

fn only(value: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone()))).collect()
}
