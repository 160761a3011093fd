//! What one run of a function may use: the account's bounds, and what the function itself asks for within them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    check::Check,
    settings::{self, Setting, Settings},
};

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// How large the JavaScript heap of a run may grow.
pub const HEAP: Setting = Setting::bytes(
    "executions.heap",
    64 * MIB,
    4 * MIB,
    4_096 * MIB,
    "How large the JavaScript heap of a run may grow; a function may ask for less.",
)
.per_account();
/// How much array buffers of a run may hold.
pub const BUFFERS: Setting = Setting::bytes(
    "executions.buffers",
    32 * MIB,
    64 * KIB,
    4_096 * MIB,
    "How much the array buffers of a run may hold, outside its heap; a function may ask for less.",
)
.per_account();
/// How much CPU time a run may use.
pub const CPU: Setting = Setting::millis(
    "executions.cpu",
    5_000,
    1,
    600_000,
    "How much CPU time a run may use; a function may ask for less.",
)
.per_account();
/// How long a run may take.
pub const WALL: Setting = Setting::millis(
    "executions.wall",
    30_000,
    1,
    900_000,
    "How long a run may take, waiting included; a function may ask for less.",
)
.per_account();
/// How large the output of a run may be.
pub const OUTPUT: Setting = Setting::bytes(
    "executions.output",
    MIB,
    64,
    4 * MIB,
    "How large the output of a run, and the params of its actions together, may be as JSON; a function may ask for less.",
)
.per_account();
/// How many lines a run may log.
pub const LOG_LINES: Setting = Setting::count(
    "executions.log_lines",
    1_000,
    1,
    10_000,
    "How many lines a run may log; a function may ask for less.",
)
.per_account();
/// How many bytes a run may log.
pub const LOG_BYTES: Setting = Setting::bytes(
    "executions.log_bytes",
    256 * KIB,
    64,
    2 * MIB,
    "How many bytes a run may log; a function may ask for less.",
)
.per_account();
/// How many runs of one function there may be at once in one daemon.
pub const CONCURRENCY: Setting = Setting::count(
    "executions.function_concurrency",
    16,
    1,
    1_000,
    "How many runs of one function one daemon performs at once; further ones wait in the queue. A function may ask for less.",
)
.per_account();
/// How many fetches a run may begin.
pub const FETCHES: Setting = Setting::count(
    "executions.fetches",
    20,
    0,
    1_000,
    "How many fetches a run may begin; a function may ask for less.",
)
.per_account();
/// How many actions a run may queue.
pub const ACTIONS: Setting = Setting::count(
    "executions.actions",
    100,
    0,
    10_000,
    "How many Devpack actions a run may queue; a function may ask for less.",
)
.per_account();

pub(super) const SETTINGS: [&Setting; 10] =
    [&HEAP, &BUFFERS, &CPU, &WALL, &OUTPUT, &LOG_LINES, &LOG_BYTES, &CONCURRENCY, &FETCHES, &ACTIONS];

/// A size in bytes, written `"64MiB"`; a plain number of bytes is read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "64MiB")]
pub struct Size(pub u64);

/// A duration in milliseconds, written `"250ms"` or `"5s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "5s")]
pub struct Span(pub u64);

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&settings::write_size(self.0))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size like \"64MiB\", \"512KiB\" or a number of bytes")]
        enum Written {
            Number(u64),
            Text(String),
        }
        let size = match Written::deserialize(deserializer)? {
            Written::Number(bytes) => Some(bytes),
            Written::Text(text) => settings::read_size(&text),
        };
        size.map(Self).ok_or_else(|| serde::de::Error::custom("not a size like \"64MiB\" or \"512KiB\""))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&settings::write_duration(Duration::from_millis(self.0)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = settings::read_duration(&text).and_then(|span| u64::try_from(span.as_millis()).ok());
        span.map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a duration like \"250ms\", \"5s\" or \"1m\""))
    }
}

/// What a function asks for; what it does not name is the account's bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The JavaScript heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap: Option<Size>,
    /// Array buffers, which lie outside the heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers: Option<Size>,
    /// CPU time; waiting for a fetch or a timer takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Time from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<Span>,
    /// The output as JSON, and the params of all actions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Size>,
    /// Lines logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lines: Option<u32>,
    /// Bytes logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<Size>,
    /// Runs of the function at once in one daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Fetches begun by one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetches: Option<u32>,
    /// Actions queued by one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<u32>,
}

impl Limits {
    /// Each limit: its field, the setting that bounds it, and what is asked for.
    const fn each(&self) -> [(&'static str, &'static Setting, Option<u64>); 10] {
        const fn size(size: Option<Size>) -> Option<u64> {
            match size {
                Some(Size(bytes)) => Some(bytes),
                None => None,
            }
        }
        const fn span(span: Option<Span>) -> Option<u64> {
            match span {
                Some(Span(millis)) => Some(millis),
                None => None,
            }
        }
        const fn count(count: Option<u32>) -> Option<u64> {
            match count {
                Some(count) => Some(count as u64),
                None => None,
            }
        }
        [
            ("heap", &HEAP, size(self.heap)),
            ("buffers", &BUFFERS, size(self.buffers)),
            ("cpu", &CPU, span(self.cpu)),
            ("wall", &WALL, span(self.wall)),
            ("output", &OUTPUT, size(self.output)),
            ("log_lines", &LOG_LINES, count(self.log_lines)),
            ("log_bytes", &LOG_BYTES, size(self.log_bytes)),
            ("concurrency", &CONCURRENCY, count(self.concurrency)),
            ("fetches", &FETCHES, count(self.fetches)),
            ("actions", &ACTIONS, count(self.actions)),
        ]
    }

    /// Tells every limit that lies outside what the account allows.
    pub(super) fn check(&self, settings: &Settings, check: &mut Check) {
        for (field, setting, asked) in self.each() {
            let bound = settings.count(setting);
            if let Some(asked) = asked.filter(|asked| !(setting.min..=bound).contains(asked)) {
                let (asked, least, most) =
                    (setting.format(asked), setting.format(setting.min), setting.format(bound));
                let detail = format!("must be {least} to {most} ({}), not {asked}", setting.name);
                check.broken(format!("/limits/{field}"), "bounds", detail);
            }
        }
    }

    /// What is in force for one limit: what is asked for, or the account's bound where that is less by now.
    #[must_use]
    pub fn in_force(&self, setting: &Setting, settings: &Settings) -> u64 {
        let bound = settings.count(setting);
        let asked = self.each().into_iter().find(|(_, known, _)| known.name == setting.name);
        asked.and_then(|(_, _, asked)| asked).map_or(bound, |asked| asked.min(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

    fn read(text: &str) -> Result<Limits, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn limits_are_read_in_words_and_written_back() {
        let limits = read(r#"{"heap": "16MiB", "cpu": "250ms", "log_lines": 10, "output": 1000}"#).unwrap();
        let written = serde_json::to_string(&limits).unwrap();
        assert_eq!(written, r#"{"heap":"16MiB","cpu":"250ms","output":"1000B","log_lines":10}"#);
        assert_eq!(read(&written).unwrap(), limits);
        assert!(read(r#"{"heep": 1}"#).is_err());
        assert!(read(r#"{"cpu": 5}"#).is_err());
    }

    #[test]
    fn a_limit_outside_the_account_s_names_field_bound_and_setting() {
        let limits = read(r#"{"heap": "128MiB", "wall": "31s", "fetches": 20}"#).unwrap();
        let mut check = Check::new();
        limits.check(&Settings::default(), &mut check);
        let fault = check.finish().unwrap_err();
        let found: Vec<_> = fault.fields.iter().map(|field| (field.pointer.as_str(), field.rule)).collect();
        assert_eq!(found, [("/limits/heap", "bounds"), ("/limits/wall", "bounds")]);
        assert_eq!(fault.fields[0].detail, "must be 4MiB to 64MiB (executions.heap), not 128MiB");
    }

    #[test]
    fn what_is_asked_for_holds_only_within_what_the_account_has_now() {
        let limits = read(r#"{"cpu": "4s"}"#).unwrap();
        let settings = Settings::default();
        assert_eq!(limits.in_force(&CPU, &settings), 4_000);
        assert_eq!(limits.in_force(&WALL, &settings), 30_000);
        assert_eq!(limits.in_force(&CPU, &settings.with(&CPU, 1_000, Source::Account)), 1_000);
    }
}
