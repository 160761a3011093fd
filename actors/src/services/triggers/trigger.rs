//! The row of a trigger: what its owner defined.

use serde_json::{Map, Value, json};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table};
use uuid::Uuid;

use super::named::TriggerType;
use crate::services::hearing;

/// A trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// The row's head.
    pub head: Head,
    /// The function it runs.
    pub function_id: Uuid,
    /// What makes it fire.
    pub kind: TriggerType,
    /// When exactly: a schedule, a kind of event; free text of a webhook.
    pub rule: String,
    /// What else there is to say, by type.
    pub config: Map<String, Value>,
    /// Whether it fires by itself.
    pub enabled: bool,
    /// The SHA-256 of the token in its URL, where it is a webhook.
    pub token_hash: Option<Vec<u8>>,
    /// What is shown once: its URL's token and its secret; not part of the row.
    pub shown: Shown,
}

/// What is shown once, where it was just made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The token of its URL.
    pub token: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
}

impl Trigger {
    /// Whether it waits for events.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.enabled && self.kind == TriggerType::Event
    }

    /// Where it stands, pauses left out.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.enabled { "active" } else { "disabled" }
    }

    fn listens_public(&self) -> bool {
        self.listens() && hearing::publisher(&self.rule).is_some()
    }

    /// As whose doing its deliveries are told.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("trigger:{}", self.head.id)
    }
}

impl Entity for Trigger {
    const TABLE: &'static Table = &Table {
        name: "triggers",
        noun: "trigger",
        columns: &[
            Column::new("function_id", Kind::Uuid),
            Column::new("type", Kind::Text),
            Column::new("rule", Kind::Text),
            Column::new("config", Kind::Json),
            Column::new("enabled", Kind::Bool),
            Column::new("listens", Kind::Bool),
            Column::nullable("token_hash", Kind::Bytes),
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
            self.function_id.into(),
            self.kind.as_str().into(),
            self.rule.clone().into(),
            Cell::json(&self.config),
            self.enabled.into(),
            self.listens().into(),
            self.token_hash.clone().into(),
            self.listens_public().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let function_id = cells.uuid()?;
        let (kind, rule, config) = (cells.named(TriggerType::read)?, cells.text()?, cells.json()?);
        let (enabled, _listens, token_hash) = (cells.bool()?, cells.bool()?, cells.maybe_bytes()?);
        Ok(Self { head, function_id, kind, rule, config, enabled, token_hash, shown: Shown::default() })
    }

    fn samples() -> Vec<Self> {
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), chrono::DateTime::UNIX_EPOCH);
        let cron = Self {
            head: head(2),
            function_id: Uuid::from_u128(3),
            kind: TriggerType::Cron,
            rule: "@hourly".to_owned(),
            config: Map::new(),
            enabled: true,
            token_hash: None,
            shown: Shown::default(),
        };
        let webhook = Self {
            head: head(4),
            kind: TriggerType::Webhook,
            rule: String::new(),
            config: Map::from_iter([("scheme".to_owned(), json!("standard"))]),
            token_hash: Some(vec![7; 32]),
            ..cron.clone()
        };
        vec![cron, webhook]
    }
}
