//! The statements of a table, told from its description.

use std::{collections::HashMap, fmt::Write as _};

use super::value::Param;
use crate::{Cell, Column, Expect, Filter, Kind, Table, check};

/// What a statement does to rows that are named by their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Nothing: whatever is there is right.
    Nothing,
    /// New rows; none where the key is taken.
    Insert,
    /// Rows whatever is there.
    Upsert,
    /// Rows that are there.
    Update,
    /// Rows that are there at a version, which is the last parameter.
    UpdateVersion,
    /// Removals, of rows that need not be there.
    Delete,
    /// Removals of rows that are there.
    DeletePresent,
    /// Removals at a version.
    DeleteVersion,
    /// Rows that are not there.
    Absent,
    /// Rows that are there and stay so.
    Hold,
    /// Rows that are there at a version and stay so.
    HoldVersion,
}

impl Form {
    const ALL: [Self; 11] = [
        Self::Nothing,
        Self::Insert,
        Self::Upsert,
        Self::Update,
        Self::UpdateVersion,
        Self::Delete,
        Self::DeletePresent,
        Self::DeleteVersion,
        Self::Absent,
        Self::Hold,
        Self::HoldVersion,
    ];

    /// Puts a row.
    pub const fn put(expect: Expect) -> Self {
        match expect {
            Expect::Absent => Self::Insert,
            Expect::Version(_) => Self::UpdateVersion,
            Expect::Present => Self::Update,
            Expect::Any => Self::Upsert,
        }
    }

    /// Takes a row away.
    pub const fn remove(expect: Expect) -> Self {
        match expect {
            Expect::Absent => Self::Absent,
            Expect::Version(_) => Self::DeleteVersion,
            Expect::Present => Self::DeletePresent,
            Expect::Any => Self::Delete,
        }
    }

    /// Looks that a row is as expected.
    pub const fn hold(expect: Expect) -> Self {
        match expect {
            Expect::Absent => Self::Absent,
            Expect::Version(_) => Self::HoldVersion,
            Expect::Present => Self::Hold,
            Expect::Any => Self::Nothing,
        }
    }

    /// How many of so many rows it must touch, where that matters.
    pub const fn wants(self, rows: u64) -> Option<u64> {
        match self {
            Self::Nothing | Self::Delete => None,
            Self::Absent => Some(0),
            _ => Some(rows),
        }
    }

    /// Whether it takes all columns of a row.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Insert | Self::Upsert | Self::Update | Self::UpdateVersion)
    }

    /// Whether it takes the version that must be there.
    pub const fn has_version(self) -> bool {
        matches!(self, Self::UpdateVersion | Self::DeleteVersion | Self::HoldVersion)
    }
}

/// The statements of one table whose text does not depend on a query.
#[derive(Debug)]
pub struct Statements {
    /// One row by its key.
    pub get: String,
    /// Many rows by their keys.
    pub get_many: String,
    /// Each form, for one row and for many.
    forms: HashMap<Form, (String, String)>,
}

const KEY: &str = r#""account_id" = $1 AND "id" = $2"#;

impl Statements {
    /// The statements of this table.
    pub fn of(table: &Table) -> Self {
        let (name, select) = (table.name, select(table));
        let given = given(&Table::HEAD[..2], false);
        let all = listed(columns(table), |column| format!("stored.\"{}\"", column.name));
        Self {
            get: format!("{select} WHERE {KEY}"),
            get_many: format!("SELECT {all} FROM {given} JOIN \"{name}\" AS stored ON {MATCHED}"),
            forms: Form::ALL.into_iter().map(|form| (form, (one(table, form), many(table, form)))).collect(),
        }
    }

    /// The statement that does this to one row.
    pub fn one(&self, form: Form) -> &str {
        self.forms.get(&form).map_or("", |(one, _)| one)
    }

    /// The statement that does this to many rows, each parameter a list of what the one takes. It answers the keys of the
    /// rows it touched.
    pub fn many(&self, form: Form) -> &str {
        self.forms.get(&form).map_or("", |(_, many)| many)
    }
}

fn one(table: &Table, form: Form) -> String {
    let name = table.name;
    let all = listed(columns(table), |column| format!("\"{}\"", column.name));
    let count = Table::HEAD.len() + table.columns.len();
    let places: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
    let sets = columns(table).zip(&places).skip(2);
    let sets = listed(sets, |(column, place)| format!("\"{}\" = {place}", column.name));
    let insert = format!("INSERT INTO \"{name}\" ({all}) VALUES ({}) {CONFLICT}", places.join(", "));
    let version = |place| format!("AND \"version\" = ${place}");
    match form {
        Form::Nothing => String::new(),
        Form::Insert => format!("{insert} NOTHING"),
        Form::Upsert => format!("{insert} UPDATE SET {}", excluded(table)),
        Form::Update => format!("UPDATE \"{name}\" SET {sets} WHERE {KEY}"),
        Form::UpdateVersion => {
            format!("UPDATE \"{name}\" SET {sets} WHERE {KEY} {}", version(count + 1))
        }
        Form::Delete | Form::DeletePresent => format!("DELETE FROM \"{name}\" WHERE {KEY}"),
        Form::DeleteVersion => format!("DELETE FROM \"{name}\" WHERE {KEY} {}", version(3)),
        Form::Absent => format!("SELECT FROM \"{name}\" WHERE {KEY}"),
        Form::Hold => format!("SELECT FROM \"{name}\" WHERE {KEY} FOR SHARE"),
        Form::HoldVersion => format!("SELECT FROM \"{name}\" WHERE {KEY} {} FOR SHARE", version(3)),
    }
}

const CONFLICT: &str = r#"ON CONFLICT ("account_id", "id") DO"#;
const MATCHED: &str = r#"stored."account_id" = given."account_id" AND stored."id" = given."id""#;
const TOUCHED: &str = r#"stored."account_id", stored."id""#;

fn many(table: &Table, form: Form) -> String {
    let name = table.name;
    let whole: Vec<Column> = columns(table).copied().collect();
    let taken = if form.writes() { whole.as_slice() } else { &Table::HEAD[..2] };
    let given = given(taken, form.has_version());
    let at = if form.has_version() { " AND stored.\"version\" = given.expected" } else { "" };
    let all = listed(columns(table), |column| format!("\"{}\"", column.name));
    let sets = listed(columns(table).skip(2), |Column { name, .. }| format!("\"{name}\" = given.\"{name}\""));
    let insert = format!("INSERT INTO \"{name}\" AS stored ({all}) SELECT {all} FROM {given} {CONFLICT}");
    let select = format!("SELECT {TOUCHED} FROM {given} JOIN \"{name}\" AS stored ON {MATCHED}{at}");
    match form {
        Form::Nothing => String::new(),
        Form::Insert => format!("{insert} NOTHING RETURNING {TOUCHED}"),
        Form::Upsert => format!("{insert} UPDATE SET {} RETURNING {TOUCHED}", excluded(table)),
        Form::Update | Form::UpdateVersion => format!(
            "UPDATE \"{name}\" AS stored SET {sets} FROM {given} WHERE {MATCHED}{at} RETURNING {TOUCHED}"
        ),
        Form::Delete | Form::DeletePresent | Form::DeleteVersion => {
            format!("DELETE FROM \"{name}\" AS stored USING {given} WHERE {MATCHED}{at} RETURNING {TOUCHED}")
        }
        Form::Absent => select,
        Form::Hold | Form::HoldVersion => format!("{select} FOR SHARE OF stored"),
    }
}

/// The rows that the parameters list, as a table called `given`.
fn given(columns: &[Column], has_version: bool) -> String {
    let expected = [Column::new("expected", Kind::Int)];
    let taken = || columns.iter().chain(has_version.then_some(&expected[0]));
    let places: Vec<String> = taken()
        .enumerate()
        .map(|(place, column)| format!("${}::{}[]", place + 1, type_name(column.kind)))
        .collect();
    let names = listed(taken(), |column| format!("\"{}\"", column.name));
    format!("unnest({}) AS given ({names})", places.join(", "))
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int => "bigint",
        Kind::Text | Kind::Word => "text",
        Kind::Uuid => "uuid",
        Kind::Time => "timestamptz",
        Kind::Bytes => "bytea",
        Kind::Json => "json",
    }
}

fn excluded(table: &Table) -> String {
    listed(columns(table).skip(2), |Column { name, .. }| format!("\"{name}\" = excluded.\"{name}\""))
}

fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    Table::HEAD.iter().chain(table.columns)
}

fn listed<T>(things: impl Iterator<Item = T>, text: impl FnMut(T) -> String) -> String {
    things.map(text).collect::<Vec<_>>().join(", ")
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
    /// The rows of one account that match.
    pub fn within(table: &Table, account: &'a uuid::Uuid, filters: &'a [Filter]) -> Self {
        let mut condition = Self::default();
        condition.compare("account_id", "=", Place::Uuid(account));
        condition.filters(table, filters);
        condition
    }

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
    pub fn filters(&mut self, table: &Table, filters: &'a [Filter]) {
        for filter in filters {
            if let Some(named) = named(table, filter) {
                self.and(&named);
                continue;
            }
            match filter {
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

/// A condition that names what it looks for, without parameters: plans are made without knowing those, and an index over
/// some of a table's rows serves only a statement that says that it looks for no others.
fn named(table: &Table, filter: &Filter) -> Option<String> {
    match filter {
        Filter::Equal(column, Cell::Null) => Some(format!("\"{column}\" IS NULL")),
        Filter::Equal(column, Cell::Bool(true)) => Some(format!("\"{column}\"")),
        Filter::Equal(column, Cell::Bool(false)) => Some(format!("NOT \"{column}\"")),
        Filter::Equal(column, cell) => in_words(table, column, std::slice::from_ref(cell)),
        Filter::In(column, cells) => in_words(table, column, cells),
        Filter::Before(..) | Filter::Since(..) => None,
    }
}

fn in_words(table: &Table, column: &str, cells: &[Cell]) -> Option<String> {
    if table.kind(column) != Some(Kind::Word) || cells.is_empty() {
        return None;
    }
    let word = |cell: &Cell| match cell {
        Cell::Text(text) if check::is_word(text) => Some(format!("'{text}'")),
        _ => None,
    };
    let words = cells.iter().map(word).collect::<Option<Vec<_>>>()?;
    Some(format!("\"{column}\" IN ({})", words.join(", ")))
}

/// `SELECT` of all columns.
pub fn select(table: &Table) -> String {
    let names = listed(columns(table), |column| format!("\"{}\"", column.name));
    format!("SELECT {names} FROM \"{}\"", table.name)
}
