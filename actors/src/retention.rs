//! How what is kept for a time goes again: the round of a recurring duty, account by account, and the rows of one that are
//! too old or too many.

use std::{future::Future, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Batch, Entity, Fault, Filter, Query, SYSTEM};
use uuid::Uuid;

use crate::{
    Core,
    duty::{Attempt, Outcome},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// So many rows are read, or go, in one round trip.
pub(crate) const BATCH: usize = 500;

/// What one account does not keep any more, under its settings.
pub(crate) type Sweep = for<'a> fn(&'a Core, Uuid, Settings) -> BoxFuture<'a, Result<(), Fault>>;

/// One round of a recurring duty, and when the next one is.
pub(crate) async fn round(
    core: &Core,
    attempt: &Attempt,
    every: &Setting,
    round: impl Future<Output = Result<(), Fault>>,
) -> Outcome {
    tokio::select! {
        () = attempt.cancel.cancelled() => Outcome::Release,
        done = round => match done {
            Ok(()) => Outcome::Again(core.clock.now() + core.settings.duration(every), Batch::new()),
            Err(fault) => Outcome::Retry(fault, Batch::new()),
        },
    }
}

/// Sweeps every account.
pub(crate) async fn each_account(core: &Core, sweep: Sweep) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let query = Query::of(SYSTEM).oldest_first().after(after).limit(BATCH);
        let accounts: Vec<Account> = core.store.list(query).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after = Some(last.head.id);
        for account in &accounts {
            sweep(core, account.head.id, account.settings(&core.settings)).await?;
        }
    }
}

/// Before which instant something is too old that is kept for so long.
pub(crate) fn limit(core: &Core, kept_for: Duration) -> DateTime<Utc> {
    core.clock.now() - TimeDelta::from_std(kept_for).unwrap_or(TimeDelta::MAX / 2)
}

/// Removes those of an account's rows that match and were made before an instant, then the oldest beyond so many.
pub(crate) async fn thin<E: Entity>(
    core: &Core,
    account: Uuid,
    which: Vec<Filter>,
    before: DateTime<Utc>,
    kept: u64,
) -> Result<(), Fault> {
    let old = which.iter().cloned().chain([Filter::Before("created_at", before)]).collect();
    remove_all::<E>(core, account, old).await?;
    let there_are = core.store.count::<E>(Some(account), which.clone()).await?;
    remove::<E>(core, account, &which, there_are.saturating_sub(kept)).await
}

/// Removes all of an account's rows that match now.
pub(crate) async fn remove_all<E: Entity>(
    core: &Core,
    account: Uuid,
    which: Vec<Filter>,
) -> Result<(), Fault> {
    let there_are = core.store.count::<E>(Some(account), which.clone()).await?;
    remove::<E>(core, account, &which, there_are).await
}

/// Removes so many of an account's rows that match, the oldest first, in steps.
pub(crate) async fn remove<E: Entity>(
    core: &Core,
    account: Uuid,
    which: &[Filter],
    mut surplus: u64,
) -> Result<(), Fault> {
    while surplus > 0 {
        let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
        let mut batch = Batch::new();
        batch.sweep::<E>(account, which.to_vec(), step);
        core.store.commit(batch).await?;
        surplus -= step as u64;
    }
    Ok(())
}
