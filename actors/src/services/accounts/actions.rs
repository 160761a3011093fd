//! What can be done with accounts.
//!
//! Creating and listing run for the system; everything else runs for the account itself, so that its events, its
//! idempotency records and its order are the account's.

use chrono::{DateTime, Utc};
use serde_json::json;
use sl_store::{Batch, Cell, Code, Fault, Filter, Key, NewWork, SYSTEM};
use uuid::Uuid;

use super::{Account, AccountView, AmendAccount, NewAccount, Status, removal::DUTY};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    resource, services,
};

const SERVICE: &str = "accounts";

fn operators_only(tenant: &Tenant, what: &str) -> Result<(), Fault> {
    if tenant.caller.is_operator() {
        return Ok(());
    }
    Err(Fault::new(Code::Forbidden, format!("only an operator may {what}")))
}

/// Creates an account; run for the system, by an operator.
#[derive(Clone, Debug)]
pub struct CreateAccount(pub NewAccount);

impl Action for CreateAccount {
    type Output = AccountView;

    async fn run(self, tenant: &Tenant) -> Result<AccountView, Fault> {
        operators_only(tenant, "create accounts")?;
        let account = Account::admit(self.0, tenant)?;
        let mut event = tenant.event(SERVICE, "account.created", account.head.id, account.told());
        event.account = account.head.id;
        let mut batch = Batch::new();
        batch.insert(&account).event(event);
        tenant.commit(batch, account.view()).await
    }
}

/// What a list of accounts can be narrowed by.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, utoipa::ToSchema)]
pub struct AccountFilters {
    /// Only those that stand here.
    pub status: Option<Status>,
}

/// A page of the accounts, newest first; run for the system. A token sees its own account only.
#[derive(Clone, Debug)]
pub struct ListAccounts {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: AccountFilters,
}

impl Action for ListAccounts {
    type Output = Page<AccountView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        if let Some(own) = tenant.caller.account {
            let own: Option<Account> = tenant.core.store.find(Key::new(SYSTEM, own)).await?;
            let own = own.filter(|account| self.filters.status.is_none_or(|status| account.status == status));
            return Ok(Page { items: own.iter().map(Account::view).collect(), next_cursor: None });
        }
        let status = self.filters.status.map(|status| Filter::Equal("status", Cell::from(status.as_str())));
        resource::list(tenant, self.page, status.into_iter().collect(), Account::view).await
    }
}

/// Reads the account it is run for.
#[derive(Clone, Copy, Debug)]
pub struct FetchAccount;

impl Action for FetchAccount {
    type Output = AccountView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<AccountView, Fault> {
        current(tenant).await.map(|account| account.view())
    }
}

/// Changes the account it is run for. Status and limits are an operator's to change; so is anything while the account is
/// suspended.
#[derive(Clone, Debug)]
pub struct PatchAccount {
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
    /// The change.
    pub patch: AmendAccount,
}

impl Action for PatchAccount {
    type Output = AccountView;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<AccountView, Fault> {
        if self.patch.status.is_some() || self.patch.limits.is_some() {
            operators_only(tenant, "change the status or the limits of an account")?;
        }
        let mut account = current(tenant).await?;
        if account.status == Status::Suspended && !tenant.caller.is_operator() {
            return Err(Fault::new(Code::Suspended, "the account is suspended"));
        }
        resource::expect_version(&account, self.expected)?;
        let before = account.clone();
        account.amend(self.patch)?;
        if account == before {
            return tenant.commit(Batch::new(), account.view()).await;
        }
        let kind = match (before.status, account.status) {
            (Status::Active, Status::Suspended) => "account.suspended",
            (Status::Suspended, Status::Active) => "account.resumed",
            _ => "account.amended",
        };
        if kind == "account.resumed" {
            account.resumed_at = Some(tenant.now());
        }
        let mut batch = Batch::new();
        batch.replace(&mut account, tenant.now());
        batch.event(tenant.event(SERVICE, kind, tenant.account_id, account.told()));
        let view = tenant.commit(batch, account.view()).await?;
        tenant.core.mirror.told_of_accounts(&tenant.core).await;
        Ok(view)
    }
}

/// Deletes the account it is run for: nobody gets in from now on, and its removal goes on by itself. Done again, it
/// answers the same. Refused while a service keeps something of it that must not be lost: money.
#[derive(Clone, Copy, Debug)]
pub struct DeleteAccount {
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for DeleteAccount {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;
    const WHILE_DELETING: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        operators_only(tenant, "delete an account")?;
        let mut account = current(tenant).await?;
        if account.status == Status::Deleting {
            return Ok(());
        }
        resource::expect_version(&account, self.expected)?;
        account.status = Status::Deleting;
        let mut batch = Batch::new();
        for keeps in services::ALL.iter().filter_map(|service| service.keeps) {
            keeps(tenant, &mut batch).await?;
        }
        batch.replace(&mut account, tenant.now());
        batch.enqueue(removal(tenant.account_id, tenant.next_id(), tenant.now()));
        batch.event(tenant.event(SERVICE, "account.deleting", tenant.account_id, json!({})));
        tenant.commit(batch, ()).await?;
        tenant.core.mirror.told_of_accounts(&tenant.core).await;
        Ok(())
    }
}

/// The item that removes an account; it is the system's, because the account's own work stands still.
pub(super) const fn removal(account: Uuid, id: Uuid, due_at: DateTime<Utc>) -> NewWork {
    NewWork::new(id, DUTY, SYSTEM, account, due_at)
}

async fn current(tenant: &Tenant) -> Result<Account, Fault> {
    tenant.core.store.get(Key::new(SYSTEM, tenant.account_id)).await
}
