//! The row of a price feed: what a tenant says of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

use super::{
    interval::Interval,
    price::Price,
    records::PriceState,
    rules::{Outliers, Rules},
};
use crate::sealed::Sealed;

/// Where a feed asks for prices. Its headers lie sealed in the feed's envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What its observations are called; unique in the feed.
    pub name: String,
    /// What is asked by `GET`.
    pub url: String,
    /// A JSONPath (RFC 9535) to the price in the answer.
    pub result_path: String,
    /// The names of the headers that are sent.
    pub header_names: Vec<String>,
}

/// How a tenant wrote what can be written in several ways; it is answered as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    /// The update interval.
    pub update_interval: Option<String>,
    /// The heartbeat.
    pub heartbeat_interval: Option<String>,
    /// Whether the deviation was a number, and no string.
    pub deviation_is_number: bool,
}

/// A price feed as its tenant made it.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceFeed {
    /// The row's head.
    pub head: Head,
    /// What is priced: `NEO`.
    pub base_asset: String,
    /// In what: `USD`.
    pub quote_asset: String,
    /// How often it is refreshed.
    pub update_interval: Interval,
    /// What its rounds are judged by.
    pub rules: Rules,
    /// Where it asks; empty for the operator's price service, or for nobody.
    pub sources: Vec<Source>,
    /// Whether it takes prices.
    pub active: bool,
    /// Since when it has been active.
    pub activated_at: DateTime<Utc>,
    /// The headers of its sources, sealed; none where there are none.
    pub envelope: Option<Sealed>,
    /// How its tenant wrote it.
    pub written: Written,
    /// What became of it, where that was read or written in this operation; not part of the row.
    pub state: Option<PriceState>,
}

impl PriceFeed {
    /// What it is called: `NEO/USD`.
    #[must_use]
    pub fn pair(&self) -> String {
        format!("{}/{}", self.base_asset, self.quote_asset)
    }
}

impl Entity for PriceFeed {
    const TABLE: &'static Table = &Table {
        name: "price_feeds",
        noun: "price feed",
        columns: &[
            Column::new("base_asset", Kind::Text),
            Column::new("quote_asset", Kind::Text),
            Column::new("pair", Kind::Text),
            Column::new("update_interval_ms", Kind::Int),
            Column::new("rules", Kind::Json),
            Column::new("sources", Kind::Json),
            Column::new("active", Kind::Bool),
            Column::new("activated_at", Kind::Time),
            Column::nullable("key_id", Kind::Text),
            Column::nullable("envelope", Kind::Bytes),
            Column::nullable("written", Kind::Json),
        ],
        uniques: &[Unique {
            name: "price_feeds_pair",
            columns: &["pair"],
            fields: &["base_asset", "quote_asset"],
            message: "a price feed of this pair exists already",
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
            self.base_asset.clone().into(),
            self.quote_asset.clone().into(),
            self.pair().into(),
            self.update_interval.millis().into(),
            Cell::json(&self.rules),
            Cell::json(&self.sources),
            self.active.into(),
            self.activated_at.into(),
            self.envelope.as_ref().map(|sealed| sealed.key_id.clone()).into(),
            self.envelope.as_ref().map(|sealed| sealed.envelope.clone()).into(),
            Cell::json(&self.written),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let (base_asset, quote_asset, _pair) = (cells.text()?, cells.text()?, cells.text()?);
        let update_interval = Interval::from_millis(u64::try_from(cells.int()?).unwrap_or_default());
        let (rules, sources) = (cells.json()?, cells.json()?);
        let (active, activated_at) = (cells.bool()?, cells.time()?);
        let sealed = (cells.maybe_text()?, cells.maybe_bytes()?);
        let envelope = match sealed {
            (Some(key_id), Some(envelope)) => Some(Sealed { key_id, envelope }),
            _ => None,
        };
        let written = cells.maybe_value()?.and_then(|value| serde_json::from_value(value).ok());
        Ok(Self {
            head,
            base_asset,
            quote_asset,
            update_interval,
            rules,
            sources,
            active,
            activated_at,
            envelope,
            written: written.unwrap_or_default(),
            state: None,
        })
    }

    fn samples() -> Vec<Self> {
        let price = |text| Price::read(text, 18).ok();
        let bare = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            base_asset: "NEO".to_owned(),
            quote_asset: "USD".to_owned(),
            update_interval: Interval::from_millis(60_000),
            rules: Rules {
                decimals: 18,
                min_submissions: 1,
                deviation_bps: 50,
                heartbeat_interval: Interval::from_millis(600_000),
                min_price: None,
                max_price: None,
                outliers: Outliers::default(),
            },
            sources: Vec::new(),
            active: true,
            activated_at: DateTime::UNIX_EPOCH,
            envelope: None,
            written: Written::default(),
            state: None,
        };
        let source = Source {
            name: "a".to_owned(),
            url: "https://prices.example/neo".to_owned(),
            result_path: "$.price".to_owned(),
            header_names: vec!["x-api-key".to_owned()],
        };
        let mut full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            base_asset: "GAS".to_owned(),
            sources: vec![source],
            active: false,
            written: Written { update_interval: Some("1m".to_owned()), ..Written::default() },
            envelope: Some(Sealed { key_id: "k".to_owned(), envelope: vec![1, 2, 3] }),
            ..bare.clone()
        };
        (full.rules.min_price, full.rules.max_price) = (price("0.5"), price("1000"));
        vec![bare, full]
    }
}
