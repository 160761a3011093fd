//! The row of a job: what its owner defined.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    named::{CatchUp, Overlap, Phases},
    state::JobState,
};
use crate::{
    Core,
    mirror::Around,
    pause::PauseScope,
    schedule::{Fold, Gap, Schedule, Timetable, read_zone},
    services::hearing,
};

/// The events a job waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct On {
    /// The kind of event; a `*` at the end stands for anything: `execution.*`.
    #[schema(min_length = 1, max_length = 128)]
    pub kind: String,
    /// What must be equal: `subject`, `service` or `actor` of the event, or, by JSON Pointer (`/function_id`), a part of its
    /// data. Up to 16.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub filter: BTreeMap<String, Value>,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The row's head.
    pub head: Head,
    /// The function it runs.
    pub function_id: Uuid,
    /// Its name, unique in the account whatever the case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether its schedule or events make it run.
    pub enabled: bool,
    /// When it runs; absent where it waits for events.
    pub schedule: Option<String>,
    /// The zone of its wall times.
    pub timezone: String,
    /// For wall times that do not come.
    pub dst_gap: Gap,
    /// For wall times that come twice.
    pub dst_fold: Fold,
    /// From where `@every` counts.
    pub anchor: DateTime<Utc>,
    /// No slot before this.
    pub starts_at: Option<DateTime<Utc>>,
    /// No slot after this.
    pub ends_at: Option<DateTime<Utc>>,
    /// By how much at most a slot begins later, each by its own share.
    pub jitter: Duration,
    /// What becomes of a slot while an earlier run goes on.
    pub overlap: Overlap,
    /// What becomes of slots that nobody saw.
    pub catch_up: CatchUp,
    /// How old such a slot may be; the setting where absent.
    pub catch_up_window: Option<Duration>,
    /// In how many executions a run is done.
    pub phases: Phases,
    /// After how many failed runs in a row it is paused; 0 is never.
    pub max_failures: i64,
    /// The events it waits for; absent where it has a schedule.
    pub on: Option<On>,
    /// Where its schedule stands, where it was read or written in this operation; not part of the row.
    pub state: Option<JobState>,
}

impl Job {
    /// The name under which a job is found, whatever the case it is written in.
    #[must_use]
    pub fn name_key(name: &str) -> String {
        name.trim().to_lowercase()
    }

    /// Where it stands, pauses left out.
    #[must_use]
    pub fn status(&self) -> &'static str {
        let ended =
            self.schedule.is_some() && self.state.as_ref().is_some_and(|state| state.next_slot.is_none());
        match (self.enabled, ended) {
            (false, _) => "disabled",
            (true, true) => "ended",
            (true, false) => "active",
        }
    }

    /// How many runs in a row have failed. So many that it was paused for them count until it is resumed.
    #[must_use]
    pub(super) fn failures(&self, state: &JobState, core: &Core) -> i64 {
        let was_paused = self.max_failures > 0 && state.failures >= self.max_failures;
        let around = Around { duty: "", account: self.head.account_id, gates: &[self.head.id] };
        let holding = || core.mirror.holding(around, core.clock.now());
        let is_resumed = was_paused && !holding().iter().any(|pause| pause.scope == PauseScope::Entity);
        if is_resumed { 0 } else { state.failures }
    }

    fn listens_public(&self) -> bool {
        self.enabled && self.on.as_ref().is_some_and(|on| hearing::publisher(&on.kind).is_some())
    }

    /// Its schedule in its zone; none where it waits for events.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the row holds what was never admitted.
    pub fn timetable(&self) -> Result<Option<Timetable>, Fault> {
        let Some(schedule) = &self.schedule else { return Ok(None) };
        let broken = |refused: crate::schedule::Refused| Fault::internal(refused.detail);
        Ok(Some(Timetable {
            schedule: Schedule::read(schedule).map_err(broken)?,
            zone: read_zone(&self.timezone).map_err(broken)?,
            gap: self.dst_gap,
            fold: self.dst_fold,
            anchor: self.anchor,
        }))
    }

    /// When a slot begins: later by its share of the jitter, which follows from job and slot.
    #[must_use]
    pub fn begins(&self, slot: DateTime<Utc>) -> DateTime<Utc> {
        let most = u64::try_from(self.jitter.as_millis()).unwrap_or(0);
        if most == 0 {
            return slot;
        }
        let digest = Sha256::new()
            .chain_update(self.head.id)
            .chain_update(slot.timestamp_micros().to_be_bytes())
            .finalize();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        let share = u64::from_be_bytes(bytes) % (most + 1);
        slot + TimeDelta::milliseconds(i64::try_from(share).unwrap_or(0))
    }
}

impl Entity for Job {
    const TABLE: &'static Table = &Table {
        name: "automation_jobs",
        noun: "job",
        columns: &[
            Column::new("function_id", Kind::Uuid),
            Column::new("name", Kind::Text),
            Column::new("name_key", Kind::Text),
            Column::new("description", Kind::Text),
            Column::new("enabled", Kind::Bool),
            Column::nullable("schedule", Kind::Text),
            Column::new("timezone", Kind::Text),
            Column::new("dst_gap", Kind::Text),
            Column::new("dst_fold", Kind::Text),
            Column::new("anchor", Kind::Time),
            Column::nullable("starts_at", Kind::Time),
            Column::nullable("ends_at", Kind::Time),
            Column::new("jitter_millis", Kind::Int),
            Column::new("overlap", Kind::Text),
            Column::new("catch_up", Kind::Text),
            Column::nullable("catch_up_window_millis", Kind::Int),
            Column::new("phases", Kind::Text),
            Column::new("max_failures", Kind::Int),
            Column::nullable("on_kind", Kind::Text),
            Column::new("on_filter", Kind::Json),
            Column::new("listens", Kind::Bool),
            Column::new(hearing::LISTENS_PUBLIC, Kind::Bool),
        ],
        uniques: &[Unique {
            name: "automation_jobs_name",
            columns: &["name_key"],
            fields: &["name"],
            message: "a job of this name exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let filter = self.on.as_ref().map(|on| on.filter.clone()).unwrap_or_default();
        vec![
            self.function_id.into(),
            self.name.clone().into(),
            Self::name_key(&self.name).into(),
            self.description.clone().into(),
            self.enabled.into(),
            self.schedule.clone().into(),
            self.timezone.clone().into(),
            self.dst_gap.as_str().into(),
            self.dst_fold.as_str().into(),
            self.anchor.into(),
            self.starts_at.into(),
            self.ends_at.into(),
            millis(self.jitter).into(),
            self.overlap.as_str().into(),
            self.catch_up.as_str().into(),
            self.catch_up_window.map(millis).into(),
            self.phases.as_str().into(),
            self.max_failures.into(),
            self.on.as_ref().map(|on| on.kind.clone()).into(),
            Cell::json(&filter),
            (self.enabled && self.on.is_some()).into(),
            self.listens_public().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let (function_id, name, _name_key) = (cells.uuid()?, cells.text()?, cells.text()?);
        let mut made = Self {
            head,
            function_id,
            name,
            description: cells.text()?,
            enabled: cells.bool()?,
            schedule: cells.maybe_text()?,
            timezone: cells.text()?,
            dst_gap: cells.named(Gap::read)?,
            dst_fold: cells.named(Fold::read)?,
            anchor: cells.time()?,
            starts_at: cells.maybe_time()?,
            ends_at: cells.maybe_time()?,
            jitter: duration(cells.int()?),
            overlap: cells.named(Overlap::read)?,
            catch_up: cells.named(CatchUp::read)?,
            catch_up_window: cells.maybe_int()?.map(duration),
            phases: cells.named(Phases::read)?,
            max_failures: cells.int()?,
            on: None,
            state: None,
        };
        let (kind, filter) = (cells.maybe_text()?, cells.json()?);
        made.on = kind.map(|kind| On { kind, filter });
        Ok(made)
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let scheduled = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), at),
            function_id: Uuid::from_u128(3),
            name: "Sample".to_owned(),
            description: "a sample".to_owned(),
            enabled: true,
            schedule: Some("*/5 * * * *".to_owned()),
            timezone: "UTC".to_owned(),
            dst_gap: Gap::Skip,
            dst_fold: Fold::Both,
            anchor: at,
            starts_at: Some(at),
            ends_at: Some(at),
            jitter: Duration::from_secs(5),
            overlap: Overlap::Skip,
            catch_up: CatchUp::Latest,
            catch_up_window: Some(Duration::from_mins(1)),
            phases: Phases::Auto,
            max_failures: 3,
            on: None,
            state: None,
        };
        let filter = BTreeMap::from([("/function_id".to_owned(), Value::from("3"))]);
        let listening = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(4), at),
            name: "Listens".to_owned(),
            schedule: None,
            starts_at: None,
            ends_at: None,
            catch_up_window: None,
            on: Some(On { kind: "execution.*".to_owned(), filter }),
            ..scheduled.clone()
        };
        vec![scheduled, listening]
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

const fn duration(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}
