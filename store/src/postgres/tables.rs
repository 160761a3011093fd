//! The statements of every table that was asked for, made once.

use std::{
    collections::HashMap,
    sync::{LazyLock, PoisonError, RwLock},
};

use super::sql::Statements;
use crate::Table;

/// Tables are few and live as long as the process, and so do their statements.
static STATEMENTS: LazyLock<RwLock<HashMap<usize, &'static Statements>>> = LazyLock::new(RwLock::default);

/// The statements of a table.
pub fn statements(table: &'static Table) -> &'static Statements {
    let place = std::ptr::from_ref(table).addr();
    let known = STATEMENTS.read().unwrap_or_else(PoisonError::into_inner).get(&place).copied();
    known.unwrap_or_else(|| {
        let made: &'static Statements = Box::leak(Box::new(Statements::of(table)));
        STATEMENTS.write().unwrap_or_else(PoisonError::into_inner).insert(place, made);
        made
    })
}
