//! The world a story happens in: the real daemon, started in this process on a free port, on either store, with the real
//! JavaScript host; or as a process of its own, for tests of what must survive what.

pub mod client;
pub mod node;
pub mod process;
pub mod proxy;
pub mod sink;

use std::{future::Future, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::{Value, json};
use sl_actors::{
    KeyRing,
    egress::AllowList,
    peers::Peers,
    sandbox::HostProgram,
    settings::{Settings, Source},
    signing::Signer,
};
use sl_daemon::{
    boot::{self, Running},
    serve,
    settings::{Config, Mode, OperatorToken},
};
use sl_store::{OsChance, testing::postgres::Database};
use tokio::runtime::Builder;

pub use self::client::{Client, text};

/// The operator's token in every test.
pub const TOKEN: &str = "operator-token-of-the-tests";

/// A key that seals in tests.
pub const KEY: &str = "6b1f0a3c9d5e7f2a4c8b6d0e1f3a5c7e9b2d4f6a8c0e1d3b5f7a9c2e4d6b8f01";

/// A signing key of tests.
pub const SIGNING_KEY: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

/// A running daemon and an operator who speaks to it.
#[derive(Debug)]
pub struct World {
    /// The operator.
    pub client: Client,
    /// The daemon.
    pub daemon: Running,
    /// The database, where there is one.
    pub database: Option<Arc<Database>>,
}

/// Whether the full form of a test is asked for.
#[expect(clippy::disallowed_methods, reason = "a word from `./x soak`, no setting of the daemon")]
pub fn is_soak() -> bool {
    std::env::var_os("SERVICE_LAYER_SOAK").is_some()
}

/// Tells a story once in memory and once on PostgreSQL.
pub fn each_store(story: impl AsyncFn(&World)) {
    each_store_with(&Settings::default(), &story);
}

/// The same with numbers other than the defaults.
pub fn each_store_with(limits: &Settings, story: &impl AsyncFn(&World)) {
    on_one_thread(async {
        eprintln!("in memory");
        let world = World::start(None, limits).await;
        story(&world).await;
        world.end().await;
        eprintln!("on PostgreSQL");
        let world = World::start(Some(Arc::new(Database::fresh().await)), limits).await;
        story(&world).await;
        world.end().await;
    });
}

/// Runs a test on threads of its own: its daemons are processes, and it may block.
pub fn on_threads(test: impl Future<Output = ()>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(test);
}

/// Runs a test together with its daemons, on one thread like theirs.
pub fn on_one_thread(test: impl Future<Output = ()>) {
    serve::one_thread().expect("a runtime").block_on(test);
}

impl World {
    /// A daemon in this process, on a database or in memory.
    pub async fn start(database: Option<Arc<Database>>, limits: &Settings) -> Self {
        Self::with_peers(database, limits, Peers::default()).await
    }

    /// The same with services outside.
    pub async fn with_peers(database: Option<Arc<Database>>, limits: &Settings, peers: Peers) -> Self {
        let config = Config { peers, ..config(database.as_deref(), limits) };
        let daemon = boot::boot(config).await.expect("the daemon starts");
        let base = format!("http://{}", daemon.address);
        Self { client: Client::new(&base, TOKEN), daemon, database }
    }

    /// A daemon on a database of its own.
    pub async fn on_postgres() -> Self {
        Self::start(Some(Arc::new(Database::fresh().await)), &Settings::default()).await
    }

    /// Another daemon on the same database.
    pub async fn beside(&self) -> Self {
        let database = self.database.clone().expect("only a database can be shared");
        Self::start(Some(database), &Settings::default()).await
    }

    /// Drains the daemon; every test ends here, so that what cannot drain is seen.
    pub async fn end(self) {
        let drained = tokio::time::timeout(Duration::from_secs(30), self.daemon.drain()).await;
        drained.expect("the daemon drains within 30 s");
    }

    /// A fresh account; its path (`/accounts/{id}`).
    pub async fn account(&self) -> String {
        account(&self.client).await
    }
}

/// Makes an account; its path.
pub async fn account(client: &Client) -> String {
    let made = client.post("/accounts", &json!({"owner": "tester"})).await.expect(201);
    format!("/accounts/{}", text(&made, "id"))
}

/// Makes a function of this source; its path.
pub async fn function(client: &Client, account: &str, name: &str, source: &str) -> String {
    let body = json!({"name": name, "source": source});
    let made = client.post(&format!("{account}/functions"), &body).await.expect(201);
    format!("{account}/functions/{}", text(&made, "id"))
}

/// Looks until the answer pleases, for at most `within`.
pub async fn until(client: &Client, path: &str, within: Duration, pleases: impl Fn(&Value) -> bool) -> Value {
    let began = tokio::time::Instant::now();
    loop {
        let seen = client.get(path).await.body;
        if pleases(&seen) {
            return seen;
        }
        assert!(began.elapsed() < within, "{path} after {within:?}: {seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The configuration of a test's daemon.
fn config(database: Option<&Database>, limits: &Settings) -> Config {
    Config {
        mode: Mode::Serve,
        listen: "127.0.0.1:0".to_owned(),
        database_ca_file: None,
        database_url: database.map(|database| SecretString::from(database.dsn())),
        migrate: true,
        log_level: "warn".to_owned(),
        tokens: vec![OperatorToken { id: "tester".to_owned(), token: SecretString::from(TOKEN) }],
        keys: Some(
            KeyRing::parse("SECRET_ENCRYPTION_KEY", KEY).unwrap_or_else(|_| KeyRing::ephemeral(&OsChance)),
        ),
        signer: Some(Signer::parse(SIGNING_KEY).expect("a key")),
        peers: Peers::default(),
        egress_allow: AllowList::default(),
        js_host: HostProgram { path: process::program("sl-js-host"), arguments: Vec::new() },
        // Nobody else speaks to it, so that nobody has to be let go.
        limits: limits.with(&sl_http::settings::DRAIN_GRACE, 0, Source::Flag),
        warnings: Vec::new(),
    }
}

/// Looks until nothing is there any more.
pub async fn gone(client: &Client, path: &str) {
    for _ in 0..500 {
        if client.get(path).await.status == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} is still there");
}
