//! Old deliveries go, by age and by how many an account has.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Cell, Fault, Filter, Query, SYSTEM};
use uuid::Uuid;

use super::{
    DELIVERIES_KEPT, DELIVERIES_KEPT_FOR,
    delivery::{WebhookDelivery, WebhookDeliveryStatus},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// How often old deliveries are looked for.
pub const EVERY: Setting = Setting::millis(
    "webhooks.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often the rows of webhook deliveries that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("webhooks.retention_workers", 1, 1, 1, "How many remove old webhook deliveries at once.");

/// So many rows go in one batch.
const BATCH: usize = 500;

/// Removes old deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Retention;

impl Duty for Retention {
    fn name(&self) -> &'static str {
        "webhook-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes the rows of webhook deliveries that are older, or more, than an account keeps."
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
                    Ok(()) => Outcome::Again(core.clock.now() + core.settings.duration(&EVERY), Batch::new()),
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
    let ended = WebhookDeliveryStatus::FINAL.map(|status| Cell::from(status.as_str()));
    let ended = Filter::In("status", ended.to_vec());
    let age = TimeDelta::from_std(settings.duration(&DELIVERIES_KEPT_FOR)).unwrap_or(TimeDelta::days(7));
    let old = vec![ended.clone(), Filter::Before("created_at", core.clock.now() - age)];
    let count = async |which| core.store.count::<WebhookDelivery>(Some(account), which).await;
    remove(core, account, old.clone(), count(old).await?).await?;
    let all = vec![ended];
    let surplus = count(all.clone()).await?.saturating_sub(settings.count(&DELIVERIES_KEPT));
    remove(core, account, all, surplus).await
}

async fn remove(core: &Core, account: Uuid, which: Vec<Filter>, mut surplus: u64) -> Result<(), Fault> {
    while surplus > 0 {
        let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
        let mut batch = Batch::new();
        batch.sweep::<WebhookDelivery>(account, which.clone(), step);
        core.store.commit(batch).await?;
        surplus -= step as u64;
    }
    Ok(())
}
