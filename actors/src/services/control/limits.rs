//! Every limit with its value, where the value comes from, and what stands against it.

use std::collections::BTreeMap;

use serde::Serialize;
use sl_store::Fault;
use utoipa::ToSchema;

use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
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
    /// What stands against it now, where something is counted; of a rate, how much of it was used of late.
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

/// A page of the limits that hold for the account it is run for, by name, with what stands against each where that is
/// counted.
#[derive(Clone, Debug, Default)]
pub struct AccountLimits {
    /// Which page.
    pub page: PageRequest,
    /// Limits that are kept elsewhere, with what stands against each.
    pub kept_elsewhere: Vec<(&'static Setting, Option<u64>)>,
}

impl Action for AccountLimits {
    type Output = Page<LimitView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Page<LimitView>, Fault> {
        let of_account = settings::catalogue().into_iter().filter(|setting| setting.scope == Scope::Account);
        let mut limits: BTreeMap<&str, (&Setting, Option<u64>)> =
            of_account.map(|setting| (setting.name, (setting, None))).collect();
        for (setting, table) in services::ALL.iter().flat_map(|service| service.quotas) {
            let count = tenant.core.store.count_rows(table, Some(tenant.account_id), Vec::new()).await?;
            limits.insert(setting.name, (setting, Some(count)));
        }
        for uses in services::ALL.iter().filter_map(|service| service.uses) {
            let counted = uses(tenant).await?.into_iter();
            limits.extend(counted.map(|(setting, count)| (setting.name, (setting, Some(count)))));
        }
        limits.extend(self.kept_elsewhere.into_iter().map(|limit| (limit.0.name, limit)));
        let limits = limits.into_values();
        let seen = limits.map(|(setting, current)| view(setting, &tenant.settings, current)).collect();
        self.page.by_name(tenant, "limits", seen, |limit| limit.name)
    }
}

/// A page of the settings of the daemon, by name; run for the system.
#[derive(Clone, Debug, Default)]
pub struct SystemLimits(pub PageRequest);

impl Action for SystemLimits {
    type Output = Page<LimitView>;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<Page<LimitView>, Fault> {
        let all = tenant.core.catalogue.iter().map(|setting| view(setting, &tenant.settings, None)).collect();
        self.0.by_name(tenant, "settings", all, |limit| limit.name)
    }
}
