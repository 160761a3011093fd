//! Everything the actor owns, and how a batch changes it: step by step, each step remembered until the batch is whole.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tokio::sync::broadcast;
use uuid::Uuid;

use super::{
    log::Log,
    queue::{Queue, Slot},
    rows::Rows,
};
use crate::{Batch, Clock, Fault, Filter, Guard, Hint, Key, Query, Row, Settle, Table, Write, refuse};

/// How to take one step back.
enum Undo {
    Row(&'static Table, Key, Option<Row>),
    Work(Key, Option<Slot>),
}

/// All rows, the queue, the log.
pub struct State {
    /// The clock that leases and events go by.
    pub clock: Arc<dyn Clock>,
    /// The work queue.
    pub queue: Queue,
    /// The event log.
    pub log: Log,
    tables: HashMap<&'static str, Rows>,
    undo: Vec<Undo>,
    changed: BTreeSet<&'static str>,
    woken: BTreeSet<String>,
    hints: broadcast::Sender<Hint>,
}

impl State {
    /// Nothing yet.
    pub fn new(clock: Arc<dyn Clock>, hints: broadcast::Sender<Hint>) -> Self {
        Self {
            clock,
            queue: Queue::default(),
            log: Log::default(),
            tables: HashMap::new(),
            undo: Vec::new(),
            changed: BTreeSet::new(),
            woken: BTreeSet::new(),
            hints,
        }
    }

    /// The rows of a table.
    pub fn rows(&mut self, table: &'static Table) -> &mut Rows {
        self.tables.entry(table.name).or_insert_with(|| Rows::new(table))
    }

    /// Applies a batch whole or not at all.
    pub fn commit(&mut self, mut batch: Batch) -> Result<(), Fault> {
        let events = std::mem::take(&mut batch.events);
        let withdrawn: BTreeSet<Uuid> = batch.withdrawn.iter().map(|subject| subject.account).collect();
        if let Err(fault) = self.apply(batch) {
            self.step_back();
            return Err(fault);
        }
        self.undo.clear();
        let appended = !events.is_empty();
        self.log.append(events, self.clock.now());
        self.tell(appended, withdrawn);
        Ok(())
    }

    /// Takes back whatever a batch did that did not end; nothing to do after one that did.
    pub fn step_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Row(table, key, before) => {
                    self.rows(table).set(key, before);
                }
                Undo::Work(key, before) => {
                    self.queue.set(key, before);
                }
            }
        }
        self.changed.clear();
        self.woken.clear();
    }

    fn apply(&mut self, batch: Batch) -> Result<(), Fault> {
        for settle in &batch.settled {
            self.settle(settle)?;
        }
        for guard in &batch.guards {
            if let Guard::Holds { table, key, expect } = guard {
                self.rows(table).check(*key, *expect)?;
            }
        }
        for write in batch.writes {
            self.write(write)?;
        }
        for subject in batch.withdrawn {
            for key in self.queue.about(subject) {
                self.set_work(key, None);
            }
        }
        let now = self.clock.now();
        for new in batch.work {
            let slot = self.queue.added(&new, now)?;
            self.set_work(slot.key(), Some(slot));
        }
        batch.guards.iter().try_for_each(|guard| self.check_count(guard))
    }

    fn settle(&mut self, settle: &Settle) -> Result<(), Fault> {
        let slot = self.queue.settled(settle, self.clock.now())?;
        self.set_work(Key::new(settle.account, settle.id), slot);
        Ok(())
    }

    fn write(&mut self, write: Write) -> Result<(), Fault> {
        match write {
            Write::Put { table, row, expect } => {
                let key = row.head.key();
                let rows = self.rows(table);
                rows.check(key, expect)?;
                rows.check_uniques(&row)?;
                self.set_row(table, key, Some(row));
            }
            Write::Remove { table, key, expect } => {
                self.rows(table).check(key, expect)?;
                self.set_row(table, key, None);
            }
            Write::Sweep { table, account, filters, limit } => self.sweep(table, account, filters, limit),
        }
        Ok(())
    }

    fn sweep(&mut self, table: &'static Table, account: Uuid, filters: Vec<Filter>, limit: usize) {
        let query = Query { filters, limit, ..Query::of(account).oldest_first() };
        for row in self.rows(table).list(&query) {
            self.set_row(table, row.head.key(), None);
        }
    }

    fn check_count(&mut self, guard: &Guard) -> Result<(), Fault> {
        let Guard::AtMost { table, account, filters, limit, setting } = guard else { return Ok(()) };
        let current = self.rows(table).count(Some(*account), filters);
        if current > *limit { Err(refuse::too_many(table, setting, *limit)) } else { Ok(()) }
    }

    fn set_row(&mut self, table: &'static Table, key: Key, row: Option<Row>) {
        let before = self.rows(table).set(key, row);
        self.undo.push(Undo::Row(table, key, before));
        self.changed.insert(table.name);
    }

    fn set_work(&mut self, key: Key, slot: Option<Slot>) {
        if let Some(slot) = &slot
            && slot.is_told(self.clock.now())
            && !self.woken.contains(slot.duty())
        {
            self.woken.insert(slot.duty().to_owned());
        }
        let before = self.queue.set(key, slot);
        self.undo.push(Undo::Work(key, before));
    }

    /// Tells whoever watches; nobody watching is no failure.
    fn tell(&mut self, events: bool, withdrawn: BTreeSet<Uuid>) {
        let work = std::mem::take(&mut self.woken).into_iter().map(Hint::Work);
        let rows = std::mem::take(&mut self.changed).into_iter().map(|name| Hint::Rows(name.to_owned()));
        let withdrawn = withdrawn.into_iter().map(Hint::Withdrawn);
        for hint in work.chain(withdrawn).chain(events.then_some(Hint::Events)).chain(rows) {
            let _ = self.hints.send(hint);
        }
    }
}
