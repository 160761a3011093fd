//! What the runtime is made of, shared by every actor.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use sl_store::{Chance, Clock, Ids, KeyRing, Store};
use uuid::Uuid;

use crate::{
    duty::{Bells, Duty},
    egress::Egress,
    idempotency::Flights,
    metrics::Metrics,
    mirror::Mirror,
    peers::Peers,
    sandbox::Sandbox,
    services::{
        accounts::{Known, TokenCache},
        control::Refusals,
        executions::{ActionKinds, Desk},
        functions::Catalogue,
        random,
    },
    settings::{Setting, Settings},
    signing::Signer,
    supervisor::HealthBoard,
};

/// What a runtime is started with.
#[derive(Clone)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// The root keys.
    pub keys: Arc<KeyRing>,
    /// The settings in force.
    pub settings: Settings,
    /// Every setting there is, those of the rooms above included.
    pub catalogue: Vec<&'static Setting>,
    /// Where tenant code runs.
    pub sandbox: Sandbox,
    /// The way out.
    pub egress: Egress,
    /// What signs executions and random values, where the operator gave a key.
    pub signer: Option<Signer>,
    /// The services outside that the operator named.
    pub peers: Peers,
    /// What functions can have done.
    pub actions: ActionKinds,
}

/// What the runtime is made of. One per daemon, behind an `Arc`.
pub struct Core {
    /// This daemon's id; the holder of its leases.
    pub daemon_id: Uuid,
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// Ids.
    pub ids: Ids,
    /// The root keys.
    pub keys: Arc<KeyRing>,
    /// The settings in force.
    pub settings: Settings,
    /// Every setting there is, by name.
    pub catalogue: Vec<&'static Setting>,
    /// Where tenant code runs.
    pub sandbox: Sandbox,
    /// The way out.
    pub egress: Egress,
    /// What signs executions and random values, where the operator gave a key.
    pub signer: Option<Signer>,
    /// The services outside that the operator named.
    pub peers: Peers,
    /// What functions can have done.
    pub actions: ActionKinds,
    /// What is counted and timed.
    pub metrics: Metrics,
    /// What this daemon keeps copies of: pauses, and how often accounts and tokens changed.
    pub mirror: Mirror,
    /// Which parts run degraded.
    pub health: HealthBoard,
    /// How duties of this daemon are woken.
    pub bells: Bells,
    /// What this daemon keeps of functions.
    pub functions: Catalogue,
    /// The executions that run here or are waited for here.
    pub executions: Desk,
    /// The counters of the signing key that this daemon may give.
    pub random: random::Desk,
    pub(crate) refusals: Refusals,
    pub(crate) flights: Flights,
    pub(crate) tokens: TokenCache,
    pub(crate) known: Known,
    pub(crate) duties: OnceLock<BTreeMap<&'static str, Arc<dyn Duty>>>,
    pub(crate) cursor_mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Core").field("daemon_id", &self.daemon_id).finish_non_exhaustive()
    }
}

impl Core {
    /// The core of a daemon made of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let ids = Ids::new(parts.clock.clone(), parts.chance.clone());
        let cursor_mac = Hmac::new_from_slice(&*parts.keys.derive("cursors"))
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        let refusals = Refusals::new(&parts.settings);
        Arc::new(Self {
            daemon_id: ids.next(),
            store: parts.store,
            clock: parts.clock,
            chance: parts.chance,
            ids,
            keys: parts.keys,
            settings: parts.settings,
            catalogue: parts.catalogue,
            sandbox: parts.sandbox,
            egress: parts.egress,
            signer: parts.signer,
            peers: parts.peers,
            actions: parts.actions,
            functions: Catalogue::default(),
            executions: Desk::default(),
            random: random::Desk::default(),
            metrics: Metrics::new(),
            mirror: Mirror::default(),
            health: HealthBoard::default(),
            bells: Bells::default(),
            refusals,
            flights: Flights::default(),
            tokens: TokenCache::default(),
            known: Known::default(),
            duties: OnceLock::new(),
            cursor_mac,
        })
    }

    /// The duty of this name, where this build has it.
    #[must_use]
    pub fn duty(&self, name: &str) -> Option<&Arc<dyn Duty>> {
        self.duties.get()?.get(name)
    }
}
