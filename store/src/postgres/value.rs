//! Cells as the driver reads and writes them.

use bytes::{BufMut as _, BytesMut};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::{
    Row as SqlRow,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use uuid::Uuid;

use super::failure;
use crate::{Cell, Fault, Head, Kind, Row, Table};

type Trouble = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Cell {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql(ty, out),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(value) => value.as_str().to_sql(ty, out),
            Self::Uuid(value) => value.to_sql(ty, out),
            Self::Time(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.as_slice().to_sql(ty, out),
            Self::Json(value) => Json(value).to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A parameter of a statement: lent by the batch or query, or made for the statement.
#[derive(Debug)]
pub enum Param<'a> {
    /// Lent.
    Lent(&'a (dyn ToSql + Sync)),
    /// Made.
    Own(Box<dyn ToSql + Sync + Send + 'a>),
}

impl<'a> Param<'a> {
    /// A parameter that was made for the statement.
    pub fn own(value: impl ToSql + Sync + Send + 'a) -> Self {
        Self::Own(Box::new(value))
    }

    /// A parameter that lists one value of each row.
    pub fn column<V: ToSql + Sync + Send + 'a>(values: impl Iterator<Item = V>) -> Self {
        Self::own(values.collect::<Vec<V>>())
    }

    fn inner(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Lent(value) => *value,
            Self::Own(value) => value.as_ref(),
        }
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
        self.inner().to_sql_checked(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
        self.inner().to_sql_checked(ty, out)
    }
}

/// JSON on its way into a `json` column.
#[derive(Debug)]
pub struct Json<'a>(pub &'a Value);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Trouble> {
        serde_json::to_writer(out.writer(), self.0)?;
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }

    to_sql_checked!();
}

/// JSON on its way out.
struct Read(Value);

impl<'a> FromSql<'a> for Read {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Trouble> {
        Ok(Self(serde_json::from_slice(raw)?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}

/// A typed value of a column of an answer.
pub fn read<'a, T: FromSql<'a>>(row: &'a SqlRow, position: usize) -> Result<T, Fault> {
    row.try_get(position).map_err(|error| failure::fault(&error))
}

/// A JSON value of a column of an answer.
pub fn read_json(row: &SqlRow, position: usize) -> Result<Value, Fault> {
    read::<Read>(row, position).map(|json| json.0)
}

/// A whole row: the head columns, then the table's own.
pub fn read_row(table: &Table, row: &SqlRow) -> Result<Row, Fault> {
    let head = Head {
        account_id: read(row, 0)?,
        id: read(row, 1)?,
        version: read(row, 2)?,
        created_at: read(row, 3)?,
        updated_at: read(row, 4)?,
    };
    let cells = table.columns.iter().enumerate();
    let cells = cells.map(|(number, column)| read_cell(row, number + Table::HEAD.len(), column.kind));
    Ok(Row { head, cells: cells.collect::<Result<_, _>>()? })
}

fn read_cell(row: &SqlRow, position: usize, kind: Kind) -> Result<Cell, Fault> {
    Ok(match kind {
        Kind::Bool => read::<Option<bool>>(row, position)?.into(),
        Kind::Int => read::<Option<i64>>(row, position)?.into(),
        Kind::Text | Kind::Word => read::<Option<String>>(row, position)?.into(),
        Kind::Uuid => read::<Option<Uuid>>(row, position)?.into(),
        Kind::Time => read::<Option<DateTime<Utc>>>(row, position)?.into(),
        Kind::Bytes => read::<Option<Vec<u8>>>(row, position)?.into(),
        Kind::Json => read::<Option<Read>>(row, position)?.map(|json| json.0).into(),
    })
}
