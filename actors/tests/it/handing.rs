//! Items that go straight to the duty of the daemon that adds them.

use std::{future::Future, pin::pin, task::Context, time::Duration};

use sl_actors::{
    duty::{self, Outcome},
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
};
use sl_store::{Batch, SYSTEM, WorkQuery};

use crate::{
    script::{DUTY, Script, enqueue, left},
    world::{Ground, World, on_both, set, until},
};

on_both! {
    what_is_handed_over_is_performed_once_and_no_more_at_once_than_may
    what_is_handed_to_a_paused_duty_is_given_back
    what_is_handed_to_a_paused_account_is_given_back
    who_goes_away_leaves_nothing_unbegun
}

/// A world in which nothing is performed because a lease has run out.
async fn world(ground: Ground, script: &std::sync::Arc<Script>) -> World {
    let mut parts = ground.parts().await;
    set(&mut parts, &duty::LEASE, 600_000);
    World::of(ground, parts, Some(vec![script.clone()])).await
}

async fn what_is_handed_over_is_performed_once_and_no_more_at_once_than_may(ground: Ground) {
    let script = Script::new(|_| async {
        tokio::task::yield_now().await;
        Outcome::Done(Batch::new())
    });
    let world = world(ground, &script).await;
    let accounts = [world.account("Ada").await.id, world.account("Eve").await.id];
    let mut items = Vec::new();
    for number in 0..200 {
        items.extend(enqueue(&world, accounts[number % 2], None, 1 + number % 3).await);
    }
    until("all are done", async || left(&world).await == 0).await;
    assert!(items.iter().all(|item| script.attempts(*item) == [1]), "each once");
    assert!(script.most() <= 8, "{} at once", script.most());
}

async fn paused(ground: Ground, target: impl Fn(uuid::Uuid) -> (uuid::Uuid, Target)) {
    let script = Script::done();
    let world = world(ground, &script).await;
    let account = world.account("Ada").await.id;
    let (whose, target) = target(account);
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    world.act(whose, PauseWork { target: target.clone(), new }).await.expect("it is paused");
    let items = enqueue(&world, account, None, 3).await;
    let query = WorkQuery { duty: Some(DUTY.to_owned()), limit: 10, ..WorkQuery::default() };
    let free = async || {
        let found = world.core().store.work(query.clone()).await.expect("a page");
        found.len() == 3 && found.iter().all(|item| item.holder.is_none() && item.attempt == 0)
    };
    until("they wait, held by nobody", free).await;
    assert_eq!(script.begun(), 0);
    let how = Resume { missed: Missed::All };
    world.act(whose, ResumeWork { target, how }).await.expect("it is resumed");
    until("they are done", async || left(&world).await == 0).await;
    assert!(items.iter().all(|item| script.attempts(*item) == [1]));
}

async fn what_is_handed_to_a_paused_duty_is_given_back(ground: Ground) {
    paused(ground, |_| (SYSTEM, Target::Duty(DUTY.to_owned()))).await;
}

async fn what_is_handed_to_a_paused_account_is_given_back(ground: Ground) {
    paused(ground, |account| (account, Target::Account)).await;
}

async fn who_goes_away_leaves_nothing_unbegun(ground: Ground) {
    let script = Script::done();
    let world = world(ground, &script).await;
    let account = world.account("Ada").await.id;
    for _ in 0..50 {
        let mut adding = pin!(enqueue(&world, account, None, 1));
        // Asked once, and then dropped.
        let _nobody_waits = adding.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }
    until("what was added is done", async || left(&world).await == 0).await;
    tokio::time::timeout(Duration::from_secs(10), enqueue(&world, account, None, 1)).await.expect("at once");
    until("the last one too", async || left(&world).await == 0).await;
}
