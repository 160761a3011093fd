//! The ledger: one row for every slot, event and wish, whatever became of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, NewEvent, NewWork, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY,
    named::{Phase, RunKind, RunStatus},
};

/// A run of a job, or a slot that did not become one.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The row's head.
    pub head: Head,
    /// The job.
    pub job_id: Uuid,
    /// What made it.
    pub kind: RunKind,
    /// The slot, where the schedule made it or a backfill did; no two of one job share one.
    pub slot: Option<DateTime<Utc>>,
    /// The position of the event that made it; no two of one job share one.
    pub event: Option<String>,
    /// As whose doing it is told.
    pub actor: String,
    /// What became of it.
    pub status: RunStatus,
    /// Which of its executions goes on, or was the last.
    pub phase: Option<Phase>,
    /// What the function is given besides: by whoever triggered it, or the event.
    pub params: Map<String, Value>,
    /// The execution that checked, where there was one of its own.
    pub check_execution_id: Option<Uuid>,
    /// The execution that performed, or the only one.
    pub execution_id: Option<Uuid>,
    /// Why it stands where it does, for people.
    pub reason: Option<String>,
    /// When its first execution was handed over.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, or was decided not to be.
    pub completed_at: Option<DateTime<Utc>>,
}

impl Run {
    /// A run that nothing was done about yet.
    #[must_use]
    pub fn new(head: Head, job_id: Uuid, kind: RunKind, actor: String) -> Self {
        Self {
            head,
            job_id,
            kind,
            slot: None,
            event: None,
            actor,
            status: RunStatus::Queued,
            phase: None,
            params: Map::new(),
            check_execution_id: None,
            execution_id: None,
            reason: None,
            started_at: None,
            completed_at: None,
        }
    }

    /// It stands here from now on.
    pub(super) fn stand(&mut self, status: RunStatus, reason: Option<String>, now: DateTime<Utc>) {
        self.status = status;
        self.reason = reason;
        self.completed_at = status.is_final().then_some(now);
    }

    /// The execution that goes on, or was the last.
    #[must_use]
    pub fn current_execution(&self) -> Option<Uuid> {
        self.execution_id.or(self.check_execution_id)
    }

    /// The event of where it stands.
    pub(super) fn told(&self) -> NewEvent {
        let mut data = json!({"job_id": self.job_id, "kind": self.kind, "status": self.status});
        let facts = [
            ("slot", self.slot.map(|slot| json!(slot))),
            ("execution_id", self.current_execution().map(|id| json!(id))),
            ("reason", self.reason.as_ref().map(|reason| json!(reason))),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                data[name] = fact;
            }
        }
        NewEvent {
            account: self.head.account_id,
            service: "automation",
            kind: self.status.event(),
            subject: self.head.id,
            actor: self.actor.clone(),
            request_id: None,
            origin: None,
            data,
        }
    }

    /// The item of the queue that begins it when nothing holds the job back.
    pub(super) fn work(&self, id: Uuid, now: DateTime<Utc>) -> NewWork {
        NewWork::new(id, DUTY, self.head.account_id, self.head.id, now).gate(self.job_id)
    }

    /// The public face.
    #[must_use]
    pub fn view(&self) -> RunView {
        RunView {
            id: self.head.id,
            job_id: self.job_id,
            kind: self.kind,
            scheduled_for: self.slot,
            event: self.event.clone(),
            status: self.status,
            phase: self.phase,
            execution_id: self.current_execution(),
            check_execution_id: self.check_execution_id,
            reason: self.reason.clone(),
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
        }
    }
}

/// A run as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = JobRunView)]
pub struct RunView {
    /// Its id.
    pub id: Uuid,
    /// The job.
    pub job_id: Uuid,
    /// What made it.
    pub kind: RunKind,
    /// The slot, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<DateTime<Utc>>,
    /// The position of the event that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What became of it.
    pub status: RunStatus,
    /// Which of its executions goes on, or was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The execution that goes on, or was the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Uuid>,
    /// The execution that checked whether to perform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_execution_id: Option<Uuid>,
    /// Why it stands where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When its first execution was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended, or was decided not to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

impl Entity for Run {
    const TABLE: &'static Table = &Table {
        name: "automation_runs",
        noun: "run",
        columns: &[
            Column::new("job_id", Kind::Uuid),
            Column::new("kind", Kind::Text),
            Column::nullable("slot", Kind::Time),
            Column::nullable("event", Kind::Text),
            Column::new("actor", Kind::Text),
            Column::new("status", Kind::Word),
            Column::nullable("phase", Kind::Text),
            Column::new("params", Kind::Json),
            Column::nullable("check_execution_id", Kind::Uuid),
            Column::nullable("execution_id", Kind::Uuid),
            Column::nullable("reason", Kind::Text),
            Column::nullable("started_at", Kind::Time),
            Column::nullable("completed_at", Kind::Time),
        ],
        uniques: &[
            Unique {
                name: "automation_runs_slot",
                columns: &["job_id", "slot"],
                fields: &[],
                message: "the job's slot has its row already",
            },
            Unique {
                name: "automation_runs_event",
                columns: &["job_id", "event"],
                fields: &[],
                message: "the job has heard this event already",
            },
        ],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.job_id.into(),
            self.kind.as_str().into(),
            self.slot.into(),
            self.event.clone().into(),
            self.actor.clone().into(),
            self.status.as_str().into(),
            self.phase.map(|phase| phase.as_str().to_owned()).into(),
            Cell::json(&self.params),
            self.check_execution_id.into(),
            self.execution_id.into(),
            self.reason.clone().into(),
            self.started_at.into(),
            self.completed_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            job_id: cells.uuid()?,
            kind: cells.named(RunKind::read)?,
            slot: cells.maybe_time()?,
            event: cells.maybe_text()?,
            actor: cells.text()?,
            status: cells.named(RunStatus::read)?,
            phase: cells.maybe_text()?.as_deref().and_then(Phase::read),
            params: cells.json()?,
            check_execution_id: cells.maybe_uuid()?,
            execution_id: cells.maybe_uuid()?,
            reason: cells.maybe_text()?,
            started_at: cells.maybe_time()?,
            completed_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), at);
        let job = Uuid::from_u128(2);
        let full = Self {
            slot: Some(at),
            event: Some("1-2".to_owned()),
            status: RunStatus::Succeeded,
            phase: Some(Phase::Perform),
            params: Map::from_iter([("a".to_owned(), json!(1))]),
            check_execution_id: Some(Uuid::from_u128(7)),
            execution_id: Some(Uuid::from_u128(8)),
            reason: Some("a reason".to_owned()),
            started_at: Some(at),
            completed_at: Some(at),
            ..Self::new(head(3), job, RunKind::Schedule, "job:2".to_owned())
        };
        vec![full, Self::new(head(4), job, RunKind::Manual, "operator:sample".to_owned())]
    }
}
