//! The recurring check of every gas account, and putting right what it finds.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use prometheus::IntGauge;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sl_store::{Batch, Code, Fault, Filter, NewEvent, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    CHECK_EVERY, CHECK_WORKERS, DUTY, NAME,
    account::GasAccount,
    audit::{Audit, GasDifference},
    gas::Gas,
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::Bucket,
};
use crate::{
    Core,
    action::{Action, Tenant},
    duty::{Attempt, Duty, Outcome},
    settings::Setting,
};

/// How many rows are read at once.
const STEP: usize = 200;
/// How often a repair is planned anew where the gas account moves on.
const TRIES: usize = 16;

/// Checks every gas account.
#[derive(Debug)]
pub struct GasCheck {
    differing: Option<IntGauge>,
}

impl GasCheck {
    /// A check that tells a core's metrics what it finds.
    #[must_use]
    pub fn new(core: &Core) -> Self {
        let help = "Gas accounts whose balances were not the sums of their postings at the last check.";
        let differing = IntGauge::new("service_layer_gasbank_differing_accounts", help).ok();
        if let Some(gauge) = &differing {
            core.metrics.register(gauge.clone());
        }
        Self { differing }
    }

    async fn check(&self, core: &Core, batch: &mut Batch) -> Result<(), Fault> {
        let (mut differing, mut after) = (0, None);
        loop {
            let query = Query::of_all_accounts().after(after).limit(STEP);
            let rows: Vec<GasAccount> = core.store.list(query).await?;
            for row in &rows {
                let audit = match Audit::of(&core.store, row.head.key()).await {
                    Ok(audit) => audit,
                    // It went meanwhile, or is too busy to be looked at this time.
                    Err(fault) if matches!(fault.code, Code::NotFound | Code::Conflict) => continue,
                    Err(fault) => return Err(fault),
                };
                if !audit.is_sound() {
                    differing += 1;
                    batch.event(differs(&audit));
                }
            }
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                break;
            }
        }
        if let Some(gauge) = &self.differing {
            gauge.set(differing);
        }
        Ok(())
    }
}

fn differs(audit: &Audit) -> NewEvent {
    let account = &audit.account;
    tracing::error!(account_id = %account.head.account_id, gas_account_id = %account.head.id,
        "The balances of a gas account are not the sums of its postings");
    NewEvent {
        account: account.head.account_id,
        service: NAME,
        kind: "gasbank.account.differs",
        subject: account.head.id,
        actor: "duty:gasbank-check".to_owned(),
        request_id: None,
        origin: None,
        data: json!({
            "differences": audit.differences(), "transfers": audit.transfers, "posted": account.posted,
        }),
    }
}

impl Duty for GasCheck {
    fn name(&self) -> &'static str {
        "gasbank-check"
    }

    fn doc(&self) -> &'static str {
        "Holds the balances of gas accounts against the sums of their postings, and tells differences."
    }

    fn concurrency(&self) -> &'static Setting {
        &CHECK_WORKERS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&CHECK_EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut batch = Batch::new();
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                checked = self.check(core, &mut batch) => match checked {
                    Ok(()) => {
                        let every = TimeDelta::from_std(core.settings.duration(&CHECK_EVERY));
                        Outcome::Again(core.clock.now() + every.unwrap_or(TimeDelta::hours(1)), batch)
                    }
                    Err(fault) => Outcome::Retry(fault, Batch::new()),
                },
            }
        })
    }
}

/// What is reconciled.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconciliation {
    /// Only this gas account; every one of the account unless said otherwise.
    pub gas_account_id: Option<Uuid>,
}

/// What was found of one gas account, and put right.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasAccountReconciled {
    /// The gas account.
    pub gas_account_id: Uuid,
    /// What was not as it should be; empty where all was well.
    pub differences: Vec<GasDifference>,
    /// How many deposits and withdrawals the resolver is asked about again.
    pub asked_again: usize,
}

/// What a reconciliation came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReconciledView {
    /// Each gas account.
    pub accounts: Vec<GasAccountReconciled>,
}

/// Puts right what differs, by postings that stay to be seen, and has the resolver asked again about what is in doubt.
#[derive(Clone, Debug)]
pub struct Reconcile(pub Reconciliation);

impl Action for Reconcile {
    type Output = ReconciledView;

    async fn run(self, tenant: &Tenant) -> Result<ReconciledView, Fault> {
        let mut view = ReconciledView { accounts: Vec::new() };
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
        let mut batch = Batch::new();
        if !sound {
            repair(audit, tenant, &mut batch)?;
        }
        let asked_again = ask_again(tenant, id, &mut batch).await?;
        match tenant.core.store.commit(batch).await {
            Ok(()) => return Ok(GasAccountReconciled { gas_account_id: id, differences, asked_again }),
            Err(fault) if fault.code == Code::Conflict => last = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    Err(last.unwrap_or_else(|| Fault::internal("a reconciliation was not tried")))
}

/// The postings are what happened: the balances follow them. Where they in turn do not add up to what is open, a
/// correction moves the rest, seen by everybody who reads the ledger.
fn repair(audit: Audit, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
    let differences = audit.differences();
    let sums = [Bucket::Available, Bucket::Locked, Bucket::Pending].map(|bucket| audit.sum(bucket));
    let goals = [Bucket::Locked, Bucket::Pending].map(|bucket| (bucket, audit.open(bucket)));
    let mut account = audit.account;
    [account.available, account.locked, account.pending] = sums;
    account.posted = audit.transfers;
    for (bucket, goal) in goals {
        let (other, now) = match bucket {
            Bucket::Locked => (Bucket::Available, account.locked),
            _ => (Bucket::External, account.pending),
        };
        let goal = goal.unwrap_or(now);
        let surplus = now.less(goal);
        if surplus > Gas::ZERO {
            account.correct((bucket, other), surplus, tenant, batch)?;
        }
        let missing = goal.less(now);
        if missing > Gas::ZERO {
            account.correct((other, bucket), missing, tenant, batch)?;
        }
    }
    batch.replace(&mut account, tenant.now());
    let told = json!({"differences": differences, "transfers": account.posted});
    batch.event(tenant.event(NAME, "gasbank.account.reconciled", account.head.id, told));
    Ok(())
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
        transaction.enqueue(now, tenant, batch);
        let told = super::movement::told(&transaction);
        batch.event(tenant.event(NAME, "gasbank.asked_again", transaction.head.id, told));
    }
    Ok(asked_again)
}
