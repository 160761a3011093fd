//! The duty that has deposits confirmed and withdrawals settled.
//!
//! A withdrawal is marked submitted in the store before the resolver hears of it for the first time: from then on it
//! cannot be cancelled. What the resolver says is asked again and again under the same id, so that it can tell a repeat.
//! An amount is released on a definite no alone. Answers that cannot be made out are counted; too many of them, or a time
//! too long, and it needs to be reconciled: it stays as it is until an operator says, or has it asked again. A resolver
//! that asks to wait is waited for, which counts for nothing but the time.
//!
//! It also ends what is not approved in time, and has what failed asked about again ([`super::recheck`]).

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Fault, Key, RetryPolicy, SYSTEM, Settlement, Work};
use uuid::Uuid;

use super::{
    DUTY, NAME, RESOLVER_TRIES, SETTLE_WITHIN, UNRESOLVED_LOOK, WORKERS,
    movement::{Standing, told},
    recheck,
    resolver::{self, Resolved},
    transaction::{GasDirection, GasStatus, GasTransaction},
};
use crate::{
    Core,
    action::Tenant,
    caller::Caller,
    duty::{Attempt, Duty, Outcome, RETRY_BASE, RETRY_CAP},
    services::accounts::Account,
    settings::Setting,
};

/// How often an end is written anew where another change of the gas account came first.
const TRIES: u32 = 64;

/// Has deposits confirmed and withdrawals settled.
#[derive(Clone, Copy, Debug)]
pub struct Settler;

impl Duty for Settler {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Asks the resolver what became of deposits and withdrawals, and writes it."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    /// Failures of ours are never the end of money; answers that cannot be made out are counted in the transaction.
    fn retry(&self, core: &Core) -> RetryPolicy {
        let (base, cap) = (core.settings.duration(&RETRY_BASE), core.settings.duration(&RETRY_CAP));
        RetryPolicy { base, cap, max_attempts: u32::MAX, max_age: Duration::MAX }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                done = perform(core, &attempt.work) => {
                    done.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
                }
            }
        })
    }

    /// Dropped by a resume: the amount is reserved all the same, so that it has to be asked about later.
    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let key = Key::new(work.account, work.subject);
            if let Some(transaction) = core.store.find::<GasTransaction>(key).await? {
                let tenant = tenant(core, work.account, DUTY).await?;
                transaction.enqueue(&tenant, batch);
                batch.holds(&transaction);
            }
            Ok(())
        })
    }
}

/// An account, for what a duty does in it.
pub(super) async fn tenant(core: &Arc<Core>, account_id: Uuid, duty: &str) -> Result<Tenant, Fault> {
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, account_id)).await?;
    let settings = account.as_ref().map_or_else(|| core.settings.clone(), |row| row.settings(&core.settings));
    Ok(Tenant {
        core: core.clone(),
        account_id,
        account: account.map(Arc::new),
        settings,
        caller: Arc::new(Caller::duty(duty)),
        ticket: None,
    })
}

/// What becomes of one, as it stands.
async fn perform(core: &Arc<Core>, work: &Work) -> Result<Outcome, Fault> {
    let found: Option<GasTransaction> = core.store.find(Key::new(work.account, work.subject)).await?;
    let Some(transaction) = found else { return Ok(Outcome::Done(Batch::new())) };
    let tenant = tenant(core, work.account, DUTY).await?;
    match transaction.status {
        GasStatus::PendingApproval => lapse(&tenant, work, transaction).await,
        GasStatus::Pending | GasStatus::Submitted => settle(&tenant, work, transaction).await,
        GasStatus::Failed => recheck::ask(&tenant, transaction).await,
        GasStatus::Completed | GasStatus::Cancelled | GasStatus::NeedsReconcile => {
            Ok(Outcome::Done(Batch::new()))
        }
    }
}

async fn lapse(tenant: &Tenant, work: &Work, transaction: GasTransaction) -> Result<Outcome, Fault> {
    match transaction.expires_at.filter(|at| *at > tenant.now()) {
        Some(at) => Ok(Outcome::Again(at, Batch::new())),
        None => end(tenant, work, &transaction, End::Lapse).await,
    }
}

async fn settle(tenant: &Tenant, work: &Work, mut transaction: GasTransaction) -> Result<Outcome, Fault> {
    let (core, now) = (&tenant.core, tenant.now());
    if let Some(at) = transaction.not_before.filter(|at| *at > now) {
        return Ok(Outcome::Again(at, Batch::new()));
    }
    let Some(peer) = &core.peers.gas_resolver else {
        return Ok(Outcome::Again(now + delta(core.settings.duration(&UNRESOLVED_LOOK)), Batch::new()));
    };
    if transaction.direction == GasDirection::Withdrawal && transaction.status == GasStatus::Pending {
        transaction = submit(transaction, tenant).await?;
    }
    let resolved = resolver::ask(core, peer, &transaction).await;
    conclude(tenant, work, transaction, resolved).await
}

/// Writes that a withdrawal is submitted, before it is.
async fn submit(mut transaction: GasTransaction, tenant: &Tenant) -> Result<GasTransaction, Fault> {
    let (mut batch, now) = (Batch::new(), tenant.now());
    (transaction.status, transaction.submitted_at) = (GasStatus::Submitted, Some(now));
    batch.replace(&mut transaction, now);
    let kind = "gasbank.withdrawal.submitted";
    batch.event(tenant.event(NAME, kind, transaction.head.id, told(&transaction)));
    tenant.core.commit(batch).await?;
    Ok(transaction)
}

async fn conclude(
    tenant: &Tenant,
    work: &Work,
    transaction: GasTransaction,
    resolved: Resolved,
) -> Result<Outcome, Fault> {
    let (core, now) = (&tenant.core, tenant.now());
    match resolved {
        Resolved::Yes => end(tenant, work, &transaction, End::Complete).await,
        Resolved::No(why) => end(tenant, work, &transaction, End::Fail(why)).await,
        Resolved::Contradicted(why) => end(tenant, work, &transaction, End::Doubt(why)).await,
        Resolved::Later(after) => {
            if is_overdue(core, &transaction, now) {
                return end(tenant, work, &transaction, End::Doubt(overdue(core, &transaction))).await;
            }
            Ok(Outcome::Again(now + delta(after), clear(transaction, now)))
        }
        Resolved::Busy(told, after) => {
            if is_overdue(core, &transaction, now) {
                let why = format!("{}; {told}", overdue(core, &transaction));
                return end(tenant, work, &transaction, End::Doubt(why)).await;
            }
            Ok(Outcome::Again(now + delta(after), Batch::new()))
        }
        Resolved::Unclear(why, after) => unclear(tenant, work, transaction, (why, after)).await,
    }
}

/// Counts an answer that cannot be made out.
async fn unclear(
    tenant: &Tenant,
    work: &Work,
    mut transaction: GasTransaction,
    (why, after): (String, Option<Duration>),
) -> Result<Outcome, Fault> {
    let (core, now) = (&tenant.core, tenant.now());
    transaction.unclear += 1;
    let most = core.settings.count(&RESOLVER_TRIES);
    if u64::try_from(transaction.unclear).unwrap_or(u64::MAX) >= most || is_overdue(core, &transaction, now) {
        let why = format!("{why} ({} times in a row)", transaction.unclear);
        return end(tenant, work, &transaction, End::Doubt(why)).await;
    }
    let (base, cap) = (core.settings.duration(&RETRY_BASE), core.settings.duration(&RETRY_CAP));
    let policy = RetryPolicy { base, cap, max_attempts: u32::MAX, max_age: Duration::MAX };
    let tries = u32::try_from(transaction.unclear).unwrap_or(u32::MAX);
    let delay = policy.next(tries, Duration::ZERO, after, core.chance.fraction()).unwrap_or(cap);
    transaction.error = Some(why);
    let mut batch = Batch::new();
    batch.replace(&mut transaction, now);
    Ok(Outcome::Again(now + delta(delay), batch))
}

/// Forgets answers that could not be made out, once one can.
fn clear(mut transaction: GasTransaction, now: DateTime<Utc>) -> Batch {
    let mut batch = Batch::new();
    if transaction.unclear > 0 || transaction.error.is_some() {
        (transaction.unclear, transaction.error) = (0, None);
        batch.replace(&mut transaction, now);
    }
    batch
}

fn overdue(core: &Core, transaction: &GasTransaction) -> String {
    let within = core.settings.duration(&SETTLE_WITHIN).as_secs();
    let verb = transaction.direction.verb();
    format!("it was not {verb} within {within} s, and the resolver has not refused it")
}

fn is_overdue(core: &Core, transaction: &GasTransaction, now: DateTime<Utc>) -> bool {
    let since = transaction.submitted_at.unwrap_or(transaction.head.created_at);
    now - since >= delta(core.settings.duration(&SETTLE_WITHIN))
}

/// How it ends, as far as the duty goes.
enum End {
    Lapse,
    Complete,
    Fail(String),
    Doubt(String),
}

/// Writes the end together with the settlement of the item, as often as another change of the gas account comes first.
async fn end(tenant: &Tenant, work: &Work, asked: &GasTransaction, end: End) -> Result<Outcome, Fault> {
    for _ in 0..TRIES {
        let mut standing = Standing::load(tenant, asked.direction, asked.head.id).await?;
        if standing.transaction.head.version != asked.head.version {
            // Somebody decided or approved meanwhile, and what follows is looked at anew.
            return Ok(Outcome::Release);
        }
        let mut batch = Batch::new();
        match &end {
            End::Lapse => standing.lapse(tenant, &mut batch).await?,
            End::Complete => standing.complete(tenant, &mut batch)?,
            End::Fail(why) => standing.fail(why, tenant, &mut batch).await?,
            End::Doubt(why) => standing.doubt(why, tenant, &mut batch),
        }
        batch.settle(work.settle(Settlement::Remove));
        match tenant.core.commit(batch).await {
            Ok(()) => return Ok(Outcome::Settled),
            Err(fault) if fault.code == Code::FenceLost => return Ok(Outcome::Lost),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Code::Conflict, "the gas account moved on at every try"))
}

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
