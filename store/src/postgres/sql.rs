//! The statements of a table, told from its description.

use std::fmt::Write as _;

use super::value::Param;
use crate::{Cell, Expect, Filter, Table};

/// The statements of one table whose text does not depend on a query.
#[derive(Debug)]
pub struct Statements {
    /// One row by its key.
    pub get: String,
    /// A new row; none where the key is taken.
    pub insert: String,
    /// A row whatever is there.
    pub upsert: String,
    /// A row that is there.
    pub update: String,
    /// A row that is there at a version, which is the last parameter.
    pub update_version: String,
    /// A removal.
    pub delete: String,
    /// A removal at a version.
    pub delete_version: String,
    /// Whether a row is there.
    pub exists: String,
    /// A row that is there and stays so.
    pub hold: String,
    /// A row that is there at a version and stays so.
    pub hold_version: String,
}

const KEY: &str = r#""account_id" = $1 AND "id" = $2"#;

impl Statements {
    /// The statements of this table.
    pub fn of(table: &Table) -> Self {
        let name = table.name;
        let names: Vec<String> = columns(table).map(|column| format!("\"{column}\"")).collect();
        let all = names.join(", ");
        let places: Vec<String> = (1..=names.len()).map(|number| format!("${number}")).collect();
        let sets: Vec<String> =
            names.iter().zip(&places).skip(2).map(|(name, place)| format!("{name} = {place}")).collect();
        let excluded: Vec<String> =
            names.iter().skip(2).map(|name| format!("{name} = excluded.{name}")).collect();
        let insert = format!(
            "INSERT INTO \"{name}\" ({all}) VALUES ({}) ON CONFLICT (\"account_id\", \"id\") DO",
            places.join(", ")
        );
        let update = format!("UPDATE \"{name}\" SET {} WHERE {KEY}", sets.join(", "));
        let delete = format!("DELETE FROM \"{name}\" WHERE {KEY}");
        let exists = format!("SELECT FROM \"{name}\" WHERE {KEY}");
        Self {
            get: format!("SELECT {all} FROM \"{name}\" WHERE {KEY}"),
            upsert: format!("{insert} UPDATE SET {}", excluded.join(", ")),
            insert: format!("{insert} NOTHING"),
            update_version: format!("{update} AND \"version\" = ${}", names.len() + 1),
            update,
            delete_version: format!("{delete} AND \"version\" = $3"),
            delete,
            hold_version: format!("{exists} AND \"version\" = $3 FOR SHARE"),
            hold: format!("{exists} FOR SHARE"),
            exists,
        }
    }

    /// The statement that puts a row.
    pub fn put(&self, expect: Expect) -> &str {
        match expect {
            Expect::Absent => &self.insert,
            Expect::Version(_) => &self.update_version,
            Expect::Present => &self.update,
            Expect::Any => &self.upsert,
        }
    }
}

fn columns(table: &Table) -> impl Iterator<Item = &'static str> {
    Table::HEAD.iter().chain(table.columns).map(|column| column.name)
}

/// A condition in the making: text, and the cells its places stand for.
#[derive(Debug, Default)]
pub struct Condition<'a> {
    /// ` WHERE ...`, or nothing yet.
    pub text: String,
    /// What the places stand for, in order.
    pub places: Vec<Place<'a>>,
}

/// What a place of a statement stands for.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// One cell of a filter.
    Cell(&'a Cell),
    /// The cells of an `In` filter.
    Cells(&'a Vec<Cell>),
    /// An instant.
    Time(&'a chrono::DateTime<chrono::Utc>),
    /// An id.
    Uuid(&'a uuid::Uuid),
    /// A word.
    Text(&'a str),
    /// A number.
    Number(i64),
}

impl<'a> Place<'a> {
    /// As a parameter of a statement.
    pub fn param(self) -> Param<'a> {
        match self {
            Self::Cell(cell) => Param::Lent(cell),
            Self::Cells(cells) => Param::Lent(cells),
            Self::Time(time) => Param::Lent(time),
            Self::Uuid(uuid) => Param::Lent(uuid),
            Self::Text(text) => Param::own(text),
            Self::Number(number) => Param::own(number),
        }
    }
}

impl<'a> Condition<'a> {
    /// Adds `"<column>" <operator> $n`, where `operator` may end in an opening parenthesis.
    pub fn compare(&mut self, column: &str, operator: &str, place: Place<'a>) {
        self.places.push(place);
        let number = self.places.len();
        let close = if operator.ends_with('(') { ")" } else { "" };
        let word = self.word();
        let _ = write!(self.text, "{word} \"{column}\" {operator} ${number}{close}");
    }

    /// A number that the statement needs beside its conditions, as `$n`.
    pub fn number(&mut self, number: usize) -> String {
        self.places.push(Place::Number(i64::try_from(number).unwrap_or(i64::MAX)));
        format!("${}", self.places.len())
    }

    /// The parameters, in order.
    pub fn params(&self) -> Vec<Param<'a>> {
        self.places.iter().map(|place| place.param()).collect()
    }

    /// Adds all filters.
    pub fn filters(&mut self, filters: &'a [Filter]) {
        for filter in filters {
            match filter {
                Filter::Equal(column, Cell::Null) => {
                    let word = self.word();
                    let _ = write!(self.text, "{word} \"{column}\" IS NULL");
                }
                Filter::Equal(column, cell) => self.compare(column, "=", Place::Cell(cell)),
                Filter::In(column, cells) => self.compare(column, "= ANY (", Place::Cells(cells)),
                Filter::Before(column, instant) => self.compare(column, "<", Place::Time(instant)),
                Filter::Since(column, instant) => self.compare(column, ">=", Place::Time(instant)),
            }
        }
    }

    /// Adds a condition without places.
    pub fn and(&mut self, condition: &str) {
        let word = self.word();
        let _ = write!(self.text, "{word} {condition}");
    }

    const fn word(&self) -> &'static str {
        if self.text.is_empty() { " WHERE" } else { " AND" }
    }
}

/// `SELECT` of all columns.
pub fn select(table: &Table) -> String {
    let names: Vec<String> = columns(table).map(|column| format!("\"{column}\"")).collect();
    format!("SELECT {} FROM \"{}\"", names.join(", "), table.name)
}
