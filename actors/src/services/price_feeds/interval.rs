//! Intervals as price feeds write them: `@every 1m`, or a bare duration like `90s` or `1h30m`.

use std::{fmt, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::settings::{read_duration, write_duration};

/// The shortest interval there is.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// The longest interval there is.
pub const LONGEST: Duration = Duration::from_hours(30 * 24);

/// A span of time between two looks, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(Duration);

impl Interval {
    /// Reads `@every 1m`, `1m`, `90s`, `1h30m`.
    ///
    /// # Errors
    /// What it must be: the rule and a sentence with the bounds.
    pub fn read(text: &str) -> Result<Self, (&'static str, String)> {
        let text = text.trim();
        let bare = text.strip_prefix("@every ").map_or(text, str::trim_start);
        let span = compound(bare)
            .ok_or_else(|| ("format", "must be a duration like `@every 1m`, `90s` or `1h30m`".to_owned()))?;
        if (SHORTEST..=LONGEST).contains(&span) {
            return Ok(Self(span));
        }
        let (least, most) = (write_duration(SHORTEST), write_duration(LONGEST));
        Err(("bounds", format!("must be {least} to {most}, not {}", write_duration(span))))
    }

    /// An interval of so many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// As whole milliseconds.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// As a difference of times.
    #[must_use]
    pub fn delta(self) -> TimeDelta {
        TimeDelta::milliseconds(self.millis())
    }

    /// The first slot after an instant: slots lie whole intervals after the anchor, whatever happened at earlier ones.
    #[must_use]
    pub fn slot_after(self, anchor: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let every = self.millis().max(1);
        let passed = (now - anchor).num_milliseconds().div_euclid(every) + 1;
        anchor + TimeDelta::milliseconds(passed.saturating_mul(every))
    }
}

/// Numbers with units, one after another, larger units first or not.
fn compound(text: &str) -> Option<Duration> {
    let mut span = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let end = rest[unit..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |more| unit + more);
        span = span.checked_add(read_duration(&rest[..end])?)?;
        rest = &rest[end..];
    }
    Some(span)
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "@every {}", write_duration(self.0))
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(|(_, detail)| de::Error::custom(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_one_is_written() {
        for (text, written) in [
            ("@every 1m", "@every 1m"),
            ("90s", "@every 90s"),
            ("1h30m", "@every 90m"),
            ("@every  10m", "@every 10m"),
            ("1500ms", "@every 1500ms"),
        ] {
            assert_eq!(Interval::read(text).expect(text).to_string(), written);
        }
        for text in ["", "@every", "1", "m", "soon", "1m1", "@hourly", "1.5h", "-1m", "@every1m"] {
            assert_eq!(Interval::read(text).expect_err(text).0, "format", "{text:?}");
        }
        for text in ["999ms", "31d", "99999999999d"] {
            assert!(Interval::read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn slots_do_not_drift() {
        let anchor: DateTime<Utc> = "2026-01-01T00:00:07Z".parse().expect("a time");
        let every = Interval::from_millis(60_000);
        for (now, slot) in [
            ("2026-01-01T00:00:07Z", "2026-01-01T00:01:07Z"),
            ("2026-01-01T00:01:06.999Z", "2026-01-01T00:01:07Z"),
            ("2026-01-01T00:01:07Z", "2026-01-01T00:02:07Z"),
            ("2026-01-01T03:30:00Z", "2026-01-01T03:30:07Z"),
            ("2025-12-31T23:59:30Z", "2026-01-01T00:00:07Z"),
        ] {
            let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
            assert_eq!(every.slot_after(anchor, at(now)), at(slot), "{now}");
        }
    }
}
