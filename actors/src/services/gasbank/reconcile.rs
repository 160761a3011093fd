//! Putting right what the check of the gas accounts, or an operator, found wrong.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sl_store::{Batch, Code, Fault, Filter, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY, NAME,
    account::GasAccount,
    audit::{Audit, GasDifference},
    corrections::{Correct, GasVerdict},
    deposits::REASON,
    gas::Gas,
    movement::commit,
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::{Bucket, GasMovement},
    views::GasMovementView,
};
use crate::{
    action::{Action, Tenant},
    check::Check,
};

/// How many rows are read at once.
const STEP: usize = 200;
/// How often a repair is planned anew where the gas account moves on.
const TRIES: usize = 16;

/// What is reconciled.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconciliation {
    /// Only this gas account; every one of the account unless said otherwise.
    pub gas_account_id: Option<Uuid>,
    /// Nothing but this deposit or withdrawal, about which there is a verdict.
    pub transaction_id: Option<Uuid>,
    /// What became of it, whatever was decided before: what that posted is made up for by corrections.
    pub verdict: Option<GasVerdict>,
    /// Why; kept with the decision. Up to 500 characters.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// What was found of one gas account, and put right.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasAccountReconciled {
    /// The gas account.
    pub gas_account_id: Uuid,
    /// What was not as it should be; empty where all was well.
    pub differences: Vec<GasDifference>,
    /// How many transfers were found to be lost; the ledger counts them from now on.
    pub missing: i64,
    /// How many deposits and withdrawals the resolver is asked about again.
    pub asked_again: usize,
}

/// What a reconciliation came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReconciledView {
    /// Each gas account; none where one deposit or withdrawal was decided.
    pub accounts: Vec<GasAccountReconciled>,
    /// That deposit or withdrawal, and where it leaves its gas account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<GasMovementView>,
}

impl Reconciliation {
    /// The verdict about one deposit or withdrawal, where this is about one.
    fn correction(&self) -> Result<Option<Correct>, Fault> {
        let mut check = Check::new();
        let given = self.transaction_id.is_some();
        for (pointer, is_there) in [("/verdict", self.verdict.is_some()), ("/reason", self.reason.is_some())]
        {
            match (given, is_there) {
                (true, false) => check.broken(pointer, "required", "must be given with transaction_id"),
                (false, true) => {
                    check.broken(pointer, "exclusive", "must be given with transaction_id alone")
                }
                (true, true) | (false, false) => &mut check,
            };
        }
        if given && self.gas_account_id.is_some() {
            check.broken("/gas_account_id", "exclusive", "give either gas_account_id or transaction_id");
        }
        if let Some(reason) = &self.reason {
            check.text("/reason", reason, 1..=REASON);
        }
        check.finish()?;
        let reason = || self.reason.as_deref().unwrap_or_default().trim().to_owned();
        Ok(self.transaction_id.zip(self.verdict).map(|(transaction_id, verdict)| Correct {
            transaction_id,
            verdict,
            reason: reason(),
        }))
    }
}

/// Puts right what differs, by postings that stay to be seen, and has the resolver asked again about what is in doubt.
#[derive(Clone, Debug)]
pub struct Reconcile(pub Reconciliation);

impl Action for Reconcile {
    type Output = ReconciledView;

    async fn run(self, tenant: &Tenant) -> Result<ReconciledView, Fault> {
        if let Some(correction) = self.0.correction()? {
            return commit(&correction, tenant).await;
        }
        let mut view = ReconciledView { accounts: Vec::new(), transaction: None };
        for id in self.accounts(tenant).await? {
            view.accounts.push(reconcile(tenant, id).await?);
        }
        let answer = tenant.commit(Batch::new(), view).await?;
        tenant.core.bells.ring(DUTY);
        Ok(answer)
    }
}

impl Reconcile {
    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Uuid>, Fault> {
        if let Some(id) = self.0.gas_account_id {
            return Ok(vec![id]);
        }
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let query = Query::of(tenant.account_id).oldest_first().after(after).limit(STEP);
            let rows: Vec<GasAccount> = tenant.core.store.list(query).await?;
            ids.extend(rows.iter().map(|row| row.head.id));
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                return Ok(ids);
            }
        }
    }
}

async fn reconcile(tenant: &Tenant, id: Uuid) -> Result<GasAccountReconciled, Fault> {
    let mut last = None;
    for _ in 0..TRIES {
        let audit = Audit::of(&tenant.core.store, tenant.key(id)).await?;
        let (differences, sound) = (audit.differences(), audit.is_sound());
        let missing = audit.missing() - audit.account.missing;
        let mut batch = Batch::new();
        if !sound {
            repair(&audit, tenant, &mut batch);
        }
        let asked_again = ask_again(tenant, id, &mut batch).await?;
        match tenant.core.store.commit(batch).await {
            Ok(()) => {
                return Ok(GasAccountReconciled { gas_account_id: id, differences, missing, asked_again });
            }
            Err(fault) if fault.code == Code::Conflict => last = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    Err(last.unwrap_or_else(|| Fault::internal("a reconciliation was not tried")))
}

/// Where every transfer is there, the postings are what happened; where some are lost, the gas account's own balances are
/// the better witness. What open deposits and withdrawals say stands above both. Corrections move the postings to where
/// they should be, seen by everybody who reads the ledger, and the balances follow.
fn repair(audit: &Audit, tenant: &Tenant, batch: &mut Batch) {
    let mut account = audit.account.clone();
    (account.posted, account.missing, account.differs_since) = (audit.last_number(), audit.missing(), None);
    let mut off: Vec<(Bucket, i64)> = Vec::new();
    for (bucket, goal) in goals(audit) {
        off.push((bucket, goal.units() - audit.sum(bucket).units()));
        let held = if bucket == Bucket::Owed { -goal.units() } else { goal.units() };
        account.hold(bucket, Gas::from_units(held));
    }
    // What one has too much and another too little moves between the two; the rest comes from outside, or goes there.
    let mut surplus: Vec<(Bucket, i64)> =
        off.iter().filter(|(_, by)| *by < 0).map(|(b, by)| (*b, -by)).collect();
    for (target, mut lack) in off.into_iter().filter(|(_, by)| *by > 0) {
        for (source, left) in &mut surplus {
            let part = lack.min(*left);
            correct(&mut account, (*source, target), part, tenant, batch);
            (lack, *left) = (lack - part, *left - part);
        }
        correct(&mut account, (Bucket::External, target), lack, tenant, batch);
    }
    for (source, left) in surplus {
        correct(&mut account, (source, Bucket::External), left, tenant, batch);
    }
    batch.replace(&mut account, tenant.now());
    let told = json!({
        "differences": audit.differences(), "transfers": account.posted, "missing": account.missing,
    });
    batch.event(tenant.event(NAME, "gasbank.account.reconciled", account.head.id, told));
}

fn correct(
    account: &mut GasAccount,
    (source, target): (Bucket, Bucket),
    units: i64,
    tenant: &Tenant,
    batch: &mut Batch,
) {
    if units > 0 {
        let route = (GasMovement::Correction, source, target);
        account.record(route, Gas::from_units(units), None, tenant, batch);
    }
}

/// What the postings of each balance should sum to.
fn goals(audit: &Audit) -> [(Bucket, Gas); 4] {
    let whole = audit.missing() == audit.account.missing;
    let witness = |bucket| if whole { audit.sum(bucket) } else { audit.balance(bucket) };
    let open = |bucket| audit.open(bucket).unwrap_or_default();
    let (locked, owed) = (open(Bucket::Locked), witness(Bucket::Owed).min(Gas::ZERO));
    let own = witness(Bucket::Available).units().saturating_add(witness(Bucket::Locked).units());
    let available = Gas::from_units(own).less(locked);
    [
        (Bucket::Available, available),
        (Bucket::Locked, locked),
        (Bucket::Pending, open(Bucket::Pending)),
        (Bucket::Owed, owed),
    ]
}

/// Has the resolver asked again about what is in doubt, where there is a resolver.
async fn ask_again(tenant: &Tenant, id: Uuid, batch: &mut Batch) -> Result<usize, Fault> {
    if tenant.core.peers.gas_resolver.is_none() {
        return Ok(0);
    }
    let mut query = Query::of(tenant.account_id).equal("gas_account_id", id).limit(STEP);
    query.filters.push(Filter::Equal("status", GasStatus::NeedsReconcile.as_str().into()));
    let found: Vec<GasTransaction> = tenant.core.store.list(query).await?;
    let (now, asked_again) = (tenant.now(), found.len());
    for mut transaction in found {
        transaction.status = match transaction.direction {
            GasDirection::Deposit => GasStatus::Pending,
            GasDirection::Withdrawal => GasStatus::Submitted,
        };
        transaction.unclear = 0;
        transaction.submitted_at = Some(now);
        batch.replace(&mut transaction, now);
        transaction.enqueue(tenant, batch);
        let told = super::movement::told(&transaction);
        batch.event(tenant.event(NAME, "gasbank.asked_again", transaction.head.id, told));
    }
    Ok(asked_again)
}
