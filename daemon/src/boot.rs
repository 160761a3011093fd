//! From a configuration to a running daemon, and back: a library function, so that tests start the real thing on port 0.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use sl_actors::{
    Action, Core, Fault, KeyRing, Order, Parts, Runtime, SYSTEM, Store, Tenant,
    caller::Caller,
    egress::{Egress, EgressLimits, SystemResolver},
    sandbox::Sandbox,
    sealed,
    services::executions::ActionKinds,
    signing::Signer,
};
use sl_http::{Operator, Server, Service};
use sl_store::{
    Chance, Clock, Code, OsChance, SystemClock,
    memory::Memory,
    postgres::{self, Postgres},
};
use tokio_util::sync::CancellationToken;

use crate::{
    refusal::Refusal,
    settings::{Config, Mode, OperatorToken, Schema, bounds, catalogue},
};

/// A daemon at work.
#[derive(Debug)]
pub struct Running {
    /// Where the API is served.
    pub address: SocketAddr,
    runtime: Runtime,
    server: Server,
    draining: CancellationToken,
    drain_time: Duration,
}

/// Starts a daemon on the machine's clock and randomness.
///
/// # Errors
/// A [`Refusal`] that says what stood in the way.
pub async fn boot(config: Config) -> Result<Running, Refusal> {
    boot_with(config, Arc::new(SystemClock), Arc::new(OsChance)).await
}

/// Starts a daemon on a clock and randomness that the caller owns.
///
/// # Errors
/// As [`boot`].
pub async fn boot_with(
    config: Config,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
) -> Result<Running, Refusal> {
    // First the address: one that is taken should not cost a migration.
    let listener = listen(&config.listen)?;
    let address = listener.local_addr().map_err(|error| Refusal::system(error.to_string()))?;
    let store = open_store(&config, clock.clone(), &*chance).await?;
    let keys = Arc::new(config.keys.unwrap_or_else(|| KeyRing::ephemeral(&*chance)));
    check_keys(&store, &keys).await?;
    let drain_time = config.limits.duration(&bounds::DRAIN_TIME);
    let settings = config.limits;
    let sandbox = Sandbox::new((&settings).into(), config.js_host).map_err(defect)?;
    let resolver = Arc::new(SystemResolver::new(EgressLimits::from(&settings).resolutions));
    // The services that the operator named may be private.
    let allow = config.peers.iter().fold(config.egress_allow, |allow, peer| allow.opened_for(&peer.url));
    let egress = Egress::new((&settings).into(), allow, resolver).map_err(defect)?;
    let (peers, actions) = (config.peers, ActionKinds::default());
    let made = || (config.mode == Mode::Dev).then(|| Signer::ephemeral(&*chance));
    let signer = config.signer.or_else(made);
    let catalogue = catalogue();
    let parts =
        Parts { store, clock, chance, keys, settings, catalogue, sandbox, egress, signer, peers, actions };
    let runtime = Runtime::start(Core::new(parts)).await.map_err(defect)?;
    let draining = CancellationToken::new();
    let front = sl_http::Config { operators: operators(&config.tokens), ..sl_http::Config::default() };
    let server = sl_http::serve(Service {
        runtime: runtime.clone(),
        config: front,
        listener,
        draining: draining.clone(),
        drain_within: drain_time / 2,
    })
    .map_err(|error| Refusal::system(format!("the API could not be served: {error}")))?;
    Ok(Running { address, runtime, server, draining, drain_time })
}

/// Brings the schema up to date; answers the names of what was applied.
///
/// # Errors
/// A [`Refusal`] where the database is not there or was migrated by another build.
pub async fn migrate(schema: &Schema) -> Result<Vec<String>, Refusal> {
    postgres::migrate(&schema.database).await.map_err(store_refusal)
}

fn listen(address: &str) -> Result<TcpListener, Refusal> {
    TcpListener::bind(address).map_err(|error| {
        Refusal::system(format!("{address} cannot be listened on: {error}"))
            .remedy("name another with --listen HOST:PORT or SERVICE_LAYER_LISTEN")
    })
}

async fn open_store(config: &Config, clock: Arc<dyn Clock>, chance: &dyn Chance) -> Result<Store, Refusal> {
    let Some(dsn) = &config.database_url else {
        return Ok(Store::new(Memory::start(clock).await.map_err(defect)?));
    };
    let options = options(dsn, config);
    if config.migrate {
        for name in postgres::migrate(&options).await.map_err(store_refusal)? {
            tracing::info!(migration = name, "A migration was applied");
        }
    } else {
        let missing = postgres::pending_migrations(&options).await.map_err(store_refusal)?;
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Refusal::configuration(format!("the database lacks migrations: {missing}"))
                .remedy("run `sld migrate`, or start with --migrate"));
        }
    }
    Ok(Store::new(Postgres::connect(&options, chance).await.map_err(store_refusal)?))
}

/// A daemon with a wrong key would fail the work of the others, and seal what they cannot open.
async fn check_keys(store: &Store, keys: &KeyRing) -> Result<(), Refusal> {
    sealed::check_keys(store, keys).await.map_err(|fault| match fault.code {
        Code::InvalidState => Refusal::configuration(format!("SECRET_ENCRYPTION_KEY: {}", fault.detail))
            .remedy("put the key that the values are sealed under back into the list"),
        _ => store_refusal(fault),
    })
}

fn options(dsn: &SecretString, config: &Config) -> postgres::Options {
    let authorities = config.database_ca_file.clone();
    postgres::Options { authorities, ..bounds::store_options(dsn.expose_secret(), &config.limits) }
}

fn operators(tokens: &[OperatorToken]) -> Vec<Operator> {
    tokens.iter().map(|token| Operator::new(token.id.clone(), token.token.expose_secret())).collect()
}

fn store_refusal(fault: Fault) -> Refusal {
    match fault.code {
        Code::Unavailable | Code::TimedOut => Refusal::unavailable(fault.to_string())
            .remedy("is PostgreSQL running, and does DATABASE_URL name host, port, user and database right?"),
        Code::Invalid | Code::InvalidState => Refusal::configuration(fault.to_string()),
        _ => defect(fault),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn defect(fault: Fault) -> Refusal {
    Refusal::defect(fault.to_string())
}

impl Running {
    /// Ends well: readiness fails, streams end, requests are answered; then running work finishes or is given back.
    pub async fn drain(self) {
        let began = Instant::now();
        self.draining.cancel();
        self.server.stop().await;
        self.runtime.drain(self.drain_time.saturating_sub(began.elapsed())).await;
    }

    /// Whether the daemon answers itself: a round trip through the supervision tree to an account actor, and an answer of
    /// the store. A store that says it is not available has answered; one that hangs has not.
    ///
    /// # Errors
    /// A sentence for the log.
    pub async fn is_alive(&self, within: Duration) -> Result<(), String> {
        let probe = self.runtime.perform(SYSTEM, Arc::new(Caller::duty("watchdog")), None, Probe);
        match tokio::time::timeout(within, probe).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err(format!("no answer within {within:?}")),
        }
    }

    /// What the daemon is made of.
    #[must_use]
    pub const fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// Goes the way of every action and asks the store how it is.
struct Probe;

impl Action for Probe {
    type Output = ();
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        match tenant.core.store.health().await {
            Err(fault) if !fault.code.is_transient() => Err(fault),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
