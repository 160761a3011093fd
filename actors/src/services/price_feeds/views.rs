//! Rounds, observations and the latest price as they are answered.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    entity::PriceFeed,
    price::Price,
    records::{PriceRound, PriceSnapshot, Published, Reject, RoundStatus},
    rules::{Decision, Input, Previous, Reason, Rejection, Rules},
};

/// An observation, and what its round came to when it arrived.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PriceSnapshotView {
    /// Its id.
    pub id: Uuid,
    /// The feed.
    pub feed_id: Uuid,
    /// The price that was observed.
    pub price: Price,
    /// Who observed it.
    pub source: String,
    /// When the source saw it.
    pub collected_at: DateTime<Utc>,
    /// When it arrived.
    pub created_at: DateTime<Utc>,
    /// The round that took it.
    pub round_id: i64,
    /// Whether it let the round's price be published.
    pub published: bool,
    /// Why, or why not.
    pub reason: Reason,
    /// Why the observation itself did not count; null where it did.
    pub rejected: Option<Rejection>,
    /// The median of the round.
    pub round_price: Option<Price>,
    /// The price published before.
    pub previous_price: Option<Price>,
    /// The change from that, in basis points, towards zero.
    pub change_bps: Option<i64>,
    /// Which change is published, in basis points.
    pub deviation_bps: u32,
    /// How many observations of the round counted.
    pub submissions: u32,
    /// How many it needs.
    pub min_submissions: u32,
    /// When the price is published even unchanged, where one was published before.
    pub heartbeat_at: Option<DateTime<Utc>>,
}

impl PriceSnapshot {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> PriceSnapshotView {
        let verdict = self.verdict.clone();
        PriceSnapshotView {
            id: self.head.id,
            feed_id: self.feed_id,
            price: self.price,
            source: self.source.clone(),
            collected_at: self.collected_at,
            created_at: self.head.created_at,
            round_id: self.round,
            published: self.published,
            reason: verdict.decision.reason,
            rejected: verdict.rejected,
            round_price: verdict.decision.price,
            previous_price: verdict.previous_price,
            change_bps: verdict.decision.change_bps,
            deviation_bps: verdict.deviation_bps,
            submissions: verdict.decision.submissions,
            min_submissions: verdict.min_submissions,
            heartbeat_at: verdict.heartbeat_at,
        }
    }
}

/// A round with all it was decided from: enough to decide it again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PriceRoundView {
    /// The feed.
    pub feed_id: Uuid,
    /// Which round of the feed, from 1.
    pub round_id: i64,
    /// `open` or `published`.
    pub status: RoundStatus,
    /// The formula's name and version.
    pub formula: String,
    /// The median of what counts; null while nothing does.
    pub price: Option<Price>,
    /// What it was judged by.
    pub rules: Rules,
    /// The price published before; null where there was none.
    pub previous: Option<Previous>,
    /// The observations.
    pub inputs: Vec<Input>,
    /// What did not count, and why: observations, and sources that brought none.
    pub rejects: Vec<Reject>,
    /// How many rejects were forgotten because there were too many.
    pub rejects_dropped: u64,
    /// What it came to; null while it has no observation.
    pub decision: Option<Decision>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When its price was published.
    pub closed_at: Option<DateTime<Utc>>,
}

impl PriceRound {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> PriceRoundView {
        let content = self.content.clone();
        PriceRoundView {
            feed_id: self.feed_id,
            round_id: self.number,
            status: self.status,
            formula: content.formula,
            price: content.decision.as_ref().and_then(|decision| decision.price),
            rules: content.rules,
            previous: content.previous,
            inputs: content.inputs,
            rejects: content.rejects,
            rejects_dropped: content.rejects_dropped,
            decision: content.decision,
            opened_at: self.head.created_at,
            closed_at: self.closed_at,
        }
    }
}

/// The price published last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LatestPriceView {
    /// The feed.
    pub feed_id: Uuid,
    /// Its pair.
    pub pair: String,
    /// The round.
    pub round_id: i64,
    /// The price.
    pub price: Price,
    /// How many decimals prices of the feed have at most.
    pub decimals: u32,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The price before.
    pub previous_price: Option<Price>,
    /// The change from that, in basis points, towards zero.
    pub change_bps: Option<i64>,
    /// How many observations counted.
    pub submissions: u32,
    /// Whether the heartbeat has passed since then without a publication.
    pub stale: bool,
}

impl LatestPriceView {
    /// What a feed says of its published price.
    pub(super) fn of(feed: &PriceFeed, published: &Published) -> Self {
        Self {
            feed_id: feed.head.id,
            pair: feed.pair(),
            round_id: published.round_id,
            price: published.price,
            decimals: feed.rules.decimals,
            published_at: published.published_at,
            reason: published.reason,
            previous_price: published.previous_price,
            change_bps: published.change_bps,
            submissions: published.submissions,
            stale: feed.stale_since().is_some(),
        }
    }
}

/// When a feed is refreshed next.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PriceRefreshView {
    /// The feed.
    pub feed_id: Uuid,
    /// When its sources are asked.
    pub due_at: DateTime<Utc>,
    /// Whether they are being asked already.
    pub running: bool,
}
