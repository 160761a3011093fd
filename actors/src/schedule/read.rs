//! A schedule's text.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};

use super::{Refused, Rule, crontab::Crontab};

/// The longest text that is looked at.
const LONGEST: usize = 512;
/// The longest period of `@every`: a year.
const LONGEST_PERIOD: u64 = 366 * 86_400;

const NAMED: [(&str, &str); 7] = [
    ("hourly", "0 * * * *"),
    ("daily", "0 0 * * *"),
    ("midnight", "0 0 * * *"),
    ("weekly", "0 0 * * 0"),
    ("monthly", "0 0 1 * *"),
    ("annually", "0 0 1 1 *"),
    ("yearly", "0 0 1 1 *"),
];

const UNITS: [(&str, u64); 5] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

pub(super) fn schedule(text: &str) -> Result<Rule, Refused> {
    let text = text.trim();
    if text.len() > LONGEST {
        let detail = format!("must have at most {LONGEST} characters, not {}", text.len());
        return Err(Refused::new("length", detail));
    }
    if let Some(named) = text.strip_prefix('@') {
        return special(named);
    }
    match text.split_once(char::is_whitespace) {
        Some(("at" | "AT" | "At", instant)) => at(instant.trim()).map(Rule::At),
        _ => crontab(text),
    }
}

fn crontab(text: &str) -> Result<Rule, Refused> {
    Crontab::read(text).map(|crontab| Rule::Crontab(Box::new(crontab)))
}

fn special(text: &str) -> Result<Rule, Refused> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = name.to_ascii_lowercase();
    if name == "every" {
        return every(rest.trim()).map(Rule::Every);
    }
    let named = NAMED.iter().find(|(known, _)| *known == name && rest.trim().is_empty());
    named.map_or_else(
        || {
            let known: Vec<String> = NAMED.iter().map(|(name, _)| format!("@{name}")).collect();
            let known = known.join(", ");
            Err(Refused::new("form", format!("@{text} is not one of @every <duration>, {known}")))
        },
        |(_, fields)| crontab(fields),
    )
}

fn at(text: &str) -> Result<DateTime<Utc>, Refused> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|instant| instant.to_utc().trunc_subsecs(0)).map_err(|error| {
        Refused::new(
            "form",
            format!("at {text:?}: an RFC 3339 time such as 2027-01-31T12:00:00Z is expected: {error}"),
        )
    })
}

/// A period of whole seconds: `90s`, `1h30m`, `1.5h`.
fn every(text: &str) -> Result<Duration, Refused> {
    let millis = period(text).ok_or_else(|| {
        Refused::new("form", format!("@every {text:?}: a duration such as 90s, 1h30m or 1d is expected"))
    })?;
    let bounds = 1..=LONGEST_PERIOD;
    if millis % 1_000 != 0 || !bounds.contains(&(millis / 1_000)) {
        let detail = format!("@every {text}: must be whole seconds, from 1s to 366d");
        return Err(Refused::new("bounds", detail));
    }
    Ok(Duration::from_millis(millis))
}

fn period(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let (unit, size) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        millis = millis.checked_add(scaled(number, *size)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(millis)
}

/// A decimal number of units, where that is a whole number of milliseconds.
fn scaled(number: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let of_fraction = fraction.checked_mul(size)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(size)?;
    of_fraction.is_multiple_of(parts).then(|| whole.checked_add(of_fraction / parts))?
}
