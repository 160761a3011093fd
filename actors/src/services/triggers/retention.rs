//! Old deliveries go, by age and by how many an account has; and secrets that no longer hold.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Cell, Fault, Filter, Query, SYSTEM};
use uuid::Uuid;

use super::{
    DELIVERIES_KEPT, DELIVERIES_KEPT_FOR, delivery::Delivery, named::DeliveryStatus, secret::TriggerSecret,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// How often old deliveries are looked for.
pub const EVERY: Setting = Setting::millis(
    "triggers.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of deliveries that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting = Setting::count(
    "triggers.retention_workers",
    1,
    1,
    1,
    "How many remove old deliveries of triggers at once.",
);

/// So old a delivery is at least before it goes because there are too many.
const RECENT: TimeDelta = TimeDelta::hours(2);

/// So many rows go in one batch.
const BATCH: usize = 500;

/// Removes old deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "trigger-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of deliveries that are older, or more, than an account keeps, and secrets that no longer hold."
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
    let now = core.clock.now();
    let mut batch = Batch::new();
    batch.sweep::<TriggerSecret>(account, vec![Filter::Before("expires_at", now)], BATCH);
    let over = vec![Filter::Before("expires_at", now)];
    if core.store.count::<TriggerSecret>(Some(account), over).await? > 0 {
        core.store.commit(batch).await?;
    }
    let ended = DeliveryStatus::ALL.iter().filter(|status| status.is_final());
    let ended = Filter::In("status", ended.map(|status| Cell::from(status.as_str())).collect());
    let before = |instant| vec![ended.clone(), Filter::Before("created_at", instant)];
    let age = TimeDelta::from_std(settings.duration(&DELIVERIES_KEPT_FOR)).unwrap_or(TimeDelta::days(30));
    let old = before(now - age);
    remove(core, account, old.clone(), core.store.count::<Delivery>(Some(account), old).await?).await?;
    let there_are = core.store.count::<Delivery>(Some(account), vec![ended.clone()]).await?;
    // A replay of what is recent must be known, however much there is.
    let spare = before(now - RECENT);
    let can_go = core.store.count::<Delivery>(Some(account), spare.clone()).await?;
    let surplus = there_are.saturating_sub(settings.count(&DELIVERIES_KEPT)).min(can_go);
    remove(core, account, spare, surplus).await
}

async fn remove(core: &Core, account: Uuid, which: Vec<Filter>, mut surplus: u64) -> Result<(), Fault> {
    while surplus > 0 {
        let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
        let mut batch = Batch::new();
        batch.sweep::<Delivery>(account, which.clone(), step);
        core.store.commit(batch).await?;
        surplus -= step as u64;
    }
    Ok(())
}
