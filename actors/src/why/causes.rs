//! The causes that the runtime knows: pauses, the account's standing, the queue, dead letters.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sl_store::{Entity as _, Fault, Query, Work, WorkQuery};
use uuid::Uuid;

use super::Cause;
use crate::{
    action::Tenant,
    duty::{Duty, LEASE},
    mirror::Around,
    pause::{Pause, PauseScope},
    services::{accounts::Status, dead_letters::DeadLetter},
};

/// How many items about one thing are told one by one.
const TOLD: usize = 20;
/// How many items ahead are counted one by one.
const AHEAD: usize = 1_000;

/// Why the thing of this id waits.
pub(super) async fn of(tenant: &Tenant, id: Uuid, gates: &[Uuid]) -> Result<Vec<Cause>, Fault> {
    let items = items(tenant, id).await?;
    let behind_it = queued(tenant, id).await?;
    let waits_for_something = !items.is_empty() || behind_it.is_some();
    let mut causes: Vec<Cause> = standing(tenant).filter(|_| waits_for_something).into_iter().collect();
    let mut around: Vec<Uuid> = gates.to_vec();
    around.push(id);
    around.extend(items.iter().filter_map(|item| item.gate));
    let duty = items.first().map_or("", |item| item.duty.as_str());
    let holding = pauses(tenant, duty, &around);
    // What waits for nothing is only held back by a pause of itself.
    causes.extend(holding.iter().filter(|pause| waits_for_something || is_about(pause, id)).map(paused));
    for item in &items {
        causes.extend(waits(tenant, item).await?);
    }
    causes.extend(behind_it);
    causes.extend(letters(tenant, id).await?);
    Ok(causes)
}

/// Puts the causes into the order in which they have to pass. That something is about to be taken is told only where
/// nothing else holds it; and what is queued still does not run, though a daemon has its item.
pub(super) fn decisive_first(mut causes: Vec<Cause>, status: Option<&str>) -> Vec<Cause> {
    for cause in causes.iter_mut().filter(|cause| cause.code == "running" && status == Some("queued")) {
        *cause = Cause::new("due", "a daemon has taken it and is about to run it").since(cause.since);
    }
    if causes.iter().any(|cause| cause.code != "due") {
        causes.retain(|cause| cause.code != "due");
    }
    causes.dedup_by(|later, earlier| later.code == "due" && earlier.code == "due");
    causes.sort_by_key(|cause| rank(cause.code));
    causes
}

/// When a cause's turn comes: what stops the account, what is paused, what the daemon lacks, what the time brings; then
/// what only the thing's service knows; then the other work.
fn rank(code: &str) -> u8 {
    match code {
        "deleting" | "suspended" => 0,
        "paused" => 1,
        "unknown_duty" | "degraded" => 2,
        "running" | "scheduled" | "retrying" => 3,
        "waiting_for_slot" | "behind" | "queued" => 5,
        "dead_letter" => 6,
        _ => 4,
    }
}

/// What a thing is that only the queue knows.
pub(super) fn kind_of(causes: &[Cause]) -> &'static str {
    if causes.iter().any(|cause| cause.code == "dead_letter") { DeadLetter::TABLE.noun } else { "work" }
}

/// The items about this thing, or the item of this id.
async fn items(tenant: &Tenant, id: Uuid) -> Result<Vec<Work>, Fault> {
    let account = Some(tenant.account_id);
    let about = WorkQuery { account, subject: Some(id), limit: TOLD, ..WorkQuery::default() };
    let mut items = tenant.core.store.work(about).await?;
    let before = id.as_u128().checked_sub(1).map(Uuid::from_u128);
    let itself = WorkQuery { account, after: before, limit: 1, ..WorkQuery::default() };
    let found = tenant.core.store.work(itself).await?;
    let known: Vec<Uuid> = items.iter().map(|item| item.id).collect();
    items.extend(found.into_iter().filter(|item| item.id == id && !known.contains(&id)));
    Ok(items)
}

fn standing(tenant: &Tenant) -> Option<Cause> {
    let stopped = tenant.core.mirror.stopped();
    match stopped.get(&tenant.account_id)? {
        Status::Suspended => Some(Cause::new("suspended", "the account is suspended; its work stays queued")),
        Status::Deleting => Some(Cause::new("deleting", "the account is being deleted")),
        Status::Active => None,
    }
}

fn pauses(tenant: &Tenant, duty: &str, gates: &[Uuid]) -> Vec<Pause> {
    let around = Around { duty, account: tenant.account_id, gates };
    tenant.core.mirror.holding(around, tenant.now())
}

fn is_about(pause: &Pause, id: Uuid) -> bool {
    match pause.scope {
        PauseScope::Entity => pause.gate() == Some(id),
        PauseScope::Account => pause.concerns(id),
        PauseScope::System | PauseScope::Duty => false,
    }
}

fn paused(pause: &Pause) -> Cause {
    let what = match pause.scope {
        PauseScope::System => "everything is paused".to_owned(),
        PauseScope::Duty => format!("the duty {} is paused", pause.target),
        PauseScope::Account => "the account is paused".to_owned(),
        PauseScope::Entity => "it is paused".to_owned(),
    };
    let why = if pause.reason.is_empty() { String::new() } else { format!(": {}", pause.reason) };
    Cause::new("paused", format!("{what} by {}{why}", pause.actor))
        .since(pause.since)
        .until(pause.until)
        .with("scope", pause.scope.as_str())
        .with("actor", pause.actor.as_str())
        .with("reason", pause.reason.as_str())
}

/// Why one item waits, apart from pauses.
async fn waits(tenant: &Tenant, item: &Work) -> Result<Vec<Cause>, Fault> {
    let now = tenant.now();
    if item.is_leased(now) {
        return Ok(vec![leased(tenant, item)]);
    }
    let Some(duty) = tenant.core.duty(&item.duty) else {
        return Ok(vec![Cause::new("unknown_duty", format!("no duty {} runs in this daemon", item.duty))]);
    };
    let mut causes: Vec<Cause> = retrying(tenant, duty, item).into_iter().collect();
    if item.due_at > now {
        if causes.is_empty() {
            causes.push(Cause::new("scheduled", "it is due later").until(item.due_at));
        }
        return Ok(causes);
    }
    causes.extend(degraded(tenant, item));
    causes.extend(contended(tenant, duty, item, now).await?);
    if causes.is_empty() {
        causes.push(Cause::new("due", "it is due and about to be taken").since(item.due_at));
    }
    Ok(causes)
}

fn leased(tenant: &Tenant, item: &Work) -> Cause {
    let lease = chrono::TimeDelta::from_std(tenant.core.settings.duration(&LEASE)).unwrap_or_default();
    let heard = item.leased_until.map(|until| until - lease);
    let age = heard.map(|heard| (tenant.now() - heard).num_milliseconds().max(0));
    let holder = item.holder.map(|holder| holder.to_string());
    Cause::new("running", "a daemon performs it; its lease runs out unless it is heard from again")
        .since(heard)
        .until(item.leased_until)
        .with("holder", holder)
        .with("heard_ms_ago", age)
        .with("attempt", item.attempt)
}

fn retrying(tenant: &Tenant, duty: &Arc<dyn Duty>, item: &Work) -> Option<Cause> {
    let error = item.last_error.as_deref().filter(|error| !error.is_empty())?;
    let most = duty.retry(&tenant.core).max_attempts;
    let ahead = (item.due_at > tenant.now()).then_some(item.due_at);
    let told = Cause::new("retrying", format!("attempt {} failed: {error}", item.attempt)).until(ahead);
    let told = told.with("attempt", item.attempt).with("last_error", error);
    Some(if most == u32::MAX { told } else { told.with("of", most) })
}

fn degraded(tenant: &Tenant, item: &Work) -> Option<Cause> {
    let why = tenant.core.health.degraded().remove(&item.duty)?;
    Some(Cause::new("degraded", format!("the duty {} does not run in this daemon: {why}", item.duty)))
}

/// Whether every place is taken, and how many items come first.
async fn contended(
    tenant: &Tenant,
    duty: &Arc<dyn Duty>,
    item: &Work,
    now: DateTime<Utc>,
) -> Result<Vec<Cause>, Fault> {
    let all = WorkQuery { duty: Some(item.duty.clone()), ..WorkQuery::default() };
    let running = tenant.core.store.work_count(all.clone()).await?.running;
    let concurrency = tenant.core.settings.count(duty.concurrency());
    let mut causes = Vec::new();
    if running >= concurrency {
        let detail =
            format!("{running} items of the duty {} run; a daemon runs {concurrency} at once", item.duty);
        let full = Cause::new("waiting_for_slot", detail).since(item.due_at);
        let setting = duty.concurrency().name;
        causes.push(full.with("running", running).with("concurrency", concurrency).with("setting", setting));
    }
    let own = WorkQuery { account: Some(tenant.account_id), waiting_since: Some(now), limit: AHEAD, ..all };
    let rank = |work: &Work| (std::cmp::Reverse(work.priority), work.due_at, work.id);
    let waiting = tenant.core.store.work(own).await?;
    let ahead = waiting.iter().filter(|other| rank(other) < rank(item)).count();
    if ahead > 0 {
        let detail = format!("{ahead} items of the account come first");
        causes.push(Cause::new("behind", detail).since(item.due_at).with("behind", ahead));
    }
    Ok(causes)
}

/// The work that stands behind this thing, where it is one that can be paused around work.
async fn queued(tenant: &Tenant, id: Uuid) -> Result<Option<Cause>, Fault> {
    let behind = WorkQuery { account: Some(tenant.account_id), gate: Some(id), ..WorkQuery::default() };
    let count = tenant.core.store.work_count(behind).await?;
    if (count.waiting, count.later, count.running) == (0, 0, 0) {
        return Ok(None);
    }
    let detail =
        format!("{} items wait, {} are due later, {} run", count.waiting, count.later, count.running);
    let cause = Cause::new("queued", detail).with("waiting", count.waiting).with("later", count.later);
    Ok(Some(cause.with("running", count.running)))
}

async fn letters(tenant: &Tenant, id: Uuid) -> Result<Vec<Cause>, Fault> {
    let about = Query::of(tenant.account_id).equal("subject", id).limit(TOLD);
    let mut letters: Vec<DeadLetter> = tenant.core.store.list(about).await?;
    let itself: Option<DeadLetter> = tenant.core.store.find(tenant.key(id)).await?;
    letters.extend(itself.filter(|letter| letter.subject != id));
    Ok(letters.iter().map(DeadLetter::cause).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(codes: &[&'static str], status: Option<&str>) -> Vec<&'static str> {
        let causes = codes.iter().map(|code| Cause::new(code, "")).collect();
        decisive_first(causes, status).into_iter().map(|cause| cause.code).collect()
    }

    #[test]
    fn what_decides_comes_first_and_due_alone() {
        assert_eq!(ordered(&["due", "concurrency"], Some("queued")), ["concurrency"]);
        assert_eq!(
            ordered(&["behind", "missing_secret", "paused"], None),
            ["paused", "missing_secret", "behind"]
        );
        assert_eq!(ordered(&["suspended", "due"], None), ["suspended"]);
        assert_eq!(ordered(&["due", "due"], None), ["due"]);
    }

    #[test]
    fn what_is_queued_does_not_run() {
        assert_eq!(ordered(&["running", "concurrency"], Some("queued")), ["concurrency"]);
        assert_eq!(ordered(&["running"], Some("queued")), ["due"]);
        assert_eq!(ordered(&["running"], Some("running")), ["running"]);
    }
}
