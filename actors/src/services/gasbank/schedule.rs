//! The row of a schedule of recurring withdrawals.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{SCHEDULE_DUTY, gas::Gas};
use crate::{
    Core,
    neo::ScriptHash,
    schedule::{Fold, Gap, Refused, Schedule, Timetable, read_zone},
};

/// A schedule: a withdrawal for each of its slots. What it says never changes; how far it was decided does.
#[derive(Clone, Debug, PartialEq)]
pub struct GasSchedule {
    /// The row's head.
    pub head: Head,
    /// The gas account that is withdrawn from.
    pub gas_account_id: Uuid,
    /// How much each time.
    pub amount: Gas,
    /// To whom.
    pub to_address: ScriptHash,
    /// When.
    pub schedule: String,
    /// The zone of its wall times.
    pub timezone: String,
    /// What becomes of wall times that the clock jumps over.
    pub dst_gap: Gap,
    /// What becomes of wall times that the clock shows twice.
    pub dst_fold: Fold,
    /// No slot after this.
    pub ends_at: Option<DateTime<Utc>>,
    /// No slot up to here is looked at again.
    pub decided: DateTime<Utc>,
    /// The next slot; none where none will come.
    pub next_slot: Option<DateTime<Utc>>,
    /// Slots up to here were dropped by a resume.
    pub dropped_until: Option<DateTime<Utc>>,
}

impl GasSchedule {
    /// Its slots.
    ///
    /// # Errors
    /// Where schedule or zone cannot be read: `/schedule` or `/timezone`.
    pub(super) fn timetable(&self) -> Result<Timetable, Fault> {
        Ok(Timetable {
            schedule: Schedule::read(&self.schedule).map_err(|refused: Refused| refused.at("/schedule"))?,
            zone: read_zone(&self.timezone).map_err(|refused| refused.at("/timezone"))?,
            gap: self.dst_gap,
            fold: self.dst_fold,
            anchor: self.head.created_at,
        })
    }

    /// The first slot after an instant, where one comes before its end.
    pub(super) fn slot_after(&self, timetable: &Timetable, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        timetable.next(after).filter(|slot| self.ends_at.is_none_or(|end| *slot <= end))
    }

    /// `active`, or `ended` where no slot will come any more.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.next_slot.is_some() { "active" } else { "ended" }
    }

    /// Its public face as of now.
    #[must_use]
    pub fn seen(&self, core: &Core) -> GasScheduleView {
        let status = core.standing(SCHEDULE_DUTY, &self.head, self.status());
        GasScheduleView { status, ..self.view() }
    }

    fn view(&self) -> GasScheduleView {
        GasScheduleView {
            id: self.head.id,
            account_id: self.head.account_id,
            gas_account_id: self.gas_account_id,
            amount: self.amount,
            to_address: self.to_address.address(),
            schedule: self.schedule.clone(),
            timezone: self.timezone.clone(),
            dst_gap: self.dst_gap,
            dst_fold: self.dst_fold,
            ends_at: self.ends_at,
            status: self.status(),
            next_run: self.next_slot,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }
}

/// A schedule of recurring withdrawals as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasScheduleView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The gas account that is withdrawn from.
    pub gas_account_id: Uuid,
    /// How much each time.
    pub amount: Gas,
    /// To whom.
    pub to_address: String,
    /// When.
    pub schedule: String,
    /// The zone of its wall times.
    pub timezone: String,
    /// What becomes of wall times that the clock jumps over.
    pub dst_gap: Gap,
    /// What becomes of wall times that the clock shows twice.
    pub dst_fold: Fold,
    /// No slot after this.
    pub ends_at: Option<DateTime<Utc>>,
    /// `active`, `paused`, or `ended` where no slot will come any more.
    pub status: &'static str,
    /// The next slot.
    pub next_run: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When a slot of it was last decided.
    pub updated_at: DateTime<Utc>,
}

impl Entity for GasSchedule {
    const TABLE: &'static Table = &Table {
        name: "gas_schedules",
        noun: "gas schedule",
        columns: &[
            Column::new("gas_account_id", Kind::Uuid),
            Column::new("amount", Kind::Int),
            Column::new("to_address", Kind::Text),
            Column::new("schedule", Kind::Text),
            Column::new("timezone", Kind::Text),
            Column::new("dst_gap", Kind::Text),
            Column::new("dst_fold", Kind::Text),
            Column::nullable("ends_at", Kind::Time),
            Column::new("decided", Kind::Time),
            Column::nullable("next_slot", Kind::Time),
            Column::nullable("dropped_until", Kind::Time),
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
            self.gas_account_id.into(),
            self.amount.units().into(),
            self.to_address.to_string().into(),
            self.schedule.clone().into(),
            self.timezone.clone().into(),
            self.dst_gap.as_str().into(),
            self.dst_fold.as_str().into(),
            self.ends_at.into(),
            self.decided.into(),
            self.next_slot.into(),
            self.dropped_until.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            gas_account_id: cells.uuid()?,
            amount: Gas::from_units(cells.int()?),
            to_address: cells.named(|text| ScriptHash::parse(text).ok())?,
            schedule: cells.text()?,
            timezone: cells.text()?,
            dst_gap: cells.named(Gap::read)?,
            dst_fold: cells.named(Fold::read)?,
            ends_at: cells.maybe_time()?,
            decided: cells.time()?,
            next_slot: cells.maybe_time()?,
            dropped_until: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let (head, at) = (
            |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), DateTime::UNIX_EPOCH),
            DateTime::UNIX_EPOCH,
        );
        let plain = Self {
            head: head(2),
            gas_account_id: Uuid::from_u128(3),
            amount: Gas::from_units(4),
            to_address: ScriptHash::of(b"to"),
            schedule: "0 9 * * 1".to_owned(),
            timezone: "UTC".to_owned(),
            dst_gap: Gap::Skip,
            dst_fold: Fold::First,
            ends_at: None,
            decided: at,
            next_slot: None,
            dropped_until: None,
        };
        let full = Self {
            head: head(5),
            dst_gap: Gap::Shift,
            dst_fold: Fold::Both,
            ends_at: Some(at),
            next_slot: Some(at),
            dropped_until: Some(at),
            ..plain.clone()
        };
        vec![plain, full]
    }
}
