//! The row of a webhook: where what is told.

use serde_json::json;
use sl_store::{Batch, Cell, Cells, Column, Entity, Event, Fault, Head, Kind, NewEvent, Table};
use uuid::Uuid;

use super::{DUTY, NAME};
use crate::{Core, sealed::Sealed, services::hearing};

/// A webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// The row's head.
    pub head: Head,
    /// Where it tells.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// The kinds of event it tells; a `*` at the end stands for any ending.
    pub kinds: Vec<String>,
    /// Whether it tells anything.
    pub enabled: bool,
    /// Why the service has disabled it.
    pub disabled_reason: Option<String>,
    /// Counts its times of being enabled, from 1: what waits from an earlier one is cancelled.
    pub term: i64,
    /// Its secrets.
    pub sealed: Sealed,
    /// The secret, where it was just made; not part of the row.
    pub shown: Option<String>,
}

impl Webhook {
    /// Whether it wants an event that it may hear.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.kinds.iter().any(|pattern| hearing::is_named(pattern, event))
    }

    /// Where it stands, pauses left out.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.enabled { "active" } else { "disabled" }
    }

    fn listens_public(&self) -> bool {
        self.enabled && self.kinds.iter().any(|kind| hearing::publisher(kind).is_some())
    }

    /// It tells from now on, or nothing more.
    pub(super) fn enable(&mut self, enabled: bool) {
        self.term += i64::from(enabled && !self.enabled);
        self.enabled = enabled;
        self.disabled_reason = None;
    }

    /// Adds that the service disables it.
    pub(super) fn disable(&mut self, core: &Core, reason: String, batch: &mut Batch) {
        let told = json!({"reason": reason});
        self.enabled = false;
        self.disabled_reason = Some(reason);
        batch.replace(self, core.clock.now()).event(NewEvent {
            account: self.head.account_id,
            service: NAME,
            kind: "webhook.disabled",
            subject: self.head.id,
            actor: format!("duty:{DUTY}"),
            request_id: None,
            origin: None,
            data: told,
        });
    }
}

impl Entity for Webhook {
    const TABLE: &'static Table = &Table {
        name: "webhooks",
        noun: "webhook",
        columns: &[
            Column::new("url", Kind::Text),
            Column::new("description", Kind::Text),
            Column::new("kinds", Kind::Json),
            Column::new("listens", Kind::Bool),
            Column::nullable("disabled_reason", Kind::Text),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
            Column::new("term", Kind::Int),
            Column::new(hearing::LISTENS_PUBLIC, Kind::Bool),
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
            self.url.clone().into(),
            self.description.clone().into(),
            Cell::json(&self.kinds),
            self.enabled.into(),
            self.disabled_reason.clone().into(),
            self.sealed.key_id.clone().into(),
            self.sealed.envelope.clone().into(),
            self.term.into(),
            self.listens_public().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            url: cells.text()?,
            description: cells.text()?,
            kinds: cells.json()?,
            enabled: cells.bool()?,
            disabled_reason: cells.maybe_text()?,
            sealed: Sealed { key_id: cells.text()?, envelope: cells.bytes()? },
            term: cells.int()?,
            shown: None,
        })
    }

    fn samples() -> Vec<Self> {
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), chrono::DateTime::UNIX_EPOCH);
        let plain = Self {
            head: head(2),
            url: "https://receiver.example/hook".to_owned(),
            description: String::new(),
            kinds: vec!["*".to_owned()],
            enabled: true,
            disabled_reason: None,
            term: 1,
            sealed: Sealed { key_id: "k".to_owned(), envelope: vec![1, 2, 3] },
            shown: None,
        };
        let disabled = Self {
            head: head(3),
            description: "what for".to_owned(),
            kinds: vec!["function.created".to_owned(), "job.*".to_owned()],
            enabled: false,
            disabled_reason: Some("a reason".to_owned()),
            term: 2,
            ..plain.clone()
        };
        vec![plain, disabled]
    }
}
