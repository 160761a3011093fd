//! The formula by which observations become a price, and whether that price is published. Pure: the same round gives the
//! same answer anywhere (`slctl verify round`).
//!
//! Formula `pricefeed/2`, at the instant `at`:
//!
//! 1. An observation collected or received before `at` − 2 × heartbeat is rejected as `expired`. (`pricefeed/1`, by which
//!    earlier rounds were decided, looked at when it was received alone.)
//! 2. One below `min_price` or above `max_price` is rejected as `out_of_bounds`.
//! 3. With three or more left, of median m: by the rule `deviation`, one with |x − m| · 10⁴ > `max_bps` · m is rejected
//!    as `outlier`; by the rule `mad`, one with |x − m| > `max_mads` · MAD, where MAD is the median of all |x − m| and
//!    rejects nothing where it is 0.
//! 4. The price is the median of the rest: the middle one, or of an even number the mean of the middle two, rounded half
//!    to even at the feed's decimals.
//! 5. With fewer than `min_submissions` left nothing is published (`too_few_submissions`). Otherwise the price p is
//!    published where nothing was before (`first`); where |p − q| · 10⁴ ≥ `deviation_bps` · q for the price q published
//!    last (`deviation`); or where at least the heartbeat has passed since then (`heartbeat`). Else it is
//!    `below_deviation`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    interval::Interval,
    price::{self, Price},
};

/// The formula's name and version.
pub const FORMULA: &str = "pricefeed/2";

/// How observations that lie far from the others are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutlierRule {
    /// None is rejected.
    None,
    /// By the distance from the median in basis points of it.
    #[default]
    Deviation,
    /// By the distance from the median in multiples of the median distance.
    Mad,
}

/// Which observations are rejected as outliers, where there are three or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Outliers {
    /// The rule: `none`, `deviation` or `mad`.
    pub rule: OutlierRule,
    /// Of the rule `deviation`: how far from the median an observation may lie, in basis points; 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_bps: u32,
    /// Of the rule `mad`: how many median distances from the median an observation may lie; 1 to 1,000.
    #[schema(minimum = 1, maximum = 1_000)]
    pub max_mads: u32,
}

impl Default for Outliers {
    fn default() -> Self {
        Self { rule: OutlierRule::Deviation, max_bps: 1_000, max_mads: 5 }
    }
}

/// What a round is judged by: the feed's rules as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceRules)]
pub struct Rules {
    /// How many decimals prices have at most.
    pub decimals: u32,
    /// How many observations must be left.
    pub min_submissions: u32,
    /// Which change is published, in basis points.
    pub deviation_bps: u32,
    /// After how long the price is published even unchanged.
    #[schema(value_type = String)]
    pub heartbeat_interval: Interval,
    /// The lowest price that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_price: Option<Price>,
    /// The highest price that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Price>,
    /// Which observations are outliers.
    pub outliers: Outliers,
}

/// One observation of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceInput)]
pub struct Input {
    /// The snapshot that keeps it.
    pub snapshot_id: Uuid,
    /// Who observed it.
    pub source: String,
    /// The price.
    pub price: Price,
    /// When the source saw it.
    pub collected_at: DateTime<Utc>,
    /// When it arrived here.
    pub received_at: DateTime<Utc>,
}

/// Why something does not count in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceRejection)]
pub enum Rejection {
    /// It is older than two heartbeats.
    Expired,
    /// It lies outside the feed's bounds.
    OutOfBounds,
    /// It lies too far from the others.
    Outlier,
    /// The same source observed again.
    Superseded,
    /// The round has as many observations as it may.
    CrowdedOut,
    /// The source does not answer, or not in time.
    Unreachable,
    /// The source may not be asked from here.
    Refused,
    /// The source answered another status than 200.
    HttpStatus,
    /// The source asked to wait, or the host is asked too often.
    RateLimited,
    /// The answer holds no price at that place, or none that can be kept exactly.
    Unreadable,
}

/// The price published last before a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PricePrevious)]
pub struct Previous {
    /// Its round.
    pub round_id: i64,
    /// The price.
    pub price: Price,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

/// Why a price is published, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PriceReason)]
pub enum Reason {
    /// Published: the feed's first.
    First,
    /// Published: it changed by at least the deviation.
    Deviation,
    /// Published: the heartbeat has passed.
    Heartbeat,
    /// Not published: too few observations are left.
    TooFewSubmissions,
    /// Not published: it changed by less, and the heartbeat has not passed.
    BelowDeviation,
}

impl Reason {
    /// As it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Deviation => "deviation",
            Self::Heartbeat => "heartbeat",
            Self::TooFewSubmissions => "too_few_submissions",
            Self::BelowDeviation => "below_deviation",
        }
    }
}

/// What a round came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PriceDecision)]
pub struct Decision {
    /// Whether the price is published.
    pub publish: bool,
    /// Why, or why not.
    pub reason: Reason,
    /// How many observations count.
    pub submissions: u32,
    /// The median of those; none where none counts.
    pub price: Option<Price>,
    /// The change from the price published last, in basis points, towards zero.
    pub change_bps: Option<i64>,
    /// When it was decided.
    pub evaluated_at: DateTime<Utc>,
}

/// What a round is evaluated from.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The feed's rules.
    pub rules: &'a Rules,
    /// The price published last.
    pub previous: Option<&'a Previous>,
    /// The observations.
    pub inputs: &'a [Input],
    /// Now.
    pub at: DateTime<Utc>,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// For each observation, why it does not count, or none.
    pub rejections: Vec<Option<Rejection>>,
    /// The decision.
    pub decision: Decision,
}

/// Applies the formula.
#[must_use]
pub fn evaluate(given: Given<'_>) -> Evaluation {
    let rules = given.rules;
    let mut rejections: Vec<Option<Rejection>> =
        given.inputs.iter().map(|input| alone(input, given)).collect();
    reject_outliers(given.inputs, rules, &mut rejections);
    let left = left(given.inputs, &rejections);
    let price = Price::median(&left, rules.decimals);
    let previous = given.previous;
    let change_bps = price.zip(previous).map(|(price, previous)| price.change_bps(previous.price));
    let submissions = u32::try_from(left.len()).unwrap_or(u32::MAX);
    let (publish, reason) = match (price, previous) {
        (None, _) => (false, Reason::TooFewSubmissions),
        _ if submissions < rules.min_submissions => (false, Reason::TooFewSubmissions),
        (Some(_), None) => (true, Reason::First),
        (Some(price), Some(previous)) if price.differs_by(previous.price, rules.deviation_bps) => {
            (true, Reason::Deviation)
        }
        (Some(_), Some(previous)) if given.at - previous.published_at >= rules.heartbeat_interval.delta() => {
            (true, Reason::Heartbeat)
        }
        _ => (false, Reason::BelowDeviation),
    };
    let decision = Decision { publish, reason, submissions, price, change_bps, evaluated_at: given.at };
    Evaluation { rejections, decision }
}

/// Why an observation does not count, whatever the others are.
fn alone(input: &Input, given: Given<'_>) -> Option<Rejection> {
    let rules = given.rules;
    let out_of_bounds = rules.min_price.is_some_and(|least| input.price < least)
        || rules.max_price.is_some_and(|most| input.price > most);
    if input.collected_at.min(input.received_at) < given.at - rules.heartbeat_interval.delta() * 2 {
        Some(Rejection::Expired)
    } else if out_of_bounds {
        Some(Rejection::OutOfBounds)
    } else {
        None
    }
}

fn left(inputs: &[Input], rejections: &[Option<Rejection>]) -> Vec<Price> {
    let counts = inputs.iter().zip(rejections).filter(|(_, rejection)| rejection.is_none());
    counts.map(|(input, _)| input.price).collect()
}

fn reject_outliers(inputs: &[Input], rules: &Rules, rejections: &mut [Option<Rejection>]) {
    let left = left(inputs, rejections);
    let Some(middle) = Price::median(&left, rules.decimals).filter(|_| left.len() >= 3) else { return };
    let distances = || left.iter().map(|price| price.distance(middle)).collect::<Vec<_>>();
    let spread = price::median(distances(), rules.decimals).unwrap_or_default();
    let is_outlier = |price: Price| match rules.outliers.rule {
        OutlierRule::None => false,
        OutlierRule::Deviation => price.exceeds(middle, rules.outliers.max_bps),
        OutlierRule::Mad => {
            spread > 0 && price.distance(middle) > spread * i128::from(rules.outliers.max_mads)
        }
    };
    for (input, rejection) in inputs.iter().zip(rejections) {
        if rejection.is_none() && is_outlier(input.price) {
            *rejection = Some(Rejection::Outlier);
        }
    }
}

#[cfg(test)]
mod tests;
