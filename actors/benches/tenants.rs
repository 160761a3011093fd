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

mod ground;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use sl_actors::{Action, Fault, Order, Tenant, caller::Caller};

use ground::{Must, account, ask, resident, row};

#[tokio::main(flavor = "local")]
async fn main() {
    ground::as_the_daemon();
    let mut numbers = ground::numbers();
    let (tenants, rounds) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(5));
    // On a worker, as requests are.
    tokio::spawn(measure(tenants, rounds)).await.unwrap();
}

async fn measure(tenants: usize, rounds: usize) {
    let runtime = ground::runtime(ground::memory().await, Vec::new()).await;
    let mut accounts = Vec::new();
    for _ in 0..tenants {
        accounts.push(account(&runtime).await);
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
    let behind = format!("{ours:.0} / {theirs:.0} B");
    row("10", "memory of an idle tenant / bare actor", Must::AtMost(4.0), &[ours / theirs], &behind);
    let mut ratios = Vec::new();
    // Who asks is known before anything is asked of the tree.
    let caller = Arc::new(Caller::operator("bench"));
    for _ in 0..rounds {
        let theirs = p50(&bare, |actor| {
            let actor = actor.clone();
            async move {
                actor.call(Asked::Nothing, None).await.unwrap();
            }
        })
        .await;
        let ours = p50(&accounts, |account| {
            let (runtime, account, caller) = (&runtime, *account, caller.clone());
            async move { runtime.perform(account, caller, None, Nothing).await.unwrap() }
        })
        .await;
        ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
        println!("  call {ours:?} / {theirs:?}");
    }
    row("10", "a call through the tree p50 / a bare call", Must::AtMost(2.0), &ratios, "");
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
