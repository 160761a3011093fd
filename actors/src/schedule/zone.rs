//! Wall times in a zone whose offset from UTC changes.
//!
//! Between two changes of the offset wall times and instants run side by side, so the set of instants is looked at one
//! such segment at a time. At the beginning of a segment stand what the change jumped over (where it is shifted) and
//! what it shows a second time (where only the first counts).

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::{Fold, Gap, HORIZON, crontab::Crontab};

/// No zone's offset changes and changes back within this.
const STRIDE: TimeDelta = TimeDelta::days(7);
/// Longer than any jump of a clock.
const LONGEST_JUMP: TimeDelta = TimeDelta::hours(27);

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// A crontab in a zone.
pub(super) struct Segments<'a> {
    pub crontab: &'a Crontab,
    pub zone: Tz,
    pub gap: Gap,
    pub fold: Fold,
}

/// A change of the offset: at this instant, from this, to that.
#[derive(Clone, Copy)]
struct Change {
    at: DateTime<Utc>,
    before: TimeDelta,
    after: TimeDelta,
}

impl Segments<'_> {
    /// The first instant after another.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let horizon = after + HORIZON;
        let mut last = after;
        let mut begins = self.change(after - LONGEST_JUMP, after + SECOND);
        loop {
            let regular = self.regular(last, begins);
            let shifted = begins.and_then(|change| self.shifted(last, change));
            let next = [regular, shifted].into_iter().flatten().min();
            let known = begins.map_or(last, |change| change.at.max(last));
            let Some(change) = self.change(known, next.unwrap_or(horizon).min(horizon)) else { return next };
            // The change itself may be an instant.
            last = change.at - SECOND;
            begins = Some(change);
        }
    }

    /// The first wall time after the instant `last`, in the segment that begins before it or right after it.
    fn regular(&self, last: DateTime<Utc>, begins: Option<Change>) -> Option<DateTime<Utc>> {
        let offset = self.offset(last + SECOND);
        let mut wall = last.naive_utc() + offset;
        if let Some(change) = begins.filter(|change| self.fold == Fold::First && change.after < change.before)
        {
            wall = wall.max(change.at.naive_utc() + change.before - SECOND);
        }
        self.crontab.next(wall).map(|wall| (wall - offset).and_utc())
    }

    /// The first wall time after the instant `last` among those that a change jumped over.
    fn shifted(&self, last: DateTime<Utc>, change: Change) -> Option<DateTime<Utc>> {
        if self.gap == Gap::Skip || change.after <= change.before {
            return None;
        }
        let (last_shown, first_shown) = (change.before - SECOND, change.after);
        let wall = (last.naive_utc() + change.before).max(change.at.naive_utc() + last_shown);
        let jumped = self.crontab.next(wall).filter(|wall| *wall < change.at.naive_utc() + first_shown)?;
        Some((jumped - change.before).and_utc())
    }

    /// The first change of the offset after one instant, up to another.
    fn change(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<Change> {
        let mut low = after;
        let before = self.offset(low);
        while low < until {
            let high = (low + STRIDE).min(until);
            if self.offset(high) != before {
                let at = self.bisect(low, high, before);
                return Some(Change { at, before, after: self.offset(at) });
            }
            low = high;
        }
        None
    }

    fn bisect(&self, mut low: DateTime<Utc>, mut high: DateTime<Utc>, before: TimeDelta) -> DateTime<Utc> {
        while high - low > SECOND {
            let middle = low + TimeDelta::seconds((high - low).num_seconds() / 2);
            if self.offset(middle) == before { low = middle } else { high = middle }
        }
        high
    }

    fn offset(&self, instant: DateTime<Utc>) -> TimeDelta {
        let offset = self.zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
        TimeDelta::seconds(i64::from(offset.local_minus_utc()))
    }
}
