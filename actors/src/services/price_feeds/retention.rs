//! Old rounds and observations go: by age, and by how many a feed has.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Batch, Entity, Fault, Filter, Key, Query, SYSTEM};

use super::{
    KEPT_FOR, ROUNDS_KEPT, SNAPSHOTS_KEPT,
    entity::PriceFeed,
    records::{PriceRound, PriceSnapshot, RoundStatus},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// How often old rounds and observations are looked for.
pub const EVERY: Setting = Setting::millis(
    "pricefeeds.retention_every",
    600_000,
    1_000,
    86_400_000,
    "How often rounds and observations of price feeds that are older or more than are kept are removed.",
);
/// It needs one place.
pub const WORKERS: Setting =
    Setting::count("pricefeeds.retention_workers", 1, 1, 1, "How many remove old rounds at once.");

/// So many rows go in one batch.
const BATCH: usize = 500;

/// Removes old rounds and observations.
#[derive(Clone, Copy, Debug)]
pub struct PriceRetention;

impl Duty for PriceRetention {
    fn name(&self) -> &'static str {
        "pricefeed-retention"
    }

    fn doc(&self) -> &'static str {
        "Removes rounds and observations of price feeds that are older, or more, than are kept."
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
        let query = Query::of_all_accounts().after(after).limit(BATCH);
        let feeds: Vec<PriceFeed> = core.store.list(query).await?;
        let Some(last) = feeds.last() else { return Ok(()) };
        after = Some(last.head.id);
        for feed in &feeds {
            let row: Option<Account> = core.store.find(Key::new(SYSTEM, feed.head.account_id)).await?;
            let settings = row.map_or_else(|| core.settings.clone(), |row| row.settings(&core.settings));
            sweep(core, feed, &settings).await?;
        }
    }
}

/// The open round stays whatever its age; it is the youngest.
async fn sweep(core: &Core, feed: &PriceFeed, settings: &Settings) -> Result<(), Fault> {
    let age = TimeDelta::from_std(settings.duration(&KEPT_FOR)).unwrap_or(TimeDelta::MAX / 2);
    let before = core.clock.now() - age;
    let of = || Filter::Equal("feed_id", feed.head.id.into());
    let published = Filter::Equal("status", RoundStatus::Published.as_str().into());
    thin::<PriceRound>(core, feed, vec![of(), published], before, settings.count(&ROUNDS_KEPT)).await?;
    thin::<PriceSnapshot>(core, feed, vec![of()], before, settings.count(&SNAPSHOTS_KEPT)).await
}

async fn thin<E: Entity>(
    core: &Core,
    feed: &PriceFeed,
    which: Vec<Filter>,
    before: DateTime<Utc>,
    kept: u64,
) -> Result<(), Fault> {
    let account = Some(feed.head.account_id);
    let old: Vec<Filter> = which.iter().cloned().chain([Filter::Before("created_at", before)]).collect();
    let surplus = core.store.count::<E>(account, old.clone()).await?;
    remove::<E>(core, feed, &old, surplus).await?;
    let there_are = core.store.count::<E>(account, which.clone()).await?;
    remove::<E>(core, feed, &which, there_are.saturating_sub(kept)).await
}

async fn remove<E: Entity>(
    core: &Core,
    feed: &PriceFeed,
    which: &[Filter],
    mut surplus: u64,
) -> Result<(), Fault> {
    while surplus > 0 {
        let step = usize::try_from(surplus).unwrap_or(BATCH).min(BATCH);
        let mut batch = Batch::new();
        batch.sweep::<E>(feed.head.account_id, which.to_vec(), step);
        core.store.commit(batch).await?;
        surplus -= step as u64;
    }
    Ok(())
}
