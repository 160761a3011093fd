//! What every batch and query is held to before a backend sees it, so that both answer the same.

use std::collections::HashSet;

use chrono::SubsecRound;

use crate::{Batch, Cell, Column, Fault, Filter, Kind, Row, Settlement, Table, Write};

/// The longest error text kept on a work item, in characters.
const ERROR_CHARACTERS: usize = 4096;

/// Brings a batch into the form both backends store (microseconds, no NUL in text) and refuses what is not a row of its
/// table.
pub fn batch(batch: &mut Batch) -> Result<(), Fault> {
    for write in &mut batch.writes {
        match write {
            Write::Put { table, row, .. } => self::row(table, row)?,
            Write::Sweep { table, filters: conditions, .. } => filters(table, conditions)?,
            Write::Remove { .. } => {}
        }
    }
    for guard in &batch.guards {
        if let crate::Guard::AtMost { table, filters: conditions, .. } = guard {
            filters(table, conditions)?;
        }
    }
    for work in &mut batch.work {
        work.due_at = work.due_at.trunc_subsecs(6);
    }
    let named = batch.settled.iter().map(|settle| (settle.account, settle.id)).collect::<HashSet<_>>();
    if named.len() < batch.settled.len() {
        return Err(Fault::internal("a batch settles the same work item twice"));
    }
    for settle in &mut batch.settled {
        if let Settlement::Retry { due_at, error } = &mut settle.settlement {
            *due_at = due_at.trunc_subsecs(6);
            *error = error.chars().take(ERROR_CHARACTERS).map(visible).collect();
        }
    }
    for event in &mut batch.events {
        let texts = [Some(&mut event.actor), event.request_id.as_mut(), event.origin.as_mut()];
        for text in texts.into_iter().flatten().filter(|text| text.contains('\0')) {
            *text = text.chars().map(visible).collect();
        }
    }
    Ok(())
}

/// Refuses a filter on a column the table does not have, or with a value the column cannot hold.
pub fn filters(table: &Table, filters: &[Filter]) -> Result<(), Fault> {
    for filter in filters {
        let (name, cells, time) = match filter {
            Filter::Equal(name, cell) => (name, std::slice::from_ref(cell), false),
            Filter::In(name, cells) => (name, cells.as_slice(), false),
            Filter::Before(name, _) | Filter::Since(name, _) => (name, [].as_slice(), true),
        };
        let kind = table
            .kind(name)
            .ok_or_else(|| Fault::internal(format!("{} has no column {name} to filter by", table.name)))?;
        let fits = cells.iter().all(|cell| matches!(cell, Cell::Null) || holds(kind, cell));
        if kind == Kind::Json || (time && kind != Kind::Time) || !fits {
            return Err(Fault::internal(format!("{}.{name} cannot be compared like this", table.name)));
        }
    }
    Ok(())
}

fn row(table: &Table, row: &mut Row) -> Result<(), Fault> {
    row.head.created_at = row.head.created_at.trunc_subsecs(6);
    row.head.updated_at = row.head.updated_at.trunc_subsecs(6);
    if row.cells.len() != table.columns.len() {
        let (cells, columns) = (row.cells.len(), table.columns.len());
        return Err(Fault::internal(format!("{}: {cells} cells for {columns} columns", table.name)));
    }
    for (column, cell) in table.columns.iter().zip(&mut row.cells) {
        self::cell(table, column, cell)?;
    }
    Ok(())
}

fn cell(table: &Table, column: &Column, cell: &mut Cell) -> Result<(), Fault> {
    match cell {
        Cell::Null if column.nullable => Ok(()),
        Cell::Null => Err(Fault::internal(format!("{}.{} may not be null", table.name, column.name))),
        Cell::Text(text) if column.kind == Kind::Text && text.contains('\0') => Err(Fault::field(
            format!("/{}", column.name),
            "nul_character",
            format!("{} must not contain U+0000", column.name),
        )),
        Cell::Text(text) if column.kind == Kind::Word && !is_word(text) => {
            Err(Fault::internal(format!("{}.{} has words, not {text:?}", table.name, column.name)))
        }
        Cell::Time(time) if column.kind == Kind::Time => {
            *time = time.trunc_subsecs(6);
            Ok(())
        }
        cell if holds(column.kind, cell) => Ok(()),
        _ => Err(Fault::internal(format!("{}.{} is of another type", table.name, column.name))),
    }
}

const fn holds(kind: Kind, cell: &Cell) -> bool {
    matches!(
        (kind, cell),
        (Kind::Bool, Cell::Bool(_))
            | (Kind::Int, Cell::Int(_))
            | (Kind::Text | Kind::Word, Cell::Text(_))
            | (Kind::Uuid, Cell::Uuid(_))
            | (Kind::Time, Cell::Time(_))
            | (Kind::Bytes, Cell::Bytes(_))
            | (Kind::Json, Cell::Json(_))
    )
}

/// Whether a text can stand in a column of words: up to 63 small letters, digits and underscores.
pub fn is_word(text: &str) -> bool {
    let among = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..64).contains(&text.len()) && text.bytes().all(among)
}

const fn visible(character: char) -> char {
    if character == '\0' { char::REPLACEMENT_CHARACTER } else { character }
}
