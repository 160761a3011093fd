//! The row of a request.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, NewEvent, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    NAME,
    judge::{Aggregation, Answer, AnswerStatus, Method},
    text::JsonText,
};
use crate::services::LISTENER;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleRequestStatus)]
pub enum RequestStatus {
    /// No source has been asked yet.
    Pending,
    /// Sources are being asked, or are to answer later.
    Running,
    /// There is a result.
    Succeeded,
    /// There will be none.
    Failed,
    /// Its time passed without one.
    Expired,
    /// Somebody cancelled it.
    Cancelled,
}

impl RequestStatus {
    const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Expired, Self::Cancelled];

    /// As it stands in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// What the event of it is called.
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Pending => "oracle_request.created",
            Self::Running => "oracle_request.started",
            Self::Succeeded => "oracle_request.succeeded",
            Self::Failed => "oracle_request.failed",
            Self::Expired => "oracle_request.expired",
            Self::Cancelled => "oracle_request.cancelled",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is asked; never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Which sources.
    pub source_ids: Vec<Uuid>,
    /// How their answers become one.
    pub aggregation: Option<Aggregation>,
    /// What is sent to them: text as it is, everything else as JSON.
    pub payload: Option<String>,
    /// Who asked, as events name them.
    pub actor: String,
    /// The request behind it.
    pub request_id: Option<String>,
}

/// What an attempt at a source came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleAttemptStatus)]
pub enum AttemptStatus {
    /// It was answered.
    Succeeded,
    /// The source said that it answers later, by a callback.
    Pending,
    /// It failed in a way that may pass: the source was to be asked again.
    Retried,
    /// It failed, and was the last.
    Failed,
}

/// One attempt at a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The source.
    pub source_id: Uuid,
    /// Which attempt at it, from 1.
    pub number: u32,
    /// What it came to; rows from before this was kept say so by their error alone.
    #[serde(default)]
    pub status: Option<AttemptStatus>,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
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

/// A request to one source or several.
#[derive(Clone, Debug, PartialEq)]
pub struct OracleRequest {
    /// The row's head.
    pub head: Head,
    /// What is asked.
    pub question: Question,
    /// Where it stands.
    pub status: RequestStatus,
    /// What came of it.
    pub result: Option<JsonText>,
    /// Why nothing did.
    pub error: Option<String>,
    /// Each source's answer, in the order of the question.
    pub answers: Vec<Answer>,
    /// Each attempt at a source.
    pub attempts: Vec<AttemptRecord>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// The function that is run with its end.
    pub callback_function_id: Option<Uuid>,
    /// The run of that.
    pub callback_execution_id: Option<Uuid>,
    /// Why there was no run.
    pub callback_error: Option<String>,
}

impl OracleRequest {
    /// The answer of a source.
    pub(super) fn answer_mut(&mut self, source: Uuid) -> Option<&mut Answer> {
        self.answers.iter_mut().find(|answer| answer.source_id == source)
    }

    /// How often a source was asked.
    pub(super) fn asked(&self, source: Uuid) -> u32 {
        let count = self.attempts.iter().filter(|attempt| attempt.source_id == source).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The event of where it stands now. Where somebody asked who follows from an event that was heard, so does everything
    /// that comes of it.
    pub(super) fn event(&self, actor: String) -> NewEvent {
        let follows = Some(&self.question.actor).filter(|actor| actor.starts_with(LISTENER));
        let sources = &self.question.source_ids;
        let mut data = json!({"status": self.status.as_str(), "data_source_ids": sources});
        if let (Some(error), Value::Object(data)) = (&self.error, &mut data) {
            data.insert("error".to_owned(), json!(error));
        }
        NewEvent {
            account: self.head.account_id,
            service: NAME,
            kind: self.status.event(),
            subject: self.head.id,
            actor: follows.cloned().unwrap_or(actor),
            request_id: self.question.request_id.clone(),
            origin: None,
            data,
        }
    }
}

impl Entity for OracleRequest {
    const TABLE: &'static Table = &Table {
        name: "oracle_requests",
        noun: "oracle request",
        columns: &[
            Column::new("question", Kind::Json),
            Column::new("status", Kind::Word),
            Column::nullable("result", Kind::Json),
            Column::nullable("error", Kind::Text),
            Column::new("answers", Kind::Json),
            Column::new("attempts", Kind::Json),
            Column::new("expires_at", Kind::Time),
            Column::nullable("completed_at", Kind::Time),
            Column::nullable("callback_function_id", Kind::Uuid),
            Column::nullable("callback_execution_id", Kind::Uuid),
            Column::nullable("callback_error", Kind::Text),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            Cell::json(&self.question),
            self.status.as_str().into(),
            // Text within JSON: a number of it would be read as floating point on its way through a value.
            self.result.as_ref().map(|result| Value::from(result.text())).into(),
            self.error.clone().into(),
            Cell::json(&kept(&self.answers)),
            Cell::json(&self.attempts),
            self.expires_at.into(),
            self.completed_at.into(),
            self.callback_function_id.into(),
            self.callback_execution_id.into(),
            self.callback_error.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            question: cells.json()?,
            status: cells.named(RequestStatus::read)?,
            result: cells.maybe_value()?.and_then(|value| JsonText::read(value.as_str()?)),
            error: cells.maybe_text()?,
            answers: cells.json::<Vec<Kept>>()?.into_iter().map(Kept::into_answer).collect(),
            attempts: cells.json()?,
            expires_at: cells.time()?,
            completed_at: cells.maybe_time()?,
            callback_function_id: cells.maybe_uuid()?,
            callback_execution_id: cells.maybe_uuid()?,
            callback_error: cells.maybe_text()?,
        })
    }

    fn samples() -> Vec<Self> {
        let (source, at) = (Uuid::from_u128(3), DateTime::UNIX_EPOCH);
        let question = Question {
            source_ids: vec![source],
            aggregation: None,
            payload: None,
            actor: "operator:sample".to_owned(),
            request_id: None,
        };
        let bare = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), at),
            question,
            status: RequestStatus::Pending,
            result: None,
            error: None,
            answers: vec![Answer::waiting(source)],
            attempts: Vec::new(),
            expires_at: at,
            completed_at: None,
            callback_function_id: None,
            callback_execution_id: None,
            callback_error: None,
        };
        let number = JsonText::read("12345678901234567890.125");
        let answer =
            Answer { status: AnswerStatus::Succeeded, value: number.clone(), ..Answer::waiting(source) };
        let attempt = AttemptRecord {
            source_id: source,
            number: 1,
            status: Some(AttemptStatus::Succeeded),
            at,
            latency_ms: 12,
            http_status: Some(200),
            size: Some(20),
            error: None,
        };
        let mut full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(4), at),
            status: RequestStatus::Failed,
            result: number,
            error: Some("no".to_owned()),
            answers: vec![answer],
            attempts: vec![attempt],
            completed_at: Some(at),
            callback_function_id: Some(Uuid::from_u128(5)),
            callback_execution_id: Some(Uuid::from_u128(6)),
            callback_error: Some("no such function".to_owned()),
            ..bare.clone()
        };
        full.question.aggregation = Some(Aggregation { method: Method::Quorum, n: Some(2) });
        full.question.payload = Some("{\"a\":1}".to_owned());
        vec![bare, full]
    }
}

/// An answer as it is kept: its value as text.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    answer: Answer,
    text: Option<String>,
}

fn kept(answers: &[Answer]) -> Vec<Kept> {
    let keep = |answer: &Answer| Kept {
        text: answer.value.as_ref().map(|value| value.text().to_owned()),
        answer: Answer { value: None, ..answer.clone() },
    };
    answers.iter().map(keep).collect()
}

impl Kept {
    fn into_answer(self) -> Answer {
        Answer { value: self.text.as_deref().and_then(JsonText::read), ..self.answer }
    }
}
