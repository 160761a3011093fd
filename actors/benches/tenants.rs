//! What a tenant costs beside a bare ractor actor: memory of an idle one, and a call through the tree.
//!
//! `cargo bench -p sl-actors --bench tenants -- [tenants (10000)] [rounds (5)]`.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measuring program prints, spawns, and stops where something fails"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use sl_actors::{
    Action, Core, Fault, KeyRing, Order, Parts, Runtime, SYSTEM, Store, Tenant,
    caller::Caller,
    egress::{AllowList, Egress, EgressLimits, SystemResolver},
    peers::Peers,
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    services::accounts::{CreateAccount, NewAccount},
    settings::Settings,
};
use sl_store::{OsChance, SystemClock, memory::Memory};
use uuid::Uuid;

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (tenants, rounds) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(5));
    // On a worker, as requests are.
    tokio::spawn(measure(tenants, rounds)).await.unwrap();
}

async fn measure(tenants: usize, rounds: usize) {
    let runtime = runtime().await;
    let mut accounts = Vec::new();
    for _ in 0..tenants {
        let new = NewAccount { owner: "bench".to_owned(), metadata: std::collections::BTreeMap::new() };
        accounts.push(ask(&runtime, SYSTEM, CreateAccount(new)).await.id);
    }
    let before = resident();
    let mut bare = Vec::new();
    for _ in 0..tenants {
        bare.push(Actor::spawn(None, Bare, ()).await.unwrap().0);
    }
    let between = resident();
    for account in &accounts {
        ask(&runtime, *account, Nothing).await;
    }
    let after = resident();
    let each = |bytes: u64| bytes as f64 / tenants as f64;
    let (theirs, ours) = (each(between - before), each(after - between));
    println!(
        "memory of an idle tenant / bare actor: {:.2} (must 4)  [{ours:.0} / {theirs:.0} B]",
        ours / theirs
    );
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let theirs = p50(&bare, |actor| {
            let actor = actor.clone();
            async move {
                actor.call(Asked::Nothing, None).await.unwrap();
            }
        })
        .await;
        let ours = p50(&accounts, |account| {
            let (runtime, account) = (runtime.clone(), *account);
            async move { ask(&runtime, account, Nothing).await }
        })
        .await;
        ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
        println!("  call {ours:?} / {theirs:?}");
    }
    ratios.sort_by(f64::total_cmp);
    let (least, median, most) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
    println!("a call through the tree / a bare call, p50: {median:.2} ({least:.2} to {most:.2}) (must 2)");
}

/// The median of one call to each.
async fn p50<T, F: Future<Output = ()>>(all: &[T], mut call: impl FnMut(&T) -> F) -> Duration {
    let mut took = Vec::with_capacity(all.len());
    for one in all {
        let began = Instant::now();
        call(one).await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took[took.len() / 2]
}

async fn ask<A: Action>(runtime: &Runtime, account: Uuid, action: A) -> A::Output {
    runtime.perform(account, Arc::new(Caller::operator("bench")), None, action).await.unwrap()
}

/// An action that answers at once.
struct Nothing;

impl Action for Nothing {
    type Output = ();
    const ORDER: Order = Order::Concurrent;

    async fn run(self, _tenant: &Tenant) -> Result<(), Fault> {
        Ok(())
    }
}

/// An actor that answers at once.
struct Bare;

enum Asked {
    Nothing(RpcReplyPort<()>),
}

impl Actor for Bare {
    type Msg = Asked;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Asked>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Asked>, asked: Asked, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Asked::Nothing(reply) = asked;
        reply.send(()).map_err(Into::into)
    }
}

async fn runtime() -> Runtime {
    let settings = Settings::default();
    let limits = EgressLimits::from(&settings);
    let host = HostProgram { path: "/nonexistent".into(), arguments: Vec::new() };
    let parts = Parts {
        store: Store::new(Memory::start(Arc::new(SystemClock)).await.unwrap()),
        clock: Arc::new(SystemClock),
        chance: Arc::new(OsChance),
        keys: Arc::new(KeyRing::ephemeral(&OsChance)),
        sandbox: Sandbox::new(SandboxLimits { warm: 0, ..SandboxLimits::from(&settings) }, host).unwrap(),
        egress: Egress::new(limits, AllowList::default(), Arc::new(SystemResolver::new(1))).unwrap(),
        settings,
        catalogue: sl_actors::settings::catalogue(),
        signer: None,
        peers: Peers::default(),
        actions: sl_actors::services::executions::ActionKinds::default(),
    };
    Runtime::start_with(Core::new(parts), Vec::new()).await.unwrap()
}

/// Resident memory in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap() * 4096
}
