//! Why something waits, or that nothing waits any more.
//!
//! Whatever has an id can be asked about: an item of the queue, what it is about, what can be paused around it, a dead
//! letter, any row of a service. The causes come in the order in which they would have to pass, the decisive one first.

mod causes;
mod locate;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use sl_store::{Fault, Key};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Core,
    action::{Action, Order, Tenant},
    services::functions::Function,
};

use locate::locate;

/// One reason why something waits.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Cause {
    /// `paused`, `suspended`, `deleting`, `running`, `scheduled`, `retrying`, `waiting_for_slot`, `behind`, `due`,
    /// `queued`, `degraded`, `unknown_duty`, `dead_letter`, or a code of the service's own (`missing_secret`).
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Since when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// When it passes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Its numbers: `attempt`, `of`, `running`, `concurrency`, `behind`, …
    #[serde(flatten)]
    pub numbers: BTreeMap<&'static str, Value>,
}

impl Cause {
    /// A cause of this code, in words.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), since: None, until: None, numbers: BTreeMap::new() }
    }

    /// Adds since when it holds.
    #[must_use]
    pub fn since(mut self, since: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.since = since.into();
        self
    }

    /// Adds when it passes by itself.
    #[must_use]
    pub fn until(mut self, until: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.until = until.into();
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn with(mut self, name: &'static str, number: impl Into<Value>) -> Self {
        self.numbers.insert(name, number.into());
        self
    }
}

/// What a service says about one of its things.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What it is: `execution`.
    pub kind: &'static str,
    /// Where it stands: `queued`.
    pub status: String,
    /// What else can be paused around it: its function.
    pub gates: Vec<Uuid>,
    /// Causes that only the service knows: a missing secret, a quota.
    pub causes: Vec<Cause>,
}

/// That the function which something runs was removed.
pub(crate) async fn missing_function(core: &Core, function: Key) -> Result<Option<Cause>, Fault> {
    let found: Option<Function> = core.store.find(function).await?;
    let detail = "the function it runs was removed; PATCH function_id, or disable it";
    Ok(found
        .is_none()
        .then(|| Cause::new("missing_function", detail).with("function_id", function.id.to_string())))
}

/// Asks a service about the thing of an id of an account; none where the service has no such thing.
pub type Explain = for<'a> fn(&'a Core, Uuid, Uuid) -> BoxFuture<'a, Result<Option<Explained>, Fault>>;

/// What is answered about a thing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WhyView {
    /// The id asked about.
    pub id: Uuid,
    /// What it is: `execution`, `function`, `work`, `dead_letter`.
    pub kind: String,
    /// Where it stands; `pending` or `finished` where it has no status of its own.
    pub status: String,
    /// Why it waits, what must pass first coming first; empty where nothing waits.
    pub causes: Vec<Cause>,
}

/// Tells why something of the account waits.
#[derive(Clone, Copy, Debug)]
pub struct Why(pub Uuid);

impl Action for Why {
    type Output = WhyView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<WhyView, Fault> {
        let id = self.0;
        let located = locate(tenant, id).await?;
        let gates = located.as_ref().map(|located| located.gates.clone()).unwrap_or_default();
        let mut causes = causes::of(tenant, id, &gates).await?;
        let (kind, status) = match located {
            Some(located) => {
                causes.extend(located.causes);
                (located.kind, Some(located.status).filter(|status| !status.is_empty()))
            }
            None if causes.is_empty() => return Err(Fault::not_found("thing to ask about")),
            None => (causes::kind_of(&causes), None),
        };
        let (kind, causes) = (kind.replace(' ', "_"), causes::decisive_first(causes, status.as_deref()));
        let plain = if causes.is_empty() { "finished" } else { "pending" };
        Ok(WhyView { id, kind, status: status.unwrap_or_else(|| plain.to_owned()), causes })
    }
}
