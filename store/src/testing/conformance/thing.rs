//! Two tables that between them have every kind of column and of unique set.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Cell, Cells, Column, Entity, Fault, Head, Kind, Row, Table, Unique};

/// A row with a column of every kind, filled and nullable.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// The head.
    pub head: Head,
    /// Unique within the account.
    pub name: String,
    /// A word to filter by.
    pub color: Option<String>,
    /// Unique together with `slot`, where both are there.
    pub group: Option<Uuid>,
    /// Unique together with `group`, where both are there.
    pub slot: Option<i64>,
    /// A number.
    pub size: i64,
    /// A truth value.
    pub ready: bool,
    /// Perhaps one.
    pub known: Option<bool>,
    /// An instant.
    pub seen_at: DateTime<Utc>,
    /// Perhaps one.
    pub done_at: Option<DateTime<Utc>>,
    /// Bytes.
    pub raw: Vec<u8>,
    /// Perhaps some.
    pub more: Option<Vec<u8>>,
    /// JSON.
    pub data: Value,
    /// Perhaps some.
    pub note: Option<Value>,
}

impl Thing {
    /// A thing of this name.
    #[must_use]
    pub fn new(account: Uuid, id: Uuid, now: DateTime<Utc>, name: &str) -> Self {
        Self {
            head: Head::new(account, id, now),
            name: name.to_owned(),
            color: None,
            group: None,
            slot: None,
            size: 0,
            ready: false,
            known: None,
            seen_at: now,
            done_at: None,
            raw: Vec::new(),
            more: None,
            data: json!({}),
            note: None,
        }
    }
}

impl Entity for Thing {
    const TABLE: &'static Table = &Table {
        name: "conformance_things",
        noun: "thing",
        columns: &[
            Column::new("name", Kind::Text),
            Column::nullable("color", Kind::Word),
            Column::nullable("group", Kind::Uuid),
            Column::nullable("slot", Kind::Int),
            Column::new("size", Kind::Int),
            Column::new("ready", Kind::Bool),
            Column::nullable("known", Kind::Bool),
            Column::new("seen_at", Kind::Time),
            Column::nullable("done_at", Kind::Time),
            Column::new("raw", Kind::Bytes),
            Column::nullable("more", Kind::Bytes),
            Column::new("data", Kind::Json),
            Column::nullable("note", Kind::Json),
        ],
        uniques: &[
            Unique {
                name: "conformance_things_name",
                columns: &["name"],
                fields: &["name"],
                message: "a thing of this name exists already",
            },
            Unique {
                name: "conformance_things_slot",
                columns: &["group", "slot"],
                fields: &["group", "slot"],
                message: "this slot of the group is taken",
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
            self.name.clone().into(),
            self.color.clone().into(),
            self.group.into(),
            self.slot.into(),
            self.size.into(),
            self.ready.into(),
            self.known.into(),
            self.seen_at.into(),
            self.done_at.into(),
            self.raw.clone().into(),
            self.more.clone().into(),
            self.data.clone().into(),
            self.note.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            name: cells.text()?,
            color: cells.maybe_text()?,
            group: cells.maybe_uuid()?,
            slot: cells.maybe_int()?,
            size: cells.int()?,
            ready: cells.bool()?,
            known: cells.maybe_bool()?,
            seen_at: cells.time()?,
            done_at: cells.maybe_time()?,
            raw: cells.bytes()?,
            more: cells.maybe_bytes()?,
            data: cells.value()?,
            note: cells.maybe_value()?,
        })
    }

    fn samples() -> Vec<Self> {
        let now = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap_or_default();
        let account = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let empty = Self::new(account, Uuid::from_u128(1), now, "");
        let full = Self {
            name: "ÄÖ 漢字 \u{1F600} ' \" \\ % _".to_owned(),
            color: Some("x".to_owned()),
            group: Some(Uuid::max()),
            slot: Some(i64::MIN),
            size: i64::MAX,
            ready: true,
            known: Some(false),
            seen_at: DateTime::from_timestamp_micros(-1).unwrap_or_default(),
            done_at: Some(now),
            raw: (0..=255).collect(),
            more: Some(Vec::new()),
            data: json!({"nested": [1, -2, 0.1, 1e300, -0.0, u64::MAX, null, true, "nul \u{0}", {"": []}]}),
            note: Some(Value::Null),
            ..Self::new(account, Uuid::from_u128(2), now, "")
        };
        vec![empty, full]
    }
}

/// A smaller row, for what concerns two tables at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The head.
    pub head: Head,
    /// The thing it is of.
    pub thing: Uuid,
}

impl Entity for Part {
    const TABLE: &'static Table = &Table {
        name: "conformance_parts",
        noun: "part",
        columns: &[Column::new("thing_id", Kind::Uuid)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.thing.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, thing: cells.uuid()? })
    }

    fn samples() -> Vec<Self> {
        let now = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap_or_default();
        vec![Self { head: Head::new(Uuid::from_u128(3), Uuid::from_u128(4), now), thing: Uuid::from_u128(5) }]
    }
}

/// The row of an entity.
pub fn row<E: Entity>(entity: &E) -> Row {
    Row { head: *entity.head(), cells: entity.encode() }
}
