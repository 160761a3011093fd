//! Deposits: announced with their transaction on the chain, available when that is confirmed.

use serde::Deserialize;
use sl_store::{Batch, Fault, Head};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    NAME,
    account::GasAccount,
    claim,
    gas::Gas,
    movement::{Change, Standing, commit, told},
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::GasMovement,
    views::GasMovementView,
};
use crate::{
    action::{Action, Tenant},
    check::Check,
    neo::ScriptHash,
    patch::or_usual,
    services::{price_feeds::ExactNumber, wallets::read_address},
};

/// How long a reason may be.
pub(super) const REASON: usize = 500;

/// What announces a deposit.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDeposit {
    /// The gas account.
    pub gas_account_id: Uuid,
    /// How much: more than 0, with up to 8 decimals.
    pub amount: ExactNumber,
    /// The transaction on the chain: 64 hexadecimal digits, with `0x` or without. It is deposited once over all accounts,
    /// and can be announced again where it was refused.
    pub tx_id: String,
    /// From whom: an address or script hash.
    pub from_address: Option<String>,
    /// To whom: an address or script hash.
    pub to_address: Option<String>,
    /// What is to be remembered of it, up to 500 characters.
    #[schema(max_length = 500)]
    pub notes: Option<String>,
}

/// Announces a deposit.
#[derive(Clone, Debug)]
pub struct Deposit(pub NewDeposit);

impl Change for Deposit {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let new = &self.0;
        let mut check = Check::new();
        let amount = Gas::read("/amount", &new.amount, &mut check);
        let chain_id = read_chain_id(&new.tx_id, &mut check);
        let from_address = read_optional("/from_address", new.from_address.as_deref(), &mut check);
        let to_address = read_optional("/to_address", new.to_address.as_deref(), &mut check);
        let notes = read_notes(new.notes.as_deref(), &mut check);
        check.finish()?;
        let mut account: GasAccount = tenant.core.store.get(tenant.key(new.gas_account_id)).await?;
        claim::take(&claim::transaction(&chain_id), account.head.id, tenant, batch).await?;
        let amount = amount.ok_or_else(|| Fault::internal("an amount was neither read nor refused"))?;
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let transaction = GasTransaction {
            chain_id: Some(chain_id),
            from_address,
            to_address,
            notes,
            ..GasTransaction::new(head, account.head.id, GasDirection::Deposit, amount)
        };
        announce(&mut account, &transaction, tenant, batch)?;
        Ok(GasMovementView::new(&account, &transaction, &tenant.core))
    }
}

fn announce(
    account: &mut GasAccount,
    transaction: &GasTransaction,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let id = transaction.head.id;
    account.post(GasMovement::DepositAnnounced, transaction.amount, id, tenant, batch)?;
    batch.replace(account, tenant.now()).insert(transaction);
    batch.event(tenant.event(NAME, "gasbank.deposit.announced", id, told(transaction)));
    transaction.enqueue(tenant, batch);
    Ok(())
}

impl Action for Deposit {
    type Output = GasMovementView;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}

fn read_chain_id(text: &str, check: &mut Check) -> String {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        check.broken("/tx_id", "transaction_id", "must be 64 hexadecimal digits, with 0x or without");
    }
    format!("0x{}", digits.to_ascii_lowercase())
}

/// Reads an address that may be absent, or empty.
pub(super) fn read_optional(pointer: &str, text: Option<&str>, check: &mut Check) -> Option<ScriptHash> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.and_then(|text| read_address(pointer, text, check))
}

/// Reads notes that may be absent, or empty.
pub(super) fn read_notes(text: Option<&str>, check: &mut Check) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    check.text("/notes", text, 0..=REASON);
    Some(text.to_owned())
}

/// Why an operator decides by hand.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// Why; kept with the decision. Up to 500 characters.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub reason: String,
}

impl ByHand {
    /// The reason, or that there was none.
    pub(super) fn told(&self) -> Result<String, Fault> {
        Check::new().text("/reason", &self.reason, 0..=REASON).finish()?;
        let reason = self.reason.trim();
        Ok(if reason.is_empty() { "an operator said so".to_owned() } else { reason.to_owned() })
    }
}

/// Confirms or rejects a deposit by hand.
#[derive(Clone, Debug)]
pub struct DecideDeposit {
    /// Which.
    pub deposit_id: Uuid,
    /// Whether it came.
    pub came: bool,
    /// Why.
    pub by_hand: ByHand,
}

impl Change for DecideDeposit {
    type Answer = GasMovementView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasMovementView, Fault> {
        let reason = self.by_hand.told()?;
        let mut standing = Standing::load(tenant, GasDirection::Deposit, self.deposit_id).await?;
        let allowed = [GasStatus::Pending, GasStatus::NeedsReconcile];
        standing.expect(&allowed, if self.came { "confirmed" } else { "rejected" })?;
        standing.decide(self.came, &reason, tenant, batch).await?;
        Ok(GasMovementView::new(&standing.account, &standing.transaction, &tenant.core))
    }
}

impl Action for DecideDeposit {
    type Output = GasMovementView;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        commit(&self, tenant).await
    }
}
