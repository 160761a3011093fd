//! JSON that is kept and passed on as the text it came in, so that no number in it is rounded.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema, schema::ObjectBuilder},
};

/// Any JSON value, as its text.
#[derive(Clone, Debug)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// A string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::read(&serde_json::Value::from(text).to_string()).unwrap_or_else(Self::null)
    }

    /// The value that a text is; none where it is no JSON.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Whether everything in it can be read: no nesting without end, no half characters, no endless numbers.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        serde_json::from_str::<serde_json::Value>(self.text()).is_ok()
    }

    /// The characters of a string, or the text of anything else: as payloads are sent.
    #[must_use]
    pub fn plain(&self) -> String {
        serde_json::from_str::<String>(self.text()).unwrap_or_else(|_| self.text().to_owned())
    }

    /// The value, its numbers as serde reads them: for functions, whose numbers are no others; not to keep or compare.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }
}

/// Equal by value, however it is written; numbers to the last digit.
impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        same(self.text(), other.text())
    }
}

fn same(one: &str, other: &str) -> bool {
    type Members<'a> = BTreeMap<String, &'a RawValue>;
    let of_items = |one: Vec<&RawValue>, other: Vec<&RawValue>| {
        one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(one.get(), other.get()))
    };
    match (one.as_bytes().first(), other.as_bytes().first()) {
        _ if one == other => true,
        (Some(b'{'), Some(b'{')) => both::<Members<'_>>(one, other).is_some_and(|(one, other)| {
            one.keys().eq(other.keys())
                && of_items(one.into_values().collect(), other.into_values().collect())
        }),
        (Some(b'['), Some(b'[')) => {
            both::<Vec<&RawValue>>(one, other).is_some_and(|(one, other)| of_items(one, other))
        }
        (Some(b'"'), Some(b'"')) => both::<String>(one, other).is_some_and(|(one, other)| one == other),
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => {
            number(one).is_some_and(|one| Some(one) == number(other))
        }
        _ => false,
    }
}

fn both<'a, T: Deserialize<'a>>(one: &'a str, other: &'a str) -> Option<(T, T)> {
    Some((serde_json::from_str(one).ok()?, serde_json::from_str(other).ok()?))
}

/// A number as its sign, its digits without zeros at either end, and the power of ten that they count.
fn number(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let ending = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - ending.len()).ok()?;
    let power = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    match ending.trim_start_matches('0') {
        "" => Some((false, String::new(), 0)),
        digits => Some((negative, digits.to_owned(), power.checked_add(dropped)?)),
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl PartialSchema for JsonText {
    fn schema() -> RefOr<Schema> {
        let anything = utoipa::openapi::schema::SchemaType::AnyValue;
        ObjectBuilder::new().schema_type(anything).description(Some("Any JSON value.")).into()
    }
}

impl ToSchema for JsonText {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("JsonText")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_to_the_last_digit() {
        let read = |text: &str| JsonText::read(text).expect("JSON");
        for (one, other) in [
            ("1.50", "1.5"),
            ("150e-2", "1.5"),
            ("0", "-0.0e9"),
            ("{\"a\":1, \"b\":[1e1]}", "{\"b\":[10],\"a\":1.0}"),
            ("\"\\u0041\"", "\"A\""),
        ] {
            assert_eq!(read(one), read(other));
        }
        let large = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        for (one, other) in [
            (large.to_owned(), large.replace("935", "934")),
            (format!("[{{\"a\":{large}}}]"), format!("[{{\"a\":{large}.1}}]")),
            ("1".to_owned(), "-1".to_owned()),
            ("1".to_owned(), "10".to_owned()),
            ("{\"a\":1}".to_owned(), "{\"a\":1,\"b\":1}".to_owned()),
            ("[]".to_owned(), "{}".to_owned()),
            ("1".to_owned(), "\"1\"".to_owned()),
        ] {
            assert_ne!(read(&one), read(&other));
        }
    }
}
