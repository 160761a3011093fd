//! The account actors: their order, their gate, and what a flood does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sl_actors::{
    Action, Code, Fault, Order, Tenant, caller::Caller, page::PageRequest, services::accounts::ListTokens,
};
use tokio::sync::Semaphore;

use crate::world::{Ground, World, on_both};

on_both! {
    writes_of_one_tenant_come_one_after_another_and_reads_beside_them
    a_panicking_action_answers_and_harms_nobody
}

/// An action that says when it runs.
struct Write(Arc<AtomicUsize>, Arc<AtomicUsize>);

impl Action for Write {
    type Output = ();

    async fn run(self, _tenant: &Tenant) -> Result<(), Fault> {
        let now = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.1.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.0.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn writes_of_one_tenant_come_one_after_another_and_reads_beside_them(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let (running, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let writes = (0..20).map(|_| world.act(account, Write(running.clone(), most.clone())));
    let reads = (0..20).map(|_| world.act(account, ListTokens(PageRequest::default())));
    let (writes, reads) =
        futures_util::join!(futures_util::future::join_all(writes), futures_util::future::join_all(reads));
    assert!(writes.into_iter().all(|write| write.is_ok()) && reads.into_iter().all(|read| read.is_ok()));
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

struct Panic;

impl Action for Panic {
    type Output = ();

    async fn run(self, _tenant: &Tenant) -> Result<(), Fault> {
        panic!("on purpose");
    }
}

async fn a_panicking_action_answers_and_harms_nobody(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    for _ in 0..20 {
        assert_eq!(world.act(account, Panic).await.unwrap_err().code, Code::Internal);
    }
    world.act(account, ListTokens(PageRequest::default())).await.expect("the actor lives");
    assert!(world.core().health.degraded().is_empty());
}

/// A read that ends when it is let.
struct Slow(Arc<Semaphore>);

impl Action for Slow {
    type Output = ();
    const ORDER: Order = Order::Concurrent;

    async fn run(self, _tenant: &Tenant) -> Result<(), Fault> {
        self.0.acquire().await.map(|_| ()).map_err(Fault::internal)
    }
}

/// How many bytes this process has resident.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}

/// Promise 11, its quick form: a flood at one slow account is refused at once, costs bounded memory, and another
/// account does not feel it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_at_one_account_is_refused_at_once_and_nobody_else_feels_it() {
    let world = Arc::new(World::with(Ground::lively().await, Vec::new()).await);
    let (slow, other) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let gate = Arc::new(Semaphore::new(0));
    let caller = Arc::new(Caller::operator("alice"));
    let mut inside = Vec::new();
    for _ in 0..1_024 {
        let (world, gate, caller) = (world.clone(), gate.clone(), caller.clone());
        inside.push(sl_actors::supervisor::spawn_task("slow", async move {
            world.runtime.perform(slow, caller, None, Slow(gate)).await.expect("it was let in");
        }));
    }
    let full = async || {
        let refused = world.runtime.perform(slow, caller.clone(), None, Slow(gate.clone()));
        let refused = tokio::time::timeout(Duration::from_secs(1), refused).await;
        matches!(refused, Ok(Err(fault)) if fault.code == Code::Overloaded)
    };
    crate::world::until("the queue is full", full).await;

    let before = resident();
    let refused = AtomicU64::new(0);
    let mut worst = Duration::ZERO;
    for round in 0..100_000_u32 {
        let answer = world.runtime.perform(slow, caller.clone(), None, Slow(gate.clone())).await.unwrap_err();
        assert_eq!(answer.code, Code::Overloaded);
        assert!(answer.retry_after.is_some() && answer.limit.is_some());
        refused.fetch_add(1, Ordering::Relaxed);
        if round % 1_000 == 0 {
            let began = tokio::time::Instant::now();
            world.act(other, ListTokens(PageRequest::default())).await.expect("another is served");
            worst = worst.max(began.elapsed());
        }
    }
    let grown = resident().saturating_sub(before);
    println!("100,000 refused, {grown} bytes more resident, another account's worst answer {worst:?}");
    assert!(grown < 16 << 20, "{grown} bytes");
    assert!(worst < Duration::from_millis(500), "{worst:?}");
    gate.add_permits(2_000);
    for task in inside {
        task.await.expect("it ends");
    }
    world.act(slow, ListTokens(PageRequest::default())).await.expect("and it is served again");
}
