//! What is answered about gas accounts, deposits, withdrawals and transfers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY,
    account::GasAccount,
    gas::Gas,
    transaction::{GasApproval, GasDecision, GasDirection, GasStatus, GasTransaction},
    transfer::{Bucket, GasMovement, GasTransfer},
};
use crate::{Core, neo::ScriptHash};

/// A gas account as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasAccountView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// Its wallet on Neo N3.
    pub wallet_address: String,
    /// `active`, or `paused` while its settling is.
    pub status: &'static str,
    /// What belongs to it: what is available and what is locked.
    pub balance: Gas,
    /// What can be withdrawn.
    pub available: Gas,
    /// What deposits have announced and nobody has confirmed; no part of the balance.
    pub pending: Gas,
    /// What withdrawals have reserved.
    pub locked: Gas,
    /// What was paid out beyond what there was, as was found out late; paid back by whatever becomes available.
    pub owed: Gas,
    /// What stays available.
    pub minimum_balance: Gas,
    /// What may be withdrawn in a day of UTC.
    pub daily_limit: Option<Gas>,
    /// What was withdrawn today.
    pub daily_withdrawal: Gas,
    /// When the last withdrawal was asked for.
    pub last_withdrawal: Option<DateTime<Utc>>,
    /// How many wallets approve a withdrawal.
    pub required_approvals: i64,
    /// Which may.
    pub approvers: Vec<String>,
    /// How many transfers were posted.
    pub transfers: i64,
    /// Since when its balances are not what its postings give; none where they are.
    pub differs_since: Option<DateTime<Utc>>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl GasAccount {
    /// Where it stands; it has no end of its own.
    pub(super) fn status(&self, core: &Core) -> &'static str {
        core.standing(DUTY, &self.head, "active")
    }

    /// Its public face as of now.
    #[must_use]
    pub fn view(&self, core: &Core) -> GasAccountView {
        let now = core.clock.now();
        GasAccountView {
            id: self.head.id,
            account_id: self.head.account_id,
            wallet_address: self.wallet.address(),
            status: self.status(core),
            balance: self.balance(),
            available: self.available,
            pending: self.pending,
            locked: self.locked,
            owed: self.owed,
            minimum_balance: self.policy.minimum_balance,
            daily_limit: self.policy.daily_limit,
            daily_withdrawal: self.withdrawn_on(now),
            last_withdrawal: self.withdrawn.last_at,
            required_approvals: self.policy.required_approvals,
            approvers: self.policy.approvers.iter().map(ScriptHash::address).collect(),
            transfers: self.posted,
            differs_since: self.differs_since,
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }
}

/// A deposit or withdrawal as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasTransactionView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The same, under the name that earlier clients read.
    pub user_account_id: Uuid,
    /// The gas account.
    pub gas_account_id: Uuid,
    /// Which way it goes.
    #[serde(rename = "type")]
    pub direction: GasDirection,
    /// Where it stands.
    pub status: GasStatus,
    /// How much.
    pub amount: Gas,
    /// The same; nothing where it failed or was cancelled.
    pub net_amount: Gas,
    /// The transaction on the chain that brings a deposit.
    pub blockchain_tx_id: Option<String>,
    /// From whom.
    pub from_address: Option<String>,
    /// To whom.
    pub to_address: Option<String>,
    /// A withdrawal is not submitted before.
    pub not_before: Option<DateTime<Utc>>,
    /// How many wallets approve it, by the policy under which it was asked for.
    pub required_approvals: i64,
    /// Which may, by that policy.
    pub approvers: Vec<String>,
    /// Those that have.
    pub approvals: Vec<GasApproval>,
    /// Until when it can be approved; it is cancelled afterwards.
    pub expires_at: Option<DateTime<Utc>>,
    /// What wallets sign to approve it; only while it waits for that.
    pub approval_message: Option<String>,
    /// What was noted with it.
    pub notes: Option<String>,
    /// Why it failed, or what is not known.
    pub error: Option<String>,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// What operators decided of it by hand, and why.
    pub decisions: Vec<GasDecision>,
    /// Since when the resolver says otherwise than it ended; an operator looks into it.
    pub contradicted_at: Option<DateTime<Utc>>,
    /// The schedule that made it.
    pub schedule_id: Option<Uuid>,
    /// The slot of that schedule.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl GasTransaction {
    /// Its public face.
    #[must_use]
    pub fn view(&self) -> GasTransactionView {
        let waits = self.status == GasStatus::PendingApproval;
        GasTransactionView {
            id: self.head.id,
            account_id: self.head.account_id,
            user_account_id: self.head.account_id,
            gas_account_id: self.gas_account_id,
            direction: self.direction,
            status: self.status,
            amount: self.amount,
            net_amount: self.net_amount(),
            blockchain_tx_id: self.chain_id.clone(),
            from_address: self.from_address.map(|hash| hash.address()),
            to_address: self.to_address.map(|hash| hash.address()),
            not_before: self.not_before,
            required_approvals: self.required_approvals,
            approvers: self.approvers.iter().map(ScriptHash::address).collect(),
            approvals: self.approvals.clone(),
            expires_at: self.expires_at,
            approval_message: waits.then(|| self.approval_message()),
            notes: self.notes.clone(),
            error: self.error.clone(),
            submitted_at: self.submitted_at,
            completed_at: self.completed_at,
            decisions: self.decisions.clone(),
            contradicted_at: self.contradicted_at,
            schedule_id: self.slot.map(|slot| slot.schedule_id),
            scheduled_for: self.slot.map(|slot| slot.at),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }
}

/// What a deposit or withdrawal came to, and where that leaves the gas account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasMovementView {
    /// The gas account.
    pub account: GasAccountView,
    /// The deposit or withdrawal.
    pub transaction: GasTransactionView,
}

impl GasMovementView {
    /// Of both, as of now.
    #[must_use]
    pub fn new(account: &GasAccount, transaction: &GasTransaction, core: &Core) -> Self {
        Self { account: account.view(core), transaction: transaction.view() }
    }
}

/// One posting of a transfer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasPosting {
    /// Which balance.
    pub bucket: Bucket,
    /// What it changes by; those of a transfer sum to zero.
    pub amount: Gas,
}

/// A transfer as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasTransferView {
    /// Its id.
    pub id: Uuid,
    /// Counts the transfers of the gas account from 1.
    pub number: i64,
    /// Why.
    pub movement: GasMovement,
    /// How much.
    pub amount: Gas,
    /// What it changes.
    pub postings: Vec<GasPosting>,
    /// The deposit or withdrawal behind it.
    pub transaction_id: Option<Uuid>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl GasTransfer {
    /// Its public face.
    #[must_use]
    pub fn view(&self) -> GasTransferView {
        let taken = GasPosting { bucket: self.source, amount: Gas::from_units(-self.amount.units()) };
        let given = GasPosting { bucket: self.target, amount: self.amount };
        GasTransferView {
            id: self.head.id,
            number: self.number,
            movement: self.movement,
            amount: self.amount,
            postings: vec![taken, given],
            transaction_id: self.transaction_id,
            actor: self.actor.clone(),
            created_at: self.head.created_at,
        }
    }
}
