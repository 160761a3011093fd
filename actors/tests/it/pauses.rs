//! Pausing at every level, and the exact counts of resuming.

use std::time::Duration;

use sl_actors::{
    Code, SYSTEM,
    caller::Scope,
    page::PageRequest,
    pause::{ListPauses, Missed, NewPause, PauseScope, PauseWork, Resume, ResumeWork, Resumed, Target},
    services::secrets::{CreateSecret, NewSecret, Secret},
};
use sl_store::{Batch, Query};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    script::{DUTY, Script, enqueue, left},
    world::{Ground, World, on_both, start, tenant, until},
};

on_both! {
    a_pause_stops_new_starts_outlives_the_daemon_and_ends_as_told
    every_level_holds_back_what_it_should
    latest_keeps_one_of_each_gate
    what_was_due_before_the_pause_is_not_dropped
    what_an_operator_paused_a_tenant_cannot_resume
    a_pause_ends_by_itself
    a_pause_holds_from_its_answer_on_whatever_is_read_meanwhile
    what_is_not_there_cannot_be_paused
}

fn pause(target: Target) -> PauseWork {
    PauseWork { target, new: NewPause { reason: "maintenance".to_owned(), until: None } }
}

fn resume(target: Target, missed: Missed) -> ResumeWork {
    ResumeWork { target, how: Resume { missed } }
}

fn scripted() -> Target {
    Target::Duty(DUTY.to_owned())
}

/// Promise 8, its quick form.
async fn a_pause_stops_new_starts_outlives_the_daemon_and_ends_as_told(ground: Ground) {
    let script = Script::new(|_| async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        sl_actors::duty::Outcome::Done(Batch::new())
    });
    let parts = ground.parts().await;
    let world = World::of(ground, parts.clone(), Some(vec![script.clone()])).await;
    let account = world.account("Ada").await.id;
    enqueue(&world, account, None, 2_000).await;
    until("some begin", async || script.begun() > 20).await;
    world.act(SYSTEM, pause(scripted())).await.expect("it is paused");
    tokio::time::sleep(Duration::from_millis(250)).await;
    let begun = script.begun();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(script.begun(), begun, "nothing begins");
    assert!(begun < 2_000, "and something was left to hold back");
    world.runtime.drain(Duration::from_secs(1)).await;

    let after = Script::done();
    let parts = sl_actors::Parts { store: world.ground.other().await, ..parts };
    let world = World { runtime: start(parts, Some(vec![after.clone()])).await, ground: world.ground };
    enqueue(&world, account, None, 300).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(after.begun(), 0, "it is still paused");
    let ended = world.act(SYSTEM, resume(scripted(), Missed::Drop)).await.expect("it is resumed");
    assert_eq!(ended, Resumed { kept: 0, dropped: 300 });
    until("the rest is done", async || left(&world).await == 0).await;
    assert_eq!(after.begun(), 2_000 - begun, "what had been due before ran, and nothing else");
    until("each drop is told", async || world.events(account, "item.discarded").await.len() == 300).await;
}

async fn every_level_holds_back_what_it_should(ground: Ground) {
    let script = Script::done();
    let world = World::with(ground, vec![script.clone()]).await;
    let (ada, eve) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let secret = NewSecret { name: "gate".to_owned(), value: "value".into() };
    world.act(ada, CreateSecret(secret)).await.expect("a thing that can be paused");
    let found: Option<Secret> = world.core().store.first(Query::of(ada)).await.expect("a look");
    let gate = found.expect("it is there").head.id;
    let cases: [(Uuid, Target, usize); 4] = [
        (SYSTEM, Target::System, 0),
        (SYSTEM, scripted(), 0),
        (ada, Target::Account, 10),
        (ada, Target::of::<Secret>(gate), 20),
    ];
    for (whose, target, passing) in cases {
        let before = script.begun();
        world.act(whose, pause(target.clone())).await.expect("it is paused");
        enqueue(&world, ada, Some(gate), 10).await;
        enqueue(&world, ada, None, 10).await;
        enqueue(&world, eve, None, 10).await;
        until("what may passes", async || script.begun() == before + passing).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(script.begun(), before + passing, "{target:?}");
        let ended = world.act(whose, resume(target.clone(), Missed::All)).await.expect("it is resumed");
        let held = u64::try_from(30 - passing).expect("small");
        assert_eq!(ended, Resumed { kept: held, dropped: 0 }, "{target:?}");
        until("the rest passes", async || script.begun() == before + 30).await;
        until("and ends", async || left(&world).await == 0).await;
    }
}

async fn latest_keeps_one_of_each_gate(ground: Ground) {
    let script = Script::done();
    let world = World::with(ground, vec![script.clone()]).await;
    let (ada, eve) = (world.account("Ada").await.id, world.account("Eve").await.id);
    world.act(SYSTEM, pause(Target::System)).await.expect("it is paused");
    let mut last = Vec::new();
    for (account, gate) in [(ada, 1), (ada, 2), (eve, 1)] {
        for _ in 0..7 {
            let items = enqueue(&world, account, Some(Uuid::from_u128(gate)), 30).await;
            last.push(items[29]);
        }
    }
    let latest = [last[6], last[13], last[20]];
    // On one clock reading several are due at once; then the youngest is the latest.
    let ended = world.act(SYSTEM, resume(Target::System, Missed::Latest)).await.expect("it is resumed");
    assert_eq!(ended, Resumed { kept: 3, dropped: 627 });
    until("they are done", async || left(&world).await == 0).await;
    let mut begun = script.items();
    begun.sort_unstable();
    let mut expected = latest.to_vec();
    expected.sort_unstable();
    assert_eq!(begun, expected);
}

async fn what_was_due_before_the_pause_is_not_dropped(ground: Ground) {
    let world = World::with(ground, vec![Script::done()]).await;
    let account = world.account("Ada").await.id;
    world.act(account, pause(Target::Account)).await.expect("it is paused");
    enqueue(&world, account, None, 5).await;
    world.act(account, resume(Target::Account, Missed::All)).await.expect("it is resumed");
    until("they are done", async || left(&world).await == 0).await;
    let again = world.act(account, resume(Target::Account, Missed::All)).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidState, "what is not paused cannot be resumed");
}

async fn what_an_operator_paused_a_tenant_cannot_resume(ground: Ground) {
    let world = World::with(ground, vec![Script::done()]).await;
    let account = world.account("Ada").await.id;
    let writer = || tenant(account, &[Scope::Write]);
    world.act(account, pause(Target::Account)).await.expect("an operator pauses");
    let refused = world.act_as(account, writer(), resume(Target::Account, Missed::All)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    let refused = world.act_as(account, writer(), pause(Target::Account)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    world.act(account, resume(Target::Account, Missed::All)).await.expect("an operator resumes");
    let own = world.act_as(account, writer(), pause(Target::Account)).await.expect("a tenant pauses");
    assert_eq!((own.scope, own.account_id), (PauseScope::Account, Some(account)));
    let other = world.account("Eve").await.id;
    let theirs = world.act(other, ListPauses(PageRequest::default())).await.expect("a page");
    assert!(theirs.items.is_empty(), "others do not see it");
    let all = world.act(SYSTEM, ListPauses(PageRequest::default())).await.expect("a page");
    assert_eq!(all.items, [own]);
    world.act_as(account, writer(), resume(Target::Account, Missed::All)).await.expect("and resumes");
    let refused = world.act_as(SYSTEM, writer(), pause(Target::System)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
}

async fn a_pause_ends_by_itself(ground: Ground) {
    let script = Script::done();
    let world = World::with(ground, vec![script.clone()]).await;
    let account = world.account("Ada").await.id;
    let until_then = world.now() + Duration::from_millis(700);
    let new = NewPause { reason: String::new(), until: Some(until_then) };
    world.act(SYSTEM, PauseWork { target: scripted(), new }).await.expect("it is paused");
    enqueue(&world, account, None, 3).await;
    until("they begin", async || script.begun() == 3).await;
    let now = world.now();
    assert!(now >= until_then && now < until_then + Duration::from_millis(500), "{now} for {until_then}");
    let past = NewPause { reason: String::new(), until: Some(now) };
    let refused = world.act(SYSTEM, PauseWork { target: scripted(), new: past }).await.unwrap_err();
    assert_eq!(refused.fields[0].pointer, "/until");
}

async fn a_pause_holds_from_its_answer_on_whatever_is_read_meanwhile(ground: Ground) {
    let world = World::with(ground, vec![Script::done()]).await;
    let core = world.core().clone();
    let paused = || !core.mirror.pauses().is_empty();
    for turn in 0..100 {
        let mut reads = JoinSet::new();
        for _ in 0..4 {
            let core = core.clone();
            reads.spawn(async move { core.mirror.refresh(&core).await });
        }
        world.act(SYSTEM, pause(scripted())).await.expect("it is paused");
        for read in reads.join_all().await {
            read.expect("it is read");
        }
        assert!(paused(), "forgotten in turn {turn}");
        world.act(SYSTEM, resume(scripted(), Missed::All)).await.expect("it goes on");
        assert!(!paused(), "in turn {turn}");
    }
}

async fn what_is_not_there_cannot_be_paused(ground: Ground) {
    let world = World::with(ground, vec![Script::done()]).await;
    let account = world.account("Ada").await.id;
    for (whose, target) in [
        (SYSTEM, Target::Duty("nothing".to_owned())),
        (account, Target::of::<Secret>(Uuid::from_u128(5))),
        (account, Target::of::<Secret>(account)),
        (Uuid::from_u128(6), Target::Account),
    ] {
        assert_eq!(world.act(whose, pause(target)).await.unwrap_err().code, Code::NotFound);
    }
}
