//! Reading deposits, withdrawals, sums and the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sl_store::{Fault, Filter, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    account::GasAccount,
    audit::{Audit, GasDifference},
    gas::Gas,
    movement::Standing,
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::{Bucket, GasTransfer},
    views::{GasMovementView, GasTransactionView, GasTransferView},
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    resource,
};

/// What a list of deposits and withdrawals is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GasTransactionFilters {
    /// Only those of this gas account; 404 where there is none.
    pub gas_account_id: Option<Uuid>,
    /// Only deposits, or only withdrawals.
    #[serde(rename = "type")]
    pub direction: Option<GasDirection>,
    /// Only those that stand so.
    pub status: Option<GasStatus>,
    /// Only withdrawals that this schedule made.
    pub schedule_id: Option<Uuid>,
}

/// A page of deposits and withdrawals, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListGasTransactions {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: GasTransactionFilters,
}

impl Action for ListGasTransactions {
    type Output = Page<GasTransactionView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        list(tenant, self.page, self.filters).await
    }
}

/// A page of deposits and withdrawals.
pub(super) async fn list(
    tenant: &Tenant,
    page: PageRequest,
    filters: GasTransactionFilters,
) -> Result<Page<GasTransactionView>, Fault> {
    if let Some(id) = filters.gas_account_id {
        tenant.core.store.get::<GasAccount>(tenant.key(id)).await?;
    }
    let conditions = [
        filters.gas_account_id.map(|id| Filter::Equal("gas_account_id", id.into())),
        filters.direction.map(|direction| Filter::Equal("direction", direction.as_str().into())),
        filters.status.map(|status| Filter::Equal("status", status.as_str().into())),
        filters.schedule_id.map(|id| Filter::Equal("schedule_id", id.into())),
    ];
    let conditions = conditions.into_iter().flatten().collect();
    resource::list::<GasTransaction, _>(tenant, page, conditions, GasTransaction::view).await
}

/// Reads a withdrawal, with its gas account.
#[derive(Clone, Copy, Debug)]
pub struct FetchWithdrawal(pub Uuid);

impl Action for FetchWithdrawal {
    type Output = GasMovementView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        fetch(tenant, GasDirection::Withdrawal, self.0).await
    }
}

/// Reads a deposit, with its gas account.
#[derive(Clone, Copy, Debug)]
pub struct FetchDeposit(pub Uuid);

impl Action for FetchDeposit {
    type Output = GasMovementView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasMovementView, Fault> {
        fetch(tenant, GasDirection::Deposit, self.0).await
    }
}

async fn fetch(tenant: &Tenant, direction: GasDirection, id: Uuid) -> Result<GasMovementView, Fault> {
    let Standing { account, transaction } = Standing::load(tenant, direction, id).await?;
    Ok(GasMovementView::new(&account, &transaction, &tenant.core))
}

/// What a summary is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GasSummaryFilters {
    /// Only this gas account.
    pub gas_account_id: Option<Uuid>,
}

/// The sums of an account's gas accounts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasSummaryView {
    /// How many gas accounts there are.
    pub accounts: u64,
    /// What belongs to them.
    pub balance: Gas,
    /// What can be withdrawn.
    pub available: Gas,
    /// What deposits have announced.
    pub pending: Gas,
    /// What withdrawals have reserved.
    pub locked: Gas,
    /// What was paid out beyond what there was.
    pub owed: Gas,
    /// How many deposits there are, by status.
    pub deposits: BTreeMap<String, u64>,
    /// How many withdrawals there are, by status.
    pub withdrawals: BTreeMap<String, u64>,
}

/// Sums up.
#[derive(Clone, Debug, Default)]
pub struct SummarizeGas(pub GasSummaryFilters);

impl Action for SummarizeGas {
    type Output = GasSummaryView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasSummaryView, Fault> {
        let only = self.0.gas_account_id;
        let accounts = accounts(tenant, only).await?;
        let sum = |part: fn(&GasAccount) -> Gas| {
            let units = accounts.iter().map(|account| part(account).units());
            Gas::from_units(units.fold(0, i64::saturating_add))
        };
        Ok(GasSummaryView {
            accounts: accounts.len() as u64,
            balance: sum(GasAccount::balance),
            available: sum(|account| account.available),
            pending: sum(|account| account.pending),
            locked: sum(|account| account.locked),
            owed: sum(|account| account.owed),
            deposits: counts(tenant, GasDirection::Deposit, only).await?,
            withdrawals: counts(tenant, GasDirection::Withdrawal, only).await?,
        })
    }
}

async fn accounts(tenant: &Tenant, only: Option<Uuid>) -> Result<Vec<GasAccount>, Fault> {
    if let Some(id) = only {
        return Ok(vec![tenant.core.store.get(tenant.key(id)).await?]);
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = Query::of(tenant.account_id).oldest_first().after(after).limit(500);
        let rows: Vec<GasAccount> = tenant.core.store.list(query).await?;
        let (few, last) = (rows.len() < 500, rows.last().map(|row| row.head.id));
        all.extend(rows);
        if few {
            return Ok(all);
        }
        after = last;
    }
}

async fn counts(
    tenant: &Tenant,
    direction: GasDirection,
    only: Option<Uuid>,
) -> Result<BTreeMap<String, u64>, Fault> {
    let mut counts = BTreeMap::new();
    for status in GasStatus::ALL {
        let mut filters = vec![
            Filter::Equal("direction", direction.as_str().into()),
            Filter::Equal("status", status.as_str().into()),
        ];
        filters.extend(only.map(|id| Filter::Equal("gas_account_id", id.into())));
        let found = tenant.core.store.count::<GasTransaction>(Some(tenant.account_id), filters).await?;
        if found > 0 {
            counts.insert(status.as_str().to_owned(), found);
        }
    }
    Ok(counts)
}

/// One balance of a gas account, and what it follows from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasProof {
    /// Which.
    pub bucket: Bucket,
    /// The sum of its postings; the sums of all five are zero together.
    pub postings: Gas,
    /// What the gas account says; none of what is outside.
    pub balance: Option<Gas>,
}

/// A page of the transfers of a gas account, newest first, and whether all of them together give its balances.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GasLedgerView {
    /// Whether the balances are the sums of the postings, and these what is open.
    pub balanced: bool,
    /// How many transfers there are.
    pub transfers: i64,
    /// How many are lost: their numbers are missing.
    pub missing: i64,
    /// The deposits and withdrawals of which the resolver says otherwise than they ended; an operator looks into them.
    pub contradicted: Vec<Uuid>,
    /// Each balance and the sum of its postings.
    pub proof: Vec<GasProof>,
    /// What is not as it should be.
    pub differences: Vec<GasDifference>,
    /// The transfers of this page.
    pub items: Vec<GasTransferView>,
    /// Continues the list; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Reads the ledger of a gas account.
#[derive(Clone, Debug)]
pub struct ReadLedger {
    /// The gas account.
    pub gas_account_id: Uuid,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ReadLedger {
    type Output = GasLedgerView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasLedgerView, Fault> {
        let audit = Audit::of(&tenant.core.store, tenant.key(self.gas_account_id)).await?;
        let conditions = vec![Filter::Equal("gas_account_id", self.gas_account_id.into())];
        let page = resource::list::<GasTransfer, _>(tenant, self.page, conditions, GasTransfer::view).await?;
        let external =
            GasProof { bucket: Bucket::External, postings: audit.sum(Bucket::External), balance: None };
        let held = Bucket::HELD.map(|bucket| {
            let balance = Some(audit.balance(bucket));
            GasProof { bucket, postings: audit.sum(bucket), balance }
        });
        Ok(GasLedgerView {
            balanced: audit.is_sound(),
            transfers: audit.transfers,
            missing: audit.missing(),
            proof: [external].into_iter().chain(held).collect(),
            differences: audit.differences(),
            contradicted: audit.contradicted,
            items: page.items,
            next_cursor: page.next_cursor,
        })
    }
}
