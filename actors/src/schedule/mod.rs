//! When something comes due again: crontab expressions, `@every`, `@daily` and their kin, `at` an instant; in any IANA
//! time zone, with a rule for each edge of daylight saving time.
//!
//! Pure: a [`Timetable`] is read from what a user wrote, and [`Timetable::next`] says the first instant after another.
//! The instants are a set that depends on nothing but the timetable, so that whoever asks after a restart, a step of
//! the clock or from another daemon is answered the same.
//!
//! The calendar is walked by the `cron` crate; `docs/decisions/0004-schedules.md` says what else was needed.

mod crontab;
mod read;
#[cfg(test)]
mod tests;
mod zone;

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sl_store::Fault;
use utoipa::ToSchema;

use crontab::Crontab;
use zone::Segments;

/// How far ahead an instant is looked for.
pub const HORIZON: TimeDelta = TimeDelta::days(5 * 366);

/// What becomes of a wall time that the clock jumps over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It does not come that day.
    #[default]
    Skip,
    /// It comes by the length of the jump later: 02:30 at 03:30.
    Shift,
}

/// What becomes of a wall time that the clock shows twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// It comes the first time.
    #[default]
    First,
    /// It comes both times.
    Both,
}

impl Gap {
    /// As it stands in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Shift => "shift",
        }
    }

    /// Reads what [`Gap::as_str`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::Skip, Self::Shift].into_iter().find(|gap| gap.as_str() == text)
    }
}

impl Fold {
    /// As it stands in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Both => "both",
        }
    }

    /// Reads what [`Fold::as_str`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::First, Self::Both].into_iter().find(|fold| fold.as_str() == text)
    }
}

/// Why a text is no schedule or no zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule that is broken: `form`, `bounds`, `range`, `step`, `zone`.
    pub rule: &'static str,
    /// The field, the rule and its bound, for people.
    pub detail: String,
}

impl Refused {
    fn new(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }

    /// The same as a problem of the field that held the text.
    #[must_use]
    pub fn at(self, pointer: &str) -> Fault {
        Fault::field(pointer, self.rule, self.detail)
    }
}

/// Reads the name of an IANA time zone.
///
/// # Errors
/// Where there is no such zone.
pub fn read_zone(name: &str) -> Result<Tz, Refused> {
    name.parse().map_err(|_| {
        Refused::new(
            "zone",
            format!("{name:?} is not the name of an IANA time zone, such as America/New_York"),
        )
    })
}

/// What a schedule says, without its zone.
#[derive(Clone, Debug)]
pub struct Schedule(Rule);

#[derive(Clone, Debug)]
enum Rule {
    /// Wall times.
    Crontab(Box<Crontab>),
    /// Every so often, counted from the anchor.
    Every(Duration),
    /// Once.
    At(DateTime<Utc>),
}

impl Schedule {
    /// Reads a schedule: 5 fields of crontab, 6 with the seconds first, `@every 90s`, `@hourly`, `@daily`, `@midnight`,
    /// `@weekly`, `@monthly`, `@annually`, `@yearly`, `at 2027-01-31T12:00:00Z`.
    ///
    /// # Errors
    /// Names the field, the rule that is broken and its bound.
    pub fn read(text: &str) -> Result<Self, Refused> {
        read::schedule(text).map(Self)
    }

    /// The one instant of a schedule that comes once.
    #[must_use]
    pub const fn once(&self) -> Option<DateTime<Utc>> {
        match self.0 {
            Rule::At(instant) => Some(instant),
            _ => None,
        }
    }
}

/// A schedule in its zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// What is scheduled.
    pub schedule: Schedule,
    /// Where the walls hang whose clocks are meant.
    pub zone: Tz,
    /// For wall times that do not come.
    pub gap: Gap,
    /// For wall times that come twice.
    pub fold: Fold,
    /// From where `@every` counts; it is not itself an instant of the timetable.
    pub anchor: DateTime<Utc>,
}

impl Timetable {
    /// The first instant after another, in whole seconds; none where there is none within [`HORIZON`].
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Instants are whole seconds: one is after `after` exactly when it is after its second.
        let after = whole_second(after);
        let next = match &self.schedule.0 {
            Rule::At(instant) => Some(*instant).filter(|instant| *instant > after),
            Rule::Every(period) => next_multiple(whole_second(self.anchor), *period, after),
            Rule::Crontab(crontab) if self.zone == Tz::UTC => {
                crontab.next(after.naive_utc()).map(|w| w.and_utc())
            }
            Rule::Crontab(crontab) => {
                Segments { crontab, zone: self.zone, gap: self.gap, fold: self.fold }.next(after)
            }
        };
        next.filter(|next| *next <= after + HORIZON)
    }

    /// The last instant after one and not after another. What lies between is halved again and again, not walked.
    #[must_use]
    pub fn latest(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let within = |after| self.next(after).filter(|next| *next <= until);
        let (mut latest, mut end) = (within(after)?, until);
        loop {
            let middle = whole_second(latest + (end - latest) / 2);
            match within(middle) {
                Some(later) => latest = later,
                None if middle > latest => end = middle,
                None => return Some(latest),
            }
        }
    }

    /// The instants after another, in order.
    pub fn after(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::successors(self.next(after), |last| self.next(*last))
    }
}

/// So many instants are walked before others have their turn.
const STRIDE: usize = 500;

/// Walks instants. Years of seconds may have come due at once, so others have their turn now and then.
pub(crate) async fn walk(instants: impl Iterator<Item = DateTime<Utc>>, mut each: impl FnMut(DateTime<Utc>)) {
    for (place, instant) in instants.enumerate() {
        if place % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
        each(instant);
    }
}

fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(0)
}

fn next_multiple(anchor: DateTime<Utc>, period: Duration, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let period = i64::try_from(period.as_secs()).ok().filter(|period| *period > 0)?;
    let passed = (after - anchor).num_seconds().div_euclid(period).max(0);
    let ahead = passed.checked_add(1)?.checked_mul(period)?;
    anchor.checked_add_signed(TimeDelta::try_seconds(ahead)?)
}
