//! Price feeds as tenants create, amend and see them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Fault, Filter, Head, NewWork};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY, MAX_FEEDS, MAX_ROUND_INPUTS,
    entity::{PriceFeed, Source, Written},
    interval::Interval,
    price::{self, DECIMALS, ExactNumber, Flaw, Price},
    records::{PriceRound, PriceSnapshot, PriceState},
    rules::{Outliers, Rules},
    sources::{self, SourceOrUrl, SourceView},
};
use crate::{
    action::Tenant,
    check::Check,
    patch::{changed, given, or_usual},
    resource::{Life, Resource},
    settings::Setting,
};

/// So many rows of a feed go with it; more than are ever kept.
const EVERYTHING: usize = 100_000_000;
/// The largest deviation there is, in basis points.
const MOST_DEVIATION: u32 = 100_000;

/// What creates a price feed.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceFeed {
    /// What is priced, 1 to 32 letters, digits, `.`, `-`, `_`; kept in upper case.
    #[schema(min_length = 1, max_length = 32)]
    pub base_asset: String,
    /// In what; the pair `BASE/QUOTE` is unique in the account.
    #[schema(min_length = 1, max_length = 32)]
    pub quote_asset: String,
    /// How often it is refreshed: `@every 1m` (the default), `90s`; 1 second to 30 days.
    pub update_interval: Option<String>,
    /// After how long its price is published even unchanged: `@every 10m` (the default).
    pub heartbeat_interval: Option<String>,
    /// Which change is published, in percent with up to two decimals: more than 0, at most 1000. This or
    /// `deviation_bps`.
    pub deviation_percent: Option<ExactNumber>,
    /// The same in basis points (hundredths of a percent).
    #[schema(minimum = 1, maximum = 100_000)]
    pub deviation_bps: Option<u32>,
    /// How many observations a round needs; 1 unless said otherwise.
    #[schema(minimum = 1)]
    pub min_submissions: Option<u32>,
    /// Where it asks for prices; nowhere but at the operator's price service unless said otherwise.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Vec<SourceOrUrl>>)]
    pub sources: Vec<SourceOrUrl>,
    /// Which observations are rejected as outliers.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Outliers>)]
    pub outliers: Outliers,
    /// The lowest price that is believed.
    pub min_price: Option<ExactNumber>,
    /// The highest price that is believed.
    pub max_price: Option<ExactNumber>,
    /// How many decimals its prices have at most, 0 to 18; 18 unless said otherwise. Never changes.
    #[schema(minimum = 0, maximum = 18)]
    pub decimals: Option<u32>,
    /// Whether it takes prices; it does unless said otherwise.
    pub active: Option<bool>,
}

/// What amends a price feed; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
pub struct AmendPriceFeed {
    /// How often it is refreshed; `null` for `@every 1m`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub update_interval: Option<Option<String>>,
    /// After how long its price is published even unchanged; `null` for `@every 10m`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub heartbeat_interval: Option<Option<String>>,
    /// Which change is published, in percent. This or `deviation_bps`.
    pub deviation_percent: Option<ExactNumber>,
    /// The same in basis points.
    #[schema(minimum = 1, maximum = 100_000)]
    pub deviation_bps: Option<u32>,
    /// How many observations a round needs; `null` for 1.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub min_submissions: Option<Option<u32>>,
    /// Where it asks for prices; replaces all, their headers too, and `null` takes all away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<SourceOrUrl>>)]
    pub sources: Option<Option<Vec<SourceOrUrl>>>,
    /// Which observations are rejected as outliers; replaces all of it, `null` by what is usual.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Outliers>)]
    pub outliers: Option<Option<Outliers>>,
    /// The lowest price that is believed; `null` for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExactNumber>)]
    pub min_price: Option<Option<ExactNumber>>,
    /// The highest price that is believed; `null` for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExactNumber>)]
    pub max_price: Option<Option<ExactNumber>>,
    /// Whether it takes prices.
    pub active: Option<bool>,
}

/// What a list of price feeds is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceFeedFilters {
    /// Only the one of this pair, like `NEO/USD`, whatever the case.
    pub pair: Option<String>,
    /// Only those that take prices, or only those that do not.
    pub active: Option<bool>,
}

/// A price feed as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PriceFeedView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// What is priced.
    pub base_asset: String,
    /// In what.
    pub quote_asset: String,
    /// Both: `NEO/USD`.
    pub pair: String,
    /// `active`, `inactive` or `paused`.
    pub status: &'static str,
    /// Whether it takes prices.
    pub active: bool,
    /// How often it is refreshed, as it was written.
    pub update_interval: String,
    /// After how long its price is published even unchanged, as it was written.
    pub heartbeat_interval: String,
    /// Which change is published, in percent: a number where it was written as one, exact text otherwise.
    #[schema(value_type = ExactNumber)]
    pub deviation_percent: Value,
    /// The same in basis points.
    pub deviation_bps: u32,
    /// How many observations a round needs.
    pub min_submissions: u32,
    /// How many decimals its prices have at most.
    pub decimals: u32,
    /// Which observations are rejected as outliers.
    pub outliers: Outliers,
    /// The lowest price that is believed.
    pub min_price: Option<Price>,
    /// The highest price that is believed.
    pub max_price: Option<Price>,
    /// Where it asks for prices.
    pub sources: Vec<SourceView>,
    /// The price published last.
    pub latest_price: Option<Price>,
    /// The round of that.
    pub latest_round_id: Option<i64>,
    /// When that was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Whether the heartbeat has passed without a publication.
    pub stale: bool,
    /// Since when.
    pub stale_since: Option<DateTime<Utc>>,
    /// When its sources were asked last.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// Why the last refresh brought less than it must; null where it did not.
    pub last_error: Option<String>,
    /// How many refreshes in a row brought less than they must.
    pub consecutive_failures: i64,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Resource for PriceFeed {
    const SERVICE: &'static str = super::NAME;
    const LIFE: Life =
        Life { created: "pricefeed.created", amended: "pricefeed.amended", removed: "pricefeed.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_FEEDS);

    type New = NewPriceFeed;
    type Patch = AmendPriceFeed;
    type View = PriceFeedView;
    type Filters = PriceFeedFilters;

    async fn admit(new: NewPriceFeed, tenant: &Tenant, batch: &mut Batch) -> Result<Self, Fault> {
        let mut check = Check::new();
        let base_asset = asset("/base_asset", &new.base_asset, &mut check);
        let quote_asset = asset("/quote_asset", &new.quote_asset, &mut check);
        if !base_asset.is_empty() && base_asset == quote_asset {
            check.broken("/quote_asset", "pair", "must differ from the base asset");
        }
        let decimals = new.decimals.unwrap_or(DECIMALS);
        within(&mut check, "/decimals", decimals, 0, DECIMALS);
        let bps = deviation(new.deviation_percent.as_ref(), new.deviation_bps, &mut check);
        if new.deviation_percent.is_none() && new.deviation_bps.is_none() {
            check.broken("/deviation_percent", "required", "is required");
        }
        let heartbeat_interval = read_interval(&HEARTBEAT, new.heartbeat_interval, &mut check);
        let update_interval = read_interval(&UPDATE, new.update_interval, &mut check);
        let rules = Rules {
            decimals,
            min_submissions: new.min_submissions.unwrap_or(1),
            deviation_bps: bps.unwrap_or(1),
            heartbeat_interval: heartbeat_interval.0,
            min_price: bound("/min_price", new.min_price.as_ref(), decimals, &mut check),
            max_price: bound("/max_price", new.max_price.as_ref(), decimals, &mut check),
            outliers: new.outliers,
        };
        check_rules(&rules, tenant, &mut check);
        let (sources, headers) = sources::check(new.sources, tenant, &mut check);
        check.finish()?;
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let envelope = sources::seal(&tenant.core, head.key(), &headers)?;
        let state = PriceState::new(tenant.account_id, head.id, head.created_at);
        batch.insert(&state);
        let made = Self {
            head,
            base_asset,
            quote_asset,
            update_interval: update_interval.0,
            rules,
            sources,
            active: new.active.unwrap_or(true),
            activated_at: head.created_at,
            envelope,
            written: Written {
                update_interval: update_interval.1,
                heartbeat_interval: heartbeat_interval.1,
                deviation_is_number: new.deviation_percent.is_some_and(|percent| !percent.is_string()),
            },
            state: Some(state),
        };
        if made.active {
            made.enqueue(tenant, head.created_at, batch);
        }
        Ok(made)
    }

    async fn amend(
        &mut self,
        patch: AmendPriceFeed,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let mut check = Check::new();
        let before = (self.update_interval, self.active);
        self.amend_rules(&patch, &mut check);
        if let Some(text) = patch.update_interval {
            let read = read_interval(&UPDATE, text, &mut check);
            (self.update_interval, self.written.update_interval) = read;
        }
        check_rules(&self.rules, tenant, &mut check);
        let new = patch.sources.map(|new| sources::check(new.unwrap_or_default(), tenant, &mut check));
        check.finish()?;
        let new = new.filter(|(sources, headers)| self.asks_otherwise(sources, headers));
        let asks_anew = new.is_some();
        if let Some((sources, headers)) = new {
            self.envelope = sources::seal(&tenant.core, self.head.key(), &headers)?;
            self.sources = sources;
        }
        self.active = patch.active.unwrap_or(self.active);
        let activated = self.active && !before.1;
        if activated {
            self.activated_at = tenant.now();
        }
        if before != (self.update_interval, self.active) || asks_anew {
            batch.withdraw(tenant.account_id, self.head.id);
            let slot = self.update_interval.slot_after(self.head.created_at, tenant.now());
            let due_at = if activated || asks_anew { tenant.now() } else { slot };
            if self.active {
                self.enqueue(tenant, due_at, batch);
            }
        }
        self.state = tenant.core.store.find(self.head.key()).await?;
        Ok(())
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let of = || vec![Filter::Equal("feed_id", self.head.id.into())];
        batch.sweep::<PriceState>(tenant.account_id, of(), 1);
        batch.sweep::<PriceRound>(tenant.account_id, of(), EVERYTHING);
        batch.sweep::<PriceSnapshot>(tenant.account_id, of(), EVERYTHING);
        batch.withdraw(tenant.account_id, self.head.id);
        Ok(())
    }

    fn view(&self) -> PriceFeedView {
        let (rules, state) = (&self.rules, self.state.as_ref());
        let published = state.and_then(|state| state.published.as_ref());
        PriceFeedView {
            id: self.head.id,
            account_id: self.head.account_id,
            base_asset: self.base_asset.clone(),
            quote_asset: self.quote_asset.clone(),
            pair: self.pair(),
            status: self.status(),
            active: self.active,
            update_interval: written(self.written.update_interval.as_ref(), self.update_interval),
            heartbeat_interval: written(self.written.heartbeat_interval.as_ref(), rules.heartbeat_interval),
            deviation_percent: self.deviation_percent(),
            deviation_bps: rules.deviation_bps,
            min_submissions: rules.min_submissions,
            decimals: rules.decimals,
            outliers: rules.outliers,
            min_price: rules.min_price,
            max_price: rules.max_price,
            sources: self.sources.iter().map(Source::view).collect(),
            latest_price: published.map(|published| published.price),
            latest_round_id: published.map(|published| published.round_id),
            published_at: published.map(|published| published.published_at),
            stale: self.stale_since().is_some(),
            stale_since: self.stale_since(),
            refreshed_at: state.and_then(|state| state.refreshed_at),
            last_error: state.and_then(|state| state.last_error.clone()),
            consecutive_failures: state.map_or(0, |state| state.failures),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn pausable(view: &mut PriceFeedView) -> Option<(&'static str, &mut &'static str)> {
        Some((DUTY, &mut view.status))
    }

    fn conditions(filters: PriceFeedFilters) -> Result<Vec<Filter>, Fault> {
        let pair = filters.pair.map(|pair| Filter::Equal("pair", pair.trim().to_uppercase().into()));
        let active = filters.active.map(|active| Filter::Equal("active", active.into()));
        Ok(pair.into_iter().chain(active).collect())
    }

    fn told(&self) -> Value {
        json!({"pair": self.pair(), "status": self.status(), "version": self.head.version})
    }
}

impl PriceFeed {
    /// `active` or `inactive`.
    pub(super) const fn status(&self) -> &'static str {
        if self.active { "active" } else { "inactive" }
    }

    /// Which change is published, in percent: as it was written, and exact either way.
    fn deviation_percent(&self) -> Value {
        let text = price::write_percent(self.rules.deviation_bps);
        let number = serde_json::from_str(&text).ok().filter(|_| self.written.deviation_is_number);
        number.unwrap_or(Value::String(text))
    }

    /// Whether these sources are others than it has; with headers they may be.
    fn asks_otherwise(&self, sources: &[Source], headers: &sources::Headers) -> bool {
        let no_headers = self.envelope.is_none() && headers.iter().all(BTreeMap::is_empty);
        !no_headers || self.sources != sources
    }

    /// Since when its price has been stale, as far as a refresh has seen it; none where it takes no prices.
    pub(super) fn stale_since(&self) -> Option<DateTime<Utc>> {
        let marked = self.state.as_ref().and_then(|state| state.stale_since);
        marked.filter(|since| self.active && *since >= self.activated_at)
    }

    /// Adds its next refresh to the batch. Each is an item of its own: one that was withdrawn while it was performed
    /// cannot be taken for its successor.
    pub(super) fn enqueue(&self, tenant: &Tenant, due_at: DateTime<Utc>, batch: &mut Batch) {
        let (account, feed) = (self.head.account_id, self.head.id);
        batch.enqueue(NewWork::new(tenant.next_id(), DUTY, account, feed, due_at).gate(feed));
    }

    fn amend_rules(&mut self, patch: &AmendPriceFeed, check: &mut Check) {
        let rules = &mut self.rules;
        let bps = deviation(patch.deviation_percent.as_ref(), patch.deviation_bps, check);
        if let Some(bps) = bps {
            rules.deviation_bps = bps;
            self.written.deviation_is_number =
                patch.deviation_percent.as_ref().is_some_and(|percent| !percent.is_string());
        }
        rules.min_submissions = changed(patch.min_submissions, rules.min_submissions, 1);
        rules.outliers = changed(patch.outliers, rules.outliers, Outliers::default());
        if let Some(text) = patch.heartbeat_interval.clone() {
            let read = read_interval(&HEARTBEAT, text, check);
            (rules.heartbeat_interval, self.written.heartbeat_interval) = read;
        }
        if let Some(text) = &patch.min_price {
            rules.min_price = bound("/min_price", text.as_ref(), rules.decimals, check);
        }
        if let Some(text) = &patch.max_price {
            rules.max_price = bound("/max_price", text.as_ref(), rules.decimals, check);
        }
    }
}

fn check_rules(rules: &Rules, tenant: &Tenant, check: &mut Check) {
    let most = u32::try_from(tenant.settings.count(&MAX_ROUND_INPUTS)).unwrap_or(u32::MAX);
    within(check, "/min_submissions", rules.min_submissions, 1, most);
    within(check, "/outliers/max_bps", rules.outliers.max_bps, 1, 100_000);
    within(check, "/outliers/max_mads", rules.outliers.max_mads, 1, 1_000);
    if let (Some(least), Some(most)) = (rules.min_price, rules.max_price)
        && least > most
    {
        check.broken("/max_price", "bounds", format!("must be at least min_price ({least}), not {most}"));
    }
}

fn within(check: &mut Check, pointer: &str, number: u32, least: u32, most: u32) {
    if !(least..=most).contains(&number) {
        check.broken(pointer, "bounds", format!("must be {least} to {most}, not {number}"));
    }
}

fn asset(pointer: &str, text: &str, check: &mut Check) -> String {
    let asset = text.trim().to_uppercase();
    check.text(pointer, &asset, 1..=32);
    if !asset.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) {
        check.broken(pointer, "characters", "must consist of letters, digits, `.`, `-` and `_`");
    }
    asset
}

/// An interval of a feed: where it stands, and what it is usually, in milliseconds.
struct Usual(&'static str, u64);

const UPDATE: Usual = Usual("/update_interval", 60_000);
const HEARTBEAT: Usual = Usual("/heartbeat_interval", 600_000);

/// An interval, with how it was written.
fn read_interval(usual: &Usual, text: Option<String>, check: &mut Check) -> (Interval, Option<String>) {
    let Usual(pointer, millis) = *usual;
    let text = text.map(|text| text.trim().to_owned());
    let read = text.as_deref().map(Interval::read).transpose();
    let read = read.unwrap_or_else(|(rule, detail)| {
        check.broken(pointer, rule, detail);
        None
    });
    (read.unwrap_or(Interval::from_millis(millis)), text)
}

/// As it was written, where that was kept.
fn written(text: Option<&String>, interval: Interval) -> String {
    text.map_or_else(|| interval.to_string(), String::clone)
}

fn deviation(percent: Option<&ExactNumber>, bps: Option<u32>, check: &mut Check) -> Option<u32> {
    match (percent, bps) {
        (Some(_), Some(_)) => {
            check.broken("/deviation_bps", "exclusive", "give deviation_percent or deviation_bps, not both");
            None
        }
        (Some(percent), None) => {
            read(price::read_percent(percent.as_str(), MOST_DEVIATION), "/deviation_percent", check)
        }
        (None, Some(bps)) => {
            within(check, "/deviation_bps", bps, 1, MOST_DEVIATION);
            Some(bps)
        }
        (None, None) => None,
    }
}

fn bound(pointer: &str, text: Option<&ExactNumber>, decimals: u32, check: &mut Check) -> Option<Price> {
    text.and_then(|text| read(Price::read(text.as_str(), decimals), pointer, check))
}

/// What was read, or a broken rule more.
pub(super) fn read<T>(read: Result<T, Flaw>, pointer: &str, check: &mut Check) -> Option<T> {
    read.map_err(|flaw| check.broken(pointer, flaw.rule, flaw.detail)).ok()
}
