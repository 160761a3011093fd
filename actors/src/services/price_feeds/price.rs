//! Prices: exact decimals, as text in JSON and as whole numbers of 10⁻¹⁸ here. Nothing is ever rounded on its way in.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, SchemaType, Type},
    },
};

/// How many decimals a price has at most.
pub const DECIMALS: u32 = 18;
/// How many digits stand before the point at most; a price is at most 10¹⁵.
const WHOLE_DIGITS: u32 = 15;
/// How long the text of a number may be.
const TEXT: usize = 100;
/// What a change is told as where it is larger still.
const MOST_CHANGE: i128 = 1_000_000_000;

/// A price: more than 0, at most 10¹⁵, with up to 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i128);

/// Why a text is no such number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The rule it breaks: `format`, `length`, `bounds`, `precision`.
    pub rule: &'static str,
    /// The rule with its bound.
    pub detail: String,
}

fn flaw(rule: &'static str, detail: impl Into<String>) -> Flaw {
    Flaw { rule, detail: detail.into() }
}

impl Price {
    /// Reads a price of up to `decimals` decimals, in the grammar of JSON's numbers.
    ///
    /// # Errors
    /// A [`Flaw`] naming the rule and its bound: no number, zero or less, too large, or more decimals than are kept.
    pub fn read(text: &str, decimals: u32) -> Result<Self, Flaw> {
        let mantissa = mantissa(text, decimals.min(DECIMALS), DECIMALS, WHOLE_DIGITS)?;
        if mantissa <= 0 { Err(flaw("bounds", "must be more than 0")) } else { Ok(Self(mantissa)) }
    }

    /// The change from an earlier price in basis points, towards zero; a change beyond 10⁹ is told as that.
    #[must_use]
    pub fn change_bps(self, before: Self) -> i64 {
        let change = (self.0 - before.0) * 10_000 / before.0;
        i64::try_from(change.clamp(-MOST_CHANGE, MOST_CHANGE)).unwrap_or_default()
    }

    /// Whether it differs from another by at least so many basis points of that other.
    #[must_use]
    pub fn differs_by(self, from: Self, bps: u32) -> bool {
        (self.0 - from.0).abs() * 10_000 >= i128::from(bps) * from.0
    }

    /// Whether it differs from another by more than so many basis points of that other.
    #[must_use]
    pub fn exceeds(self, from: Self, bps: u32) -> bool {
        (self.0 - from.0).abs() * 10_000 > i128::from(bps) * from.0
    }

    /// How far it lies from another, in 10⁻¹⁸.
    #[must_use]
    pub const fn distance(self, from: Self) -> i128 {
        (self.0 - from.0).abs()
    }

    /// The median: the middle one, or of an even number the mean of the middle two, rounded half to even at `decimals`.
    /// None where there are none.
    #[must_use]
    pub fn median(prices: &[Self], decimals: u32) -> Option<Self> {
        let values: Vec<i128> = prices.iter().map(|price| price.0).collect();
        median(values, decimals).map(Self)
    }
}

/// The median of whole numbers of 10⁻¹⁸, none of them negative.
pub(super) fn median(mut values: Vec<i128>, decimals: u32) -> Option<i128> {
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let unit = 10_i128.pow(DECIMALS - decimals.min(DECIMALS));
    let sum = values[middle - 1] + upper;
    let (whole, rest) = (sum / (2 * unit), sum % (2 * unit));
    let up = rest > unit || (rest == unit && whole % 2 == 1);
    Some((whole + i128::from(up)) * unit)
}

/// Reads a decimal number as a whole number of 10^-`scale`; it may have `decimals` decimals and `whole` digits before the
/// point.
pub(crate) fn mantissa(text: &str, decimals: u32, scale: u32, whole: u32) -> Result<i128, Flaw> {
    if text.len() > TEXT {
        return Err(flaw("length", format!("must be written in at most {TEXT} characters")));
    }
    let parts = Parts::of(text)
        .ok_or_else(|| flaw("format", "must be a decimal number like 12.34, as a string or a number"))?;
    if parts.digits.is_empty() {
        return Ok(0);
    }
    if parts.negative {
        return Err(flaw("bounds", "must be more than 0"));
    }
    if parts.decimals > i64::from(decimals) {
        let detail =
            format!("must have at most {decimals} decimals, not {}; it is not rounded", parts.decimals);
        return Err(flaw("precision", detail));
    }
    let shift = i64::from(scale) - parts.decimals;
    let length = i64::try_from(parts.digits.len()).unwrap_or(i64::MAX);
    let too_large = || flaw("bounds", format!("must be at most 10^{whole}"));
    if length.saturating_add(shift) > i64::from(scale + whole) + 1 {
        return Err(too_large());
    }
    let digits: i128 = parts.digits.parse().map_err(|_| too_large())?;
    let value = u32::try_from(shift).ok().and_then(|shift| digits.checked_mul(10_i128.checked_pow(shift)?));
    value.filter(|value| *value <= 10_i128.pow(scale + whole)).ok_or_else(too_large)
}

/// A number taken apart: the significant digits, without zeros at either end, and how many decimals they have (less than
/// zero where zeros follow before the point).
struct Parts {
    negative: bool,
    digits: String,
    decimals: i64,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match rest.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, read_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || (whole.len() > 1 && whole.starts_with('0'))
            || !plain(whole)
            || !plain(fraction)
        {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - digits.len()).ok()?;
        let decimals = i64::try_from(fraction.len()).ok()? - dropped - exponent;
        Some(Self { negative, digits: digits.trim_start_matches('0').to_owned(), decimals })
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // An exponent of more digits than these is out of every bound; it is kept so that the bound is told.
    plain.then(|| sign * digits.parse::<i64>().unwrap_or(1_000_000).min(1_000_000))
}

impl fmt::Display for Price {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_i128.pow(DECIMALS);
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        let fraction = format!("{rest:018}");
        write!(formatter, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Self::read(&text, DECIMALS).map_err(|flaw| de::Error::custom(flaw.detail))
    }
}

impl PartialSchema for Price {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^[0-9]{1,16}(\\.[0-9]{1,18})?$"))
            .description(Some("An exact decimal number."))
            .into()
    }
}

impl ToSchema for Price {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Price")
    }
}

/// A share in percent with up to two decimals, as whole basis points.
///
/// # Errors
/// A [`Flaw`] naming the rule and its bound.
pub fn read_percent(text: &str, most: u32) -> Result<u32, Flaw> {
    let bps = mantissa(text, 2, 2, 6)?;
    let refused = || flaw("bounds", format!("must be more than 0 and at most {}", write_percent(most)));
    u32::try_from(bps).ok().filter(|bps| (1..=most).contains(bps)).ok_or_else(refused)
}

/// Basis points as a share in percent.
#[must_use]
pub fn write_percent(bps: u32) -> String {
    match (bps / 100, bps % 100) {
        (whole, 0) => whole.to_string(),
        (whole, rest) if rest % 10 == 0 => format!("{whole}.{}", rest / 10),
        (whole, rest) => format!("{whole}.{rest:02}"),
    }
}

/// A decimal number as it was sent, a string or a number; never read through floating point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactNumber {
    text: String,
    is_string: bool,
}

impl ExactNumber {
    /// The text of the number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was sent as a string.
    #[must_use]
    pub const fn is_string(&self) -> bool {
        self.is_string
    }

    /// The number that stands as JSON text; none where it is neither a number nor a string.
    #[must_use]
    pub fn of_json(text: &str) -> Option<Self> {
        match text.as_bytes().first()? {
            b'"' => serde_json::from_str(text).ok().map(|text| Self { text, is_string: true }),
            b'-' | b'0'..=b'9' => Some(Self { text: text.to_owned(), is_string: false }),
            _ => None,
        }
    }
}

impl From<&str> for ExactNumber {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), is_string: true }
    }
}

impl<'de> Deserialize<'de> for ExactNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of_json(raw.get())
            .ok_or_else(|| de::Error::custom("must be a decimal number, as a string or a number"))
    }
}

impl PartialSchema for ExactNumber {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![Type::String, Type::Number]))
            .pattern(Some("^[0-9]{1,16}(\\.[0-9]{1,18})?$"))
            .description(Some(
                "A decimal number, as a string or a number; refused where it would have to be rounded.",
            ))
            .into()
    }
}

impl ToSchema for ExactNumber {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ExactNumber")
    }
}

#[cfg(test)]
mod tests;
