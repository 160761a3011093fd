//! The row that says where a job's schedule stands. Its id is the job's.

use chrono::{DateTime, Utc};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table};
use uuid::Uuid;

use crate::pause::{Missed, Ruling};

/// Where a job's schedule stands.
#[derive(Clone, Debug, PartialEq)]
pub struct JobState {
    /// The row's head.
    pub head: Head,
    /// Every slot up to this instant has been decided.
    pub decided: DateTime<Utc>,
    /// The next slot; none where none will come, or where the job is off.
    pub next_slot: Option<DateTime<Utc>>,
    /// Where somebody moved the next slot to.
    pub moved_to: Option<DateTime<Utc>>,
    /// When a run last began.
    pub last_run: Option<DateTime<Utc>>,
    /// How many runs in a row have failed.
    pub failures: i64,
    /// Whether runs go on, or wait for one that does.
    pub busy: bool,
    /// What the last resume said, until its slots are decided.
    pub ruling: Option<Ruling>,
}

impl JobState {
    /// The state of a job whose slots up to `decided` are of no concern.
    #[must_use]
    pub const fn new(head: Head, decided: DateTime<Utc>) -> Self {
        Self {
            head,
            decided,
            next_slot: None,
            moved_to: None,
            last_run: None,
            failures: 0,
            busy: false,
            ruling: None,
        }
    }
}

impl Entity for JobState {
    const TABLE: &'static Table = &Table {
        name: "automation_states",
        noun: "job state",
        columns: &[
            Column::new("job_id", Kind::Uuid),
            Column::new("decided", Kind::Time),
            Column::nullable("next_slot", Kind::Time),
            Column::nullable("moved_to", Kind::Time),
            Column::nullable("last_run", Kind::Time),
            Column::new("failures", Kind::Int),
            Column::new("busy", Kind::Bool),
            Column::nullable("missed", Kind::Text),
            Column::nullable("missed_since", Kind::Time),
            Column::nullable("missed_until", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.head.id.into(),
            self.decided.into(),
            self.next_slot.into(),
            self.moved_to.into(),
            self.last_run.into(),
            self.failures.into(),
            self.busy.into(),
            self.ruling.map(|ruling| ruling.missed.as_str().to_owned()).into(),
            self.ruling.map(|ruling| ruling.since).into(),
            self.ruling.map(|ruling| ruling.until).into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let _job_id = cells.uuid()?;
        Ok(Self {
            head,
            decided: cells.time()?,
            next_slot: cells.maybe_time()?,
            moved_to: cells.maybe_time()?,
            last_run: cells.maybe_time()?,
            failures: cells.int()?,
            busy: cells.bool()?,
            ruling: match (cells.maybe_text()?, cells.maybe_time()?, cells.maybe_time()?) {
                (Some(missed), Some(since), Some(until)) => {
                    Missed::read(&missed).map(|missed| Ruling { missed, since, until })
                }
                _ => None,
            },
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), at);
        let full = Self {
            next_slot: Some(at),
            moved_to: Some(at),
            last_run: Some(at),
            failures: 2,
            busy: true,
            ruling: Some(Ruling { missed: Missed::Latest, since: at, until: at }),
            ..Self::new(head(2), at)
        };
        vec![full, Self::new(head(3), at)]
    }
}
