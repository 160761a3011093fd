//! Old rounds and observations go: by age, and by how many a feed has.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Fault, Filter, Key, Query, SYSTEM};

use super::{
    KEPT_FOR, ROUNDS_KEPT, SNAPSHOTS_KEPT,
    entity::PriceFeed,
    records::{PriceRound, PriceSnapshot, RoundStatus},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    retention,
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
        Box::pin(retention::round(core, attempt, &EVERY, sweep_all(core)))
    }
}

async fn sweep_all(core: &Core) -> Result<(), Fault> {
    let mut after = None;
    loop {
        let query = Query::of_all_accounts().after(after).limit(retention::BATCH);
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
    let before = retention::limit(core, settings.duration(&KEPT_FOR));
    let account = feed.head.account_id;
    let of = || Filter::Equal("feed_id", feed.head.id.into());
    let published = vec![of(), Filter::Equal("status", RoundStatus::Published.as_str().into())];
    retention::thin::<PriceRound>(core, account, published, before, settings.count(&ROUNDS_KEPT)).await?;
    retention::thin::<PriceSnapshot>(core, account, vec![of()], before, settings.count(&SNAPSHOTS_KEPT)).await
}
