//! What becomes of executions and of those who wait for them when their daemon goes, or their account does.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code,
    pause::{NewPause, PauseWork, Target},
    services::{
        accounts::{DeleteAccount, FetchAccount},
        executions::{Execution, PERSIST_AFTER, Status},
        functions::Function,
    },
};
use sl_store::{Query, Work, WorkQuery};

use crate::{
    workshop::{Plan, Workshop, execute, new_function, output},
    world::{Ground, on_both, until},
};

on_both! {
    who_waits_is_answered_before_the_daemon_goes
    what_a_drain_stops_is_given_back_before_it_ends_and_what_had_begun_counts
    a_deleted_account_s_direct_runs_stop
}

/// Takes its time at the first attempt, unless it is told not to.
const SLOW_AT_FIRST: &str = "export default (params, context) => new Promise((r) =>
    setTimeout(() => r({attempt: context.attempt}), context.attempt === 1 && !params.quick ? 60000 : 1))";

async fn runs(shop: &Workshop, count: usize) {
    until("they run", async || {
        let running = Query::of(shop.account).equal("status", Status::Running.as_str()).limit(10);
        shop.core().store.list::<Execution>(running).await.unwrap().len() == count
    })
    .await;
}

async fn items(shop: &Workshop) -> Vec<Work> {
    let query = WorkQuery { account: Some(shop.account), limit: 10, ..WorkQuery::default() };
    shop.core().store.work(query).await.unwrap()
}

async fn who_waits_is_answered_before_the_daemon_goes(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&PERSIST_AFTER, 60_000).start(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 2500))";
    let (slow, held) = (shop.function("slow", source).await.id, shop.function("held", source).await.id);
    let new = NewPause { reason: String::new(), until: None };
    shop.perform(PauseWork { target: Target::of::<Function>(held), new }).await.unwrap();
    let closing = async {
        runs(&shop, 1).await;
        until("the other waits", async || items(&shop).await.len() == 2).await;
        shop.world.runtime.end_waits();
        tokio::time::Instant::now()
    };
    let keyed = shop.perform_keyed("key", execute(slow, "{}", None));
    let (plain, queued) = (shop.perform(execute(slow, "{}", None)), shop.perform(execute(held, "{}", None)));
    let (keyed, plain, queued, closed) = tokio::join!(keyed, plain, queued, closing);
    assert!(closed.elapsed() < Duration::from_millis(1_500), "long before the runs end");
    let (replayed, _, keyed) = keyed.unwrap();
    assert_eq!((replayed, &keyed["status"]), (false, &json!("running")));
    let (plain, queued) = (plain.unwrap(), queued.unwrap());
    assert_eq!((plain.status, queued.status), (Status::Running, Status::Queued));
    let again = shop.perform_keyed("key", execute(slow, "{}", None)).await.unwrap();
    assert_eq!(again, (true, 202, keyed.clone()), "what the key promised is kept");
    let late = shop.perform(execute(slow, "{}", None)).await.unwrap();
    assert_eq!(late.status, Status::Queued, "nobody is kept waiting any more");
    for id in [keyed["id"].as_str().unwrap().parse().unwrap(), plain.id] {
        assert_eq!(shop.until(id, Status::Succeeded).await.attempts, 1, "it went on");
    }
    shop.stop().await;
}

async fn what_a_drain_stops_is_given_back_before_it_ends_and_what_had_begun_counts(ground: Ground) {
    let mut shop = Plan::on(&ground).await.with(&PERSIST_AFTER, 1_000).start(ground).await;
    let function = shop.function("slow", SLOW_AT_FIRST).await.id;
    let mut new = new_function("narrow", SLOW_AT_FIRST);
    new.limits = serde_json::from_value(json!({"concurrency": 1})).unwrap();
    let narrow = shop.create(new).await.unwrap().id;
    // One for each way to hold a run, and then one that finds no place.
    let brief = Some(Duration::from_millis(10));
    let direct = shop.perform(execute(narrow, "{}", brief)).await.unwrap().id;
    let queued = shop.begin(function, "{}").await.id;
    shop.until(queued, Status::Running).await;
    let other = shop.another().await;
    let runtime = shop.world.runtime.clone();
    let waited = async { shop.perform(execute(function, "{}", None)).await.unwrap().id };
    let drained = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let crowded = shop.begin(narrow, r#"{"quick": true}"#).await.id;
        runtime.drain(Duration::from_millis(50)).await;
        (crowded, items(&shop).await)
    };
    let (waited, (crowded, items)) = tokio::join!(waited, drained);
    let mine = Some(runtime.core().daemon_id);
    assert!(items.iter().all(|item| item.holder != mine), "all is given back: {items:?}");
    shop.world.runtime = other;
    for (id, attempt) in [(direct, 2), (queued, 2), (waited, 2), (crowded, 1)] {
        let ended = shop.until(id, Status::Succeeded).await;
        assert_eq!((ended.attempts, output(&ended)), (attempt, json!({"attempt": attempt})));
    }
    shop.stop().await;
}

async fn a_deleted_account_s_direct_runs_stop(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("slow", SLOW_AT_FIRST).await.id;
    let running = shop.perform(execute(function, "{}", Some(Duration::from_millis(10)))).await.unwrap();
    assert_eq!(running.status, Status::Running);
    let asked = tokio::time::Instant::now();
    shop.perform(DeleteAccount { expected: None }).await.unwrap();
    until("it is removed", async || {
        shop.perform(FetchAccount).await.is_err_and(|fault| fault.code == Code::NotFound)
    })
    .await;
    // Sooner than its lease would be looked at.
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    shop.stop().await;
}
