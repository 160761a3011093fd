//! Pages of rows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Cell;

/// The direction of a page; ids are time-ordered, so this is also the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Youngest first.
    Newest,
    /// Oldest first.
    Oldest,
}

/// A condition on a column of the table, or on `created_at` / `updated_at`.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The column equals the cell; with [`Cell::Null`], it is null.
    Equal(&'static str, Cell),
    /// The column equals one of the cells.
    In(&'static str, Vec<Cell>),
    /// The time column is before the instant.
    Before(&'static str, DateTime<Utc>),
    /// The time column is at or after the instant.
    Since(&'static str, DateTime<Utc>),
}

/// A page of a table: whose rows, which, in what order, from where, how many.
#[derive(Clone, Debug)]
pub struct Query {
    /// The tenant; `None` reads over all of them, which only the runtime itself does.
    pub account: Option<Uuid>,
    /// Conditions, all of which hold.
    pub filters: Vec<Filter>,
    /// The direction.
    pub order: Order,
    /// The id after which the page begins, in the query's direction.
    pub after: Option<Uuid>,
    /// How many rows at most.
    pub limit: usize,
}

impl Query {
    /// All rows of one account, newest first, 100 at a time.
    #[must_use]
    pub const fn of(account: Uuid) -> Self {
        Self { account: Some(account), filters: Vec::new(), order: Order::Newest, after: None, limit: 100 }
    }

    /// Rows of every account; for duties of the runtime, never for a tenant's request.
    #[must_use]
    pub const fn of_all_accounts() -> Self {
        Self { account: None, filters: Vec::new(), order: Order::Oldest, after: None, limit: 100 }
    }

    /// Adds `column = cell`.
    #[must_use]
    pub fn equal(mut self, column: &'static str, cell: impl Into<Cell>) -> Self {
        self.filters.push(Filter::Equal(column, cell.into()));
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Oldest first.
    #[must_use]
    pub const fn oldest_first(mut self) -> Self {
        self.order = Order::Oldest;
        self
    }

    /// Begins after this id.
    #[must_use]
    pub const fn after(mut self, id: Option<Uuid>) -> Self {
        self.after = id;
        self
    }

    /// At most so many rows.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}
