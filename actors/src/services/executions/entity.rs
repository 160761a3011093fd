//! The row of an execution.
//!
//! Input, output, logs, error and actions are kept as the JSON text that is answered: they are written once and copied
//! out, never taken apart on the way.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use super::start::Sequel;

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExecutionStatus)]
pub enum Status {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It returned.
    Succeeded,
    /// It threw, hit a limit, did what it may not do, or its host died.
    Failed,
    /// It ran into its wall limit.
    TimedOut,
    /// Somebody cancelled it, or its function was removed before its turn.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Cancelled];

    /// As it stands in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// What the event of its end is called.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Queued => "execution.queued",
            Self::Running => "execution.started",
            Self::Succeeded => "execution.succeeded",
            Self::Failed => "execution.failed",
            Self::TimedOut => "execution.timed_out",
            Self::Cancelled => "execution.cancelled",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What made an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trigger {
    /// `api`, `replay`, or what else runs functions: `job`, `webhook`.
    pub kind: String,
    /// Which job, delivery or earlier execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Who asked, as events name them.
    pub actor: String,
}

/// JSON text that is a part of a row.
pub type Json = Box<RawValue>;

/// An execution.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The row's head.
    pub head: Head,
    /// The function.
    pub function_id: Uuid,
    /// Which version of it, from 1.
    pub function_version: i64,
    /// The row of that version.
    pub version_id: Uuid,
    /// What made it.
    pub trigger: Trigger,
    /// The request behind it, where there was one.
    pub request_id: Option<String>,
    /// From where that request came, where there was one.
    pub origin: Option<String>,
    /// Who is told of its end.
    pub sequel: Option<Sequel>,
    /// Where it stands.
    pub status: Status,
    /// The params, an object.
    pub input: Json,
    /// What it returned, an object.
    pub output: Option<Json>,
    /// What it logged: a list of [`super::LogEntry`].
    pub logs: Json,
    /// Why it did not return: a [`super::Failure`].
    pub error: Option<Json>,
    /// The Devpack actions it queued: a list of [`super::ActionRecord`].
    pub actions: Json,
    /// How often it was started.
    pub attempts: i64,
    /// CPU time of the last attempt, in microseconds.
    pub cpu_micros: i64,
    /// Peak of the heap in the last attempt, in bytes.
    pub heap_peak: i64,
    /// When the last attempt was started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// Ed25519 signature over its content, where the daemon signs.
    pub signature: Option<Signature>,
}

/// A signature over an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The public key, 32 bytes.
    pub public_key: Vec<u8>,
    /// The signature, 64 bytes.
    pub value: Vec<u8>,
}

fn read(cells: &mut Cells) -> Result<Json, Fault> {
    RawValue::from_string(cells.text()?).map_err(Fault::internal)
}

fn read_maybe(cells: &mut Cells) -> Result<Option<Json>, Fault> {
    cells.maybe_text()?.map(|text| RawValue::from_string(text).map_err(Fault::internal)).transpose()
}

impl Entity for Execution {
    const TABLE: &'static Table = &Table {
        name: "executions",
        noun: "execution",
        columns: &[
            Column::new("function_id", Kind::Uuid),
            Column::new("function_version", Kind::Int),
            Column::new("version_id", Kind::Uuid),
            Column::new("trigger_kind", Kind::Text),
            Column::nullable("trigger_id", Kind::Uuid),
            Column::new("actor", Kind::Text),
            Column::nullable("request_id", Kind::Text),
            Column::new("status", Kind::Word),
            Column::new("input", Kind::Text),
            Column::nullable("output", Kind::Text),
            Column::new("logs", Kind::Text),
            Column::nullable("error", Kind::Text),
            Column::new("actions", Kind::Text),
            Column::new("attempts", Kind::Int),
            Column::new("cpu_micros", Kind::Int),
            Column::new("heap_peak", Kind::Int),
            Column::nullable("started_at", Kind::Time),
            Column::nullable("completed_at", Kind::Time),
            Column::nullable("public_key", Kind::Bytes),
            Column::nullable("signature", Kind::Bytes),
            Column::nullable("sequel_duty", Kind::Text),
            Column::nullable("sequel_subject", Kind::Uuid),
            Column::nullable("origin", Kind::Text),
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
        let (public_key, signature) =
            self.signature.clone().map(|Signature { public_key, value }| (public_key, value)).unzip();
        let (sequel_duty, sequel_subject) =
            self.sequel.clone().map(|Sequel { duty, subject }| (duty, subject)).unzip();
        vec![
            self.function_id.into(),
            self.function_version.into(),
            self.version_id.into(),
            self.trigger.kind.clone().into(),
            self.trigger.id.into(),
            self.trigger.actor.clone().into(),
            self.request_id.clone().into(),
            self.status.as_str().into(),
            self.input.get().into(),
            self.output.as_deref().map(RawValue::get).into(),
            self.logs.get().into(),
            self.error.as_deref().map(RawValue::get).into(),
            self.actions.get().into(),
            self.attempts.into(),
            self.cpu_micros.into(),
            self.heap_peak.into(),
            self.started_at.into(),
            self.completed_at.into(),
            public_key.into(),
            signature.into(),
            sequel_duty.into(),
            sequel_subject.into(),
            self.origin.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            function_id: cells.uuid()?,
            function_version: cells.int()?,
            version_id: cells.uuid()?,
            trigger: Trigger { kind: cells.text()?, id: cells.maybe_uuid()?, actor: cells.text()? },
            request_id: cells.maybe_text()?,
            status: cells.named(Status::read)?,
            input: read(&mut cells)?,
            output: read_maybe(&mut cells)?,
            logs: read(&mut cells)?,
            error: read_maybe(&mut cells)?,
            actions: read(&mut cells)?,
            attempts: cells.int()?,
            cpu_micros: cells.int()?,
            heap_peak: cells.int()?,
            started_at: cells.maybe_time()?,
            completed_at: cells.maybe_time()?,
            signature: match (cells.maybe_bytes()?, cells.maybe_bytes()?) {
                (Some(public_key), Some(value)) => Some(Signature { public_key, value }),
                _ => None,
            },
            sequel: match (cells.maybe_text()?, cells.maybe_uuid()?) {
                (Some(duty), Some(subject)) => Some(Sequel { duty, subject }),
                _ => None,
            },
            origin: cells.maybe_text()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap_or_default();
        let bare = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), at),
            function_id: Uuid::from_u128(3),
            function_version: 1,
            version_id: Uuid::from_u128(4),
            trigger: Trigger { kind: "api".to_owned(), id: None, actor: "operator:sample".to_owned() },
            request_id: None,
            origin: None,
            sequel: None,
            status: Status::Queued,
            input: json("{}"),
            output: None,
            logs: json("[]"),
            error: None,
            actions: json("[]"),
            attempts: 0,
            cpu_micros: 0,
            heap_peak: 0,
            started_at: None,
            completed_at: None,
            signature: None,
        };
        let full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(5), at),
            trigger: Trigger { id: Some(Uuid::from_u128(6)), ..bare.trigger.clone() },
            request_id: Some("sample".to_owned()),
            origin: Some("192.0.2.1".to_owned()),
            sequel: Some(Sequel { duty: "executions".to_owned(), subject: Uuid::from_u128(7) }),
            status: Status::Failed,
            output: Some(json(r#"{"b":1e2,"a":"\u0000"}"#)),
            error: Some(json(r#"{"code":"threw"}"#)),
            started_at: Some(at),
            completed_at: Some(at),
            signature: Some(Signature { public_key: vec![1; 32], value: vec![2; 64] }),
            ..bare.clone()
        };
        vec![bare, full]
    }
}

impl Execution {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let maybe = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.get().len());
        let texts = [&self.input, &self.logs, &self.actions].map(|json| json.get().len());
        texts.into_iter().sum::<usize>() + maybe(&self.output) + maybe(&self.error) + 1_024
    }
}

/// Two are equal when their rows are.
impl PartialEq for Execution {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && self.encode() == other.encode()
    }
}
