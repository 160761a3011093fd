//! How often sources may be asked: a row for each source and one for each account (generic cell rate algorithm), so that
//! the rates hold over all daemons.
//!
//! Who finds no turn is given a place in the line: its item sleeps until the turn that falls to it once those before it
//! have had theirs, so that a long line costs one waking each and not one each for every turn. A place is no claim: what is
//! free is taken by whoever comes first, and who finds its turn taken goes to the end.

use chrono::{DateTime, TimeDelta, Utc};
use sl_store::{
    Batch, Cell, Cells, Code, Column, Entity, Fault, Head, Key, Kind, Settlement, Table, Work, WorkQuery,
};
use uuid::Uuid;

use super::DUTY;
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

    /// The time between two turns.
    fn each(self) -> TimeDelta {
        self.period() / self.count
    }

    /// Up to when turns are taken, where some were taken at a slower rate: no further than there are any at this one.
    fn bound(self, filled_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        filled_at.min(now + self.period())
    }

    /// When the next may come, where it may not come now; otherwise what the row says once this one has.
    fn admit(self, filled_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, DateTime<Utc>> {
        let next = filled_at.max(now) + self.each();
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
    /// When the last turn comes that was given as a place in the line.
    pub line_until: DateTime<Utc>,
}

impl OracleGate {
    /// The row of a source or an account as it is, or as it would begin.
    async fn find(core: &Core, key: Key) -> Result<(Self, bool), Fault> {
        let found = core.store.find::<Self>(key).await?;
        let known = found.is_some();
        let begin = || Self {
            head: Head::new(key.account, key.id, core.clock.now()),
            filled_at: DateTime::UNIX_EPOCH,
            line_until: DateTime::UNIX_EPOCH,
        };
        Ok((found.unwrap_or_else(begin), known))
    }

    fn write(&mut self, known: bool, now: DateTime<Utc>, batch: &mut Batch) {
        if known {
            batch.replace(self, now);
        } else {
            batch.insert(self);
        }
    }

    /// The place behind the last one; never further away than those who are there need, whoever has left the line.
    fn place(&self, rate: Rate, free: DateTime<Utc>, there: u64) -> DateTime<Utc> {
        let before = i32::try_from(there.saturating_sub(1)).unwrap_or(i32::MAX);
        (self.line_until + rate.each()).max(free).min(free + rate.each() * before)
    }
}

impl Entity for OracleGate {
    const TABLE: &'static Table = &Table {
        name: "oracle_gates",
        noun: "oracle gate",
        columns: &[Column::new("filled_at", Kind::Time), Column::new("line_until", Kind::Time)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.filled_at.into(), self.line_until.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, filled_at: cells.time()?, line_until: cells.time()? })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        vec![Self { head, filled_at: DateTime::UNIX_EPOCH, line_until: DateTime::UNIX_EPOCH }]
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
        let (gate, _) = OracleGate::find(core, Key::new(account, *id)).await?;
        wait = wait.max(rate.admit(gate.filled_at, core.clock.now()).err());
    }
    Ok(wait)
}

/// How many turns at a gate are taken by now and not yet there again.
pub(super) async fn used(core: &Core, account: Uuid, id: Uuid, rate: Rate) -> Result<u64, Fault> {
    let (gate, _) = OracleGate::find(core, Key::new(account, id)).await?;
    let now = core.clock.now();
    let missing = rate.bound(gate.filled_at, now) - now;
    let (missing, each) =
        (missing.num_microseconds(), rate.each().num_microseconds().filter(|each| *each > 0));
    let used = missing
        .zip(each)
        .map_or(0, |(missing, each)| missing.max(0).unsigned_abs().div_ceil(each.unsigned_abs()));
    Ok(used)
}

/// What becomes of an item that wants a turn.
pub(super) enum Turn {
    /// It has one.
    Taken,
    /// It has a place in the line, and was put back until then.
    Waits,
    /// Too many others want one: it tries again then.
    Crowded(DateTime<Utc>),
    /// It is somebody else's by now.
    Lost,
}

/// Takes a turn at every gate, or at none: then the item is put back until the turn that falls to it.
pub(super) async fn take(core: &Core, work: &Work, gates: &[(Uuid, Rate)]) -> Result<Turn, Fault> {
    for _ in 0..TRIES {
        let now = core.clock.now();
        let (mut taken, mut placed, mut due) = (Batch::new(), Batch::new(), None);
        for (id, rate) in gates {
            let (mut gate, known) = OracleGate::find(core, Key::new(work.account, *id)).await?;
            gate.filled_at = rate.bound(gate.filled_at, now);
            match rate.admit(gate.filled_at, now) {
                Ok(filled_at) => {
                    gate.filled_at = filled_at;
                    gate.write(known, now, &mut taken);
                }
                Err(free) => {
                    gate.line_until = gate.place(*rate, free, line(core, work.account, *id).await?);
                    due = due.max(Some(gate.line_until));
                    gate.write(known, now, &mut placed);
                }
            }
        }
        let (batch, turn) = match due {
            None => (taken, Turn::Taken),
            Some(due_at) => {
                let error = work.last_error.clone().unwrap_or_default();
                placed.settle(work.settle(Settlement::Retry { due_at, error }));
                (placed, Turn::Waits)
            }
        };
        match core.store.commit(batch).await {
            Ok(()) => return Ok(turn),
            Err(fault) if fault.code == Code::FenceLost => return Ok(Turn::Lost),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Turn::Crowded(core.clock.now() + CROWDED))
}

/// How many items want a turn of this source, or of any source of the account.
async fn line(core: &Core, account: Uuid, gate: Uuid) -> Result<u64, Fault> {
    let query = WorkQuery {
        account: Some(account),
        duty: Some(DUTY.to_owned()),
        gate: Some(gate).filter(|gate| *gate != account),
        ..WorkQuery::default()
    };
    let count = core.store.work_count(query).await?;
    Ok(count.waiting + count.later + count.running)
}

/// So many items of a line are woken at once.
const WOKEN: usize = 500;

/// Wakes a source's line: it has another rate, or nobody can ask it any more.
pub(super) async fn wake(core: &Core, account: Uuid, source: Uuid) -> Result<(), Fault> {
    let (mut gate, known) = OracleGate::find(core, Key::new(account, source)).await?;
    if known {
        let mut batch = Batch::new();
        gate.line_until = DateTime::UNIX_EPOCH;
        gate.write(known, core.clock.now(), &mut batch);
        core.store.commit(batch).await?;
    }
    let mut query = WorkQuery {
        account: Some(account),
        duty: Some(DUTY.to_owned()),
        gate: Some(source),
        limit: WOKEN,
        ..WorkQuery::default()
    };
    loop {
        let (page, now) = (core.store.work(query.clone()).await?, core.clock.now());
        for item in page.iter().filter(|item| item.due_at > now && !item.is_leased(now)) {
            let mut batch = Batch::new();
            let error = item.last_error.clone().unwrap_or_default();
            batch.settle(item.settle(Settlement::Retry { due_at: now, error }));
            match core.store.commit(batch).await {
                // Somebody claimed it in between, or took it away.
                Err(fault) if fault.code != Code::FenceLost => return Err(fault),
                _ => {}
            }
        }
        query.after = page.last().map(|last| last.id);
        if page.len() < WOKEN {
            return Ok(());
        }
    }
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
        let fast = Rate::read("10/s").expect("a rate");
        assert_eq!(fast.admit(fast.bound(filled, start), start), Err(start + TimeDelta::milliseconds(100)));
        for text in ["0/s", "1/d", "x/s", "5", "-1/s", "100001/h"] {
            assert!(Rate::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn places_follow_each_other_and_who_left_the_line_keeps_none() {
        let (rate, free) = (Rate::read("2/s").expect("a rate"), DateTime::UNIX_EPOCH + TimeDelta::days(1));
        let mut gate = OracleGate::samples().remove(0);
        for place in 0..5 {
            gate.line_until = gate.place(rate, free, 100);
            assert_eq!(gate.line_until, free + rate.each() * place);
        }
        assert_eq!(
            gate.place(rate, free, 2),
            free + rate.each(),
            "two want a turn: the second one's comes next"
        );
        assert_eq!(gate.place(rate, free, 1), free);
    }
}
