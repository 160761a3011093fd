//! Which batches can share a transaction.

use std::collections::HashSet;

use super::lane::Pending;
use crate::{Batch, Key};

/// The most batches in one transaction.
pub const MAX_GROUP: usize = 128;

/// The most rows, items and events in one transaction, a single batch excepted.
const MAX_PARTS: usize = 2_000;

/// Batches that will be applied together. Their settlements, withdrawals and additions each go in one statement, so two
/// that touch the same work in different ways must not meet here.
#[derive(Default)]
pub struct Group {
    batches: Vec<Pending>,
    parts: usize,
    settled: HashSet<Key>,
    withdrawn: HashSet<Key>,
    added: HashSet<Key>,
}

impl Group {
    /// How many batches there are.
    pub const fn len(&self) -> usize {
        self.batches.len()
    }

    /// Takes a batch in, or gives it back where it has to wait.
    pub fn admit(&mut self, pending: Pending) -> Option<Pending> {
        let batch = &pending.batch;
        let parts = parts(batch);
        let meets = settled(batch).any(|key| self.settled.contains(&key))
            || batch.withdrawn.iter().any(|subject| self.added.contains(subject))
            || added(batch).any(|subject| self.withdrawn.contains(&subject));
        if !self.batches.is_empty() && (meets || self.parts + parts > MAX_PARTS) {
            return Some(pending);
        }
        self.parts += parts;
        self.settled.extend(settled(batch));
        self.withdrawn.extend(&batch.withdrawn);
        self.added.extend(added(batch));
        self.batches.push(pending);
        None
    }

    /// The batches, by account: every transaction takes its locks in this order, which spares deadlocks.
    pub fn into_batches(mut self) -> Vec<Pending> {
        self.batches.sort_by_key(|pending| account(&pending.batch));
        self.batches
    }
}

/// The account a batch is mostly about, by which it finds its lane.
pub fn account(batch: &Batch) -> Option<uuid::Uuid> {
    let of_write = |write: &crate::Write| match write {
        crate::Write::Put { row, .. } => row.head.account_id,
        crate::Write::Remove { key, .. } => key.account,
        crate::Write::Sweep { account, .. } => *account,
    };
    let settled = batch.settled.first().map(|settle| settle.account);
    settled
        .or_else(|| batch.writes.first().map(of_write))
        .or_else(|| batch.work.first().map(|work| work.account))
        .or_else(|| batch.events.first().map(|event| event.account))
        .or_else(|| batch.withdrawn.first().map(|key| key.account))
}

fn parts(batch: &Batch) -> usize {
    batch.writes.len() + batch.guards.len() + batch.work.len() + batch.settled.len() + batch.events.len()
}

fn settled(batch: &Batch) -> impl Iterator<Item = Key> {
    batch.settled.iter().map(|settle| Key::new(settle.account, settle.id))
}

fn added(batch: &Batch) -> impl Iterator<Item = Key> {
    batch.work.iter().map(|work| Key::new(work.account, work.subject))
}
