//! Requests that have ended go when they are old.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Fault, Filter, Query, SYSTEM};

use super::{KEPT_FOR, request::OracleRequest};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::Setting,
};

/// How often old requests are looked for.
pub const EVERY: Setting = Setting::millis(
    "oracle.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often oracle requests that are older than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("oracle.retention_workers", 1, 1, 1, "How many remove old oracle requests at once.");

/// So many rows go in one batch.
const BATCH: usize = 500;

/// Removes old requests.
#[derive(Clone, Copy, Debug)]
pub struct OracleRetention;

impl Duty for OracleRetention {
    fn name(&self) -> &'static str {
        "oracle-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes oracle requests that ended longer ago than they are kept."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                swept = sweep(core) => match swept {
                    Ok(()) => {
                        let every = TimeDelta::from_std(core.settings.duration(&EVERY));
                        let next = core.clock.now() + every.unwrap_or(TimeDelta::hours(1));
                        Outcome::Again(next, Batch::new())
                    }
                    Err(fault) => Outcome::Retry(fault, Batch::new()),
                },
            }
        })
    }
}

async fn sweep(core: &Core) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let query = Query::of(SYSTEM).oldest_first().after(after).limit(BATCH);
        let accounts: Vec<Account> = core.store.list(query).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after = Some(last.head.id);
        for account in &accounts {
            let kept = account.settings(&core.settings).duration(&KEPT_FOR);
            let before = core.clock.now() - TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX / 2);
            let old = vec![Filter::Before("completed_at", before)];
            let id = account.head.id;
            let mut surplus = core.store.count::<OracleRequest>(Some(id), old.clone()).await?;
            while surplus > 0 {
                let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
                let mut batch = Batch::new();
                batch.sweep::<OracleRequest>(id, old.clone(), step);
                core.store.commit(batch).await?;
                surplus -= step as u64;
            }
        }
    }
}
