//! Why a deposit or withdrawal waits.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::{
    RESOLVER_TRIES, SCHEDULE_DUTY,
    account::GasAccount,
    schedule::GasSchedule,
    transaction::{GasDirection, GasStatus, GasTransaction},
};
use crate::{
    Core,
    why::{Cause, Explained},
};

/// Tells of the gas account, deposit or withdrawal of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        if let Some(found) = core.store.find::<GasTransaction>(key).await? {
            let approved = found.standing_approvers(core).await?.len();
            return Ok(Some(Explained {
                kind: found.direction.as_str(),
                status: found.status.as_str().to_owned(),
                gates: vec![found.gas_account_id],
                causes: causes(core, &found, approved),
            }));
        }
        if let Some(found) = core.store.find::<GasSchedule>(key).await? {
            return Ok(Some(Explained {
                kind: "gas schedule",
                status: core.standing(SCHEDULE_DUTY, &found.head, found.status()).to_owned(),
                gates: vec![id],
                causes: Vec::new(),
            }));
        }
        let found: Option<GasAccount> = core.store.find(key).await?;
        Ok(found.map(|found| Explained {
            kind: "gas account",
            status: found.status(core).to_owned(),
            gates: vec![id],
            causes: differs(&found).into_iter().collect(),
        }))
    })
}

fn differs(account: &GasAccount) -> Option<Cause> {
    let since = account.differs_since?;
    let detail = "its balances are not what its postings give: an operator has to reconcile them";
    Some(Cause::new("differs", detail).since(since))
}

fn causes(core: &Core, transaction: &GasTransaction, approved: usize) -> Vec<Cause> {
    let mut causes = Vec::new();
    let what = transaction.direction;
    match transaction.status {
        GasStatus::PendingApproval => {
            let (has, needs) = (approved, transaction.required_approvals);
            let detail = format!("it has {has} of {needs} approvals");
            let cause = Cause::new("needs_approval", detail).since(transaction.head.created_at);
            let cause = cause.until(transaction.expires_at);
            causes.push(cause.with("approvals", has).with("required_approvals", needs));
        }
        GasStatus::NeedsReconcile => {
            let error = transaction.error.as_deref().unwrap_or("what became of it is not known");
            let detail = format!("an operator has to say what became of it: {error}");
            causes.push(Cause::new("needs_reconcile", detail).since(transaction.head.updated_at));
        }
        GasStatus::Pending | GasStatus::Submitted => causes.extend(waits(core, transaction)),
        GasStatus::Completed | GasStatus::Failed | GasStatus::Cancelled => {}
    }
    if let Some(since) = transaction.contradicted_at {
        let error = transaction.error.as_deref().unwrap_or("the resolver says otherwise than it ended");
        let detail = format!("an operator has to look into it: {error}");
        causes.push(Cause::new("contradicted", detail).since(since));
    }
    if what == GasDirection::Withdrawal
        && let Some(at) = transaction.not_before.filter(|at| *at > core.clock.now())
        && transaction.status.is_open()
    {
        let cause = Cause::new("not_before", "it is not to be submitted before");
        causes.push(cause.since(transaction.head.created_at).until(at));
    }
    causes
}

fn waits(core: &Core, transaction: &GasTransaction) -> Vec<Cause> {
    if core.peers.gas_resolver.is_none() {
        let verb = transaction.direction.verb();
        let detail =
            format!("no resolver is configured (GASBANK_RESOLVER_URL): it is {verb} by an operator's hand");
        return vec![Cause::new("no_resolver", detail)];
    }
    let Some(error) = &transaction.error else {
        let waiting = transaction
            .submitted_at
            .map(|since| Cause::new("unsettled", "the resolver has not said what became of it").since(since));
        return waiting.into_iter().collect();
    };
    let most = core.settings.count(&RESOLVER_TRIES);
    let cause = Cause::new("unclear", format!("the resolver's last answer cannot be made out: {error}"));
    vec![cause.with("unclear", transaction.unclear).with("of", most)]
}
