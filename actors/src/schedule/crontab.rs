//! Crontab's five fields, and six with the seconds first.
//!
//! The meaning is that of crontab(5): Sunday is 0 or 7, months and days have names, and where both the day of the month
//! and the day of the week are restricted, either will do. A day field that begins with `*` counts as unrestricted, as
//! there: `*/2` in one narrows the other.
//!
//! Fields become lists of numbers in the dialect of the `cron` crate (which counts Sunday as 1 and wants both days), and
//! the crate walks the calendar; a day that may be either is the earlier of two walks.

use std::{collections::BTreeSet, str::FromStr as _};

use chrono::NaiveDateTime;

use super::Refused;

/// A field: its name, its bounds, its names from the least value on.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const SECOND: Field = Field { name: "second", least: 0, most: 59, names: &[] };
const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY_OF_MONTH: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS };
const DAY_OF_WEEK: Field = Field { name: "day of week", least: 0, most: 7, names: &DAYS };

/// Wall times.
#[derive(Clone, Debug)]
pub(super) struct Crontab {
    walk: cron::Schedule,
    /// The other walk, where the day may be either.
    or: Option<cron::Schedule>,
}

impl Crontab {
    /// Reads five or six fields.
    pub fn read(text: &str) -> Result<Self, Refused> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (seconds, rest) = match fields.as_slice() {
            rest if rest.len() == 5 => ("0", rest),
            [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest),
            _ => {
                let detail = format!(
                    "must have 5 fields (minute, hour, day of month, month, day of week) or 6 with the seconds first, \
                     not {}; or begin with @ or \"at\"",
                    fields.len()
                );
                return Err(Refused::new("form", detail));
            }
        };
        let [minute, hour, day, month, weekday] = rest else {
            return Err(Refused::new("form", "must have 5 fields"));
        };
        let time = format!("{} {} {}", SECOND.list(seconds)?, MINUTE.list(minute)?, HOUR.list(hour)?);
        let (days, months, weekdays) =
            (DAY_OF_MONTH.list(day)?, MONTH.list(month)?, DAY_OF_WEEK.list(weekday)?);
        if is_free(day) || is_free(weekday) {
            return Ok(Self { walk: walk(&format!("{time} {days} {months} {weekdays}"))?, or: None });
        }
        let by_day = walk(&format!("{time} {days} {months} *"))?;
        let by_weekday = walk(&format!("{time} * {months} {weekdays}"))?;
        Ok(Self { walk: by_day, or: Some(by_weekday) })
    }

    /// The first wall time after another.
    pub fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // A wall time is walked as if it were UTC, where every wall time comes once.
        let after = after.and_utc();
        let next = |walk: &cron::Schedule| walk.after(&after).next();
        let walks = [Some(&self.walk), self.or.as_ref()];
        walks.into_iter().flatten().filter_map(next).min().map(|next| next.naive_utc())
    }
}

fn is_free(day: &str) -> bool {
    day.starts_with(['*', '?'])
}

fn walk(fields: &str) -> Result<cron::Schedule, Refused> {
    cron::Schedule::from_str(fields).map_err(|error| Refused::new("form", format!("{error}")))
}

impl Field {
    /// The field as a list in the crate's dialect; `*` where it allows everything.
    fn list(&self, text: &str) -> Result<String, Refused> {
        let mut values = BTreeSet::new();
        for item in text.split(',') {
            values.extend(self.item(item, text)?);
        }
        let is_weekday = self.most == DAY_OF_WEEK.most && self.least == DAY_OF_WEEK.least;
        let everything = if is_weekday { DAYS.len() } else { (self.least..=self.most).count() };
        // The crate's weekdays begin with Sunday as 1; 7 is Sunday too.
        let values: BTreeSet<u32> =
            if is_weekday { values.iter().map(|value| value % 7 + 1).collect() } else { values };
        if values.len() == everything {
            return Ok("*".to_owned());
        }
        Ok(values.iter().map(u32::to_string).collect::<Vec<String>>().join(","))
    }

    /// `*`, `?`, `a`, `a-b`, each with `/step`; `a/step` is from a to the end.
    fn item(&self, item: &str, field: &str) -> Result<Vec<u32>, Refused> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        let last = if self.names.len() == DAYS.len() { 6 } else { self.most };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.value(from)?, self.range_end(from, to)?),
            None if matches!(range, "*" | "?") => (self.least, last),
            None if range.is_empty() => {
                return Err(Refused::new("form", format!("{}: {field:?} has an empty item", self.name)));
            }
            None if step.is_some() => (self.value(range)?, self.most),
            None => (self.value(range)?, self.value(range)?),
        };
        if from > to {
            let detail = format!("{}: the range {range} begins after it ends", self.name);
            return Err(Refused::new("range", detail));
        }
        Ok((from..=to).step_by(step.unwrap_or(1) as usize).collect())
    }

    /// The end of a range; a Sunday that ends one is day 7.
    fn range_end(&self, from: &str, to: &str) -> Result<u32, Refused> {
        let (from, to) = (self.value(from)?, self.value(to)?);
        let is_sunday = self.names.len() == DAYS.len() && to == 0 && from > 0;
        Ok(if is_sunday { 7 } else { to })
    }

    fn step(&self, text: &str) -> Result<u32, Refused> {
        let most = self.most.max(1);
        let step = text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        step.filter(|step| (1..=most).contains(step)).ok_or_else(|| {
            Refused::new(
                "step",
                format!("{}: the step must be a number from 1 to {most}, not {text:?}", self.name),
            )
        })
    }

    fn value(&self, text: &str) -> Result<u32, Refused> {
        let (least, most) = (self.least, self.most);
        let known = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        if let Some(place) = known.and_then(|place| u32::try_from(place).ok()) {
            return Ok(least + place);
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse::<u32>().ok().filter(|_| is_number);
        value.filter(|value| (least..=most).contains(value)).ok_or_else(|| {
            let rule = if is_number { "bounds" } else { "form" };
            let names = match self.names {
                [begin, .., end] => {
                    format!(" or a name from {} to {}", begin.to_uppercase(), end.to_uppercase())
                }
                _ => String::new(),
            };
            Refused::new(
                rule,
                format!("{}: must be a number from {least} to {most}{names}, not {text:?}", self.name),
            )
        })
    }
}
