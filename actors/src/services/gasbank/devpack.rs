//! What functions can have done: `gasbank.ensureAccount`, `gasbank.balance`, `gasbank.listTransactions`,
//! `gasbank.withdraw`.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use sl_store::{Batch, Fault};
use uuid::Uuid;

use super::{
    account::GasAccount,
    accounts::{self, EnsureGasAccount, NewGasAccount},
    movement::Change as _,
    reads::{self, GasTransactionFilters},
    transaction::{GasDirection, GasStatus},
    withdrawals::{NewWithdrawal, Withdraw},
};
use crate::{
    action::Tenant,
    check::Check,
    page::PageRequest,
    services::{
        executions::{Acting, ActionKind, params::read},
        price_feeds::ExactNumber,
        wallets::read_address,
    },
};

/// How many transactions a function is given where it does not say, and at most.
const LISTED: (usize, usize) = (25, 100);

/// All of them.
pub(super) const ACTIONS: &[ActionKind] = &[
    ActionKind { name: "gasbank.ensureAccount", plan: ensure },
    ActionKind { name: "gasbank.balance", plan: balance },
    ActionKind { name: "gasbank.listTransactions", plan: list },
    ActionKind { name: "gasbank.withdraw", plan: withdraw },
];

type Planned<'a> = BoxFuture<'a, Result<Value, Fault>>;

#[derive(Deserialize)]
struct Ensured {
    #[serde(alias = "walletAddress", alias = "wallet_address")]
    wallet: String,
}

fn ensure<'a>(acting: &'a Acting, params: &'a Value, batch: &'a mut Batch) -> Planned<'a> {
    Box::pin(async move {
        let Ensured { wallet } = read(params)?;
        let change = EnsureGasAccount(NewGasAccount { wallet_address: wallet });
        let view = change.plan(&acting.tenant(), batch).await?;
        Ok(json!({ "account": view }))
    })
}

/// Which gas account is meant.
#[derive(Deserialize)]
struct Which {
    #[serde(default, alias = "gasAccountId")]
    gas_account_id: Option<Uuid>,
    #[serde(default, alias = "walletAddress", alias = "wallet_address")]
    wallet: Option<String>,
}

impl Which {
    async fn find(&self, tenant: &Tenant) -> Result<GasAccount, Fault> {
        if let Some(id) = self.gas_account_id {
            return tenant.core.store.get(tenant.key(id)).await;
        }
        let mut check = Check::new();
        let wallet = self.wallet.as_deref().and_then(|text| read_address("/wallet", text, &mut check));
        check.finish()?;
        let wallet = wallet
            .ok_or_else(|| Fault::field("/gasAccountId", "required", "give either gasAccountId or wallet"))?;
        let found = accounts::of_wallet(wallet, tenant).await?;
        found.ok_or_else(|| Fault::not_found("gas account"))
    }
}

fn balance<'a>(acting: &'a Acting, params: &'a Value, _batch: &'a mut Batch) -> Planned<'a> {
    Box::pin(async move {
        let (which, tenant): (Which, _) = (read(params)?, acting.tenant());
        let account = which.find(&tenant).await?;
        Ok(json!({ "account": account.view(&tenant.core) }))
    })
}

#[derive(Deserialize)]
struct Listed {
    #[serde(flatten)]
    which: Which,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default, rename = "type")]
    direction: Option<GasDirection>,
    #[serde(default)]
    status: Option<GasStatus>,
}

fn list<'a>(acting: &'a Acting, params: &'a Value, _batch: &'a mut Batch) -> Planned<'a> {
    Box::pin(async move {
        let (listed, tenant): (Listed, _) = (read(params)?, acting.tenant());
        let account = listed.which.find(&tenant).await?;
        let limit = listed.limit.unwrap_or(LISTED.0).clamp(1, LISTED.1);
        let page = PageRequest { limit, ..PageRequest::default() };
        let filters = GasTransactionFilters {
            gas_account_id: Some(account.head.id),
            direction: listed.direction,
            status: listed.status,
            schedule_id: None,
        };
        let found = reads::list(&tenant, page, filters).await?;
        Ok(json!({ "transactions": found.items }))
    })
}

#[derive(Deserialize)]
struct Withdrawn {
    #[serde(flatten)]
    which: Which,
    amount: Value,
    #[serde(default, alias = "toAddress", alias = "to_address")]
    to: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    #[serde(default, alias = "notBefore")]
    not_before: Option<chrono::DateTime<chrono::Utc>>,
}

fn withdraw<'a>(acting: &'a Acting, params: &'a Value, batch: &'a mut Batch) -> Planned<'a> {
    Box::pin(async move {
        let (withdrawn, tenant): (Withdrawn, _) = (read(params)?, acting.tenant());
        let amount = ExactNumber::of_json(&withdrawn.amount.to_string())
            .ok_or_else(|| Fault::field("/amount", "format", "must be a number or a numeric string"))?;
        let account = withdrawn.which.find(&tenant).await?;
        let change = Withdraw(NewWithdrawal {
            gas_account_id: Some(account.head.id),
            wallet_address: None,
            amount,
            to_address: withdrawn.to,
            not_before: withdrawn.not_before,
            notes: withdrawn.notes,
        });
        let view = change.plan(&tenant, batch).await?;
        Ok(json!({ "account": view.account, "transaction": view.transaction }))
    })
}
