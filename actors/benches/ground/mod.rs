//! What the measuring programs share: a daemon's runtime that runs no JavaScript, and what a process costs.

#![allow(
    dead_code,
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "a measuring program stops where something fails; each uses some of this"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sl_actors::{
    Action, Core, KeyRing, Parts, Runtime, SYSTEM, Store,
    caller::Caller,
    duty::Duty,
    egress::{AllowList, Egress, EgressLimits, SystemResolver},
    peers::Peers,
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    services::{
        accounts::{CreateAccount, NewAccount},
        executions::ActionKinds,
    },
    settings::Settings,
};
use sl_store::{
    OsChance, SystemClock,
    memory::Memory,
    postgres::{Options, Postgres, migrate},
    testing::postgres::{Admin, Server},
};
use uuid::Uuid;

/// The daemon's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes memory from the kernel as the daemon does.
pub fn as_the_daemon() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// A daemon that has these duties and no JavaScript host.
pub async fn runtime(store: Store, duties: Vec<Arc<dyn Duty>>) -> Runtime {
    let settings = Settings::default();
    let limits = EgressLimits::from(&settings);
    let host = HostProgram { path: "/nonexistent".into(), arguments: Vec::new() };
    let parts = Parts {
        store,
        clock: Arc::new(SystemClock),
        chance: Arc::new(OsChance),
        keys: Arc::new(KeyRing::ephemeral(&OsChance)),
        sandbox: Sandbox::new(SandboxLimits { warm: 0, ..SandboxLimits::from(&settings) }, host).unwrap(),
        egress: Egress::new(limits, AllowList::default(), Arc::new(SystemResolver::new(1))).unwrap(),
        settings,
        catalogue: sl_actors::settings::catalogue(),
        signer: None,
        peers: Peers::default(),
        actions: ActionKinds::default(),
    };
    Runtime::start_with(Core::new(parts), duties).await.unwrap()
}

/// A store in memory.
pub async fn memory() -> Store {
    Store::new(Memory::start(Arc::new(SystemClock)).await.unwrap())
}

/// A database of its own on this server, migrated; answers its connection string.
pub async fn database(server: &Server, name: &str) -> String {
    Admin::connect(&server.socket_dsn("postgres")).await.run(&format!("CREATE DATABASE {name}")).await;
    let dsn = server.socket_dsn(name);
    migrate(&Options::new(dsn.clone())).await.unwrap();
    dsn
}

/// A daemon's store in that database.
pub async fn postgres(dsn: &str) -> Store {
    Store::new(Postgres::connect(&Options::new(dsn), &OsChance).await.unwrap())
}

/// Performs an action as an operator.
pub async fn ask<A: Action>(runtime: &Runtime, account: Uuid, action: A) -> A::Output {
    runtime.perform(account, Arc::new(Caller::operator("bench")), None, action).await.unwrap()
}

/// A new account.
pub async fn account(runtime: &Runtime) -> Uuid {
    let new = NewAccount { owner: "bench".to_owned(), metadata: BTreeMap::new() };
    ask(runtime, SYSTEM, CreateAccount(new)).await.id
}

/// The numbers among the arguments.
pub fn numbers() -> impl Iterator<Item = usize> {
    std::env::args().skip(1).filter_map(|argument| argument.parse().ok())
}

/// Whether this part is to be measured: every part is where none is named among the arguments.
pub fn wants(part: &str) -> bool {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| word.parse::<usize>().is_err()).collect();
    !named.iter().any(|word| !word.starts_with('-')) || named.iter().any(|word| word == part)
}

/// The processors' time so far, and what of it the machine beneath took for others, in the kernel's ticks.
#[derive(Clone, Copy)]
pub struct Processors {
    all: f64,
    stolen: f64,
}

impl Processors {
    pub fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap();
        let first = text.lines().next().unwrap();
        let ticks: Vec<f64> = first.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
        Self { all: ticks[..8].iter().sum(), stolen: ticks[7] }
    }

    /// What was stolen since, in percent: nothing that runs here can be sooner than the processor it waits for.
    pub fn stolen_since(self) -> f64 {
        let now = Self::now();
        100.0 * (now.stolen - self.stolen) / (now.all - self.all).max(1.0)
    }
}

/// The value below which this share lies.
pub fn quantile(mut all: Vec<f64>, share: f64) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all[((all.len() - 1) as f64 * share) as usize]
}

/// The middle, with the least and the most beside it.
pub fn spread(all: &[f64]) -> String {
    let at = |share| quantile(all.to_vec(), share);
    format!("{:.2} ({:.2} to {:.2})", at(0.5), at(0.0), at(1.0))
}

/// A bound that a figure must keep.
#[derive(Clone, Copy)]
pub enum Must {
    AtMost(f64),
    AtLeast(f64),
    /// None is named.
    Nothing,
}

/// Prints a row of the table of what was measured: goal, what, must, figure, whether it is held, and what is behind it.
pub fn row(goal: &str, what: &str, must: Must, all: &[f64], behind: &str) {
    let median = quantile(all.to_vec(), 0.5);
    let (bound, held) = match must {
        Must::AtMost(bound) => (format!("<= {bound}"), if median <= bound { "yes" } else { "NO" }),
        Must::AtLeast(bound) => (format!(">= {bound}"), if median >= bound { "yes" } else { "NO" }),
        Must::Nothing => (String::new(), "n/a"),
    };
    println!("| {goal} | {what} | {bound} | {} | {held} | {behind} |", spread(all));
}

/// Prints a figure for whoever compares it with another program's.
pub fn figure(name: &str, value: f64) {
    println!("= {name} {value}");
}

/// Resident memory in bytes.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}

/// CPU time of this process.
pub fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
