//! Every limit, timeout and queue bound of the system: a named setting with unit, default, bounds and documentation.
//!
//! A [`Setting`] is a constant declared beside the code that obeys it. [`catalogue`] lists them all; the daemon fills
//! [`Settings`] from its layers (default, file, environment, flag) and remembers where each value came from. Settings
//! of scope [`Scope::Account`] can be overridden for a single account by an operator.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// What a setting's number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes; written `64MiB`, `1KiB` or a plain number.
    Bytes,
    /// Milliseconds; written `90s`, `5m`, `250ms`.
    Duration,
    /// Events in a second.
    PerSecond,
    /// 0 or 1; written `true` or `false`.
    Flag,
}

/// For whom a setting can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Once for the daemon.
    Daemon,
    /// For the daemon, and for one account where an operator says so.
    Account,
}

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, `group.name`.
    pub name: &'static str,
    /// What its number counts.
    pub unit: Unit,
    /// The value without any other word.
    pub default: u64,
    /// The smallest value allowed.
    pub min: u64,
    /// The largest value allowed.
    pub max: u64,
    /// For whom it can be set.
    pub scope: Scope,
    /// One sentence that says what it bounds.
    pub doc: &'static str,
}

impl Setting {
    /// A number from `min` to `max`.
    #[must_use]
    pub const fn count(name: &'static str, default: u64, min: u64, max: u64, doc: &'static str) -> Self {
        Self { name, unit: Unit::Count, default, min, max, scope: Scope::Daemon, doc }
    }

    /// A size in bytes from `min` to `max`.
    #[must_use]
    pub const fn bytes(name: &'static str, default: u64, min: u64, max: u64, doc: &'static str) -> Self {
        Self { name, unit: Unit::Bytes, default, min, max, scope: Scope::Daemon, doc }
    }

    /// A duration in milliseconds from `min` to `max`.
    #[must_use]
    pub const fn millis(name: &'static str, default: u64, min: u64, max: u64, doc: &'static str) -> Self {
        Self { name, unit: Unit::Duration, default, min, max, scope: Scope::Daemon, doc }
    }

    /// A rate in events a second from `min` to `max`.
    #[must_use]
    pub const fn rate(name: &'static str, default: u64, min: u64, max: u64, doc: &'static str) -> Self {
        Self { name, unit: Unit::PerSecond, default, min, max, scope: Scope::Daemon, doc }
    }

    /// A switch.
    #[must_use]
    pub const fn flag(name: &'static str, default: bool, doc: &'static str) -> Self {
        Self { name, unit: Unit::Flag, default: default as u64, min: 0, max: 1, scope: Scope::Daemon, doc }
    }

    /// The same, and an operator may set it for one account.
    #[must_use]
    pub const fn per_account(mut self) -> Self {
        self.scope = Scope::Account;
        self
    }

    /// The environment variable that sets it: `SERVICE_LAYER_EXECUTIONS_WALL_LIMIT`.
    #[must_use]
    pub fn environment(&self) -> String {
        format!("SERVICE_LAYER_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Reads a value in the setting's unit and checks its bounds; the message names setting, rule and bound.
    ///
    /// # Errors
    /// A sentence for people: what was expected and what was found.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        let value = read(self.unit, text.trim())
            .ok_or_else(|| format!("{}: {text:?} is not {}", self.name, self.unit.expectation()))?;
        self.check(value)
    }

    /// Checks a value against the bounds.
    ///
    /// # Errors
    /// A sentence for people that names the bounds.
    pub fn check(&self, value: u64) -> Result<u64, String> {
        if (self.min..=self.max).contains(&value) {
            return Ok(value);
        }
        let (value, min, max) = (self.format(value), self.format(self.min), self.format(self.max));
        Err(format!("{}: {value} is outside {min} to {max}", self.name))
    }

    /// A value as a person writes it.
    #[must_use]
    pub fn format(&self, value: u64) -> String {
        match self.unit {
            Unit::Count => value.to_string(),
            Unit::PerSecond => format!("{value}/s"),
            Unit::Flag => (value != 0).to_string(),
            Unit::Bytes => scaled(value, &BYTES),
            Unit::Duration => scaled(value, &DURATIONS),
        }
    }
}

impl Unit {
    /// What a value of the unit looks like.
    #[must_use]
    pub const fn expectation(self) -> &'static str {
        match self {
            Self::Count => "a whole number",
            Self::Bytes => "a size like 64MiB, 512KiB or 1024",
            Self::Duration => "a duration like 250ms, 90s, 5m, 2h or 1d",
            Self::PerSecond => "a rate like 100 or 100/s",
            Self::Flag => "true or false",
        }
    }
}

const BYTES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const DURATIONS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

fn scaled(value: u64, scale: &[(&str, u64)]) -> String {
    let fitting = scale.iter().find(|(_, size)| value >= *size && value.is_multiple_of(*size));
    match fitting.or(scale.last()) {
        Some((suffix, size)) => format!("{}{suffix}", value / size),
        None => value.to_string(),
    }
}

fn read(unit: Unit, text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let suffix = suffix.trim();
    let scale: u64 = match unit {
        Unit::Flag => return text.parse::<bool>().ok().map(u64::from),
        Unit::Count => suffix.is_empty().then_some(1)?,
        Unit::PerSecond => matches!(suffix, "" | "/s").then_some(1)?,
        Unit::Bytes if suffix.is_empty() => 1,
        Unit::Bytes => named(&BYTES, suffix)?,
        Unit::Duration => named(&DURATIONS, suffix)?,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

fn named(scale: &[(&str, u64)], suffix: &str) -> Option<u64> {
    scale.iter().find(|(name, _)| *name == suffix).map(|(_, size)| *size)
}

/// Reads a duration as the API writes it (`90s`, `5m`, `250ms`).
#[must_use]
pub fn read_duration(text: &str) -> Option<Duration> {
    read(Unit::Duration, text.trim()).map(Duration::from_millis)
}

/// Writes a duration as the API writes it.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    scaled(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// Reads a size as the API writes it (`64MiB`, `512KiB`, `1024`).
#[must_use]
pub fn read_size(text: &str) -> Option<u64> {
    read(Unit::Bytes, text.trim())
}

/// Writes a size as the API writes it.
#[must_use]
pub fn write_size(bytes: u64) -> String {
    scaled(bytes, &BYTES)
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The setting's own default.
    Default,
    /// The configuration file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
    /// An operator's word for one account.
    Account,
}

impl Source {
    /// As it stands in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
            Self::Account => "account",
        }
    }
}

/// The values in force; cheap to clone.
#[derive(Clone, Default)]
pub struct Settings(Arc<BTreeMap<&'static str, (u64, Source)>>);

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.0.iter()).finish()
    }
}

impl Settings {
    /// Values that differ from the defaults, already checked by [`Setting::parse`] or [`Setting::check`].
    #[must_use]
    pub fn new(values: BTreeMap<&'static str, (u64, Source)>) -> Self {
        Self(Arc::new(values))
    }

    /// The same with one value more, as a test or an account's override says.
    #[must_use]
    pub fn with(&self, setting: &Setting, value: u64, source: Source) -> Self {
        let mut values = (*self.0).clone();
        values.insert(setting.name, (value, source));
        Self::new(values)
    }

    /// The value in the setting's unit and where it came from.
    #[must_use]
    pub fn value(&self, setting: &Setting) -> (u64, Source) {
        self.0.get(setting.name).copied().unwrap_or((setting.default, Source::Default))
    }

    /// The value as a plain number.
    #[must_use]
    pub fn count(&self, setting: &Setting) -> u64 {
        self.value(setting).0
    }

    /// The value as a size of something in memory.
    #[must_use]
    pub fn size(&self, setting: &Setting) -> usize {
        usize::try_from(self.count(setting)).unwrap_or(usize::MAX)
    }

    /// The value as a duration.
    #[must_use]
    pub fn duration(&self, setting: &Setting) -> Duration {
        Duration::from_millis(self.count(setting))
    }

    /// The value as a switch.
    #[must_use]
    pub fn flag(&self, setting: &Setting) -> bool {
        self.count(setting) != 0
    }
}

/// Every setting of the system, by name.
#[must_use]
pub fn catalogue() -> Vec<&'static Setting> {
    let mut all: Vec<&'static Setting> =
        crate::SETTINGS.iter().flat_map(|group| group.iter().copied()).collect();
    all.sort_by_key(|setting| setting.name);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_named_once_and_its_default_lies_within_its_bounds() {
        let all = catalogue();
        for pair in all.windows(2) {
            assert_ne!(pair[0].name, pair[1].name);
        }
        for setting in all {
            assert!(setting.name.len() <= crate::page::NAME, "{}", setting.name);
            assert_eq!(setting.check(setting.default), Ok(setting.default), "{}", setting.name);
            assert_eq!(setting.parse(&setting.format(setting.default)), Ok(setting.default));
        }
    }

    #[test]
    fn values_are_read_in_their_unit_and_refused_with_the_bound() {
        const LIMIT: Setting = Setting::millis("runs.limit", 30_000, 1, 900_000, "How long a run may take.");
        assert_eq!(LIMIT.parse("5m"), Ok(300_000));
        assert_eq!(LIMIT.environment(), "SERVICE_LAYER_RUNS_LIMIT");
        assert_eq!(LIMIT.parse("1h"), Err("runs.limit: 1h is outside 1ms to 15m".to_owned()));
        assert!(LIMIT.parse("soon").is_err());
        assert!(LIMIT.parse("99999999999999999999d").is_err());
    }
}
