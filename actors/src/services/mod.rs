//! The services: one folder each, with its entities, rules, actions and duties, and one line in [`ALL`].

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use sl_store::{Fault, Table};
use uuid::Uuid;

use crate::{Core, duty::Duty, settings::Setting, why::Explain};

pub mod accounts;
pub mod control;
pub mod dead_letters;
pub mod executions;
pub mod functions;
pub mod secrets;

/// Which of an account's things name these secrets: by secret, the names of those that do.
pub type SecretUsers =
    for<'a> fn(&'a Core, Uuid, &'a [String]) -> BoxFuture<'a, Result<BTreeMap<String, Vec<String>>, Fault>>;

/// What a service is, for descriptors, limits, duties and the tests over all of them.
#[derive(Debug)]
pub struct Service {
    /// Its name: `functions`.
    pub name: &'static str,
    /// Its domain, as descriptors say: `compute`.
    pub domain: &'static str,
    /// Its layer, as descriptors say: `ingress`, `adapter`, `engine`, `data`, `security`.
    pub layer: &'static str,
    /// What it can do.
    pub capabilities: &'static [&'static str],
    /// Its tables; an account's removal empties those that hold tenants' rows.
    pub tables: &'static [&'static Table],
    /// Its quotas: a setting and the table whose rows it counts.
    pub quotas: &'static [(&'static Setting, &'static Table)],
    /// What functions can have it do.
    pub actions: &'static [executions::ActionKind],
    /// Its duties.
    pub duties: fn(&Arc<Core>) -> Vec<Arc<dyn Duty>>,
    /// Tells which of its things name a secret.
    pub secret_users: Option<SecretUsers>,
    /// Tells what one of its things is and why it waits.
    pub explain: Option<Explain>,
}

impl Service {
    /// A service that is nothing yet; what one has is named over it.
    pub const NOTHING: Self = Self {
        name: "",
        domain: "",
        layer: "",
        capabilities: &[],
        tables: &[],
        quotas: &[],
        actions: &[],
        duties: |_| Vec::new(),
        secret_users: None,
        explain: None,
    };
}

/// Every service.
pub const ALL: &[&Service] = &[
    &accounts::SERVICE,
    &control::SERVICE,
    &dead_letters::SERVICE,
    &executions::SERVICE,
    &functions::SERVICE,
    &secrets::SERVICE,
];
