//! How often sources may be asked: a row for each source and one for each account (generic cell rate algorithm), so that
//! the rates hold over all daemons.

use chrono::{DateTime, TimeDelta, Utc};
use sl_store::{Batch, Cell, Cells, Code, Column, Entity, Fault, Head, Key, Kind, Table};
use uuid::Uuid;

use crate::Core;

/// How often a turn is tried to be taken while others take theirs.
const TRIES: usize = 16;
/// How long one waits who finds too many others.
const CROWDED: TimeDelta = TimeDelta::milliseconds(50);

/// So many in a second, a minute or an hour: `10/s`, `60/m`, `1000/h`. As many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: i32,
    unit: char,
}

impl Rate {
    /// So many a second.
    #[must_use]
    pub fn per_second(count: u64) -> Self {
        Self { count: i32::try_from(count).unwrap_or(i32::MAX).max(1), unit: 's' }
    }

    /// Reads a rate; none where it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (count, unit) = text.trim().split_once('/')?;
        let unit = match unit {
            "s" | "m" | "h" => unit.chars().next()?,
            _ => return None,
        };
        let count = count.parse().ok().filter(|count| (1..=100_000).contains(count))?;
        Some(Self { count, unit })
    }

    fn period(self) -> TimeDelta {
        match self.unit {
            's' => TimeDelta::seconds(1),
            'm' => TimeDelta::minutes(1),
            _ => TimeDelta::hours(1),
        }
    }

    /// When the next may come, where it may not come now; otherwise what the row says once this one has.
    fn admit(self, filled_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, DateTime<Utc>> {
        let each = self.period() / self.count;
        let next = filled_at.max(now) + each;
        if next - now > self.period() { Err(next - self.period()) } else { Ok(next) }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.count, self.unit)
    }
}

/// Up to when the turns at a source, or of an account, are taken. The id is that of the source or account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleGate {
    /// The row's head.
    pub head: Head,
    /// Up to when its turns are taken.
    pub filled_at: DateTime<Utc>,
}

impl Entity for OracleGate {
    const TABLE: &'static Table = &Table {
        name: "oracle_gates",
        noun: "oracle gate",
        columns: &[Column::new("filled_at", Kind::Time)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.filled_at.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, filled_at: cells.time()? })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        vec![Self { head, filled_at: DateTime::UNIX_EPOCH }]
    }
}

/// Until when a turn at these gates has to be waited for; none where there is one.
pub(super) async fn wait(
    core: &Core,
    account: Uuid,
    gates: &[(Uuid, Rate)],
) -> Result<Option<DateTime<Utc>>, Fault> {
    let mut wait = None;
    for (id, rate) in gates {
        let found: Option<OracleGate> = core.store.find(Key::new(account, *id)).await?;
        let filled_at = found.map_or(DateTime::UNIX_EPOCH, |gate| gate.filled_at);
        wait = wait.max(rate.admit(filled_at, core.clock.now()).err());
    }
    Ok(wait)
}

/// Takes a turn at every gate, or at none: then answers when to try again.
pub(super) async fn take(
    core: &Core,
    account: Uuid,
    gates: &[(Uuid, Rate)],
) -> Result<Option<DateTime<Utc>>, Fault> {
    for _ in 0..TRIES {
        let now = core.clock.now();
        let (mut batch, mut wait) = (Batch::new(), None);
        for (id, rate) in gates {
            let found: Option<OracleGate> = core.store.find(Key::new(account, *id)).await?;
            let filled_at = found.as_ref().map_or(DateTime::UNIX_EPOCH, |gate| gate.filled_at);
            match rate.admit(filled_at, now) {
                Err(until) => wait = wait.max(Some(until)),
                Ok(filled_at) => match found {
                    Some(mut gate) => {
                        gate.filled_at = filled_at;
                        batch.replace(&mut gate, now);
                    }
                    None => {
                        batch.insert(&OracleGate { head: Head::new(account, *id, now), filled_at });
                    }
                },
            }
        }
        if wait.is_some() {
            return Ok(wait);
        }
        match core.store.commit(batch).await {
            Ok(()) => return Ok(None),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(core.clock.now() + CROWDED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_lets_its_count_through_and_then_one_at_a_time() {
        let rate = Rate::read("3/m").expect("a rate");
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let mut filled = DateTime::UNIX_EPOCH;
        for _ in 0..3 {
            filled = rate.admit(filled, start).expect("there is room");
        }
        assert_eq!(rate.admit(filled, start), Err(start + TimeDelta::seconds(20)));
        assert!(rate.admit(filled, start + TimeDelta::seconds(20)).is_ok());
        for text in ["0/s", "1/d", "x/s", "5", "-1/s", "100001/h"] {
            assert!(Rate::read(text).is_none(), "{text}");
        }
    }
}
