//! Running slots of the past after all.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sl_store::{Fault, Filter, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    BACKFILL,
    actions::scheduled,
    begin::Desk,
    named::{Overlap, RunKind, RunStatus},
    run::Run,
};
use crate::action::{Action, Tenant};

/// How often it is planned anew where another decision about the job came first.
const TRIES: u32 = 64;

/// Which slots are to run after all.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobBackfill)]
pub struct Backfill {
    /// From this instant on (RFC 3339).
    pub from: DateTime<Utc>,
    /// Up to this instant, itself included; it must not lie in the future.
    pub to: DateTime<Utc>,
}

/// What a backfill came to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = JobBackfilled)]
pub struct Backfilled {
    /// How many slots run after all.
    pub queued: usize,
    /// How many have run, or run now, and are left as they are.
    pub kept: usize,
}

/// Runs slots of the past: those that have no row, and those that never ran. They run one after another, or at once where the
/// job's overlap is `allow`.
#[derive(Debug)]
pub struct BackfillJob {
    /// The job.
    pub job_id: Uuid,
    /// Which slots.
    pub which: Backfill,
}

/// Whether calendars can be walked from here.
pub(super) fn is_sane(instant: DateTime<Utc>) -> bool {
    (1970..=9000).contains(&instant.year())
}

impl Action for BackfillJob {
    type Output = Backfilled;

    async fn run(self, tenant: &Tenant) -> Result<Backfilled, Fault> {
        let mut tries = 0;
        loop {
            match self.once(tenant).await {
                Err(fault) if tries < TRIES && tenant.was_overtaken(&fault).await? => {
                    tries += 1;
                    let most = f64::from(tries.min(10)) / 500.0;
                    tokio::time::sleep(Duration::from_secs_f64(most * tenant.core.chance.fraction())).await;
                }
                done => return done,
            }
        }
    }
}

impl BackfillJob {
    async fn once(&self, tenant: &Tenant) -> Result<Backfilled, Fault> {
        let gone = || Fault::not_found("job");
        let mut desk = Desk::open(&tenant.core, tenant.account_id, self.job_id).await?.ok_or_else(gone)?;
        let timetable = scheduled(&desk.job)?;
        let slots = self.slots(&desk, &timetable)?;
        let rows = rows_of(tenant, self.job_id, &slots).await?;
        let mut done = Backfilled { queued: 0, kept: 0 };
        for slot in slots {
            match rows.iter().find(|run| run.slot == Some(slot)) {
                Some(run) if !run.status.never_ran() => done.kept += 1,
                row => {
                    desk.run_after_all(slot, row.cloned(), tenant);
                    done.queued += 1;
                }
            }
        }
        if desk.job.overlap != Overlap::Allow {
            desk.call_next();
        }
        tenant.commit(desk.close(), done).await
    }

    fn slots(
        &self,
        desk: &Desk<'_>,
        timetable: &crate::schedule::Timetable,
    ) -> Result<Vec<DateTime<Utc>>, Fault> {
        let Backfill { from, to } = self.which;
        if !is_sane(from) {
            return Err(Fault::field("/from", "bounds", "must lie after the year 1969"));
        }
        if to < from {
            return Err(Fault::field("/to", "order", "must not lie before from"));
        }
        if to > desk.now {
            return Err(Fault::field("/to", "past", "must not lie in the future"));
        }
        // What is not decided yet gets its row by itself.
        let to = to.min(desk.state.decided);
        let most = desk.settings.size(&BACKFILL);
        let slots: Vec<DateTime<Utc>> = timetable
            .after(from - TimeDelta::microseconds(1))
            .take_while(|slot| *slot <= to)
            .take(most + 1)
            .collect();
        if slots.len() > most {
            let detail = format!("from and to enclose more than {most} slots ({})", BACKFILL.name);
            return Err(Fault::field("/to", "bounds", detail));
        }
        Ok(slots)
    }
}

/// The rows that these slots have.
async fn rows_of(tenant: &Tenant, job: Uuid, slots: &[DateTime<Utc>]) -> Result<Vec<Run>, Fault> {
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let query = Query::of(tenant.account_id)
            .equal("job_id", job)
            .filter(Filter::Since("slot", *first))
            .filter(Filter::Before("slot", *last + TimeDelta::microseconds(1)))
            .oldest_first()
            .after(after)
            .limit(500);
        let page: Vec<Run> = tenant.core.store.list(query).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.head.id);
        found.extend(page);
    }
}

impl Desk<'_> {
    /// Queues a slot of the past, in its row where it has one.
    fn run_after_all(&mut self, slot: DateTime<Utc>, row: Option<Run>, tenant: &Tenant) {
        let revived = row.is_some();
        let mut run = row.unwrap_or_else(|| self.new_run(RunKind::Backfill));
        run.kind = RunKind::Backfill;
        run.slot = Some(slot);
        run.actor.clone_from(&tenant.caller.actor);
        run.stand(RunStatus::Queued, Some("it was backfilled, and waits for its turn".to_owned()), self.now);
        if revived {
            self.batch.replace(&mut run, self.now);
        } else {
            self.batch.insert(&run);
        }
        self.batch.event(run.told());
        if self.job.overlap == Overlap::Allow {
            self.batch.enqueue(run.work(self.core.ids.next(), self.now));
        }
        self.open.push(run);
    }
}
