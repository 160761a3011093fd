//! The duty that refreshes feeds: one item per active feed, due at the feed's own slots.
//!
//! A slot is refreshed by one daemon, under its lease; what it brings, and when the next slot is, are one batch. The next
//! slot never depends on how long a refresh took: slots lie whole intervals after the feed's creation, and those that
//! were missed are not made up for.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{Batch, Code, Fault, Key, RetryPolicy, SYSTEM, Settlement, Work};

use super::{
    DUTY, WORKERS,
    entity::PriceFeed,
    fetch,
    hosts::Turns,
    standing::{News, Standing, TRIES},
};
use crate::{
    Core,
    action::Tenant,
    caller::Caller,
    duty::{Attempt, Duty, Outcome, RETRY_BASE},
    services::accounts::Account,
    settings::Setting,
};

/// The longest delay after a refresh that met a failure of ours.
const RETRY_CAP: Duration = Duration::from_mins(1);
/// How long the words for a failure may be.
const ERROR: usize = 500;

/// Refreshes feeds.
#[derive(Debug, Default)]
pub struct Refresher {
    turns: Turns,
}

impl Duty for Refresher {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Asks the sources of price feeds, publishes their prices, and sees which are stale."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    /// A feed's item comes again as long as the feed is active; it is never given up.
    fn retry(&self, core: &Core) -> RetryPolicy {
        let base = core.settings.duration(&RETRY_BASE);
        RetryPolicy { base, cap: RETRY_CAP, max_attempts: u32::MAX, max_age: Duration::MAX }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                done = self.refresh(core, &attempt.work) => {
                    done.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
                }
            }
        })
    }

    /// Dropped by a resume: the slots that came due are left out, the next one is not.
    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let feed: Option<PriceFeed> = core.store.find(Key::new(work.account, work.subject)).await?;
            if let Some(feed) = feed.filter(|feed| feed.active) {
                let tenant = tenant(core, work).await?;
                let slot = feed.update_interval.slot_after(feed.head.created_at, core.clock.now());
                feed.enqueue(&tenant, slot, batch);
                batch.holds(&feed);
            }
            Ok(())
        })
    }
}

impl Refresher {
    async fn refresh(&self, core: &Arc<Core>, work: &Work) -> Result<Outcome, Fault> {
        let key = Key::new(work.account, work.subject);
        let Some(feed) = active(core, key).await? else { return Ok(Outcome::Done(Batch::new())) };
        let asks = fetch::has_sources(core, &feed);
        let news = if asks { fetch::ask(core, &self.turns, &feed).await? } else { News::default() };
        let tenant = tenant(core, work).await?;
        for _ in 0..TRIES {
            if active(core, key).await?.is_none() {
                return Ok(Outcome::Done(Batch::new()));
            }
            let mut batch = Batch::new();
            match plan(&tenant, key, news.clone(), asks, &mut batch).await {
                Ok(due_at) => {
                    let error = String::new();
                    batch.settle(work.settle(Settlement::Retry { due_at, error }));
                }
                Err(fault) if fault.code == Code::Conflict => continue,
                Err(fault) => return Err(fault),
            }
            match core.store.commit(batch).await {
                Ok(()) => return Ok(Outcome::Settled),
                Err(fault) if fault.code == Code::FenceLost => return Ok(Outcome::Lost),
                Err(fault) if fault.code == Code::Conflict => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::new(Code::Conflict, "the price feed moved on at every try"))
    }
}

async fn active(core: &Core, key: Key) -> Result<Option<PriceFeed>, Fault> {
    let feed: Option<PriceFeed> = core.store.find(key).await?;
    Ok(feed.filter(|feed| feed.active))
}

async fn tenant(core: &Arc<Core>, work: &Work) -> Result<Tenant, Fault> {
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, work.account)).await?;
    let settings = account.as_ref().map_or_else(|| core.settings.clone(), |row| row.settings(&core.settings));
    Ok(Tenant {
        core: core.clone(),
        account_id: work.account,
        account: account.map(Arc::new),
        settings,
        caller: Arc::new(Caller::duty(DUTY)),
        ticket: None,
    })
}

/// Adds to the batch what a refresh comes to; answers the feed's next slot.
async fn plan(
    tenant: &Tenant,
    key: Key,
    news: News,
    asked: bool,
    batch: &mut Batch,
) -> Result<DateTime<Utc>, Fault> {
    let now = tenant.now();
    let mut standing = Standing::load(&tenant.core.store, key).await?;
    let before = standing.state.clone();
    let failure = if asked { failure(&news, standing.feed.rules.min_submissions) } else { None };
    standing.advance(tenant, news, batch);
    if asked {
        health(&mut standing, tenant, failure, batch);
    }
    age(&mut standing, tenant, batch);
    standing.save(&before, now, batch);
    Ok(standing.feed.update_interval.slot_after(standing.feed.head.created_at, now))
}

/// Why a refresh brought less than it must; none where it did not.
fn failure(news: &News, needed: u32) -> Option<String> {
    let (brought, needed) = (news.observed.len(), usize::try_from(needed).unwrap_or(usize::MAX));
    // Where every source answered, that they are fewer than a round needs is told by the round.
    if brought >= needed || (brought > 0 && news.failed.is_empty()) {
        return None;
    }
    let told: Vec<String> =
        news.failed.iter().map(|failed| format!("{}: {}", failed.source, failed.detail)).collect();
    Some(told.join("; ").chars().take(ERROR).collect())
}

/// Keeps whether the sources answer, and tells where they begin not to.
fn health(standing: &mut Standing, tenant: &Tenant, failure: Option<String>, batch: &mut Batch) {
    let feed = standing.feed.head.id;
    let state = &mut standing.state;
    state.refreshed_at = Some(tenant.now());
    let Some(error) = failure else {
        if state.failures > 0 {
            let told = json!({"pair": standing.feed.pair(), "failures": state.failures});
            batch.event(tenant.event(super::NAME, "pricefeed.recovered", feed, told));
        }
        (state.failures, state.last_error) = (0, None);
        return;
    };
    state.failures = state.failures.saturating_add(1);
    if state.failures == 1 {
        let told = json!({"pair": standing.feed.pair(), "error": error});
        batch.event(tenant.event(super::NAME, "pricefeed.failing", feed, told));
    }
    state.last_error = Some(error);
}

/// Marks a feed stale whose heartbeat has passed without a publication, and tells it once.
fn age(standing: &mut Standing, tenant: &Tenant, batch: &mut Batch) {
    let (feed, state) = (&standing.feed, &mut standing.state);
    let published = state.published.as_ref().map(|published| published.published_at);
    let since = published.map_or(feed.activated_at, |published| published.max(feed.activated_at));
    let stale_since = since + feed.rules.heartbeat_interval.delta();
    if tenant.now() < stale_since || state.stale_since.is_some_and(|marked| marked >= feed.activated_at) {
        return;
    }
    state.stale_since = Some(stale_since);
    let told = json!({
        "pair": feed.pair(), "published_at": published, "stale_since": stale_since, "error": state.last_error,
    });
    batch.event(tenant.event(super::NAME, "pricefeed.stale", feed.head.id, told));
}
