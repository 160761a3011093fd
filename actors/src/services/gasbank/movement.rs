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
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::GasMovement,
};
use crate::action::Tenant;

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

    /// It is not done and will not be: what was announced is gone, what was reserved is available again.
    pub fn fail(&mut self, why: &str, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let (movement, kind) = match self.transaction.direction {
            GasDirection::Deposit => (GasMovement::DepositRejected, "gasbank.deposit.failed"),
            GasDirection::Withdrawal => (GasMovement::WithdrawalReleased, "gasbank.withdrawal.failed"),
        };
        self.transaction.error = Some(why.to_owned());
        self.end(GasStatus::Failed, (movement, kind), tenant, batch)
    }

    /// It is taken back.
    pub fn cancel(&mut self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let told = (GasMovement::WithdrawalReleased, "gasbank.withdrawal.cancelled");
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
    /// Adds the item that has it settled.
    pub(super) fn enqueue(&self, due_at: DateTime<Utc>, tenant: &Tenant, batch: &mut Batch) {
        let (account, id) = (self.head.account_id, self.head.id);
        batch.enqueue(NewWork::new(tenant.next_id(), DUTY, account, id, due_at).gate(self.gas_account_id));
    }
}

/// What events tell of a deposit or withdrawal.
pub(super) fn told(transaction: &GasTransaction) -> Value {
    json!({
        "gas_account_id": transaction.gas_account_id, "amount": transaction.amount, "status": transaction.status,
        "error": transaction.error,
    })
}
