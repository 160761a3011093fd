//! Every limit with its value, where the value comes from, and what stands against it.

use std::collections::BTreeMap;

use serde::Serialize;
use sl_store::Fault;
use utoipa::ToSchema;

use crate::{
    action::{Action, Order, Tenant},
    services,
    settings::{self, Scope, Setting, Settings, Unit},
};

/// A limit as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LimitView {
    /// The setting's name, as errors and configuration name it.
    pub name: &'static str,
    /// What it bounds.
    pub doc: &'static str,
    /// Its unit: `count`, `bytes`, `milliseconds`, `per_second` or `flag`.
    pub unit: &'static str,
    /// The value in the unit.
    pub value: u64,
    /// The value as a person writes it: `64MiB`, `90s`.
    pub text: String,
    /// Where the value comes from: `default`, `file`, `environment`, `flag` or `account`.
    pub source: &'static str,
    /// The least it can be set to, in the unit.
    pub min: u64,
    /// The most it can be set to, in the unit.
    pub max: u64,
    /// Whether an operator can set it for one account.
    pub per_account: bool,
    /// What stands against it now, where something is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "count",
        Unit::Bytes => "bytes",
        Unit::Duration => "milliseconds",
        Unit::PerSecond => "per_second",
        Unit::Flag => "flag",
    }
}

fn view(setting: &Setting, settings: &Settings, current: Option<u64>) -> LimitView {
    let (value, source) = settings.value(setting);
    LimitView {
        name: setting.name,
        doc: setting.doc,
        unit: unit(setting.unit),
        value,
        text: setting.format(value),
        source: source.as_str(),
        min: setting.min,
        max: setting.max,
        per_account: setting.scope == Scope::Account,
        current,
    }
}

/// Every limit that holds for the account it is run for, with what stands against each quota.
#[derive(Clone, Copy, Debug)]
pub struct AccountLimits;

impl Action for AccountLimits {
    type Output = Vec<LimitView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Vec<LimitView>, Fault> {
        let mut uses = BTreeMap::new();
        for (setting, table) in services::ALL.iter().flat_map(|service| service.quotas) {
            let count = tenant.core.store.count_rows(table, Some(tenant.account_id), Vec::new()).await?;
            uses.insert(setting.name, count);
        }
        let of_account = |setting: &&&Setting| setting.scope == Scope::Account;
        let seen = |setting: &&Setting| view(setting, &tenant.settings, uses.get(setting.name).copied());
        Ok(settings::catalogue().iter().filter(of_account).map(seen).collect())
    }
}

/// Every setting of the daemon; run for the system.
#[derive(Clone, Copy, Debug)]
pub struct SystemLimits;

impl Action for SystemLimits {
    type Output = Vec<LimitView>;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<Vec<LimitView>, Fault> {
        Ok(tenant.core.catalogue.iter().map(|setting| view(setting, &tenant.settings, None)).collect())
    }
}
