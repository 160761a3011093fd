//! One change of the store, whole or not at all.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Entity, Filter, Head, Key, NewEvent, NewWork, Row, Settle, Table};

/// What must be true of a stored row for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// There is one, at this version.
    Version(i64),
    /// There is one, at whatever version.
    Present,
    /// Whatever is there.
    Any,
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Inserts or replaces a row.
    Put {
        /// The table.
        table: &'static Table,
        /// The whole row, its head at the new version.
        row: Row,
        /// What must be true before.
        expect: Expect,
    },
    /// Removes a row.
    Remove {
        /// The table.
        table: &'static Table,
        /// The row.
        key: Key,
        /// What must be true before; with [`Expect::Any`] a missing row is no failure.
        expect: Expect,
    },
    /// Removes up to `limit` rows of one account that match all filters, oldest first.
    Sweep {
        /// The table.
        table: &'static Table,
        /// The account.
        account: Uuid,
        /// The conditions.
        filters: Vec<Filter>,
        /// How many at most.
        limit: usize,
    },
}

/// A condition on rows that the batch does not write.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// After the batch, the account has at most `limit` rows that match; otherwise [`crate::Code::QuotaExceeded`]
    /// naming `setting`. Held under a lock of the account and table, so that two batches cannot pass it together.
    AtMost {
        /// The table.
        table: &'static Table,
        /// The account.
        account: Uuid,
        /// The conditions.
        filters: Vec<Filter>,
        /// How many are allowed.
        limit: u64,
        /// The setting that says so.
        setting: &'static str,
    },
    /// The row is as expected, and stays so until the batch is applied; otherwise [`crate::Code::Conflict`]. Absence
    /// is checked, but cannot be held against a row inserted at the same moment: use an insert for that.
    Holds {
        /// The table.
        table: &'static Table,
        /// The row.
        key: Key,
        /// What must be true.
        expect: Expect,
    },
}

/// One change of the store: writes with expectations, guards, work added, withdrawn and settled, events. Applied whole
/// or not at all; an expectation that fails is [`crate::Code::Conflict`], a fence that fails [`crate::Code::FenceLost`].
///
/// Applied in this order: settlements, [`Guard::Holds`], writes, withdrawals, additions to the queue, events,
/// [`Guard::AtMost`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Row writes, in order.
    pub writes: Vec<Write>,
    /// Conditions on other rows.
    pub guards: Vec<Guard>,
    /// Items to add to the queue.
    pub work: Vec<NewWork>,
    /// Items to take out of the queue whoever holds them, by account and subject; a worker that holds one loses its
    /// fence.
    pub withdrawn: Vec<Key>,
    /// Items to settle.
    pub settled: Vec<Settle>,
    /// Events to append.
    pub events: Vec<NewEvent>,
}

impl Batch {
    /// A batch that changes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing would change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.guards.is_empty()
            && self.work.is_empty()
            && self.withdrawn.is_empty()
            && self.settled.is_empty()
            && self.events.is_empty()
    }

    /// Adds a row that must not exist yet.
    pub fn insert<E: Entity>(&mut self, entity: &E) -> &mut Self {
        self.put::<E>(Row { head: *entity.head(), cells: entity.encode() }, Expect::Absent)
    }

    /// Replaces a row that must still be at `entity`'s version; raises the version and `updated_at` of `entity` too.
    pub fn replace<E: Entity>(&mut self, entity: &mut E, now: DateTime<Utc>) -> &mut Self {
        let expect = Expect::Version(entity.head().version);
        let head = entity.head_mut();
        *head = Head { version: head.version + 1, updated_at: now, ..*head };
        self.put::<E>(Row { head: *entity.head(), cells: entity.encode() }, expect)
    }

    /// Writes a row whatever is there.
    pub fn overwrite<E: Entity>(&mut self, entity: &E) -> &mut Self {
        self.put::<E>(Row { head: *entity.head(), cells: entity.encode() }, Expect::Any)
    }

    /// Removes a row that must still be at `entity`'s version.
    pub fn remove<E: Entity>(&mut self, entity: &E) -> &mut Self {
        let head = entity.head();
        self.writes.push(Write::Remove {
            table: E::TABLE,
            key: head.key(),
            expect: Expect::Version(head.version),
        });
        self
    }

    /// Removes up to `limit` rows of the account that match.
    pub fn sweep<E: Entity>(&mut self, account: Uuid, filters: Vec<Filter>, limit: usize) -> &mut Self {
        self.writes.push(Write::Sweep { table: E::TABLE, account, filters, limit });
        self
    }

    /// Demands that after the batch the account has at most `limit` matching rows.
    pub fn at_most<E: Entity>(
        &mut self,
        account: Uuid,
        filters: Vec<Filter>,
        limit: u64,
        setting: &'static str,
    ) -> &mut Self {
        self.guards.push(Guard::AtMost { table: E::TABLE, account, filters, limit, setting });
        self
    }

    /// Demands that a row is still at `entity`'s version.
    pub fn holds<E: Entity>(&mut self, entity: &E) -> &mut Self {
        let head = entity.head();
        self.guards.push(Guard::Holds {
            table: E::TABLE,
            key: head.key(),
            expect: Expect::Version(head.version),
        });
        self
    }

    /// Adds an item to the queue.
    pub fn enqueue(&mut self, work: NewWork) -> &mut Self {
        self.work.push(work);
        self
    }

    /// Takes the items about `subject` out of the queue.
    pub fn withdraw(&mut self, account: Uuid, subject: Uuid) -> &mut Self {
        self.withdrawn.push(Key::new(account, subject));
        self
    }

    /// Settles an item.
    pub fn settle(&mut self, settle: Settle) -> &mut Self {
        self.settled.push(settle);
        self
    }

    /// Appends an event.
    pub fn event(&mut self, event: NewEvent) -> &mut Self {
        self.events.push(event);
        self
    }

    /// Adds everything of another batch after this one's.
    pub fn merge(&mut self, other: Self) -> &mut Self {
        self.writes.extend(other.writes);
        self.guards.extend(other.guards);
        self.work.extend(other.work);
        self.withdrawn.extend(other.withdrawn);
        self.settled.extend(other.settled);
        self.events.extend(other.events);
        self
    }

    fn put<E: Entity>(&mut self, row: Row, expect: Expect) -> &mut Self {
        self.writes.push(Write::Put { table: E::TABLE, row, expect });
        self
    }
}
