//! Pausing and listing pauses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sl_store::{Batch, Code, Entity, Fault, Head, Key, NewEvent, Query, SYSTEM, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Pause, PauseScope};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    check::Check,
    page::{Page, PageRequest},
    patch::or_usual,
};

pub(super) const SERVICE: &str = "pauses";

/// How many pauses are read at once; as many as every daemon keeps a copy of.
const MOST: usize = 10_000;

/// What is paused or resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every duty, for every account; run for the system.
    System,
    /// One duty, by name; run for the system.
    Duty(String),
    /// The account the action is run for.
    Account,
    /// One thing of the account the action is run for, by its table and its id: a function, a job.
    Entity(&'static Table, Uuid),
}

/// What a pause says.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPause {
    /// Why, up to 500 characters.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub reason: String,
    /// Until when (RFC 3339); absent: until somebody resumes.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
}

/// A pause as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PauseView {
    /// What it holds back.
    pub scope: PauseScope,
    /// Which: the duty's name, the account's id, the entity's id; `system` for everything.
    pub target: String,
    /// Whose, where it is about an account or one of its things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// Who paused.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; absent: until somebody resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Pause {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> PauseView {
        let has_owner = matches!(self.scope, PauseScope::Account | PauseScope::Entity);
        let (owner, entity) = self.target.split_once('/').unwrap_or((&self.target, &self.target));
        PauseView {
            scope: self.scope,
            target: entity.to_owned(),
            account_id: has_owner.then(|| owner.parse().ok()).flatten(),
            reason: self.reason.clone(),
            actor: self.actor.clone(),
            since: self.since,
            until: self.until,
        }
    }

    /// Whether only an operator may change or end it. What a duty paused, its owner may resume.
    pub(super) fn is_operators(&self) -> bool {
        !self.actor.starts_with("token:") && !self.actor.starts_with("duty:")
    }
}

impl Target {
    /// The thing of this kind that has this id.
    #[must_use]
    pub const fn of<E: Entity>(id: Uuid) -> Self {
        Self::Entity(E::TABLE, id)
    }

    /// Scope and target of the pause's row, once it is clear that the target exists and is the caller's to pause.
    pub(super) async fn resolve(&self, tenant: &Tenant) -> Result<(PauseScope, String), Fault> {
        let of_system = matches!(self, Self::System | Self::Duty(_));
        if of_system != (tenant.account_id == SYSTEM) {
            return Err(Fault::internal("a pause was asked for in another place than its target's"));
        }
        if of_system && !tenant.caller.is_operator() {
            return Err(Fault::new(
                Code::Forbidden,
                "only an operator may pause what concerns every account",
            ));
        }
        match self {
            Self::System => Ok((PauseScope::System, "system".to_owned())),
            Self::Duty(name) => match tenant.core.duty(name) {
                Some(_) => Ok((PauseScope::Duty, name.clone())),
                None => Err(Fault::not_found("duty")),
            },
            Self::Account => Ok((PauseScope::Account, tenant.account_id.to_string())),
            Self::Entity(table, id) => {
                let found = tenant.core.store.find_row(table, tenant.key(*id)).await?;
                found.ok_or_else(|| Fault::not_found(table.noun))?;
                Ok((PauseScope::Entity, Pause::entity(tenant.account_id, *id)))
            }
        }
    }

    /// What its events are about.
    pub(super) fn subject(&self, tenant: &Tenant, id: Uuid) -> Uuid {
        match self {
            Self::System | Self::Duty(_) => id,
            Self::Account => tenant.account_id,
            Self::Entity(_, entity) => *entity,
        }
    }
}

/// Pauses something. Paused again, it keeps since when it is and gets the new reason and end.
#[derive(Clone, Debug)]
pub struct PauseWork {
    /// What.
    pub target: Target,
    /// Why, and until when.
    pub new: NewPause,
}

impl Action for PauseWork {
    type Output = PauseView;

    async fn run(self, tenant: &Tenant) -> Result<PauseView, Fault> {
        let now = tenant.now();
        let mut check = Check::new();
        check.text("/reason", &self.new.reason, 0..=500);
        if self.new.until.is_some_and(|until| until <= now) {
            check.broken("/until", "future", "must lie in the future");
        }
        check.finish()?;
        let (scope, target) = self.target.resolve(tenant).await?;
        let id = Pause::id_of(scope, &target);
        let before: Option<Pause> = tenant.core.store.find(Key::new(SYSTEM, id)).await?;
        let standing = before.as_ref().filter(|pause| pause.holds(now));
        if standing.is_some_and(Pause::is_operators) && !tenant.caller.is_operator() {
            return Err(Fault::new(
                Code::Forbidden,
                "an operator paused this; only an operator may change that",
            ));
        }
        let pause = Pause {
            head: before.as_ref().map_or_else(|| Head::new(SYSTEM, id, now), |before| before.head),
            scope,
            target,
            reason: self.new.reason,
            actor: tenant.caller.actor.clone(),
            since: standing.map_or(now, |pause| pause.since),
            until: self.new.until,
        };
        let subject = self.target.subject(tenant, id);
        let mut batch = Batch::new();
        write(&mut batch, pause.clone(), before.is_some(), now);
        batch.event(tenant.event(SERVICE, "pause.began", subject, json!(pause.view())));
        let view = tenant.commit(batch, pause.view()).await?;
        tenant.core.mirror.told_of_accounts(&tenant.core).await;
        Ok(view)
    }
}

/// A pause that a duty begins by itself.
pub(crate) struct Holding {
    /// What it holds back.
    pub scope: PauseScope,
    /// Which.
    pub target: String,
    /// Why.
    pub reason: String,
    /// The duty.
    pub duty: &'static str,
}

/// Adds a pause to the batch, unless one holds already; whoever commits it has the mirror read it afterwards. Its event is
/// about `subject` of `account`.
pub(crate) async fn hold(
    core: &Core,
    holding: Holding,
    (account, subject): (Uuid, Uuid),
    batch: &mut Batch,
) -> Result<(), Fault> {
    let now = core.clock.now();
    let Holding { scope, target, reason, duty } = holding;
    let id = Pause::id_of(scope, &target);
    let before: Option<Pause> = core.store.find(Key::new(SYSTEM, id)).await?;
    if before.as_ref().is_some_and(|pause| pause.holds(now)) {
        return Ok(());
    }
    let head = before.as_ref().map_or_else(|| Head::new(SYSTEM, id, now), |before| before.head);
    let actor = format!("duty:{duty}");
    let pause = Pause { head, scope, target, reason, actor: actor.clone(), since: now, until: None };
    write(batch, pause.clone(), before.is_some(), now);
    batch.event(NewEvent {
        account,
        service: SERVICE,
        kind: "pause.began",
        subject,
        actor,
        request_id: None,
        origin: None,
        data: json!(pause.view()),
    });
    Ok(())
}

fn write(batch: &mut Batch, mut pause: Pause, replaces: bool, now: DateTime<Utc>) {
    if replaces {
        batch.replace(&mut pause, now);
    } else {
        batch.insert(&pause);
    }
}

/// A page of the pauses that hold now, newest first: all of them where it is run for the system, those of the account and
/// its things otherwise.
#[derive(Clone, Debug)]
pub struct ListPauses(pub PageRequest);

impl Action for ListPauses {
    type Output = Page<PauseView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let now = tenant.now();
        let after = self.0.place::<24>(tenant, "pauses")?;
        let query = Query::of(SYSTEM).limit(MOST);
        let mut holding: Vec<Pause> = tenant.core.store.list(query).await?;
        holding.retain(|pause| {
            pause.holds(now) && (tenant.account_id == SYSTEM || pause.concerns(tenant.account_id))
        });
        holding.sort_by_key(|pause| std::cmp::Reverse(rank(pause)));
        holding.retain(|pause| after.is_none_or(|after| rank(pause) < after));
        let more = holding.len() > self.0.limit;
        holding.truncate(self.0.limit);
        let next = holding.last().filter(|_| more);
        let next_cursor = next.map(|last| PageRequest::mark(tenant, "pauses", &rank(last)));
        Ok(Page { items: holding.iter().map(Pause::view).collect(), next_cursor })
    }
}

/// The order of a list: since when, then the id.
fn rank(pause: &Pause) -> [u8; 24] {
    let mut rank = [0; 24];
    rank[..8].copy_from_slice(&pause.since.timestamp_micros().to_be_bytes());
    rank[8..].copy_from_slice(pause.head.id.as_bytes());
    rank
}
