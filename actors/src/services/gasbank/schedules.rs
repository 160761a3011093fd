//! Recurring withdrawals: a withdrawal for each slot of a schedule, under the policy of its gas account like any other.
//!
//! A schedule has one item in the queue, due at its next slot. A slot, the withdrawal made for it and the move to the next
//! slot are one batch, so that a slot is withdrawn for once. Where the gas account does not allow it (short, over the
//! limit), the slot has a cancelled withdrawal that says why; it is not tried again. Slots that are older than
//! [`CATCH_UP`] when somebody sees them, and those that a resume drops, are passed over, which an event tells.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;
use sl_store::{Batch, Code, Fault, Filter, Head, Key, NewWork, RetryPolicy, Settlement, Work};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    CATCH_UP, MAX_SCHEDULES, NAME, SCHEDULE_DUTY, SCHEDULE_WORKERS,
    account::GasAccount,
    deposits::read_optional,
    gas::Gas,
    movement::told,
    schedule::{GasSchedule, GasScheduleView},
    settlement,
    transaction::{GasDirection, GasSlot, GasStatus, GasTransaction},
    withdrawals::reserve,
};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    check::Check,
    duty::{Attempt, Duty, Outcome, RETRY_BASE, RETRY_CAP},
    page::{Page, PageRequest},
    pause::{Missed, Resumed, Ruling},
    resource,
    schedule::{Fold, Gap},
    services::price_feeds::ExactNumber,
    settings::Setting,
};

/// How long the text of a schedule may be.
const TEXT: usize = 512;
/// How often a slot is decided anew where another change of the gas account came first.
const TRIES: u32 = 64;

/// What makes a schedule of recurring withdrawals.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGasSchedule {
    /// The gas account that is withdrawn from.
    pub gas_account_id: Uuid,
    /// How much each time: more than 0, with up to 8 decimals.
    pub amount: ExactNumber,
    /// To whom: an address or script hash; the gas account's own wallet unless said otherwise.
    pub to_address: Option<String>,
    /// When, as jobs have it: `0 9 * * 1`, six fields with the seconds first, `@every 24h`, `@daily`, `at` a time.
    #[schema(max_length = 512)]
    pub schedule: String,
    /// The IANA zone of its wall times; `UTC` unless told otherwise.
    pub timezone: Option<String>,
    /// What becomes of wall times that the clock jumps over; `skip` unless told otherwise.
    pub dst_gap: Option<Gap>,
    /// What becomes of wall times that the clock shows twice; `first` unless told otherwise.
    pub dst_fold: Option<Fold>,
    /// No slot after this.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Makes a schedule of recurring withdrawals.
#[derive(Clone, Debug)]
pub struct CreateGasSchedule(pub NewGasSchedule);

impl Action for CreateGasSchedule {
    type Output = GasScheduleView;

    async fn run(self, tenant: &Tenant) -> Result<GasScheduleView, Fault> {
        let schedule = admit(self.0, tenant).await?;
        let (account, id, mut batch) = (tenant.account_id, schedule.head.id, Batch::new());
        batch.insert(&schedule);
        let most = tenant.settings.count(&MAX_SCHEDULES);
        batch.at_most::<GasSchedule>(account, Vec::new(), most, MAX_SCHEDULES.name);
        if let Some(due_at) = schedule.next_slot {
            batch.enqueue(NewWork::new(tenant.next_id(), SCHEDULE_DUTY, account, id, due_at).gate(id));
        }
        let data = json!({
            "gas_account_id": schedule.gas_account_id, "amount": schedule.amount, "schedule": schedule.schedule,
            "to_address": schedule.to_address.address(),
        });
        batch.event(tenant.event(NAME, "gasbank.schedule.created", id, data));
        tenant.commit(batch, schedule.seen(&tenant.core)).await
    }
}

async fn admit(new: NewGasSchedule, tenant: &Tenant) -> Result<GasSchedule, Fault> {
    let (now, mut check) = (tenant.now(), Check::new());
    let amount = Gas::read("/amount", &new.amount, &mut check);
    let to_address = read_optional("/to_address", new.to_address.as_deref(), &mut check);
    check.text("/schedule", &new.schedule, 1..=TEXT);
    if new.ends_at.is_some_and(|end| end <= now) {
        check.broken("/ends_at", "future", "must lie in the future");
    }
    check.finish()?;
    let account: GasAccount = tenant.core.store.get(tenant.key(new.gas_account_id)).await?;
    let mut schedule = GasSchedule {
        head: Head::new(tenant.account_id, tenant.next_id(), now),
        gas_account_id: account.head.id,
        amount: amount.ok_or_else(|| Fault::internal("an amount was neither read nor refused"))?,
        to_address: to_address.unwrap_or(account.wallet),
        schedule: new.schedule.trim().to_owned(),
        timezone: new.timezone.unwrap_or_else(|| "UTC".to_owned()),
        dst_gap: new.dst_gap.unwrap_or_default(),
        dst_fold: new.dst_fold.unwrap_or_default(),
        ends_at: new.ends_at.map(|end| end.trunc_subsecs(6)),
        decided: now,
        next_slot: None,
        dropped_until: None,
    };
    schedule.next_slot = schedule.slot_after(&schedule.timetable()?, now);
    if schedule.next_slot.is_none() {
        return Err(Fault::field("/schedule", "never", "must have a slot to come, before ends_at"));
    }
    Ok(schedule)
}

/// What a list of schedules is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GasScheduleFilters {
    /// Only those of this gas account.
    pub gas_account_id: Option<Uuid>,
}

/// A page of schedules, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListGasSchedules {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: GasScheduleFilters,
}

impl Action for ListGasSchedules {
    type Output = Page<GasScheduleView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let only = self.filters.gas_account_id.map(|id| Filter::Equal("gas_account_id", id.into()));
        let only = only.into_iter().collect();
        resource::list::<GasSchedule, _>(tenant, self.page, only, |found| found.seen(&tenant.core)).await
    }
}

/// Reads a schedule.
#[derive(Clone, Copy, Debug)]
pub struct FetchGasSchedule(pub Uuid);

impl Action for FetchGasSchedule {
    type Output = GasScheduleView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasScheduleView, Fault> {
        tenant.core.store.get::<GasSchedule>(tenant.key(self.0)).await.map(|found| found.seen(&tenant.core))
    }
}

/// Ends a schedule: no withdrawal is made for it any more; those that were made stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct RemoveGasSchedule {
    /// Which.
    pub id: Uuid,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for RemoveGasSchedule {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            let found: GasSchedule = tenant.core.store.get(tenant.key(self.id)).await?;
            resource::expect_version(&found, self.expected)?;
            let mut batch = Batch::new();
            batch.remove(&found).withdraw(tenant.account_id, self.id);
            let data = json!({"gas_account_id": found.gas_account_id, "decided": found.decided});
            batch.event(tenant.event(NAME, "gasbank.schedule.removed", self.id, data));
            match tenant.commit(batch, ()).await {
                // A slot was decided meanwhile.
                Err(fault) if fault.code == Code::Conflict && tries < TRIES => tries += 1,
                ended => return ended,
            }
        }
    }
}

/// Makes the withdrawals of schedules.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler;

impl Duty for Scheduler {
    fn name(&self) -> &'static str {
        SCHEDULE_DUTY
    }

    fn doc(&self) -> &'static str {
        "Makes a withdrawal for each slot of the schedules of recurring withdrawals."
    }

    fn concurrency(&self) -> &'static Setting {
        &SCHEDULE_WORKERS
    }

    /// A schedule goes on whatever happens: nobody would begin it again.
    fn retry(&self, core: &Core) -> RetryPolicy {
        let (base, cap) = (core.settings.duration(&RETRY_BASE), core.settings.duration(&RETRY_CAP));
        RetryPolicy { base, cap, max_attempts: u32::MAX, max_age: std::time::Duration::MAX }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let ended = decide(core, &attempt.work).await;
            ended.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
        })
    }

    fn is_sequence(&self, _work: &Work) -> bool {
        true
    }

    fn resumed<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        ruling: Ruling,
    ) -> BoxFuture<'a, Result<Resumed, Fault>> {
        Box::pin(async move {
            let key = Key::new(work.account, work.subject);
            let Some(mut found) = core.store.find::<GasSchedule>(key).await? else {
                return Ok(Resumed::default());
            };
            let timetable = found.timetable()?;
            let slots = std::iter::successors(found.slot_after(&timetable, found.decided), |last| {
                found.slot_after(&timetable, *last)
            });
            let counted = ruling.counted(slots, u64::MAX).await;
            found.dropped_until = found.dropped_by(ruling)?;
            let mut batch = Batch::new();
            batch.replace(&mut found, core.clock.now());
            core.commit(batch).await?;
            Ok(counted)
        })
    }
}

impl GasSchedule {
    /// Up to where a resume drops its slots.
    fn dropped_by(&self, ruling: Ruling) -> Result<Option<DateTime<Utc>>, Fault> {
        Ok(match ruling.missed {
            Missed::All => None,
            Missed::Drop => Some(ruling.until),
            Missed::Latest => {
                let latest = self.timetable()?.latest(self.decided, ruling.until);
                latest.map(|latest| latest - TimeDelta::microseconds(1))
            }
        })
    }
}

/// Decides the next slot that is due, as often as another change of the gas account comes first.
async fn decide(core: &Arc<Core>, work: &Work) -> Result<Outcome, Fault> {
    let tenant = settlement::tenant(core, work.account, SCHEDULE_DUTY).await?;
    for _ in 0..TRIES {
        let key = Key::new(work.account, work.subject);
        let Some(schedule) = core.store.find::<GasSchedule>(key).await? else {
            return Ok(Outcome::Done(Batch::new()));
        };
        let mut batch = Batch::new();
        let due_at = step(schedule, &tenant, &mut batch).await?;
        batch.settle(work.settle(
            due_at.map_or(Settlement::Remove, |due_at| Settlement::Retry { due_at, error: String::new() }),
        ));
        match core.commit(batch).await {
            Ok(()) => return Ok(Outcome::Settled),
            Err(fault) if fault.code == Code::FenceLost => return Ok(Outcome::Lost),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Code::Conflict, "the gas account moved on at every try"))
}

/// Adds to the batch what becomes of the first slot that is due; when the next one is.
async fn step(
    mut schedule: GasSchedule,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<Option<DateTime<Utc>>, Fault> {
    let (now, timetable) = (tenant.now(), schedule.timetable()?);
    let oldest = now - settlement::delta(tenant.settings.duration(&CATCH_UP));
    let passed = schedule.dropped_until.map_or(oldest, |until| until.max(oldest));
    if let Some(first) = schedule.slot_after(&timetable, schedule.decided).filter(|slot| *slot <= passed) {
        let data = json!({"from": first, "until": passed, "dropped": schedule.dropped_until.is_some()});
        batch.event(tenant.event(NAME, "gasbank.schedule.missed", schedule.head.id, data));
        schedule.decided = passed;
    }
    let slot = schedule.slot_after(&timetable, schedule.decided).filter(|slot| *slot <= now);
    if let Some(slot) = slot {
        withdraw(&schedule, slot, tenant, batch).await?;
        schedule.decided = slot;
    } else {
        (schedule.decided, schedule.dropped_until) = (schedule.decided.max(now), None);
    }
    schedule.next_slot = schedule.slot_after(&timetable, schedule.decided);
    let next = schedule.next_slot;
    batch.replace(&mut schedule, now);
    Ok(next)
}

/// Makes the withdrawal of a slot; a cancelled one where the gas account does not allow it.
async fn withdraw(
    schedule: &GasSchedule,
    slot: DateTime<Utc>,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let mut account: GasAccount = tenant.core.store.get(tenant.key(schedule.gas_account_id)).await?;
    let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
    let mut transaction = GasTransaction {
        to_address: Some(schedule.to_address),
        slot: Some(GasSlot { schedule_id: schedule.head.id, at: slot }),
        ..GasTransaction::new(head, account.head.id, GasDirection::Withdrawal, schedule.amount)
    };
    let mut made = Batch::new();
    match reserve(&mut account, &mut transaction, tenant, &mut made) {
        Ok(()) => {
            batch.merge(made);
        }
        Err(fault) if matches!(fault.code, Code::Invalid | Code::InvalidState) => {
            transaction.status = GasStatus::Cancelled;
            transaction.error = Some(fault.detail);
            transaction.completed_at = Some(tenant.now());
            batch.insert(&transaction);
            let kind = "gasbank.withdrawal.skipped";
            batch.event(tenant.event(NAME, kind, head.id, told(&transaction)));
        }
        Err(fault) => return Err(fault),
    }
    Ok(())
}
