//! What drives every duty: claims, settlements, retries, dead letters, lost leases, drain, recurrence.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sl_actors::{
    Code, Core, Fault,
    duty::{self, Attempt, Duty, Outcome},
    services::control::{EventRetention, TIDY_EVERY},
    settings::Setting,
    why::Why,
};
use sl_store::{Batch, NewWork, WorkQuery};

use crate::{
    script::{Script, dead, enqueue, left, queue, told},
    world::{Ground, World, on_both, set, start, until},
};

on_both! {
    what_is_done_leaves_the_queue_and_its_effect_stays
    what_fails_is_tried_again_and_then_a_dead_letter
    what_fails_for_good_is_a_dead_letter_at_once
    a_panic_is_a_failed_attempt
    no_more_run_than_may
    a_lost_lease_cancels_and_changes_nothing
    a_drain_lets_others_take_over_at_once
    what_recurs_is_there_once_and_comes_again
    a_poison_item_harms_nobody_else
    an_actor_that_crashes_again_and_again_is_degraded_and_the_others_go_on
}

fn failure(code: Code) -> Fault {
    Fault::new(code, "the peer does not answer")
}

async fn what_is_done_leaves_the_queue_and_its_effect_stays(ground: Ground) {
    let script = Script::new(|attempt| async move {
        let mut batch = Batch::new();
        batch.event(told(&attempt.work, "item.done"));
        Outcome::Done(batch)
    });
    let world = World::with(ground, vec![script.clone()]).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 300).await;
    until("all are done", async || left(&world).await == 0).await;
    until("each effect is there", async || world.events(account, "item.done").await.len() == 300).await;
    assert!(items.iter().all(|item| script.attempts(*item) == [1]), "each once");
}

async fn what_fails_is_tried_again_and_then_a_dead_letter(ground: Ground) {
    let script = Script::new(|_| async { Outcome::Retry(failure(Code::Unavailable), Batch::new()) });
    let world = World::with(ground, vec![script.clone()]).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 1).await;
    until("it is given up", async || dead(&world, account).await == 1).await;
    assert_eq!(script.attempts(items[0]), [1, 2, 3]);
    assert_eq!(left(&world).await, 0);
    until("it was buried", async || world.events(account, "item.buried").await.len() == 1).await;
    let told = world.events(account, "dead_letter.created").await;
    assert_eq!(told[0].data["reason"], "exhausted");
    // Counted after it was committed.
    until("it was counted", async || world.core().bells.inspect().await[0].dead == 1).await;
    let status = world.core().bells.inspect().await.remove(0);
    assert_eq!((status.retried, status.dead), (2, 1));
    assert_eq!(status.last_error.as_deref(), Some("unavailable: the peer does not answer"));
}

async fn what_fails_for_good_is_a_dead_letter_at_once(ground: Ground) {
    let script = Script::new(|_| async { Outcome::Dead(failure(Code::Upstream)) });
    let world = World::with(ground, vec![script.clone()]).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 1).await;
    until("it is given up", async || dead(&world, account).await == 1).await;
    assert_eq!(script.attempts(items[0]), [1]);
}

async fn a_panic_is_a_failed_attempt(ground: Ground) {
    let script = Script::new(|attempt| async move {
        assert!(attempt.work.attempt > 1, "the first attempt fails");
        Outcome::Done(Batch::new())
    });
    let world = World::with(ground, vec![script.clone()]).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 1).await;
    until("it is done", async || left(&world).await == 0).await;
    assert_eq!(script.attempts(items[0]), [1, 2]);
    assert_eq!(dead(&world, account).await, 0);
}

async fn no_more_run_than_may(ground: Ground) {
    let script = Script::new(|_| async {
        tokio::time::sleep(Duration::from_millis(3)).await;
        Outcome::Done(Batch::new())
    });
    let world = World::with(ground, vec![script.clone()]).await;
    for owner in ["Ada", "Eve", "Joe"] {
        let account = world.account(owner).await.id;
        enqueue(&world, account, None, 60).await;
    }
    until("all are done", async || left(&world).await == 0).await;
    assert_eq!((script.begun(), script.most()), (180, 8));
}

async fn a_lost_lease_cancels_and_changes_nothing(ground: Ground) {
    let script = Script::new(|attempt| async move {
        attempt.cancel.cancelled().await;
        let mut batch = Batch::new();
        batch.event(told(&attempt.work, "item.done"));
        Outcome::Done(batch)
    });
    let mut parts = ground.parts().await;
    set(&mut parts, &duty::HEARTBEAT, 100);
    let world = World::of(ground, parts, Some(vec![script.clone()])).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 1).await;
    until("it runs", async || script.running() == 1).await;
    let mut batch = Batch::new();
    batch.withdraw(account, items[0]);
    world.core().store.commit(batch).await.expect("it is withdrawn");
    until("it is told so", async || script.running() == 0).await;
    let lost = async || world.core().bells.inspect().await.first().is_some_and(|status| status.lost == 1);
    until("its outcome is refused", lost).await;
    assert!(world.events(account, "item.done").await.is_empty(), "it had no effect");
}

async fn a_drain_lets_others_take_over_at_once(ground: Ground) {
    let stuck = Script::new(|attempt| async move {
        attempt.cancel.cancelled().await;
        Outcome::Release
    });
    let mut parts = ground.parts().await;
    // Nobody waits for a lease to run out.
    set(&mut parts, &duty::LEASE, 600_000);
    let other = sl_actors::Parts { store: ground.other().await, ..parts.clone() };
    let world = World::of(ground, parts, Some(vec![stuck.clone()])).await;
    let account = world.account("Ada").await.id;
    let items = enqueue(&world, account, None, 5).await;
    until("they run", async || stuck.running() == 5).await;
    world.runtime.drain(Duration::from_millis(50)).await;
    let willing = Script::done();
    let taken_over = start(other, Some(vec![willing.clone()])).await;
    let released = tokio::time::Instant::now();
    until("the other does them", async || willing.begun() == 5).await;
    assert!(released.elapsed() < Duration::from_secs(2));
    assert_eq!(willing.attempts(items[0]), [1], "an attempt that was given back does not count");
    until("and ends them", async || left(&world).await == 0).await;
    taken_over.drain(Duration::from_secs(1)).await;
}

async fn what_recurs_is_there_once_and_comes_again(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &TIDY_EVERY, 1_000);
    let duties = || vec![Arc::new(EventRetention) as Arc<dyn Duty>];
    let mut others = Vec::new();
    for _ in 0..3 {
        let parts = sl_actors::Parts { store: ground.other().await, ..parts.clone() };
        others.push(start(parts, Some(duties())).await);
    }
    let world = World::of(ground, parts, Some(duties())).await;
    let query = || WorkQuery { duty: Some("event-retention".to_owned()), limit: 10, ..WorkQuery::default() };
    let twice = async || {
        let items = world.core().store.work(query()).await.expect("the queue");
        assert_eq!(items.len(), 1, "one item for all daemons");
        items[0].fence >= 2
    };
    until("it came again", twice).await;
    assert_eq!(queue(&world).await.waiting, 0);
}

async fn a_poison_item_harms_nobody_else(ground: Ground) {
    let script = Script::new(|attempt| async move {
        assert_ne!(attempt.work.priority, 9, "poison");
        Outcome::Done(Batch::new())
    });
    let world = World::with(ground, vec![script.clone()]).await;
    let (poisoned, healthy) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let mut batch = Batch::new();
    for _ in 0..5 {
        let id = world.core().ids.next();
        let mut work = NewWork::new(id, crate::script::DUTY, poisoned, id, world.now());
        work.priority = 9;
        batch.enqueue(work);
    }
    world.core().store.commit(batch).await.expect("poison is added");
    enqueue(&world, healthy, None, 200).await;
    until("everything ends", async || left(&world).await == 0).await;
    assert_eq!((dead(&world, poisoned).await, dead(&world, healthy).await), (5, 0));
    assert!(world.core().health.degraded().is_empty(), "no actor was harmed");
}

/// A duty whose actor cannot live.
struct Broken;

impl Duty for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn doc(&self) -> &'static str {
        "Brings its actor down."
    }

    fn concurrency(&self) -> &'static Setting {
        &crate::script::CONCURRENCY
    }

    fn full(&self, _core: &Core) -> Vec<uuid::Uuid> {
        panic!("on purpose")
    }

    fn perform<'a>(&'a self, _core: &'a Arc<Core>, _attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async { Outcome::Release })
    }
}

/// Promise 11, its second half.
async fn an_actor_that_crashes_again_and_again_is_degraded_and_the_others_go_on(ground: Ground) {
    let script = Script::done();
    let world = World::with(ground, vec![script.clone(), Arc::new(Broken)]).await;
    let account = world.account("Ada").await.id;
    until("it is given up for now", async || world.core().health.degraded().contains_key("broken")).await;
    enqueue(&world, account, None, 50).await;
    until("others do their work", async || left(&world).await == 0).await;
    let degraded = world.core().health.degraded();
    assert_eq!(degraded.len(), 1, "{degraded:?}");
    let mut batch = Batch::new();
    let subject = world.core().ids.next();
    batch.enqueue(NewWork::new(subject, "broken", account, subject, world.now()));
    world.core().store.commit(batch).await.expect("work is added");
    let why = world.act(account, Why(subject)).await.expect("it is told");
    assert!(why.causes.iter().any(|cause| cause.code == "degraded"), "{why:?}");
}
