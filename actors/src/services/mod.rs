//! The services: one folder each, with its entities, rules, actions and duties, and one line in [`ALL`].

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Batch, Cell, Entity, Event, Fault, Filter, Key, Table};
use uuid::Uuid;

use crate::{Core, action::Tenant, duty::Duty, idempotency::Standing, settings::Setting, why::Explain};

pub mod accounts;
pub mod automation;
pub mod control;
pub mod dead_letters;
pub mod executions;
pub mod functions;
pub mod gasbank;
pub(crate) mod hearing;
pub mod neo;
pub mod oracle;
pub mod price_feeds;
pub mod random;
pub mod secrets;
pub mod triggers;
pub mod wallets;
pub mod webhooks;

/// What the actor of everything begins with that follows from an event that was heard: runs of jobs and triggers that
/// wait for events, their executions, and what those have done. None of it is heard by jobs and triggers in turn, so
/// that none can call another for ever.
pub const LISTENER: &str = "listener:";

/// Which of an account's things name these secrets: by secret, the names of those that do.
pub type SecretUsers =
    for<'a> fn(&'a Core, Uuid, &'a [String]) -> BoxFuture<'a, Result<BTreeMap<String, Vec<String>>, Fault>>;

/// Refuses that the account it is run for is deleted, where the service keeps something of it that must not be lost
/// ([`sl_store::Code::InvalidState`]). What it found empty is held as it is by the batch that deletes.
pub type Keeps = for<'a> fn(&'a Tenant, &'a mut Batch) -> BoxFuture<'a, Result<(), Fault>>;

/// Hears events of all accounts, in the order of the log: adds to the batch what follows from them (a job's slot, a
/// trigger's delivery). The batch also moves the reader's position, so that each event is heard once with effect.
pub type Hear = for<'a> fn(&'a Arc<Core>, &'a [Event], &'a mut Batch) -> BoxFuture<'a, Result<(), Fault>>;

/// Counts what stands against limits of the account it is run for, besides the rows of [`Service::quotas`].
pub type Uses = for<'a> fn(&'a Tenant) -> BoxFuture<'a, Result<Vec<(&'static Setting, u64)>, Fault>>;

/// Tells how something of this id of an account stands that an idempotency key was promised an answer about, at this
/// instant and by a daemon that is not this one; none where the service has no such thing.
pub type Promised =
    for<'a> fn(&'a Core, Key, DateTime<Utc>) -> BoxFuture<'a, Result<Option<Standing>, Fault>>;

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
    /// Counts what stands against other limits of an account.
    pub uses: Option<Uses>,
    /// What functions can have it do.
    pub actions: &'static [executions::ActionKind],
    /// Its duties.
    pub duties: fn(&Arc<Core>) -> Vec<Arc<dyn Duty>>,
    /// Those of its tables whose rows carry a sealed value, in columns `key_id` and `envelope` ([`crate::sealed`]).
    pub sealed: &'static [&'static Table],
    /// Those kinds of the system's events that every account may hear; each begins with the service's name and a dot.
    pub public: &'static [&'static str],
    /// Hears what happens, where what it does follows from events.
    pub hear: Option<Hear>,
    /// The table whose rows wait for events where their column `listens` is true; while none does, nothing is heard.
    pub listening: Option<&'static Table>,
    /// Tells which of its things name a secret.
    pub secret_users: Option<SecretUsers>,
    /// Tells what one of its things is and why it waits.
    pub explain: Option<Explain>,
    /// Tells how one of its things stands that a key was promised an answer about.
    pub promised: Option<Promised>,
    /// Refuses that an account goes of which it keeps something.
    pub keeps: Option<Keeps>,
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
        uses: None,
        actions: &[],
        duties: |_| Vec::new(),
        sealed: &[],
        public: &[],
        hear: None,
        listening: None,
        secret_users: None,
        explain: None,
        promised: None,
        keeps: None,
    };
}

/// Every service.
pub const ALL: &[&Service] = &[
    &accounts::SERVICE,
    &automation::SERVICE,
    &control::SERVICE,
    &dead_letters::SERVICE,
    &executions::SERVICE,
    &functions::SERVICE,
    &neo::SERVICE,
    &oracle::SERVICE,
    &gasbank::SERVICE,
    &price_feeds::SERVICE,
    &random::SERVICE,
    &secrets::SERVICE,
    &wallets::SERVICE,
    &triggers::SERVICE,
    &webhooks::SERVICE,
];

/// How many rows of the account stand at one of these in the column `status`.
pub(crate) async fn count_at<E: Entity>(
    tenant: &Tenant,
    among: impl IntoIterator<Item = &'static str>,
) -> Result<u64, Fault> {
    let among = among.into_iter().map(Cell::from).collect();
    let standing = vec![Filter::In("status", among)];
    tenant.core.store.count::<E>(Some(tenant.account_id), standing).await
}
