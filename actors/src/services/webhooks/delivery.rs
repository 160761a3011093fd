//! One row for every event that a webhook is told.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{
    Batch, Cell, Cells, Column, Entity, Event, Fault, Filter, Head, Kind, NewEvent, NewWork, Table, Unique,
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DUTY, NAME, webhook::Webhook};
use crate::{Core, services::LISTENER};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDeliveryStatus {
    /// It is to be sent, or to be sent again.
    Queued,
    /// The receiver took it.
    Succeeded,
    /// The receiver did not, and it is not tried any more.
    Failed,
    /// It was dropped, or its webhook is disabled.
    Cancelled,
}

impl WebhookDeliveryStatus {
    /// Those after which nothing follows by itself.
    pub const FINAL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Cancelled];

    /// As it stands in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Queued].into_iter().chain(Self::FINAL).find(|status| status.as_str() == text)
    }

    /// The kind of event that tells it.
    const fn event(self) -> &'static str {
        match self {
            Self::Queued => "webhook_delivery.queued",
            Self::Succeeded => "webhook_delivery.succeeded",
            Self::Failed => "webhook_delivery.failed",
            Self::Cancelled => "webhook_delivery.cancelled",
        }
    }
}

/// How the kinds of event begin that tell of deliveries.
pub(super) const KINDS: &str = "webhook_delivery.";

/// A delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookDelivery {
    /// The row's head.
    pub head: Head,
    /// The webhook.
    pub webhook_id: Uuid,
    /// The event's position; no two of one webhook share one.
    pub event_id: String,
    /// The event's kind.
    pub kind: String,
    /// What is sent, to the byte.
    pub body: String,
    /// Where it stands.
    pub status: WebhookDeliveryStatus,
    /// How often it was sent before it stood there.
    pub attempts: i64,
    /// Why it stands where it does.
    pub reason: Option<String>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// The webhook's time of being enabled in which it was queued.
    pub term: i64,
}

impl WebhookDelivery {
    /// What a webhook is told of an event.
    pub(super) fn new(core: &Core, webhook: &Webhook, event: &Event) -> Self {
        let body = json!({
            "type": event.kind,
            "timestamp": event.at,
            "account_id": webhook.head.account_id,
            "event_id": event.position.to_string(),
            "service": event.service,
            "subject": event.subject,
            "actor": event.actor,
            "data": event.data,
        });
        Self {
            head: Head::new(webhook.head.account_id, core.ids.next(), core.clock.now()),
            webhook_id: webhook.head.id,
            event_id: event.position.to_string(),
            kind: event.kind.clone(),
            body: body.to_string(),
            status: WebhookDeliveryStatus::Queued,
            attempts: 0,
            reason: None,
            completed_at: None,
            term: webhook.term,
        }
    }

    /// What waits for a webhook.
    pub(super) fn waiting(webhook: &Webhook) -> Vec<Filter> {
        vec![
            Filter::Equal("webhook_id", webhook.head.id.into()),
            Filter::Equal("status", WebhookDeliveryStatus::Queued.as_str().into()),
            Filter::Equal("term", webhook.term.into()),
        ]
    }

    /// Adds it to a batch, with its event and the item that sends it.
    pub(super) fn queue(&self, core: &Core, batch: &mut Batch) {
        batch.insert(self).event(self.told()).enqueue(self.work(core));
    }

    /// The item that sends it.
    pub(super) fn work(&self, core: &Core) -> NewWork {
        let (account, now) = (self.head.account_id, core.clock.now());
        NewWork::new(core.ids.next(), DUTY, account, self.head.id, now).gate(self.webhook_id)
    }

    /// Adds that it stands here from now on, after so many further attempts.
    pub(super) fn stand(
        mut self,
        core: &Core,
        status: WebhookDeliveryStatus,
        attempts: i32,
        reason: Option<String>,
        batch: &mut Batch,
    ) {
        let now = core.clock.now();
        self.status = status;
        self.attempts += i64::from(attempts);
        self.reason = reason;
        self.completed_at = (status != WebhookDeliveryStatus::Queued).then_some(now);
        batch.replace(&mut self, now).event(self.told());
    }

    /// The event of where it stands; follows from an event that was heard, whoever asked for it again.
    pub(super) fn told(&self) -> NewEvent {
        let mut data = json!({
            "webhook_id": self.webhook_id, "event_id": self.event_id, "kind": self.kind, "attempts": self.attempts,
        });
        if let Some(reason) = &self.reason {
            data["reason"] = json!(reason);
        }
        NewEvent {
            account: self.head.account_id,
            service: NAME,
            kind: self.status.event(),
            subject: self.head.id,
            actor: format!("{LISTENER}{}", self.webhook_id),
            request_id: None,
            origin: None,
            data,
        }
    }

    /// The public face.
    #[must_use]
    pub fn view(&self) -> WebhookDeliveryView {
        WebhookDeliveryView {
            id: self.head.id,
            webhook_id: self.webhook_id,
            event_id: self.event_id.clone(),
            kind: self.kind.clone(),
            payload: serde_json::from_str(&self.body).unwrap_or_default(),
            status: self.status,
            attempts: self.attempts,
            reason: self.reason.clone(),
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
            completed_at: self.completed_at,
        }
    }
}

/// A delivery as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    /// Its id; the `webhook-id` of every request that was made for it.
    pub id: Uuid,
    /// The webhook.
    pub webhook_id: Uuid,
    /// The event, as the stream of events names it.
    pub event_id: String,
    /// The event's kind.
    pub kind: String,
    /// What is sent.
    pub payload: Value,
    /// Where it stands.
    pub status: WebhookDeliveryStatus,
    /// How often it was sent before it stood there; `why` tells of attempts while it waits.
    pub attempts: i64,
    /// Why it stands where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the event was heard.
    pub created_at: DateTime<Utc>,
    /// When the row was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
}

impl Entity for WebhookDelivery {
    const TABLE: &'static Table = &Table {
        name: "webhook_deliveries",
        noun: "webhook delivery",
        columns: &[
            Column::new("webhook_id", Kind::Uuid),
            Column::new("event_id", Kind::Text),
            Column::new("kind", Kind::Text),
            Column::new("body", Kind::Text),
            Column::new("status", Kind::Word),
            Column::new("attempts", Kind::Int),
            Column::nullable("reason", Kind::Text),
            Column::nullable("completed_at", Kind::Time),
            Column::new("term", Kind::Int),
        ],
        uniques: &[Unique {
            name: "webhook_deliveries_event",
            columns: &["webhook_id", "event_id"],
            fields: &[],
            message: "the webhook is told of this event already",
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
            self.webhook_id.into(),
            self.event_id.clone().into(),
            self.kind.clone().into(),
            self.body.clone().into(),
            self.status.as_str().into(),
            self.attempts.into(),
            self.reason.clone().into(),
            self.completed_at.into(),
            self.term.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            webhook_id: cells.uuid()?,
            event_id: cells.text()?,
            kind: cells.text()?,
            body: cells.text()?,
            status: cells.named(WebhookDeliveryStatus::read)?,
            attempts: cells.int()?,
            reason: cells.maybe_text()?,
            completed_at: cells.maybe_time()?,
            term: cells.int()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let queued = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), at),
            webhook_id: Uuid::from_u128(2),
            event_id: "7-9".to_owned(),
            kind: "function.created".to_owned(),
            body: "{}".to_owned(),
            status: WebhookDeliveryStatus::Queued,
            attempts: 0,
            reason: None,
            completed_at: None,
            term: 1,
        };
        let failed = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(4), at),
            event_id: "7-10".to_owned(),
            status: WebhookDeliveryStatus::Failed,
            attempts: 10,
            reason: Some("a reason".to_owned()),
            completed_at: Some(at),
            term: 2,
            ..queued.clone()
        };
        vec![queued, failed]
    }
}
