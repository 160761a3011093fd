//! A running system in one process, on either store, that a test moves by hand.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sl_actors::{
    Action, Core, Fault, KeyRing, Parts, Runtime, SYSTEM, Store,
    caller::{Caller, Scope},
    duty::Duty,
    egress::{AllowList, Egress, EgressLimits, SystemResolver},
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    services::accounts::{AccountView, CreateAccount, NewAccount},
    settings::{Setting, Settings, Source},
};
use sl_store::{
    Chance, Clock, Event, EventQuery, ManualClock, OsChance, SystemClock, memory::Memory,
    testing::postgres::Database,
};
use uuid::Uuid;

/// A store under test, and what keeps it alive.
pub struct Ground {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub manual: Option<ManualClock>,
    database: Option<Database>,
}

impl Ground {
    /// The memory backend on a clock that the test owns.
    pub async fn memory() -> Self {
        let manual = ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).expect("an instant"));
        let memory = Memory::start(Arc::new(manual.clone())).await.expect("the backend starts");
        let clock: Arc<dyn Clock> = Arc::new(manual.clone());
        Self { store: Store::new(memory), clock, manual: Some(manual), database: None }
    }

    /// The memory backend on the machine's clock.
    pub async fn lively() -> Self {
        let memory = Memory::start(Arc::new(SystemClock)).await.expect("the backend starts");
        Self { store: Store::new(memory), clock: Arc::new(SystemClock), manual: None, database: None }
    }

    /// A real PostgreSQL, by its own clock.
    pub async fn postgres() -> Self {
        let database = Database::fresh().await;
        let store = database.store().await;
        Self { store, clock: Arc::new(SystemClock), manual: None, database: Some(database) }
    }

    /// Another connection to the same place, as another daemon has it.
    pub async fn other(&self) -> Store {
        match &self.database {
            Some(database) => database.store().await,
            None => self.store.clone(),
        }
    }

    /// What a daemon on it is made of.
    pub async fn parts(&self) -> Parts {
        let settings = quick();
        let egress = Egress::new(
            EgressLimits::from(&settings),
            AllowList::default(),
            Arc::new(SystemResolver::new(4)),
        );
        Parts {
            store: self.other().await,
            clock: self.clock.clone(),
            chance: Arc::new(OsChance),
            keys: Arc::new(KeyRing::ephemeral(&OsChance)),
            sandbox: sandbox(&settings),
            egress: egress.expect("the egress guard starts"),
            settings,
            catalogue: sl_actors::settings::catalogue(),
            signer: None,
            peers: sl_actors::peers::Peers::default(),
            actions: sl_actors::services::executions::ActionKinds::default(),
        }
    }
}

/// A sandbox that starts a host when one is needed, not before.
fn sandbox(settings: &Settings) -> Sandbox {
    let this = std::env::current_exe().expect("this program has a path");
    let folder = this.parent().and_then(std::path::Path::parent).expect("it lies in a folder of a folder");
    let program = HostProgram { path: folder.join("sl-js-host"), arguments: Vec::new() };
    let limits = SandboxLimits { warm: 0, ..SandboxLimits::from(settings) };
    Sandbox::new(limits, program).expect("the sandbox starts")
}

/// Settings for tests that wait: short polls, short leases.
pub fn quick() -> Settings {
    let settings = Settings::default();
    let settings = settings.with(&sl_actors::duty::POLL, 50, Source::Default);
    settings.with(&sl_actors::mirror::POLL, 50, Source::Default)
}

/// A daemon.
pub struct World {
    pub runtime: Runtime,
    pub ground: Ground,
}

impl World {
    /// A daemon with every duty.
    pub async fn on(ground: Ground) -> Self {
        let parts = ground.parts().await;
        Self::of(ground, parts, None).await
    }

    /// A daemon with these duties only.
    pub async fn with(ground: Ground, duties: Vec<Arc<dyn Duty>>) -> Self {
        let parts = ground.parts().await;
        Self::of(ground, parts, Some(duties)).await
    }

    /// A daemon of these parts.
    pub async fn of(ground: Ground, parts: Parts, duties: Option<Vec<Arc<dyn Duty>>>) -> Self {
        let runtime = start(parts, duties).await;
        Self { runtime, ground }
    }

    pub fn core(&self) -> &Arc<Core> {
        self.runtime.core()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.ground.clock.now()
    }

    /// Moves the clock, where the test owns it.
    pub fn pass(&self, duration: Duration) {
        self.ground.manual.as_ref().expect("a clock of the test's own").advance(duration);
    }

    /// Runs an action as an operator.
    pub async fn act<A: Action>(&self, account: Uuid, action: A) -> Result<A::Output, Fault> {
        self.act_as(account, Caller::operator("alice"), action).await
    }

    /// Runs an action as somebody.
    pub async fn act_as<A: Action>(
        &self,
        account: Uuid,
        caller: Caller,
        action: A,
    ) -> Result<A::Output, Fault> {
        self.runtime.perform(account, Arc::new(caller), None, action).await
    }

    /// A new account.
    pub async fn account(&self, owner: &str) -> AccountView {
        let new = NewAccount { owner: owner.to_owned(), metadata: std::collections::BTreeMap::default() };
        self.act(SYSTEM, CreateAccount(new)).await.expect("an account is made")
    }

    /// The account's events of a kind.
    pub async fn events(&self, account: Uuid, kind: &str) -> Vec<Event> {
        let query = EventQuery {
            account: Some(account),
            kind: Some(kind.to_owned()),
            limit: 1_000,
            ..EventQuery::default()
        };
        self.core().store.events(query).await.expect("the log can be read")
    }
}

/// A daemon of these parts.
pub async fn start(parts: Parts, duties: Option<Vec<Arc<dyn Duty>>>) -> Runtime {
    let core = Core::new(parts);
    let started = match duties {
        Some(duties) => Runtime::start_with(core, duties).await,
        None => Runtime::start(core).await,
    };
    started.expect("the runtime starts")
}

/// The bearer of a token of an account.
pub fn tenant(account: Uuid, scopes: &[Scope]) -> Caller {
    Caller {
        actor: "token:test".to_owned(),
        account: Some(account),
        scopes: scopes.to_vec(),
        request_id: None,
        origin: None,
    }
}

/// Whether the full form of a test is asked for.
#[expect(clippy::disallowed_methods, reason = "a word from `./x soak`, no setting of the daemon")]
pub fn is_soak() -> bool {
    std::env::var_os("SERVICE_LAYER_SOAK").is_some()
}

/// Waits, bounded, for what other actors bring about.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < give_up, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same with a setting changed.
pub fn set(parts: &mut Parts, setting: &Setting, value: u64) {
    parts.settings = parts.settings.with(setting, value, Source::Default);
}

/// One test on both stores.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::Ground::lively().await).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::Ground::postgres().await).await; })*
        }
    };
}
pub(crate) use on_both;

/// Randomness for what a test makes by itself.
pub fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    OsChance.fill(&mut bytes);
    bytes
}
