//! What becomes of deposits and withdrawals: each change of a status with the posting that belongs to it.
//!
//! Every function here changes the rows it is given and adds them, the transfer, the work and the event to one batch.
//! Both rows must be at the version that was read, so that nothing is moved twice.

use std::{future::Future, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, NewWork};

use super::{
    DUTY, NAME,
    account::GasAccount,
    claim,
    transaction::{GasDecision, GasDirection, GasStatus, GasTransaction},
    transfer::GasMovement,
};
use crate::{Core, action::Tenant};

/// How often a change is planned anew where another one came first.
const TRIES: u32 = 64;

/// A change of the gas bank, planned from what stands in the store; planned anew where that has moved on.
pub(super) trait Change: Sync {
    /// What it answers.
    type Answer: Serialize + Send;

    /// Adds it to a batch.
    fn plan(
        &self,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// Plans and commits a change, as often as another one comes first, within bounds.
///
/// # Errors
/// As the plan; [`Code::Conflict`] where another one came first every time.
pub(super) async fn commit<C: Change>(change: &C, tenant: &Tenant) -> Result<C::Answer, Fault> {
    let mut tries = 0;
    loop {
        let mut batch = Batch::new();
        let answer = change.plan(tenant, &mut batch).await?;
        match tenant.commit(batch, answer).await {
            Err(fault) if fault.code == Code::Conflict && tries < TRIES => {
                tries += 1;
                let most = f64::from(tries.min(10)) / 500.0;
                tokio::time::sleep(Duration::from_secs_f64(most * tenant.core.chance.fraction())).await;
            }
            ended => return ended,
        }
    }
}

/// A deposit or withdrawal with its gas account, as they were read.
pub(super) struct Standing {
    pub account: GasAccount,
    pub transaction: GasTransaction,
}

impl Standing {
    /// Reads both.
    ///
    /// # Errors
    /// [`Code::NotFound`] where there is no such transaction of this direction.
    pub async fn load(tenant: &Tenant, direction: GasDirection, id: uuid::Uuid) -> Result<Self, Fault> {
        let store = &tenant.core.store;
        let found: Option<GasTransaction> = store.find(tenant.key(id)).await?;
        let found = found.filter(|found| found.direction == direction);
        let transaction = found.ok_or_else(|| Fault::not_found(direction.as_str()))?;
        Self::of(tenant, transaction).await
    }

    /// A deposit or withdrawal with its gas account.
    pub async fn of(tenant: &Tenant, transaction: GasTransaction) -> Result<Self, Fault> {
        let store = &tenant.core.store;
        let account = store.get(tenant.key(transaction.gas_account_id)).await?;
        Ok(Self { account, transaction })
    }

    /// Refuses what the status does not allow.
    ///
    /// # Errors
    /// [`Code::InvalidState`] naming the status.
    pub fn expect(&self, allowed: &[GasStatus], what: &str) -> Result<(), Fault> {
        let (direction, status) = (self.transaction.direction.as_str(), self.transaction.status);
        if allowed.contains(&status) {
            return Ok(());
        }
        let detail = format!("a {direction} that is {} cannot be {what}", status.as_str());
        Err(Fault::new(Code::InvalidState, detail))
    }

    /// It is done: a deposit is available, a withdrawal is gone.
    pub fn complete(&mut self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let (movement, kind) = match self.transaction.direction {
            GasDirection::Deposit => (GasMovement::DepositConfirmed, "gasbank.deposit.completed"),
            GasDirection::Withdrawal => (GasMovement::WithdrawalSettled, "gasbank.withdrawal.completed"),
        };
        self.transaction.error = None;
        self.end(GasStatus::Completed, (movement, kind), tenant, batch)
    }

    /// It is not done and will not be: what was announced is gone, and its transaction on the chain can be announced
    /// again; what was reserved is available again.
    pub async fn fail(&mut self, why: &str, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let (movement, kind) = match self.transaction.direction {
            GasDirection::Deposit => (GasMovement::DepositRejected, "gasbank.deposit.failed"),
            GasDirection::Withdrawal => (GasMovement::WithdrawalReleased, "gasbank.withdrawal.failed"),
        };
        self.transaction.error = Some(why.to_owned());
        if let Some(chain_id) = &self.transaction.chain_id {
            claim::release(&claim::transaction(chain_id), tenant, batch).await?;
        }
        self.end(GasStatus::Failed, (movement, kind), tenant, batch)?;
        self.transaction.enqueue(tenant, batch);
        Ok(())
    }

    /// An operator says what became of it, and why they think so.
    pub async fn decide(
        &mut self,
        done: bool,
        reason: &str,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        batch.withdraw(tenant.account_id, self.transaction.head.id);
        self.transaction.note_decision(done, reason, tenant);
        if done { self.complete(tenant, batch) } else { self.fail(reason, tenant, batch).await }
    }

    /// It is taken back.
    pub fn cancel(&mut self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let told = (GasMovement::WithdrawalReleased, "gasbank.withdrawal.cancelled");
        self.end(GasStatus::Cancelled, told, tenant, batch)
    }

    /// It was not approved in time.
    pub async fn lapse(&mut self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let transaction = &mut self.transaction;
        let has = transaction.standing_approvers(&tenant.core).await?.len();
        let needs = transaction.required_approvals;
        transaction.error =
            Some(format!("it had {has} of {needs} approvals when its time to be approved ended"));
        let told = (GasMovement::WithdrawalReleased, "gasbank.withdrawal.expired");
        self.end(GasStatus::Cancelled, told, tenant, batch)
    }

    fn end(
        &mut self,
        status: GasStatus,
        (movement, kind): (GasMovement, &'static str),
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let (now, transaction) = (tenant.now(), &mut self.transaction);
        self.account.post(movement, transaction.amount, transaction.head.id, tenant, batch)?;
        if movement == GasMovement::WithdrawalReleased {
            self.account.uncount_withdrawal(transaction.amount, transaction.head.created_at);
        }
        (transaction.status, transaction.completed_at) = (status, Some(now));
        batch.replace(&mut self.account, now);
        batch.replace(transaction, now);
        batch.event(tenant.event(NAME, kind, transaction.head.id, told(transaction)));
        Ok(())
    }

    /// What became of it cannot be made out: it is left as it is until somebody knows.
    pub fn doubt(&mut self, why: &str, tenant: &Tenant, batch: &mut Batch) {
        let (now, transaction) = (tenant.now(), &mut self.transaction);
        (transaction.status, transaction.error) = (GasStatus::NeedsReconcile, Some(why.to_owned()));
        batch.replace(transaction, now);
        let kind = match transaction.direction {
            GasDirection::Deposit => "gasbank.deposit.doubted",
            GasDirection::Withdrawal => "gasbank.withdrawal.doubted",
        };
        batch.event(tenant.event(NAME, kind, transaction.head.id, told(transaction)));
    }
}

impl GasTransaction {
    /// Adds the item that has something become of it, where anything still can without an operator.
    pub(super) fn enqueue(&self, tenant: &Tenant, batch: &mut Batch) {
        let Some(due_at) = self.next_look(&tenant.core) else { return };
        let (account, id) = (self.head.account_id, self.head.id);
        let item = NewWork::new(tenant.next_id(), DUTY, account, id, due_at);
        // A pause of the gas account holds back what is asked of the resolver; time to approve passes all the same.
        let asks = self.status != GasStatus::PendingApproval;
        batch.enqueue(if asks { item.gate(self.gas_account_id) } else { item });
    }

    /// When the duty looks at it next.
    fn next_look(&self, core: &Core) -> Option<DateTime<Utc>> {
        let now = core.clock.now();
        match self.status {
            GasStatus::PendingApproval => self.expires_at,
            GasStatus::Pending | GasStatus::Submitted => Some(self.not_before.map_or(now, |at| at.max(now))),
            GasStatus::Failed => self.next_recheck(core),
            GasStatus::Completed | GasStatus::Cancelled | GasStatus::NeedsReconcile => None,
        }
    }

    /// Keeps what an operator decides, and why.
    pub(super) fn note_decision(&mut self, done: bool, reason: &str, tenant: &Tenant) {
        self.decisions.push(GasDecision {
            from: self.status,
            to: if done { GasStatus::Completed } else { GasStatus::Failed },
            reason: reason.to_owned(),
            actor: tenant.caller.actor.clone(),
            decided_at: tenant.now(),
        });
    }
}

/// What events tell of a deposit or withdrawal.
pub(super) fn told(transaction: &GasTransaction) -> Value {
    json!({
        "gas_account_id": transaction.gas_account_id, "amount": transaction.amount, "status": transaction.status,
        "error": transaction.error, "decision": transaction.decisions.last(),
    })
}
