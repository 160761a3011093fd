//! What an operator found decided wrongly is decided anew: by postings of its own, with a reason that stays.
//!
//! Nothing that was posted is taken back. What was paid after it was released leaves `available`, and what that does not
//! hold any more is `owed`; what came after it was refused, or was not paid after all, comes in again.

use serde::{Deserialize, Serialize};
use sl_store::{Batch, Code, Fault};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    NAME, claim,
    movement::{Change, Standing, told},
    reconcile::ReconciledView,
    transaction::{GasDirection, GasStatus},
    views::GasMovementView,
};
use crate::action::Tenant;

/// What an operator says became of a deposit or withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GasVerdict {
    /// It was done: the deposit came, the withdrawal was paid.
    Completed,
    /// It was not, and will not be.
    Failed,
}

/// Has a deposit or withdrawal stand as an operator says. Said again, it changes nothing.
pub(super) struct Correct {
    /// Which.
    pub transaction_id: Uuid,
    /// What became of it.
    pub verdict: GasVerdict,
    /// Why they think so.
    pub reason: String,
}

impl Change for Correct {
    type Answer = ReconciledView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<ReconciledView, Fault> {
        let found = tenant.core.store.find(tenant.key(self.transaction_id)).await?;
        let found = found.ok_or_else(|| Fault::not_found("deposit or withdrawal"))?;
        let mut standing = Standing::of(tenant, found).await?;
        let (status, done) = (standing.transaction.status, self.verdict == GasVerdict::Completed);
        match (status, done) {
            (GasStatus::Completed, true) | (GasStatus::Failed, false) => {
                self.uphold(&mut standing, tenant, batch);
            }
            (GasStatus::Completed, false) | (GasStatus::Failed, true) => {
                standing.correct(done, &self.reason, tenant, batch).await?;
            }
            (GasStatus::Pending | GasStatus::Submitted | GasStatus::NeedsReconcile, _) => {
                standing.decide(done, &self.reason, tenant, batch).await?;
            }
            (GasStatus::PendingApproval | GasStatus::Cancelled, _) => {
                let detail = format!("a withdrawal that is {} was never submitted", status.as_str());
                return Err(Fault::new(Code::InvalidState, detail));
            }
        }
        let moved = GasMovementView::new(&standing.account, &standing.transaction, &tenant.core);
        Ok(ReconciledView { accounts: Vec::new(), transaction: Some(moved) })
    }
}

impl Correct {
    /// It stands so already; where the resolver says otherwise, that was looked into now.
    fn uphold(&self, standing: &mut Standing, tenant: &Tenant, batch: &mut Batch) {
        let transaction = &mut standing.transaction;
        if transaction.contradicted_at.take().is_none() {
            return;
        }
        transaction.note_decision(self.verdict == GasVerdict::Completed, &self.reason, tenant);
        transaction.error = Some(self.reason.clone());
        batch.replace(transaction, tenant.now());
        batch.event(tenant.event(NAME, "gasbank.transaction.upheld", transaction.head.id, told(transaction)));
    }
}

impl Standing {
    /// What was decided was wrong: it is posted what makes up for it.
    async fn correct(
        &mut self,
        done: bool,
        reason: &str,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let Self { account, transaction } = self;
        let (now, id, amount) = (tenant.now(), transaction.head.id, transaction.amount);
        batch.withdraw(tenant.account_id, id);
        transaction.note_decision(done, reason, tenant);
        let kind = match transaction.direction {
            GasDirection::Deposit => {
                if done {
                    account.bring_in(amount, id, tenant, batch)?;
                } else {
                    account.take_out(amount, id, tenant, batch)?;
                }
                "gasbank.deposit.corrected"
            }
            GasDirection::Withdrawal => {
                let asked_at = transaction.head.created_at;
                if done {
                    account.take_out(amount, id, tenant, batch)?;
                    account.recount_withdrawal(amount, asked_at);
                } else {
                    account.bring_in(amount, id, tenant, batch)?;
                    account.uncount_withdrawal(amount, asked_at);
                }
                "gasbank.withdrawal.corrected"
            }
        };
        if let Some(chain_id) = transaction.chain_id.as_deref().map(claim::transaction) {
            if done {
                claim::take(&chain_id, account.head.id, tenant, batch).await?;
            } else {
                claim::release(&chain_id, tenant, batch).await?;
            }
        }
        transaction.status = if done { GasStatus::Completed } else { GasStatus::Failed };
        transaction.error = (!done).then(|| reason.to_owned());
        (transaction.contradicted_at, transaction.completed_at) = (None, Some(now));
        batch.replace(account, now);
        batch.replace(transaction, now);
        batch.event(tenant.event(NAME, kind, id, told(transaction)));
        Ok(())
    }
}
