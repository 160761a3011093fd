//! Withdrawals: reserved at once, approved where the policy asks for it, cancelled, decided by hand.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use sl_store::{Batch, Code, Fault, Head};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    APPROVE_WITHIN, NAME,
    account::{GasAccount, Policy},
    accounts,
    deposits::{ByHand, read_notes, read_optional},
    gas::Gas,
    movement::{Change, Standing, commit, told},
    transaction::{GasApproval, GasDirection, GasStatus, GasTransaction},
    transfer::GasMovement,
    views::GasMovementView,
};
use crate::{
    action::{Action, Tenant},
    check::Check,
    services::{
        price_feeds::ExactNumber,
        wallets::{Named, WalletSignature, may_sign, read_address},
    },
};

/// How far ahead a withdrawal can be put off.
const AHEAD: TimeDelta = TimeDelta::days(366);

/// What asks for a withdrawal.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWithdrawal {
    /// The gas account; this or `wallet_address`.
    pub gas_account_id: Option<Uuid>,
    /// The wallet of the gas account.
    pub wallet_address: Option<String>,
    /// How much: more than 0, with up to 8 decimals.
    pub amount: ExactNumber,
    /// To whom: an address or script hash; the gas account's own wallet unless said otherwise.
    pub to_address: Option<String>,
    /// It is not submitted before; at once unless said otherwise, and within a year. It is reserved at once all the same.
    pub not_before: Option<DateTime<Utc>>,
    /// What is to be remembered of it, up to 500 characters.
    #[schema(max_length = 500)]
    pub notes: Option<String>,
}

/// Asks for a withdrawal.
#[derive(Clone, Debug)]
pub struct Withdraw(pub NewWithdrawal);

impl Change for Withdraw {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let (new, now) = (&self.0, tenant.now());
        let mut check = Check::new();
        let amount = Gas::read("/amount", &new.amount, &mut check);
        let to_address = read_optional("/to_address", new.to_address.as_deref(), &mut check);
        if new.not_before.is_some_and(|at| at > now + AHEAD) {
            check.broken("/not_before", "bounds", "must be within 366 days");
        }
        if new.gas_account_id.is_some() == new.wallet_address.is_some() {
            check.broken("/gas_account_id", "exclusive", "give either gas_account_id or wallet_address");
        }
        let notes = read_notes(new.notes.as_deref(), &mut check);
        let wallet = read_optional("/wallet_address", new.wallet_address.as_deref(), &mut check);
        check.finish()?;
        let amount = amount.ok_or_else(|| Fault::internal("an amount was neither read nor refused"))?;
        let mut account: GasAccount = match (new.gas_account_id, wallet) {
            (Some(id), _) => tenant.core.store.get(tenant.key(id)).await?,
            (None, Some(wallet)) => {
                let found = accounts::of_wallet(wallet, tenant).await?;
                found.ok_or_else(|| Fault::not_found("gas account"))?
            }
            (None, None) => {
                return Err(Fault::field("/wallet_address", "required", "must name a wallet"));
            }
        };
        let head = Head::new(tenant.account_id, tenant.next_id(), now);
        let mut transaction = GasTransaction {
            to_address,
            not_before: new.not_before,
            notes,
            ..GasTransaction::new(head, account.head.id, GasDirection::Withdrawal, amount)
        };
        reserve(&mut account, &mut transaction, tenant, batch)?;
        Ok(GasMovementView::new(&account, &transaction, &tenant.core))
    }
}

/// Reserves what a new withdrawal is to move, under the policy of its gas account as it stands now: later changes of the
/// policy do not change what it needs.
pub(super) fn reserve(
    account: &mut GasAccount,
    transaction: &mut GasTransaction,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    account.count_withdrawal(transaction.amount, tenant.now())?;
    transaction.from_address = Some(account.wallet);
    transaction.to_address = transaction.to_address.or(Some(account.wallet));
    account.policy.bind(transaction, tenant)?;
    let id = transaction.head.id;
    account.post(GasMovement::WithdrawalReserved, transaction.amount, id, tenant, batch)?;
    batch.replace(account, tenant.now()).insert(transaction);
    batch.event(tenant.event(NAME, "gasbank.withdrawal.reserved", id, told(transaction)));
    transaction.enqueue(tenant, batch);
    Ok(())
}

impl Policy {
    fn bind(&self, transaction: &mut GasTransaction, tenant: &Tenant) -> Result<(), Fault> {
        if self.required_approvals == 0 {
            return Ok(());
        }
        let named = self.approvers.len();
        if i64::try_from(named).is_ok_and(|named| named < self.required_approvals) {
            let detail = format!(
                "the gas account asks for {} approvals and names {named} approvers: its policy has to name more",
                self.required_approvals
            );
            return Err(Fault::new(Code::InvalidState, detail));
        }
        let within = TimeDelta::from_std(tenant.settings.duration(&APPROVE_WITHIN)).unwrap_or(AHEAD);
        transaction.status = GasStatus::PendingApproval;
        transaction.required_approvals = self.required_approvals;
        transaction.approvers.clone_from(&self.approvers);
        transaction.expires_at = Some(transaction.head.created_at + within);
        Ok(())
    }
}

impl Action for Withdraw {
    type Output = GasMovementView;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}

/// A wallet's approval.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApproval {
    /// The workspace wallet that approves; active, and one of the withdrawal's approvers.
    pub wallet_address: String,
    /// Its keys' signatures of the withdrawal's `approval_message`, as many as the wallet's threshold says.
    pub signatures: Vec<WalletSignature>,
}

/// Approves a withdrawal with a wallet.
#[derive(Clone, Debug)]
pub struct Approve {
    /// Which.
    pub withdrawal_id: Uuid,
    /// By whom.
    pub new: NewApproval,
}

impl Change for Approve {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let mut standing = Standing::load(tenant, GasDirection::Withdrawal, self.withdrawal_id).await?;
        standing.expect(&[GasStatus::PendingApproval], "approved")?;
        self.check(&standing.transaction, tenant)?;
        let Standing { account, transaction } = &mut standing;
        let message = transaction.approval_message();
        let named = Named { address: &self.new.wallet_address, pointer: "/wallet_address" };
        let signatures = &self.new.signatures;
        let wallet = may_sign(&tenant.core, tenant.account_id, named, message.as_bytes(), signatures).await?;
        let (now, wallet_id, wallet_address) = (tenant.now(), wallet.head.id, wallet.script_hash.address());
        let is_new = !transaction.approvals.iter().any(|approval| approval.wallet_address == wallet_address);
        if is_new {
            transaction.approvals.push(GasApproval { wallet_id, wallet_address, approved_at: now });
        }
        let approvers = transaction.standing_approvers(&tenant.core).await?;
        for approver in &approvers {
            batch.holds(approver);
        }
        let is_approved =
            i64::try_from(approvers.len()).is_ok_and(|has| has >= transaction.required_approvals);
        // Said again it counts where a wallet that had approved is active again.
        if !is_new && !is_approved {
            return Err(Fault::field("/wallet_address", "distinct", "this wallet has approved already"));
        }
        if is_approved {
            transaction.status = GasStatus::Pending;
            batch.withdraw(tenant.account_id, transaction.head.id);
            transaction.enqueue(tenant, batch);
        }
        batch.replace(transaction, now);
        let kind = "gasbank.withdrawal.approved";
        batch.event(tenant.event(NAME, kind, transaction.head.id, told(transaction)));
        Ok(GasMovementView::new(account, transaction, &tenant.core))
    }
}

impl Approve {
    fn check(&self, transaction: &GasTransaction, tenant: &Tenant) -> Result<(), Fault> {
        if let Some(ended) = transaction.expires_at.filter(|at| *at <= tenant.now()) {
            let detail = format!("the time to approve the withdrawal ended at {}", ended.to_rfc3339());
            return Err(Fault::new(Code::InvalidState, detail));
        }
        let mut check = Check::new();
        let wallet = read_address("/wallet_address", &self.new.wallet_address, &mut check);
        check.finish()?;
        if wallet.is_some_and(|wallet| transaction.approvers.contains(&wallet)) {
            return Ok(());
        }
        Err(Fault::field("/wallet_address", "approver", "must be one of the withdrawal's approvers"))
    }
}

impl Action for Approve {
    type Output = GasMovementView;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}

/// Takes a withdrawal back that was not submitted yet.
#[derive(Clone, Copy, Debug)]
pub struct CancelWithdrawal(pub Uuid);

impl Change for CancelWithdrawal {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let mut standing = Standing::load(tenant, GasDirection::Withdrawal, self.0).await?;
        standing.expect(&[GasStatus::PendingApproval, GasStatus::Pending], "cancelled")?;
        standing.cancel(tenant, batch)?;
        batch.withdraw(tenant.account_id, self.0);
        Ok(GasMovementView::new(&standing.account, &standing.transaction, &tenant.core))
    }
}

impl Action for CancelWithdrawal {
    type Output = GasMovementView;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}

/// Says by hand what became of a withdrawal: an operator looked.
#[derive(Clone, Debug)]
pub struct DecideWithdrawal {
    /// Which.
    pub withdrawal_id: Uuid,
    /// Whether it was paid out.
    pub paid: bool,
    /// Why.
    pub by_hand: ByHand,
}

impl Change for DecideWithdrawal {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let reason = self.by_hand.told()?;
        let mut standing = Standing::load(tenant, GasDirection::Withdrawal, self.withdrawal_id).await?;
        let allowed = [GasStatus::Pending, GasStatus::Submitted, GasStatus::NeedsReconcile];
        standing.expect(&allowed, if self.paid { "settled" } else { "failed" })?;
        standing.decide(self.paid, &reason, tenant, batch).await?;
        Ok(GasMovementView::new(&standing.account, &standing.transaction, &tenant.core))
    }
}

impl Action for DecideWithdrawal {
    type Output = GasMovementView;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}
