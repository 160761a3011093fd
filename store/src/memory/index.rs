//! Cells as index keys, and the sets of ids they lead to.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
};

use uuid::Uuid;

use crate::{Cell, Key, Row, Table};

/// A cell that can be compared and hashed; JSON cannot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Uuid(Uuid),
    Micros(i64),
    Bytes(Vec<u8>),
}

impl Value {
    /// The value of a cell; a JSON cell, which no filter and no unique set names, counts as null.
    pub fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Null | Cell::Json(_) => Self::Null,
            Cell::Bool(value) => Self::Bool(*value),
            Cell::Int(value) => Self::Int(*value),
            Cell::Text(value) => Self::Text(value.clone()),
            Cell::Uuid(value) => Self::Uuid(*value),
            Cell::Time(value) => Self::Micros(value.timestamp_micros()),
            Cell::Bytes(value) => Self::Bytes(value.clone()),
        }
    }
}

/// The value of any column of a row, head columns included.
pub fn cell<'a>(table: &Table, row: &'a Row, name: &str) -> Cow<'a, Cell> {
    Cow::Owned(match name {
        "account_id" => Cell::Uuid(row.head.account_id),
        "id" => Cell::Uuid(row.head.id),
        "version" => Cell::Int(row.head.version),
        "created_at" => Cell::Time(row.head.created_at),
        "updated_at" => Cell::Time(row.head.updated_at),
        own => match table.position(own).and_then(|position| row.cells.get(position)) {
            Some(cell) => return Cow::Borrowed(cell),
            None => Cell::Null,
        },
    })
}

/// For each value of one column the ids that have it, per account or over all. Made when a filter first asks for it.
#[derive(Debug, Default)]
pub struct Lookup {
    within: HashMap<(Uuid, Value), BTreeSet<Uuid>>,
    over_all: HashMap<Value, BTreeSet<(Uuid, Uuid)>>,
}

impl Lookup {
    /// Notes that the row of `key` has `value`.
    pub fn add(&mut self, key: Key, value: Value) {
        self.over_all.entry(value.clone()).or_default().insert((key.id, key.account));
        self.within.entry((key.account, value)).or_default().insert(key.id);
    }

    /// Forgets that the row of `key` has `value`.
    pub fn remove(&mut self, key: Key, value: Value) {
        if let Some(ids) = self.over_all.get_mut(&value) {
            ids.remove(&(key.id, key.account));
            if ids.is_empty() {
                self.over_all.remove(&value);
            }
        }
        let place = (key.account, value);
        if let Some(ids) = self.within.get_mut(&place) {
            ids.remove(&key.id);
            if ids.is_empty() {
                self.within.remove(&place);
            }
        }
    }

    /// The ids of one account that have the value.
    pub fn within(&self, account: Uuid, value: Value) -> Option<&BTreeSet<Uuid>> {
        self.within.get(&(account, value))
    }

    /// The rows of all accounts that have the value, by id.
    pub fn over_all(&self, value: &Value) -> Option<&BTreeSet<(Uuid, Uuid)>> {
        self.over_all.get(value)
    }
}

/// The values of a unique set of one row, or none where one of them is null and cannot collide.
pub fn unique_values(table: &Table, row: &Row, columns: &[&str]) -> Option<Vec<Value>> {
    let values: Vec<Value> = columns.iter().map(|name| Value::of(cell(table, row, name).as_ref())).collect();
    (!values.contains(&Value::Null)).then_some(values)
}

/// The distinct values a filter accepts.
pub fn distinct(cells: &[Cell]) -> HashSet<Value> {
    cells.iter().filter(|cell| !matches!(cell, Cell::Null)).map(Value::of).collect()
}
