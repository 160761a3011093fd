//! What is done with price feeds besides creating and amending them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use sl_store::{Batch, Cell, Code, Entity as _, Fault, Filter, Key, NewWork, Query, Settlement, WorkQuery};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY,
    entity::PriceFeed,
    price::{ExactNumber, Price},
    records::{PriceRound, PriceSnapshot, PriceState, RoundStatus},
    resource::{PriceFeedFilters, PriceFeedView, read},
    standing::{News, Observed, Standing, TRIES},
    views::{LatestPriceView, PriceRefreshView, PriceRoundView, PriceSnapshotView},
};
use crate::{
    action::{Action, Order, Tenant},
    check::Check,
    page::{Page, PageRequest},
    resource::{self, Resource as _},
};

/// How far ahead of us a source's clock may be.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// Who observed, where nobody says.
const MANUAL: &str = "manual";

/// An observation that a tenant sends.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceSnapshot {
    /// The price: more than 0, within the feed's bounds, with at most the feed's decimals.
    pub price: ExactNumber,
    /// Who observed it, up to 128 characters; `manual` unless said otherwise.
    #[schema(max_length = 128)]
    pub source: Option<String>,
    /// When; now unless said otherwise, and not more than 5 minutes ahead.
    pub collected_at: Option<DateTime<Utc>>,
}

impl NewPriceSnapshot {
    /// What it says, checked against a feed.
    pub(super) fn observed(&self, feed: &PriceFeed, now: DateTime<Utc>) -> Result<Observed, Fault> {
        let mut check = Check::new();
        let rules = &feed.rules;
        let price = read(Price::read(self.price.as_str(), rules.decimals), "/price", &mut check);
        if let Some(price) = price {
            if let Some(least) = rules.min_price.filter(|least| price < *least) {
                check.broken(
                    "/price",
                    "bounds",
                    format!("must be at least {least} (min_price), not {price}"),
                );
            }
            if let Some(most) = rules.max_price.filter(|most| price > *most) {
                check.broken("/price", "bounds", format!("must be at most {most} (max_price), not {price}"));
            }
        }
        let source = self.source.as_deref().map_or("", str::trim);
        let source = if source.is_empty() { MANUAL } else { source };
        check.text("/source", source, 1..=128);
        if self.collected_at.is_some_and(|at| at > now + AHEAD) {
            check.broken("/collected_at", "bounds", "must not be more than 5 minutes ahead");
        }
        check.finish()?;
        let price = price.ok_or_else(|| Fault::internal("a price was neither read nor refused"))?;
        Ok(Observed { source: source.to_owned(), price, collected_at: self.collected_at })
    }
}

/// Gives a feed an observation; answers what came of it.
#[derive(Clone, Debug)]
pub struct Observe {
    /// The feed.
    pub feed_id: Uuid,
    /// The observation.
    pub new: NewPriceSnapshot,
}

impl Action for Observe {
    type Output = PriceSnapshotView;

    async fn run(self, tenant: &Tenant) -> Result<PriceSnapshotView, Fault> {
        let mut last = None;
        for _ in 0..TRIES {
            let mut batch = Batch::new();
            let ended = match observe(tenant, self.feed_id, &self.new, &mut batch).await {
                Ok(view) => tenant.commit(batch, view).await,
                Err(fault) => Err(fault),
            };
            match ended {
                Err(fault) if fault.code == Code::Conflict => last = Some(fault),
                ended => return ended,
            }
        }
        Err(last.unwrap_or_else(|| Fault::internal("an observation was not tried")))
    }
}

/// Adds an observation to a batch; a conflict where the feed moves on at the same moment.
pub(super) async fn observe(
    tenant: &Tenant,
    feed: Uuid,
    new: &NewPriceSnapshot,
    batch: &mut Batch,
) -> Result<PriceSnapshotView, Fault> {
    let mut standing = Standing::load(&tenant.core.store, tenant.key(feed)).await?;
    standing.expect_active()?;
    let observed = new.observed(&standing.feed, tenant.now())?;
    let before = standing.state.clone();
    let news = News { observed: vec![observed], failed: Vec::new() };
    let snapshots = standing.advance(tenant, news, batch);
    standing.save(&before, tenant.now(), batch);
    let made = snapshots.first().ok_or_else(|| Fault::internal("an observation made no snapshot"))?;
    Ok(made.view())
}

/// Reads a feed with where it stands.
#[derive(Clone, Copy, Debug)]
pub struct FetchFeed(pub Uuid);

impl Action for FetchFeed {
    type Output = PriceFeedView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<PriceFeedView, Fault> {
        feed_of(tenant, self.0).await.map(|feed| feed.seen(&tenant.core))
    }
}

async fn feed_of(tenant: &Tenant, id: Uuid) -> Result<PriceFeed, Fault> {
    let mut feed: PriceFeed = tenant.core.store.get(tenant.key(id)).await?;
    feed.state = tenant.core.store.find(tenant.key(id)).await?;
    Ok(feed)
}

/// A page of feeds with where they stand, newest first.
#[derive(Clone, Debug)]
pub struct ListFeeds {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: PriceFeedFilters,
}

impl Action for ListFeeds {
    type Output = Page<PriceFeedView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let filters = PriceFeed::conditions(self.filters)?;
        let page = resource::list::<PriceFeed, _>(tenant, self.page, filters, PriceFeed::clone).await?;
        let ids: Vec<Cell> = page.items.iter().map(|feed| feed.head.id.into()).collect();
        let of = Query::of(tenant.account_id).filter(Filter::In("feed_id", ids)).limit(page.items.len());
        let states: Vec<PriceState> = tenant.core.store.list(of).await?;
        let with_state = page.items.into_iter().map(|mut feed| {
            feed.state = states.iter().find(|state| state.feed_id == feed.head.id).cloned();
            feed.seen(&tenant.core)
        });
        Ok(Page { items: with_state.collect(), next_cursor: page.next_cursor })
    }
}

/// What a list of observations is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceSnapshotFilters {
    /// Only those that let a price be published, or only those that did not.
    pub published: Option<bool>,
    /// Only those of this source.
    pub source: Option<String>,
}

/// A page of a feed's observations, newest first.
#[derive(Clone, Debug)]
pub struct ListSnapshots {
    /// The feed.
    pub feed_id: Uuid,
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: PriceSnapshotFilters,
}

impl Action for ListSnapshots {
    type Output = Page<PriceSnapshotView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<PriceFeed>(tenant.key(self.feed_id)).await?;
        let mut of = vec![Filter::Equal("feed_id", self.feed_id.into())];
        of.extend(self.filters.published.map(|published| Filter::Equal("published", published.into())));
        of.extend(self.filters.source.map(|source| Filter::Equal("source", source.into())));
        resource::list::<PriceSnapshot, _>(tenant, self.page, of, PriceSnapshot::view).await
    }
}

/// Reads one observation.
#[derive(Clone, Copy, Debug)]
pub struct FetchSnapshot {
    /// The feed.
    pub feed_id: Uuid,
    /// The observation.
    pub snapshot_id: Uuid,
}

impl Action for FetchSnapshot {
    type Output = PriceSnapshotView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<PriceSnapshotView, Fault> {
        let found: Option<PriceSnapshot> = tenant.core.store.find(tenant.key(self.snapshot_id)).await?;
        let found = found.filter(|snapshot| snapshot.feed_id == self.feed_id);
        found.map(|found| found.view()).ok_or_else(|| Fault::not_found(PriceSnapshot::TABLE.noun))
    }
}

/// What a list of rounds is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceRoundFilters {
    /// Only those of this status.
    pub status: Option<RoundStatus>,
}

/// A page of a feed's rounds, newest first.
#[derive(Clone, Debug)]
pub struct ListRounds {
    /// The feed.
    pub feed_id: Uuid,
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: PriceRoundFilters,
}

impl Action for ListRounds {
    type Output = Page<PriceRoundView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<PriceFeed>(tenant.key(self.feed_id)).await?;
        let mut of = vec![Filter::Equal("feed_id", self.feed_id.into())];
        of.extend(self.filters.status.map(|status| Filter::Equal("status", status.as_str().into())));
        resource::list::<PriceRound, _>(tenant, self.page, of, PriceRound::view).await
    }
}

/// Reads one round.
#[derive(Clone, Copy, Debug)]
pub struct FetchRound {
    /// The feed.
    pub feed_id: Uuid,
    /// Which round of it, from 1.
    pub round_id: i64,
}

impl Action for FetchRound {
    type Output = PriceRoundView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<PriceRoundView, Fault> {
        let key = PriceRound::key(tenant.account_id, self.feed_id, self.round_id);
        let round: PriceRound = tenant.core.store.get(key).await?;
        Ok(round.view())
    }
}

/// Reads the price published last.
#[derive(Clone, Copy, Debug)]
pub struct FetchLatest(pub Uuid);

impl Action for FetchLatest {
    type Output = LatestPriceView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<LatestPriceView, Fault> {
        let feed = feed_of(tenant, self.0).await?;
        let published = feed.state.as_ref().and_then(|state| state.published.as_ref());
        let published = published
            .ok_or_else(|| Fault::new(Code::NotFound, "the price feed has not published a price yet"))?;
        Ok(LatestPriceView::of(&feed, published))
    }
}

/// Has a feed refreshed now, ahead of its next slot; later slots stay where they are.
#[derive(Clone, Copy, Debug)]
pub struct Refresh(pub Uuid);

impl Action for Refresh {
    type Output = PriceRefreshView;

    async fn run(self, tenant: &Tenant) -> Result<PriceRefreshView, Fault> {
        let feed: PriceFeed = tenant.core.store.get(tenant.key(self.0)).await?;
        if !feed.active {
            let detail = format!("the price feed {} is inactive and is not refreshed", feed.pair());
            return Err(Fault::new(Code::InvalidState, detail));
        }
        let now = tenant.now();
        let mut batch = Batch::new();
        let (due_at, running) = hasten(tenant, &feed, now, &mut batch).await?;
        let told = json!({"pair": feed.pair(), "due_at": due_at});
        batch.event(tenant.event(super::NAME, "pricefeed.refresh_requested", feed.head.id, told));
        let answer = PriceRefreshView { feed_id: feed.head.id, due_at, running };
        let answered = match tenant.commit(batch, answer.clone()).await {
            // It was taken at this moment: it runs.
            Err(fault) if fault.code == Code::FenceLost => Ok(PriceRefreshView { running: true, ..answer }),
            ended => ended,
        };
        tenant.core.bells.ring(DUTY);
        answered
    }
}

/// Makes a feed's item due now, unless it is being performed; a feed that has none is given one.
async fn hasten(
    tenant: &Tenant,
    feed: &PriceFeed,
    now: DateTime<Utc>,
    batch: &mut Batch,
) -> Result<(DateTime<Utc>, bool), Fault> {
    let Key { account, id } = feed.head.key();
    let query = WorkQuery {
        account: Some(account),
        duty: Some(DUTY.to_owned()),
        subject: Some(id),
        limit: 1,
        ..WorkQuery::default()
    };
    match tenant.core.store.work(query).await?.first() {
        Some(item) if item.is_leased(now) => Ok((item.due_at, true)),
        Some(item) => {
            batch.settle(item.settle(Settlement::Retry { due_at: now, error: String::new() }));
            Ok((now, false))
        }
        None => {
            // Whoever else finds none adds the same item, and one of the two.
            let only = PriceRound::key(account, id, -feed.head.version).id;
            batch.enqueue(NewWork::new(only, DUTY, account, id, now).gate(id));
            Ok((now, false))
        }
    }
}
