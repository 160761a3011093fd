//! Old runs go: by age, and by how many an account has.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Cell, Fault, Filter, Query, SYSTEM};
use uuid::Uuid;

use super::{RUNS_KEPT, RUNS_KEPT_FOR, named::RunStatus, run::Run};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// How often old runs are looked for.
pub const EVERY: Setting = Setting::millis(
    "automation.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of runs that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("automation.retention_workers", 1, 1, 1, "How many remove old runs of jobs at once.");

/// So many rows go in one batch.
const BATCH: usize = 500;

/// Removes old runs.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "automation-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of runs of jobs that are older, or more, than an account keeps."
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
                swept = sweep_all(core) => match swept {
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

async fn sweep_all(core: &Core) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let query = Query::of(SYSTEM).oldest_first().after(after).limit(BATCH);
        let accounts: Vec<Account> = core.store.list(query).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after = Some(last.head.id);
        for account in &accounts {
            sweep(core, account.head.id, &account.settings(&core.settings)).await?;
        }
    }
}

async fn sweep(core: &Core, account: Uuid, settings: &Settings) -> Result<(), Fault> {
    let ended = || {
        let ended = RunStatus::ALL.iter().filter(|status| status.is_final());
        Filter::In("status", ended.map(|status| Cell::from(status.as_str())).collect())
    };
    let age = TimeDelta::from_std(settings.duration(&RUNS_KEPT_FOR)).unwrap_or(TimeDelta::MAX / 2);
    let old = vec![ended(), Filter::Before("created_at", core.clock.now() - age)];
    remove(core, account, old.clone(), core.store.count::<Run>(Some(account), old).await?).await?;
    let there_are = core.store.count::<Run>(Some(account), vec![ended()]).await?;
    remove(core, account, vec![ended()], there_are.saturating_sub(settings.count(&RUNS_KEPT))).await
}

async fn remove(core: &Core, account: Uuid, which: Vec<Filter>, mut surplus: u64) -> Result<(), Fault> {
    while surplus > 0 {
        let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
        let mut batch = Batch::new();
        batch.sweep::<Run>(account, which.clone(), step);
        core.store.commit(batch).await?;
        surplus -= step as u64;
    }
    Ok(())
}
