//! Executions as they are answered, and the JSON that their rows keep.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sl_store::Fault;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{Execution, Json, Status, Trigger};
use crate::sandbox;

/// One logged line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Counts from 1 within the execution.
    pub sequence: u32,
    /// `debug`, `info`, `warn` or `error`.
    pub level: Level,
    /// Its text, on one line, secrets redacted.
    pub message: String,
    /// Since the start: `12.5ms`.
    pub at: String,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// `console.debug`, `console.trace`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

/// Why an execution did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The error's class: `TypeError`; `Error` for what the function did not throw itself.
    pub class: String,
    /// `threw`, `cpu_limit`, `memory_limit`, `wall_limit`, `stack_limit`, `output_limit`, `log_limit`, `action_limit`,
    /// `fetch_limit`, `timer_limit`, `denied`, `unsettled`, `uncompilable`, `cancelled`, `crashed`, `secret_missing`,
    /// `function_removed`, or the code of the service's own failure.
    pub code: String,
    /// For the function's author, secrets redacted.
    pub message: String,
    /// Places in the function's source, innermost first.
    pub stack: Vec<StackFrame>,
    /// The limit that was hit, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitHit>,
}

/// A place in a function's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StackFrame {
    /// The JavaScript function; empty where it has no name.
    pub function: String,
    /// From 1.
    pub line: u32,
    /// From 1, in UTF-16 units.
    pub column: u32,
}

/// The limit that a run hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitHit {
    /// The setting behind it: `executions.cpu`.
    pub setting: String,
    /// What held for this run: `5s`, `64MiB`, `20`.
    pub value: String,
}

/// A Devpack action that a run queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionRecord {
    /// `action_1`, `action_2`, ... in the order of queueing.
    pub id: String,
    /// For example `gasbank.withdraw`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the function gave it, secrets redacted.
    pub params: serde_json::Value,
    /// `pending`, `succeeded` or `failed`.
    pub status: ActionStatus,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// Why nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ActionFailure>,
    /// When it was done, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

/// Why an action was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionFailure {
    /// `unknown_action`, `secret_in_params`, `given_up`, `cancelled`, or the code of an error of the API.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The params that break a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ParamError>,
}

/// A param of an action that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamError {
    /// Where in the params, as a JSON pointer.
    pub pointer: String,
    /// Which rule.
    pub code: String,
    /// The rule with its bound and what was found.
    pub detail: String,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// It waits for its turn.
    Pending,
    /// It was done.
    Succeeded,
    /// It was not done; those after it are performed all the same.
    Failed,
}

impl ActionStatus {
    /// As it stands in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl ActionFailure {
    /// A failure of this code, in words.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), errors: Vec::new() }
    }
}

impl From<&Fault> for ActionFailure {
    fn from(fault: &Fault) -> Self {
        let errors = fault.fields.iter().map(|field| ParamError {
            pointer: field.pointer.clone(),
            code: field.rule.to_owned(),
            detail: field.detail.clone(),
        });
        Self { errors: errors.collect(), ..Self::new(fault.code.as_str(), fault.detail.clone()) }
    }
}

impl ActionRecord {
    /// Whether it waits for its turn.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.status, ActionStatus::Pending)
    }

    pub(super) fn succeed(&mut self, result: serde_json::Value) {
        (self.status, self.result, self.error) = (ActionStatus::Succeeded, Some(result), None);
    }

    pub(super) fn fail(&mut self, failure: ActionFailure) {
        (self.status, self.result, self.error) = (ActionStatus::Failed, None, Some(failure));
    }
}

/// The actions that are kept in a row.
///
/// # Errors
/// [`sl_store::Code::Internal`] where they are not what this build writes.
pub(super) fn action_records(actions: &Json) -> Result<Vec<ActionRecord>, Fault> {
    match actions.get() {
        "[]" => Ok(Vec::new()),
        text => serde_json::from_str(text).map_err(Fault::internal),
    }
}

fn awaits(actions: &Json) -> bool {
    actions.get() != "[]"
        && action_records(actions).is_ok_and(|records| records.iter().any(ActionRecord::is_pending))
}

impl ExecutionView {
    /// Whether it has ended and nothing that it queued is pending.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status.is_final() && !awaits(&self.actions)
    }

    /// The HTTP status of an answer that has it: 202 while it goes on, or something that it queued is pending.
    #[must_use]
    pub fn answered_as(&self) -> u16 {
        if self.is_over() { 200 } else { 202 }
    }
}

/// A signature as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SignatureView {
    /// `ed25519`.
    pub algorithm: &'static str,
    /// The public key, base64.
    pub public_key: String,
    /// The signature over the message that `docs/services/executions.md` builds, base64.
    pub value: String,
}

/// An execution as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExecutionView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The function.
    pub function_id: Uuid,
    /// Which version of it ran.
    pub function_version: i64,
    /// What made it.
    pub trigger: Trigger,
    /// The request behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// The params.
    #[schema(value_type = Object)]
    pub input: Json,
    /// What it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output: Option<Json>,
    /// What it logged; level and time of each line are in its logs.
    pub logs: Vec<String>,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Failure>)]
    pub error: Option<Json>,
    /// The actions it queued.
    #[schema(value_type = Vec<ActionRecord>)]
    pub actions: Json,
    /// How often it was started.
    pub attempts: i64,
    /// CPU time of the last attempt: `0.35ms`.
    pub cpu_time: String,
    /// Peak of the JavaScript heap in the last attempt, in bytes.
    pub heap_peak: i64,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the last attempt was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// From start to end: `12.5ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Ed25519 over its content, where the daemon has a signing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureView>,
}

impl Execution {
    /// Whether an action that it queued is pending.
    pub(super) fn awaits_actions(&self) -> bool {
        awaits(&self.actions)
    }

    /// Whether it has ended and nothing that it queued is pending.
    pub(super) fn is_over(&self) -> bool {
        self.status.is_final() && !self.awaits_actions()
    }

    /// The public face.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the row's logs are not what this build writes.
    pub fn view(self) -> Result<ExecutionView, Fault> {
        let logs = self.log_entries()?.into_iter().map(|entry| entry.message).collect();
        let took = self.started_at.zip(self.completed_at).map(|(from, to)| (to - from).to_std());
        Ok(ExecutionView {
            id: self.head.id,
            account_id: self.head.account_id,
            function_id: self.function_id,
            function_version: self.function_version,
            trigger: self.trigger,
            request_id: self.request_id,
            status: self.status,
            input: self.input,
            output: self.output,
            logs,
            error: self.error,
            actions: self.actions,
            attempts: self.attempts,
            cpu_time: millis(Duration::from_micros(self.cpu_micros.unsigned_abs())),
            heap_peak: self.heap_peak,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            duration: took.map(|took| millis(took.unwrap_or_default())),
            signature: self.signature.map(|signature| SignatureView {
                algorithm: "ed25519",
                public_key: BASE64_STANDARD.encode(&signature.public_key),
                value: BASE64_STANDARD.encode(&signature.value),
            }),
        })
    }

    /// What it logged.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the row's logs are not what this build writes.
    pub fn log_entries(&self) -> Result<Vec<LogEntry>, Fault> {
        match self.logs.get() {
            "[]" => Ok(Vec::new()),
            text => serde_json::from_str(text).map_err(Fault::internal),
        }
    }
}

impl From<sandbox::LogLevel> for Level {
    fn from(level: sandbox::LogLevel) -> Self {
        match level {
            sandbox::LogLevel::Debug => Self::Debug,
            sandbox::LogLevel::Info => Self::Info,
            sandbox::LogLevel::Warn => Self::Warn,
            sandbox::LogLevel::Error => Self::Error,
        }
    }
}

/// A short duration in milliseconds with up to three decimals.
pub(super) fn millis(duration: Duration) -> String {
    let micros = duration.as_micros();
    let text = format!("{}.{:03}", micros / 1_000, micros % 1_000);
    format!("{}ms", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A value as the JSON text of a row.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Json {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

/// The JSON text of a list without items.
pub(super) fn empty_list() -> Json {
    RawValue::from_string("[]".to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_durations_keep_their_microseconds() {
        let written = [0, 350, 1_000, 12_340, 5_000_000].map(|micros| millis(Duration::from_micros(micros)));
        assert_eq!(written, ["0ms", "0.35ms", "1ms", "12.34ms", "5000ms"]);
    }
}
