//! How far the event log was read.

use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Key, Kind, Position, SYSTEM, Table};
use uuid::Uuid;

/// The one row of the reader that lets services hear events.
const READER: Uuid = Uuid::from_u128(1);

/// The position up to which services have heard the event log.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderPosition {
    /// The row's head.
    pub head: Head,
    /// The last event that was heard.
    pub position: Position,
}

impl ReaderPosition {
    /// Where the row is.
    pub const KEY: Key = Key::new(SYSTEM, READER);
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn cell(value: u64) -> Cell {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

impl Entity for ReaderPosition {
    const TABLE: &'static Table = &Table {
        name: "event_readers",
        noun: "event reader",
        columns: &[Column::new("transaction_id", Kind::Int), Column::new("sequence", Kind::Int)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![cell(self.position.transaction), cell(self.position.sequence)]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let (transaction, sequence) = (number(cells.int()?), number(cells.int()?));
        Ok(Self { head, position: Position { transaction, sequence } })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(SYSTEM, READER, chrono::DateTime::UNIX_EPOCH);
        vec![Self { head, position: Position { transaction: 7, sequence: 9 } }]
    }
}
