//! The services: one folder each, with its entities, rules, actions and duties, and one line in [`ALL`].

use std::sync::Arc;

use sl_store::Table;

use crate::{Core, duty::Duty, settings::Setting};

pub mod accounts;
pub mod dead_letters;

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
    /// Its duties.
    pub duties: fn(&Arc<Core>) -> Vec<Arc<dyn Duty>>,
}

/// Every service.
pub const ALL: &[&Service] = &[&accounts::SERVICE, &dead_letters::SERVICE];
