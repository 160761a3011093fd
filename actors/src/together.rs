//! Many small changes in few round trips.

use sl_store::{Batch, Code, Fault, Store};

/// How many changes go into one batch.
const STEP: usize = 100;

/// Commits changes that do not depend on each other, many at a time. Where a batch of them is refused with one of the
/// codes in `skipped`, each of them is tried by itself, and those refused so again are left out. Answers how many were
/// made.
///
/// # Errors
/// What else the store answers; changes before that have been made.
pub(crate) async fn commit(store: &Store, changes: Vec<Batch>, skipped: &[Code]) -> Result<u64, Fault> {
    let mut made = 0;
    for step in changes.chunks(STEP) {
        let mut all = Batch::new();
        for change in step {
            all.merge(change.clone());
        }
        match store.commit(all).await {
            Ok(()) => made += step.len() as u64,
            Err(fault) if skipped.contains(&fault.code) => made += each(store, step, skipped).await?,
            Err(fault) => return Err(fault),
        }
    }
    Ok(made)
}

async fn each(store: &Store, changes: &[Batch], skipped: &[Code]) -> Result<u64, Fault> {
    let mut made = 0;
    for change in changes {
        match store.commit(change.clone()).await {
            Ok(()) => made += 1,
            Err(fault) if skipped.contains(&fault.code) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(made)
}
