//! What became of a feed: where it stands, its rounds and its observations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Key, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    interval::Interval,
    price::Price,
    rules::{Decision, FORMULA, Input, Outliers, Previous, Reason, Rejection, Rules},
};

/// The price published last, with how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "it is the field of the answers")]
pub struct Published {
    /// Its round.
    pub round_id: i64,
    /// The price.
    pub price: Price,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The price before.
    pub previous_price: Option<Price>,
    /// The change from that, in basis points.
    pub change_bps: Option<i64>,
    /// How many observations counted.
    pub submissions: u32,
}

impl Published {
    /// What the next round remembers of it.
    #[must_use]
    pub const fn previous(&self) -> Previous {
        Previous { round_id: self.round_id, price: self.price, published_at: self.published_at }
    }
}

/// Where a feed stands. Its id is the feed's; whoever opens or closes a round changes it, so that no two do at once.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceState {
    /// The row's head.
    pub head: Head,
    /// The feed; the same as the row's id.
    pub feed_id: Uuid,
    /// The number of the youngest round; 0 before the first.
    pub round: i64,
    /// Whether that round is open.
    pub open: bool,
    /// The price published last.
    pub published: Option<Published>,
    /// When the sources were asked last.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Why the last refresh brought less than it must; none where it did not.
    pub last_error: Option<String>,
    /// How many refreshes in a row brought less than they must.
    pub failures: i64,
    /// Since when the price has been stale; none where it is not.
    pub stale_since: Option<DateTime<Utc>>,
}

impl PriceState {
    /// Where a new feed stands.
    #[must_use]
    pub const fn new(account: Uuid, feed: Uuid, now: DateTime<Utc>) -> Self {
        Self {
            head: Head::new(account, feed, now),
            feed_id: feed,
            round: 0,
            open: false,
            published: None,
            refreshed_at: None,
            last_error: None,
            failures: 0,
            stale_since: None,
        }
    }
}

impl Entity for PriceState {
    const TABLE: &'static Table = &Table {
        name: "price_states",
        noun: "price feed",
        columns: &[
            Column::new("feed_id", Kind::Uuid),
            Column::new("round", Kind::Int),
            Column::new("open", Kind::Bool),
            Column::nullable("published", Kind::Json),
            Column::nullable("refreshed_at", Kind::Time),
            Column::nullable("last_error", Kind::Text),
            Column::new("failures", Kind::Int),
            Column::nullable("stale_since", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.feed_id.into(),
            self.round.into(),
            self.open.into(),
            self.published.as_ref().map_or(Cell::Null, Cell::json),
            self.refreshed_at.into(),
            self.last_error.clone().into(),
            self.failures.into(),
            self.stale_since.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let (feed_id, round, open) = (cells.uuid()?, cells.int()?, cells.bool()?);
        let published =
            cells.maybe_value()?.map(serde_json::from_value).transpose().map_err(Fault::internal)?;
        Ok(Self {
            head,
            feed_id,
            round,
            open,
            published,
            refreshed_at: cells.maybe_time()?,
            last_error: cells.maybe_text()?,
            failures: cells.int()?,
            stale_since: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let bare = Self::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        let published = Price::read("12.5", 18).ok().map(|price| Published {
            round_id: 7,
            price,
            published_at: DateTime::UNIX_EPOCH,
            reason: Reason::Deviation,
            previous_price: Some(price),
            change_bps: Some(-120),
            submissions: 3,
        });
        let full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            feed_id: Uuid::from_u128(3),
            round: 8,
            open: true,
            published,
            refreshed_at: Some(DateTime::UNIX_EPOCH),
            last_error: Some("nobody answers".to_owned()),
            failures: 2,
            stale_since: Some(DateTime::UNIX_EPOCH),
        };
        vec![bare, full]
    }
}

/// Whether a round still takes observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceRoundStatus)]
pub enum RoundStatus {
    /// It takes observations until one of them lets its price be published.
    Open,
    /// Its price was published; it never changes again.
    Published,
}

impl RoundStatus {
    /// As it stands in answers and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Published => "published",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Open, Self::Published].into_iter().find(|status| status.as_str() == text)
    }
}

/// What did not count in a round, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceReject)]
pub struct Reject {
    /// Whose it is.
    pub source: String,
    /// Why.
    pub reason: Rejection,
    /// For people.
    pub detail: String,
    /// The price, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The snapshot that keeps it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<Uuid>,
    /// When; of several the last.
    pub at: DateTime<Utc>,
    /// How often this happened to this source in this round.
    pub count: u32,
}

/// What a round consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The formula's name and version.
    pub formula: String,
    /// The rules it was judged by last.
    pub rules: Rules,
    /// The price published before it.
    pub previous: Option<Previous>,
    /// The observations.
    pub inputs: Vec<Input>,
    /// What did not count.
    pub rejects: Vec<Reject>,
    /// How many rejects were forgotten because there were too many.
    pub rejects_dropped: u64,
    /// What it came to; none while it has no observation.
    pub decision: Option<Decision>,
}

/// A round of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRound {
    /// The row's head; the id follows from feed and number, so that there is one round of a number and ids are in the
    /// order of numbers.
    pub head: Head,
    /// The feed.
    pub feed_id: Uuid,
    /// Which round of the feed, from 1.
    pub number: i64,
    /// Whether it is open.
    pub status: RoundStatus,
    /// What it consists of.
    pub content: Content,
    /// When it was published.
    pub closed_at: Option<DateTime<Utc>>,
}

impl PriceRound {
    /// The key of a feed's round of this number.
    #[must_use]
    pub fn key(account: Uuid, feed: Uuid, number: i64) -> Key {
        let digest = Sha256::new().chain_update("price-round/").chain_update(feed.as_bytes()).finalize();
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..].copy_from_slice(&digest[..8]);
        Key::new(account, Uuid::from_bytes(bytes))
    }

    /// A round that begins.
    #[must_use]
    pub fn open(account: Uuid, feed: Uuid, number: i64, rules: Rules, now: DateTime<Utc>) -> Self {
        let content = Content {
            formula: FORMULA.to_owned(),
            rules,
            previous: None,
            inputs: Vec::new(),
            rejects: Vec::new(),
            rejects_dropped: 0,
            decision: None,
        };
        let head = Head::new(account, Self::key(account, feed, number).id, now);
        Self { head, feed_id: feed, number, status: RoundStatus::Open, content, closed_at: None }
    }
}

impl Entity for PriceRound {
    const TABLE: &'static Table = &Table {
        name: "price_rounds",
        noun: "round",
        columns: &[
            Column::new("feed_id", Kind::Uuid),
            Column::new("number", Kind::Int),
            Column::new("status", Kind::Word),
            Column::new("content", Kind::Json),
            Column::nullable("closed_at", Kind::Time),
        ],
        uniques: &[Unique {
            name: "price_rounds_number",
            columns: &["feed_id", "number"],
            fields: &[],
            message: "a round of this number was opened meanwhile",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.feed_id.into(),
            self.number.into(),
            self.status.as_str().into(),
            Cell::json(&self.content),
            self.closed_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            feed_id: cells.uuid()?,
            number: cells.int()?,
            status: cells.named(RoundStatus::read)?,
            content: cells.json()?,
            closed_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let (account, feed, epoch) = (Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        let rules = Rules {
            decimals: 8,
            min_submissions: 2,
            deviation_bps: 50,
            heartbeat_interval: Interval::from_millis(600_000),
            min_price: None,
            max_price: None,
            outliers: Outliers::default(),
        };
        let mut closed = Self::open(account, feed, 2, rules.clone(), epoch);
        (closed.status, closed.closed_at) = (RoundStatus::Published, Some(epoch));
        vec![Self::open(account, feed, 1, rules, epoch), closed]
    }
}

/// What an observation came to at its arrival.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What its round came to.
    pub decision: Decision,
    /// Why the observation itself did not count, where it did not.
    pub rejected: Option<Rejection>,
    /// How many observations the feed asks for.
    pub min_submissions: u32,
    /// Which change the feed publishes.
    pub deviation_bps: u32,
    /// The price published before.
    pub previous_price: Option<Price>,
    /// When the price is published even unchanged.
    pub heartbeat_at: Option<DateTime<Utc>>,
}

/// An observation; never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceSnapshot {
    /// The row's head.
    pub head: Head,
    /// The feed.
    pub feed_id: Uuid,
    /// The round that took it.
    pub round: i64,
    /// The price.
    pub price: Price,
    /// Who observed it.
    pub source: String,
    /// When the source saw it.
    pub collected_at: DateTime<Utc>,
    /// Whether it let its round's price be published.
    pub published: bool,
    /// What it came to.
    pub verdict: Verdict,
}

impl Entity for PriceSnapshot {
    const TABLE: &'static Table = &Table {
        name: "price_snapshots",
        noun: "snapshot",
        columns: &[
            Column::new("feed_id", Kind::Uuid),
            Column::new("round", Kind::Int),
            Column::new("price", Kind::Text),
            Column::new("source", Kind::Text),
            Column::new("collected_at", Kind::Time),
            Column::new("published", Kind::Bool),
            Column::new("verdict", Kind::Json),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.feed_id.into(),
            self.round.into(),
            self.price.to_string().into(),
            self.source.clone().into(),
            self.collected_at.into(),
            self.published.into(),
            Cell::json(&self.verdict),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            feed_id: cells.uuid()?,
            round: cells.int()?,
            price: cells.named(|text| Price::read(text, super::price::DECIMALS).ok())?,
            source: cells.text()?,
            collected_at: cells.time()?,
            published: cells.bool()?,
            verdict: cells.json()?,
        })
    }

    fn samples() -> Vec<Self> {
        let epoch = DateTime::UNIX_EPOCH;
        let price = Price::read("0.000000000000000001", super::price::DECIMALS).ok();
        let decision = Decision {
            publish: false,
            reason: Reason::BelowDeviation,
            submissions: 1,
            price,
            change_bps: Some(3),
            evaluated_at: epoch,
        };
        let verdict = Verdict {
            decision,
            rejected: Some(Rejection::Outlier),
            min_submissions: 1,
            deviation_bps: 50,
            previous_price: price,
            heartbeat_at: Some(epoch),
        };
        let made = price.map(|price| Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(4), epoch),
            feed_id: Uuid::from_u128(2),
            round: 1,
            price,
            source: "manual".to_owned(),
            collected_at: epoch,
            published: false,
            verdict,
        });
        made.into_iter().collect()
    }
}
