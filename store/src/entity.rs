//! What one table holds, told once for both backends.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::Fault;

/// The account under which rows of the system itself stand (accounts, pauses, operators' idempotency records).
pub const SYSTEM: Uuid = Uuid::nil();

/// One value of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL `NULL`.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `bigint`.
    Int(i64),
    /// `text`.
    Text(String),
    /// `uuid`.
    Uuid(Uuid),
    /// `timestamptz`, microseconds.
    Time(DateTime<Utc>),
    /// `bytea`.
    Bytes(Vec<u8>),
    /// `json`, kept as text as given: `jsonb` would refuse U+0000 in strings and rewrite numbers.
    Json(Value),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `boolean`.
    Bool,
    /// `bigint`.
    Int,
    /// `text`.
    Text,
    /// `text` of a few words of the program's own, such as a status. Statements name the words they look for, so that an
    /// index over the rows at some of them serves.
    Word,
    /// `uuid`.
    Uuid,
    /// `timestamptz`.
    Time,
    /// `bytea`.
    Bytes,
    /// `json`.
    Json,
}

/// One column beside the head columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its SQL name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
}

impl Column {
    /// A column that is always filled.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: false }
    }

    /// A column that may be null.
    #[must_use]
    pub const fn nullable(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, nullable: true }
    }
}

/// A set of columns that no two rows of one account share; a null never collides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unique {
    /// The name of the SQL constraint or index.
    pub name: &'static str,
    /// The columns, `account_id` left out because it always leads.
    pub columns: &'static [&'static str],
    /// What requests call them; none where no request gives them.
    pub fields: &'static [&'static str],
    /// What is answered on a collision: `a function of this name exists already`.
    pub message: &'static str,
}

/// A table: name, own columns, unique sets. Every table leads with the columns of [`Head`].
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// The SQL name.
    pub name: &'static str,
    /// What one row is called in messages: `function`.
    pub noun: &'static str,
    /// The columns after the head.
    pub columns: &'static [Column],
    /// The unique sets besides the key.
    pub uniques: &'static [Unique],
}

impl Table {
    /// The columns that lead every table.
    pub const HEAD: [Column; 5] = [
        Column::new("account_id", Kind::Uuid),
        Column::new("id", Kind::Uuid),
        Column::new("version", Kind::Int),
        Column::new("created_at", Kind::Time),
        Column::new("updated_at", Kind::Time),
    ];

    /// The type of a column, head columns included.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        Self::HEAD.iter().chain(self.columns).find(|column| column.name == name).map(|column| column.kind)
    }

    /// The position of a column among [`Table::columns`].
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// The key of a row: the account it belongs to and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The tenant, or [`SYSTEM`].
    pub account: Uuid,
    /// The row's own id, a `UUIDv7` unless derived.
    pub id: Uuid,
}

impl Key {
    /// The key of row `id` of `account`.
    #[must_use]
    pub const fn new(account: Uuid, id: Uuid) -> Self {
        Self { account, id }
    }
}

/// What every row begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The tenant, or [`SYSTEM`].
    pub account_id: Uuid,
    /// The row's own id.
    pub id: Uuid,
    /// Counts the changes from 1.
    pub version: i64,
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Head {
    /// The head of a new row.
    #[must_use]
    pub const fn new(account_id: Uuid, id: Uuid, now: DateTime<Utc>) -> Self {
        Self { account_id, id, version: 1, created_at: now, updated_at: now }
    }

    /// The key of the row.
    #[must_use]
    pub const fn key(&self) -> Key {
        Key::new(self.account_id, self.id)
    }
}

/// A row as the backends move it: the head and the cells in the table's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The head columns.
    pub head: Head,
    /// The table's own columns, in order.
    pub cells: Vec<Cell>,
}

/// What one table holds. One impl per table and none per backend; the conformance suite round-trips the samples.
pub trait Entity: Clone + Send + Sync + Sized + 'static {
    /// The table.
    const TABLE: &'static Table;

    /// The row's head.
    fn head(&self) -> &Head;

    /// The row's head, to be changed.
    fn head_mut(&mut self) -> &mut Head;

    /// The cells in the table's order.
    fn encode(&self) -> Vec<Cell>;

    /// The entity of a row.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] where the row is not one this build can have written.
    fn decode(head: Head, cells: Cells) -> Result<Self, Fault>;

    /// Rows that between them fill and null every column; used by the conformance suite.
    fn samples() -> Vec<Self>;
}

/// Reads the cells of a row in order, with typed takes.
#[derive(Debug)]
pub struct Cells {
    table: &'static Table,
    remaining: std::vec::IntoIter<Cell>,
    position: usize,
}

macro_rules! takes {
    ($($(#[$doc:meta])* $name:ident, $maybe:ident, $variant:ident, $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`crate::Code::Internal`] where the cell is null or of another type.
        pub fn $name(&mut self) -> Result<$type, Fault> {
            match self.take()? {
                Cell::$variant(value) => Ok(value),
                other => Err(self.mismatch(&other)),
            }
        }

        /// The same, with null as `None`.
        ///
        /// # Errors
        /// [`crate::Code::Internal`] where the cell is of another type.
        pub fn $maybe(&mut self) -> Result<Option<$type>, Fault> {
            match self.take()? {
                Cell::Null => Ok(None),
                Cell::$variant(value) => Ok(Some(value)),
                other => Err(self.mismatch(&other)),
            }
        }
    )*};
}

impl Cells {
    /// A reader over a row's cells.
    #[must_use]
    pub fn new(table: &'static Table, cells: Vec<Cell>) -> Self {
        Self { table, remaining: cells.into_iter(), position: 0 }
    }

    takes! {
        /// The next cell as a truth value.
        bool, maybe_bool, Bool, bool;
        /// The next cell as an integer.
        int, maybe_int, Int, i64;
        /// The next cell as text.
        text, maybe_text, Text, String;
        /// The next cell as an id.
        uuid, maybe_uuid, Uuid, Uuid;
        /// The next cell as a time.
        time, maybe_time, Time, DateTime<Utc>;
        /// The next cell as bytes.
        bytes, maybe_bytes, Bytes, Vec<u8>;
        /// The next cell as a JSON value.
        value, maybe_value, Json, Value;
    }

    /// The next cell as a value that serde reads from JSON.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] where the JSON has another shape.
    pub fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let value = self.value()?;
        serde_json::from_value(value).map_err(|error| self.broken(&error.to_string()))
    }

    /// The next cell as text that `read` understands (the name of a state).
    ///
    /// # Errors
    /// [`crate::Code::Internal`] where `read` does not know the text.
    pub fn named<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        let text = self.text()?;
        read(&text).ok_or_else(|| self.broken(&format!("unknown value {text:?}")))
    }

    fn take(&mut self) -> Result<Cell, Fault> {
        let cell = self.remaining.next().ok_or_else(|| self.broken("the row is too short"))?;
        self.position += 1;
        Ok(cell)
    }

    fn mismatch(&self, found: &Cell) -> Fault {
        self.broken(&format!("unexpected {}", variant(found)))
    }

    fn broken(&self, what: &str) -> Fault {
        let column =
            self.table.columns.get(self.position.saturating_sub(1)).map_or("?", |column| column.name);
        Fault::internal(format!("{}.{column}: {what}", self.table.name))
    }
}

/// The name of a cell's type; never its value, which may be a secret.
const fn variant(cell: &Cell) -> &'static str {
    match cell {
        Cell::Null => "null",
        Cell::Bool(_) => "boolean",
        Cell::Int(_) => "integer",
        Cell::Text(_) => "text",
        Cell::Uuid(_) => "uuid",
        Cell::Time(_) => "time",
        Cell::Bytes(_) => "bytes",
        Cell::Json(_) => "json",
    }
}

macro_rules! into_cell {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Cell {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

into_cell!(bool => Bool, i64 => Int, String => Text, Uuid => Uuid, DateTime<Utc> => Time, Vec<u8> => Bytes, Value => Json);

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Cell {
    /// A value serde can write, as a JSON cell.
    #[must_use]
    pub fn json<T: serde::Serialize>(value: &T) -> Self {
        Self::Json(serde_json::to_value(value).unwrap_or(Value::Null))
    }
}
