//! Amounts of GAS: whole numbers of 10⁻⁸, decimal text in JSON. Nothing is rounded and nothing is a float.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, SchemaType, Type},
    },
};

use crate::{
    check::Check,
    services::price_feeds::{ExactNumber, mantissa},
};

/// How many decimals GAS has.
const DECIMALS: u32 = 8;
/// How many digits stand before the point at most: an amount is at most 10¹⁰ GAS.
const WHOLE_DIGITS: u32 = 10;
/// One GAS.
const UNIT: i64 = 100_000_000;

/// An amount of GAS, in its smallest unit of 10⁻⁸.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gas(i64);

impl Gas {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many of the smallest unit.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// How many of the smallest unit.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The sum, where there is one.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, where that is not negative.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).filter(|rest| *rest >= 0).map(Self)
    }

    /// What is left, nothing where there would be less.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        self.minus(other).unwrap_or(Self::ZERO)
    }

    /// Reads an amount of at least nothing; a broken rule more where it is none.
    pub(super) fn read_any(pointer: &str, number: &ExactNumber, check: &mut Check) -> Option<Self> {
        Self::read_above(pointer, number, "must be at least 0", check)
    }

    /// Reads an amount of more than nothing; a broken rule more where it is none.
    pub(super) fn read(pointer: &str, number: &ExactNumber, check: &mut Check) -> Option<Self> {
        let bound = "must be more than 0";
        let amount = Self::read_above(pointer, number, bound, check);
        if amount == Some(Self::ZERO) {
            check.broken(pointer, "bounds", bound);
            return None;
        }
        amount
    }

    fn read_above(pointer: &str, number: &ExactNumber, bound: &str, check: &mut Check) -> Option<Self> {
        match mantissa(number.as_str(), DECIMALS, DECIMALS, WHOLE_DIGITS) {
            Ok(units) => i64::try_from(units).ok().map(Self),
            Err(flaw) => {
                let is_negative = flaw.rule == "bounds" && number.as_str().starts_with('-');
                let detail = if is_negative { bound.to_owned() } else { flaw.detail };
                check.broken(pointer, flaw.rule, detail);
                None
            }
        }
    }
}

impl fmt::Display for Gas {
    /// `12.5`: as many decimals as it has.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = ((self.0 / UNIT).unsigned_abs(), (self.0 % UNIT).unsigned_abs());
        if rest == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let fraction = format!("{rest:08}");
        write!(formatter, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Gas {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Gas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = ExactNumber::deserialize(deserializer)?;
        let units = mantissa(number.as_str(), DECIMALS, DECIMALS, WHOLE_DIGITS)
            .map_err(|flaw| de::Error::custom(flaw.detail))?;
        i64::try_from(units).map(Self).map_err(de::Error::custom)
    }
}

impl PartialSchema for Gas {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^-?[0-9]{1,11}(\\.[0-9]{1,8})?$"))
            .description(Some("An exact amount of GAS."))
            .into()
    }
}

impl ToSchema for Gas {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Gas")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Vec<sl_store::FieldError>> {
        let mut check = Check::new();
        let read = Gas::read("/amount", &ExactNumber::from(text), &mut check);
        check.finish().map_err(|fault| fault.fields)?;
        Ok(read.map(|gas| gas.to_string()).unwrap_or_default())
    }

    #[test]
    fn an_amount_is_read_as_it_is_or_refused() {
        for (text, told) in [
            ("1", "1"),
            ("0.00000001", "0.00000001"),
            ("12.50", "12.5"),
            ("1e-8", "0.00000001"),
            ("1e10", "10000000000"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(told), "{text}");
        }
        for (text, rule) in [
            ("0", "bounds"),
            ("-1", "bounds"),
            ("1e11", "bounds"),
            ("0.000000001", "precision"),
            ("0.30000000000000004", "precision"),
            ("x", "format"),
            ("", "format"),
        ] {
            assert_eq!(read(text).map_err(|fields| fields[0].rule), Err(rule), "{text}");
        }
    }

    #[test]
    fn a_negative_amount_is_told_with_its_sign() {
        assert_eq!(Gas::from_units(-50_000_000).to_string(), "-0.5");
    }
}
