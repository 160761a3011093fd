//! Gas accounts: ensured for a wallet, bounded by a policy.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sl_store::{Batch, Code, Fault, Head, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_ACCOUNTS, NAME,
    account::{GasAccount, Policy},
    claim,
    gas::Gas,
    movement::{Change, commit},
    transfer::Bucket,
    views::GasAccountView,
};
use crate::{
    action::{Action, Order, Tenant},
    check::Check,
    neo::ScriptHash,
    page::{Page, PageRequest},
    patch::{changed, given},
    resource,
    services::{
        price_feeds::ExactNumber,
        wallets::{Named, read_address, registered},
    },
};

/// How many approvals can be asked for.
const MOST_APPROVALS: i64 = 16;
/// How many rows are read at once.
const STEP: usize = 500;
/// How many wallets can be named to approve.
const MOST_APPROVERS: usize = 100;

/// What ensures a gas account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGasAccount {
    /// The wallet it is for: an address on Neo N3 or a script hash. A wallet has one gas account over all accounts.
    pub wallet_address: String,
}

/// Ensures that a wallet has a gas account in this account.
#[derive(Clone, Debug)]
pub struct EnsureGasAccount(pub NewGasAccount);

impl Change for EnsureGasAccount {
    type Answer = GasAccountView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasAccountView, Fault> {
        let mut check = Check::new();
        let wallet = read_address("/wallet_address", &self.0.wallet_address, &mut check);
        check.finish()?;
        let wallet = wallet.ok_or_else(|| Fault::internal("an address was neither read nor refused"))?;
        ensure(wallet, tenant, batch).await.map(|account| account.view(&tenant.core))
    }
}

impl Action for EnsureGasAccount {
    type Output = GasAccountView;

    async fn run(self, tenant: &Tenant) -> Result<GasAccountView, Fault> {
        commit(&self, tenant).await
    }
}

/// The gas account of a wallet, made where there is none yet.
pub(super) async fn ensure(
    wallet: ScriptHash,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<GasAccount, Fault> {
    if let Some(found) = of_wallet(wallet, tenant).await? {
        return Ok(found);
    }
    let account = GasAccount::new(Head::new(tenant.account_id, tenant.next_id(), tenant.now()), wallet);
    let (what, id) = (claim::wallet(&wallet), account.head.id);
    match claim::find(&tenant.core.store, &what).await? {
        None => claim::claim(&what, id, tenant, batch),
        Some(found) => {
            if !claim::inherit(found, id, tenant, batch).await? {
                let detail = "the wallet has a gas account in another account";
                return Err(Fault::new(Code::Conflict, detail));
            }
        }
    }
    batch.insert(&account);
    let most = tenant.settings.count(&MAX_ACCOUNTS);
    batch.at_most::<GasAccount>(tenant.account_id, Vec::new(), most, MAX_ACCOUNTS.name);
    let told = json!({"wallet_address": wallet.address()});
    batch.event(tenant.event(NAME, "gasbank.account.created", id, told));
    Ok(account)
}

/// Refuses that an account goes whose gas accounts hold something, or owe; holds them as they are in the batch.
pub(super) fn keeps<'a>(tenant: &'a Tenant, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let mut after = None;
        loop {
            let query = Query::of(tenant.account_id).oldest_first().after(after).limit(STEP);
            let rows: Vec<GasAccount> = tenant.core.store.list(query).await?;
            for row in &rows {
                row.expect_empty()?;
                batch.holds(row);
            }
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                return Ok(());
            }
        }
    })
}

impl GasAccount {
    fn expect_empty(&self) -> Result<(), Fault> {
        let held: Vec<String> = Bucket::HELD
            .iter()
            .filter(|bucket| self.held(**bucket) > Gas::ZERO)
            .map(|bucket| format!("{} GAS {}", self.held(*bucket), bucket.as_str()))
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "the gas account {} of the account is not empty: {}; it has to be withdrawn, decided or paid back first",
            self.head.id,
            held.join(", ")
        );
        Err(Fault::new(Code::InvalidState, detail))
    }
}

/// The account's gas account of a wallet.
pub(super) async fn of_wallet(wallet: ScriptHash, tenant: &Tenant) -> Result<Option<GasAccount>, Fault> {
    let query = Query::of(tenant.account_id).equal("wallet", wallet.to_string());
    tenant.core.store.first(query).await
}

/// Reads one.
#[derive(Clone, Copy, Debug)]
pub struct FetchGasAccount(pub Uuid);

impl Action for FetchGasAccount {
    type Output = GasAccountView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<GasAccountView, Fault> {
        let found: GasAccount = tenant.core.store.get(tenant.key(self.0)).await?;
        Ok(found.view(&tenant.core))
    }
}

/// What a list of gas accounts is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GasAccountFilters {
    /// This one, by itself and not as a page; 404 where there is none.
    pub gas_account_id: Option<Uuid>,
    /// Only the one of this wallet.
    pub wallet_address: Option<String>,
}

/// Gas accounts as they are answered: a page of them, or the one that was named.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum GasAccountsView {
    /// A page.
    Page(Page<GasAccountView>),
    /// The one.
    One(GasAccountView),
}

/// A page of them, newest first; or the one that is named.
#[derive(Clone, Debug, Default)]
pub struct ListGasAccounts {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: GasAccountFilters,
}

impl Action for ListGasAccounts {
    type Output = GasAccountsView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        if let Some(id) = self.filters.gas_account_id {
            let found: GasAccount = tenant.core.store.get(tenant.key(id)).await?;
            return Ok(GasAccountsView::One(found.view(&tenant.core)));
        }
        let mut check = Check::new();
        let wallet = self.filters.wallet_address;
        let wallet = wallet.and_then(|text| read_address("?wallet_address", &text, &mut check));
        check.finish()?;
        let filters = wallet.map(|hash| sl_store::Filter::Equal("wallet", hash.to_string().into()));
        let filters = filters.into_iter().collect();
        let view = |account: &GasAccount| account.view(&tenant.core);
        resource::list::<GasAccount, _>(tenant, self.page, filters, view).await.map(GasAccountsView::Page)
    }
}

/// What changes the policy of a gas account; absent fields stay as they are, `null` takes away.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
pub struct AmendGasAccount {
    /// What stays available; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExactNumber>)]
    pub minimum_balance: Option<Option<ExactNumber>>,
    /// What may be withdrawn in a day of UTC; `null` for no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExactNumber>)]
    pub daily_limit: Option<Option<ExactNumber>>,
    /// How many wallets approve a withdrawal, 0 (or `null`) to 16; no more than `approvers` names.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 16)]
    pub required_approvals: Option<Option<i64>>,
    /// Which may, by address or script hash; `null` for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    pub approvers: Option<Option<Vec<String>>>,
}

/// Changes the policy of a gas account. Withdrawals that were asked for keep the policy they were asked under.
#[derive(Clone, Debug)]
pub struct ChangePolicy {
    /// Which.
    pub gas_account_id: Uuid,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
    /// The change.
    pub patch: AmendGasAccount,
}

impl Change for ChangePolicy {
    type Answer = GasAccountView;

    async fn plan(&self, tenant: &Tenant, batch: &mut Batch) -> Result<GasAccountView, Fault> {
        let mut account: GasAccount = tenant.core.store.get(tenant.key(self.gas_account_id)).await?;
        resource::expect_version(&account, self.expected)?;
        let before = account.policy.clone();
        account.amend(&self.patch)?;
        self.expect_wallets(&before, tenant).await?;
        if account.policy == before {
            return Ok(account.view(&tenant.core));
        }
        batch.replace(&mut account, tenant.now());
        let policy = &account.policy;
        let told = json!({
            "minimum_balance": policy.minimum_balance, "daily_limit": policy.daily_limit,
            "required_approvals": policy.required_approvals, "approvers": policy.approvers.len(),
        });
        batch.event(tenant.event(NAME, "gasbank.account.amended", account.head.id, told));
        Ok(account.view(&tenant.core))
    }
}

impl Action for ChangePolicy {
    type Output = GasAccountView;

    async fn run(self, tenant: &Tenant) -> Result<GasAccountView, Fault> {
        commit(&self, tenant).await
    }
}

impl ChangePolicy {
    /// Refuses approvers that were not named before and are no wallets of the account: nobody could approve with them.
    async fn expect_wallets(&self, before: &Policy, tenant: &Tenant) -> Result<(), Fault> {
        let named = self.patch.approvers.iter().flatten().flatten();
        for (at, address) in named.enumerate() {
            if !ScriptHash::parse(address).is_ok_and(|known| before.approvers.contains(&known)) {
                let pointer = format!("/approvers/{at}");
                registered(&tenant.core, tenant.account_id, Named { address, pointer: &pointer }).await?;
            }
        }
        Ok(())
    }
}

impl GasAccount {
    fn amend(&mut self, patch: &AmendGasAccount) -> Result<(), Fault> {
        let (mut check, policy) = (Check::new(), &mut self.policy);
        if let Some(number) = &patch.minimum_balance {
            let read = number.as_ref().map(|number| Gas::read_any("/minimum_balance", number, &mut check));
            policy.minimum_balance = read.flatten().unwrap_or_default();
        }
        if let Some(number) = &patch.daily_limit {
            let read = number.as_ref().map(|number| Gas::read_any("/daily_limit", number, &mut check));
            policy.daily_limit = read.flatten();
        }
        if let Some(texts) = &patch.approvers {
            let texts = texts.as_deref().unwrap_or_default();
            if texts.len() > MOST_APPROVERS {
                let detail = format!("must be at most {MOST_APPROVERS} wallets, not {}", texts.len());
                check.broken("/approvers", "items", detail);
            }
            let texts = texts.iter().take(MOST_APPROVERS).enumerate();
            let read =
                texts.filter_map(|(at, text)| read_address(&format!("/approvers/{at}"), text, &mut check));
            policy.approvers = read.collect();
            policy.approvers.sort_unstable();
            policy.approvers.dedup();
        }
        policy.required_approvals = changed(patch.required_approvals, policy.required_approvals, 0);
        let named = policy.approvers.len();
        let most = i64::try_from(named).unwrap_or(MOST_APPROVALS).min(MOST_APPROVALS);
        if !(0..=most).contains(&policy.required_approvals) {
            let asked = policy.required_approvals;
            let detail = format!("must be 0 to {most}, not {asked}: {named} approvers are named");
            check.broken("/required_approvals", "bounds", detail);
        }
        check.finish()
    }
}
