//! One row for every time a trigger fired.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Kind, NewEvent, NewWork, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY,
    named::{Cause, DeliveryStatus},
    trigger::Trigger,
};
use crate::Core;

/// A delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The row's head.
    pub head: Head,
    /// The trigger.
    pub trigger_id: Uuid,
    /// What made it.
    pub cause: Cause,
    /// The name of what it is for; no two of one trigger share one.
    pub source: Option<String>,
    /// As whose doing it is told.
    pub actor: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What the function is given.
    pub input: Map<String, Value>,
    /// The delivery that this one repeats.
    pub redelivery_of: Option<Uuid>,
    /// The execution, once it was handed over.
    pub execution_id: Option<Uuid>,
    /// Why it stands where it does, for people.
    pub reason: Option<String>,
    /// When the execution was handed over.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
}

impl Delivery {
    /// A delivery of a trigger that waits; `given` is what the function is given besides.
    pub(super) fn new(core: &Core, trigger: &Trigger, cause: Cause, given: Vec<(&str, Value)>) -> Self {
        let head = Head::new(trigger.head.account_id, core.ids.next(), core.clock.now());
        let mut input = Map::new();
        input.insert("trigger".to_owned(), json!({"id": trigger.head.id, "type": trigger.kind}));
        input.insert("delivery_id".to_owned(), json!(head.id));
        input.extend(given.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Self {
            head,
            trigger_id: trigger.head.id,
            cause,
            source: None,
            actor: trigger.actor(),
            status: DeliveryStatus::Queued,
            input,
            redelivery_of: None,
            execution_id: None,
            reason: None,
            started_at: None,
            completed_at: None,
        }
    }

    /// Adds it to a batch, with its event and the item that hands it over.
    pub(super) fn queue(&self, core: &Core, batch: &mut Batch) {
        batch.insert(self).event(self.told()).enqueue(self.work(core));
    }

    fn work(&self, core: &Core) -> NewWork {
        let (account, now) = (self.head.account_id, core.clock.now());
        NewWork::new(core.ids.next(), DUTY, account, self.head.id, now).gate(self.trigger_id)
    }

    /// It stands here from now on.
    pub(super) fn stand(&mut self, status: DeliveryStatus, reason: Option<String>, now: DateTime<Utc>) {
        self.status = status;
        self.reason = reason;
        self.completed_at = status.is_final().then_some(now);
    }

    /// The event of where it stands.
    pub(super) fn told(&self) -> NewEvent {
        let mut data = json!({"trigger_id": self.trigger_id, "cause": self.cause, "status": self.status});
        if let Some(execution) = self.execution_id {
            data["execution_id"] = json!(execution);
        }
        if let Some(reason) = &self.reason {
            data["reason"] = json!(reason);
        }
        NewEvent {
            account: self.head.account_id,
            service: "triggers",
            kind: self.status.event(),
            subject: self.head.id,
            actor: self.actor.clone(),
            request_id: None,
            origin: None,
            data,
        }
    }

    /// The public face.
    #[must_use]
    pub fn view(&self) -> DeliveryView {
        DeliveryView {
            id: self.head.id,
            trigger_id: self.trigger_id,
            cause: self.cause,
            status: self.status,
            input: Value::Object(self.input.clone()),
            redelivery_of: self.redelivery_of,
            execution_id: self.execution_id,
            reason: self.reason.clone(),
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
        }
    }
}

/// A delivery as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TriggerDeliveryView)]
pub struct DeliveryView {
    /// Its id.
    pub id: Uuid,
    /// The trigger.
    pub trigger_id: Uuid,
    /// What made it.
    pub cause: Cause,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What the function is given.
    pub input: Value,
    /// The delivery that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redelivery_of: Option<Uuid>,
    /// The execution, once it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<Uuid>,
    /// Why it stands where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the trigger fired.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the execution was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

impl Entity for Delivery {
    const TABLE: &'static Table = &Table {
        name: "trigger_deliveries",
        noun: "delivery",
        columns: &[
            Column::new("trigger_id", Kind::Uuid),
            Column::new("cause", Kind::Text),
            Column::nullable("source", Kind::Text),
            Column::new("actor", Kind::Text),
            Column::new("status", Kind::Word),
            Column::new("input", Kind::Json),
            Column::nullable("redelivery_of", Kind::Uuid),
            Column::nullable("execution_id", Kind::Uuid),
            Column::nullable("reason", Kind::Text),
            Column::nullable("started_at", Kind::Time),
            Column::nullable("completed_at", Kind::Time),
        ],
        uniques: &[Unique {
            name: "trigger_deliveries_source",
            columns: &["trigger_id", "source"],
            fields: &[],
            message: "the trigger has fired for this already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.trigger_id.into(),
            self.cause.as_str().into(),
            self.source.clone().into(),
            self.actor.clone().into(),
            self.status.as_str().into(),
            Cell::json(&self.input),
            self.redelivery_of.into(),
            self.execution_id.into(),
            self.reason.clone().into(),
            self.started_at.into(),
            self.completed_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            trigger_id: cells.uuid()?,
            cause: cells.named(Cause::read)?,
            source: cells.maybe_text()?,
            actor: cells.text()?,
            status: cells.named(DeliveryStatus::read)?,
            input: cells.json()?,
            redelivery_of: cells.maybe_uuid()?,
            execution_id: cells.maybe_uuid()?,
            reason: cells.maybe_text()?,
            started_at: cells.maybe_time()?,
            completed_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let plain = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), at),
            trigger_id: Uuid::from_u128(2),
            cause: Cause::Manual,
            source: None,
            actor: "operator:sample".to_owned(),
            status: DeliveryStatus::Queued,
            input: Map::new(),
            redelivery_of: None,
            execution_id: None,
            reason: None,
            started_at: None,
            completed_at: None,
        };
        let full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(4), at),
            cause: Cause::Event,
            source: Some("event/1-2".to_owned()),
            status: DeliveryStatus::Failed,
            input: Map::from_iter([("a".to_owned(), json!(1))]),
            redelivery_of: Some(Uuid::from_u128(3)),
            execution_id: Some(Uuid::from_u128(8)),
            reason: Some("a reason".to_owned()),
            started_at: Some(at),
            completed_at: Some(at),
            ..plain.clone()
        };
        vec![plain, full]
    }
}
