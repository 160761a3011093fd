//! Resuming, and what becomes of the work that came due meanwhile.
//!
//! The pause stands until everything is sifted, so that nothing begins meanwhile, and so that a daemon that dies on the way
//! leaves a pause that can be resumed again.

use std::{collections::HashMap, ops::AddAssign};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sl_store::{Batch, Code, Fault, Key, NewEvent, SYSTEM, Settlement, Work, WorkQuery};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Missed, Pause, PauseScope, Ruling, Target, actions::SERVICE};
use crate::{
    action::{Action, Tenant},
    patch::or_usual,
    schedule::walk,
    together,
};

/// How many items are looked at in one round trip.
const PAGE: usize = 200;

/// What a resumption says.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// What becomes of the work that came due during the pause: `all` of it runs unless told otherwise, the `latest` of
    /// each function or job, or none (`drop`).
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Missed>)]
    pub missed: Missed,
}

/// What a resumption came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Resumed {
    /// How many items, and slots of schedules, came due during the pause and run now.
    pub kept: u64,
    /// How many came due during the pause and were dropped.
    pub dropped: u64,
}

/// So many slots of one schedule are counted.
const COUNTED: usize = 1_000_000;

impl Ruling {
    /// What becomes of the slots of one schedule, of which `most` run at most.
    pub(crate) async fn counted(self, slots: impl Iterator<Item = DateTime<Utc>>, most: u64) -> Resumed {
        let within = slots.take_while(|slot| *slot <= self.until).filter(|slot| self.covers(*slot));
        let mut all = 0;
        walk(within.take(COUNTED), |_| all += 1).await;
        let kept = match self.missed {
            Missed::Drop => 0,
            Missed::Latest => all.min(most).min(1),
            Missed::All => all.min(most),
        };
        Resumed { kept, dropped: all - kept }
    }
}

impl AddAssign for Resumed {
    fn add_assign(&mut self, more: Self) {
        self.kept += more.kept;
        self.dropped += more.dropped;
    }
}

/// Ends a pause.
#[derive(Clone, Debug)]
pub struct ResumeWork {
    /// Of what.
    pub target: Target,
    /// How.
    pub how: Resume,
}

impl Action for ResumeWork {
    type Output = Resumed;

    async fn run(self, tenant: &Tenant) -> Result<Resumed, Fault> {
        let now = tenant.now();
        let (scope, target) = self.target.resolve(tenant).await?;
        let id = Pause::id_of(scope, &target);
        let found: Option<Pause> = tenant.core.store.find(Key::new(SYSTEM, id)).await?;
        let pause = found
            .filter(|pause| pause.holds(now))
            .ok_or_else(|| Fault::new(Code::InvalidState, format!("the {} is not paused", scope.as_str())))?;
        if pause.is_operators() && !tenant.caller.is_operator() {
            return Err(Fault::new(
                Code::Forbidden,
                "an operator paused this; only an operator may resume it",
            ));
        }
        let resumed = Backlog { tenant, pause: &pause, now }.sift(self.how.missed).await?;
        let mut batch = Batch::new();
        batch.remove(&pause);
        let told = json!({"scope": scope, "target": target, "missed": self.how.missed, "kept": resumed.kept, "dropped": resumed.dropped});
        batch.event(tenant.event(SERVICE, "pause.ended", self.target.subject(tenant, id), told));
        let resumed = tenant.commit(batch, resumed).await?;
        tenant.core.mirror.told_of_accounts(&tenant.core).await;
        Ok(resumed)
    }
}

/// What `latest` keeps one of: the items of one gate, or of one subject where there is no gate.
type Group = (Uuid, String, Uuid);

fn group(work: &Work) -> Group {
    (work.account, work.duty.clone(), work.gate.unwrap_or(work.subject))
}

/// The work that came due during a pause.
struct Backlog<'a> {
    tenant: &'a Tenant,
    pause: &'a Pause,
    now: DateTime<Utc>,
}

impl Backlog<'_> {
    async fn sift(&self, missed: Missed) -> Result<Resumed, Fault> {
        let latest = if missed == Missed::Latest { self.latest().await? } else { HashMap::new() };
        let mut all = Resumed::default();
        let mut after = None;
        loop {
            let (items, next) = self.page(after).await?;
            let (sequences, items): (Vec<Work>, Vec<Work>) =
                items.into_iter().partition(|work| self.is_sequence(work));
            all += self.rule(missed, &sequences).await?;
            let (keep, drop): (Vec<Work>, Vec<Work>) = items.into_iter().partition(|work| match missed {
                Missed::All => true,
                Missed::Drop => false,
                Missed::Latest => latest.get(&group(work)).is_some_and(|(_, id)| *id == work.id),
            });
            all += Resumed { kept: keep.len() as u64, dropped: self.discard(&drop).await? };
            after = match next {
                Some(next) => Some(next),
                None => return Ok(all),
            };
        }
    }

    /// Whether an item stands for a whole sequence of instants, and decides for itself about those of the pause.
    fn is_sequence(&self, work: &Work) -> bool {
        self.tenant.core.duty(&work.duty).is_some_and(|duty| duty.is_sequence(work))
    }

    /// Tells the sequences what becomes of the instants of the pause, and counts these.
    async fn rule(&self, missed: Missed, sequences: &[Work]) -> Result<Resumed, Fault> {
        let ruling = Ruling { missed, since: self.pause.since, until: self.now };
        let mut all = Resumed::default();
        for work in sequences {
            if let Some(duty) = self.tenant.core.duty(&work.duty) {
                all += duty.resumed(&self.tenant.core, work, ruling).await?;
            }
        }
        Ok(all)
    }

    /// The latest of each group, by due time and then id.
    async fn latest(&self) -> Result<HashMap<Group, (DateTime<Utc>, Uuid)>, Fault> {
        let mut latest: HashMap<Group, (DateTime<Utc>, Uuid)> = HashMap::new();
        let mut after = None;
        loop {
            let (items, next) = self.page(after).await?;
            for work in items.iter().filter(|work| !self.is_sequence(work)) {
                let candidate = (work.due_at, work.id);
                let best = latest.entry(group(work)).or_insert(candidate);
                *best = candidate.max(*best);
            }
            after = match next {
                Some(next) => Some(next),
                None => return Ok(latest),
            };
        }
    }

    /// The next items that came due during the pause, and where to go on.
    async fn page(&self, after: Option<Uuid>) -> Result<(Vec<Work>, Option<Uuid>), Fault> {
        let mut query = WorkQuery {
            waiting_since: Some(self.now + TimeDelta::microseconds(1)),
            after,
            limit: PAGE,
            ..WorkQuery::default()
        };
        match self.pause.scope {
            PauseScope::System => {}
            PauseScope::Duty => query.duty = Some(self.pause.target.clone()),
            PauseScope::Account => query.account = Some(self.tenant.account_id),
            PauseScope::Entity => {
                query.account = Some(self.tenant.account_id);
                query.gate = self.pause.gate();
            }
        }
        let mut items = self.tenant.core.store.work(query).await?;
        let next = items.last().filter(|_| items.len() == PAGE).map(|last| last.id);
        items.retain(|work| work.due_at >= self.pause.since || self.is_sequence(work));
        Ok((items, next))
    }

    async fn discard(&self, items: &[Work]) -> Result<u64, Fault> {
        let mut batches = Vec::with_capacity(items.len());
        for work in items {
            batches.push(self.dropped(work).await?);
        }
        together::commit(&self.tenant.core.store, batches, &[Code::FenceLost, Code::Conflict]).await
    }

    async fn dropped(&self, work: &Work) -> Result<Batch, Fault> {
        let mut batch = Batch::new();
        if let Some(duty) = self.tenant.core.duty(&work.duty) {
            duty.discard(&self.tenant.core, work, &mut batch).await?;
        }
        batch.settle(work.settle(Settlement::Remove));
        let data = json!({"duty": work.duty, "work_id": work.id, "due_at": work.due_at});
        let told = self.tenant.event(SERVICE, "work.dropped", work.subject, data);
        batch.event(NewEvent { account: work.account, ..told });
        Ok(batch)
    }
}
