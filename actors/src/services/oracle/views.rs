//! Requests as tenants send and see them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    judge::{Aggregation, Answer},
    request::{AttemptRecord, AttemptStatus, OracleRequest, RequestStatus},
    text::JsonText,
};
use crate::settings::write_duration;

/// What asks one source or several.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOracleRequest {
    /// The one source. This or `data_source_ids`.
    pub data_source_id: Option<Uuid>,
    /// The sources, each once; more than one needs an `aggregation`.
    #[schema(min_items = 1)]
    pub data_source_ids: Option<Vec<Uuid>>,
    /// How their answers become one.
    pub aggregation: Option<Aggregation>,
    /// What is sent to the sources: a text as it is, everything else as JSON. By `GET`, an object becomes the query,
    /// everything else its `payload`.
    pub payload: Option<JsonText>,
    /// For how long answers are waited for, like `90s` or `1h`; the setting `oracle.ttl` where absent.
    pub ttl: Option<String>,
    /// The function that is run with the end: `{oracle_request: {id, status, result, error, …}}`.
    pub callback_function_id: Option<Uuid>,
}

/// What an external resolver says of a request.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleUpdate {
    /// `running`, `succeeded` (or `completed`), `failed`.
    pub status: UpdateStatus,
    /// What came of it; needed with `succeeded`.
    pub result: Option<JsonText>,
    /// Why nothing did.
    #[schema(max_length = 2000)]
    pub error: Option<String>,
    /// Which source it is the answer of, where the request has several.
    pub data_source_id: Option<Uuid>,
}

/// Where an external resolver says that a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleUpdateStatus)]
pub enum UpdateStatus {
    /// It is being answered.
    Running,
    /// It was answered.
    #[serde(alias = "completed")]
    Succeeded,
    /// It will not be.
    Failed,
}

/// An oracle request as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OracleRequestView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The first source it asks.
    pub data_source_id: Option<Uuid>,
    /// The sources it asks.
    pub data_source_ids: Vec<Uuid>,
    /// How their answers become one.
    pub aggregation: Option<Aggregation>,
    /// What is sent to the sources.
    pub payload: Option<String>,
    /// Where it stands.
    pub status: RequestStatus,
    /// What came of it; a number as text.
    pub result: Option<JsonText>,
    /// Why nothing did.
    pub error: Option<String>,
    /// Each source's answer.
    pub answers: Vec<Answer>,
    /// Each attempt at a source, in order.
    pub attempts: Vec<AttemptView>,
    /// The function that is run with the end.
    pub callback_function_id: Option<Uuid>,
    /// The run of that.
    pub callback_execution_id: Option<Uuid>,
    /// Why there was no run.
    pub callback_error: Option<String>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// One attempt at a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OracleAttempt)]
pub struct AttemptView {
    /// The source.
    pub source_id: Uuid,
    /// Which attempt at it, from 1.
    pub number: u32,
    /// What it came to.
    pub status: AttemptStatus,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, like `120ms`.
    pub latency: String,
    /// The same in milliseconds.
    pub latency_ms: u64,
    /// The HTTP status answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How large the response was, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl AttemptRecord {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> AttemptView {
        let told = if self.error.is_none() { AttemptStatus::Succeeded } else { AttemptStatus::Failed };
        AttemptView {
            source_id: self.source_id,
            number: self.number,
            status: self.status.unwrap_or(told),
            at: self.at,
            latency: write_duration(Duration::from_millis(self.latency_ms)),
            latency_ms: self.latency_ms,
            http_status: self.http_status,
            size: self.size,
            error: self.error.clone(),
        }
    }
}

/// What the resolver of a source is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OracleCallbackView {
    /// The request.
    pub id: Uuid,
    /// Where it stands.
    pub status: RequestStatus,
    /// The answer of the source.
    pub answer: Answer,
}

impl OracleRequest {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> OracleRequestView {
        OracleRequestView {
            id: self.head.id,
            account_id: self.head.account_id,
            data_source_id: self.question.source_ids.first().copied(),
            data_source_ids: self.question.source_ids.clone(),
            aggregation: self.question.aggregation,
            payload: self.question.payload.clone(),
            status: self.status,
            result: self.result.clone(),
            error: self.error.clone(),
            answers: self.answers.clone(),
            attempts: self.attempts.iter().map(AttemptRecord::view).collect(),
            callback_function_id: self.callback_function_id,
            callback_execution_id: self.callback_execution_id,
            callback_error: self.callback_error.clone(),
            expires_at: self.expires_at,
            completed_at: self.completed_at,
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }
}
