//! Dead letters: work that failed for good, kept with its reason until somebody redrives or discards it.

mod actions;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Work};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Service;
use crate::Core;

pub use actions::{
    DeadLetterView, DiscardDeadLetter, DiscardDeadLetters, FetchDeadLetter, LetterFilter, LettersTreated,
    ListDeadLetters, ManyLetters, RedriveDeadLetter, RedriveDeadLetters,
};

/// The service.
pub const SERVICE: Service = Service {
    name: "dead_letters",
    domain: "operations",
    layer: "engine",
    capabilities: &["list", "redrive", "discard"],
    tables: &[DeadLetter::TABLE],
    ..Service::NOTHING
};

/// Why an item was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The failure was permanent.
    Permanent,
    /// Attempts or time ran out.
    Exhausted,
}

impl Reason {
    /// As it stands in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Exhausted => "exhausted",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Permanent, Self::Exhausted].into_iter().find(|reason| reason.as_str() == text)
    }
}

/// An item of the work queue that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The row's head; the id is the item's.
    pub head: Head,
    /// The duty.
    pub duty: String,
    /// What the item was about.
    pub subject: Uuid,
    /// What can be paused around it.
    pub gate: Option<Uuid>,
    /// What the duty needed besides.
    pub payload: Value,
    /// Why it was given up.
    pub reason: Reason,
    /// The code of the last failure.
    pub code: String,
    /// The last failure in words.
    pub detail: String,
    /// How many attempts there were.
    pub attempts: i64,
    /// The fence of its last claim.
    pub fence: i64,
}

impl DeadLetter {
    /// The letter an item becomes.
    #[must_use]
    pub fn of(core: &Core, work: &Work, reason: Reason, fault: &Fault) -> Self {
        Self {
            head: Head::new(work.account, work.id, core.clock.now()),
            duty: work.duty.clone(),
            subject: work.subject,
            gate: work.gate,
            payload: work.payload.clone(),
            reason,
            code: fault.code.as_str().to_owned(),
            detail: fault.detail.clone(),
            attempts: i64::from(work.attempt),
            fence: work.fence,
        }
    }
}

impl Entity for DeadLetter {
    const TABLE: &'static Table = &Table {
        name: "dead_letters",
        noun: "dead letter",
        columns: &[
            Column::new("duty", Kind::Text),
            Column::new("subject", Kind::Uuid),
            Column::nullable("gate", Kind::Uuid),
            Column::new("payload", Kind::Json),
            Column::new("reason", Kind::Text),
            Column::new("code", Kind::Text),
            Column::new("detail", Kind::Text),
            Column::new("attempts", Kind::Int),
            Column::new("fence", Kind::Int),
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
            self.duty.clone().into(),
            self.subject.into(),
            self.gate.into(),
            self.payload.clone().into(),
            self.reason.as_str().into(),
            self.code.clone().into(),
            self.detail.clone().into(),
            self.attempts.into(),
            self.fence.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            duty: cells.text()?,
            subject: cells.uuid()?,
            gate: cells.maybe_uuid()?,
            payload: cells.value()?,
            reason: cells.named(Reason::read)?,
            code: cells.text()?,
            detail: cells.text()?,
            attempts: cells.int()?,
            fence: cells.int()?,
        })
    }

    fn samples() -> Vec<Self> {
        let sample = |gate| Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            duty: "executions".to_owned(),
            subject: Uuid::from_u128(3),
            gate,
            payload: serde_json::json!({"a": 1}),
            reason: Reason::Exhausted,
            code: "unavailable".to_owned(),
            detail: "no answer".to_owned(),
            attempts: 10,
            fence: 12,
        };
        vec![sample(None), sample(Some(Uuid::from_u128(4)))]
    }
}
