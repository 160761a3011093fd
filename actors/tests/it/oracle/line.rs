//! Who waits for a turn at a source: in a line, asleep.

use std::time::{Duration, Instant};

use serde_json::json;
use sl_actors::{
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
    resource::Amend,
    services::oracle::{ACCOUNT_RATE, DUTY, MAX_OPEN, OracleRequest, OracleSource},
};
use sl_store::Filter;
use uuid::Uuid;

use super::{Peer, ask, ended, source};
use crate::{
    workshop::{Plan, Workshop},
    world::{Ground, on_both, until},
};

on_both! {
    a_line_wakes_each_for_its_own_turn
    an_account_s_rate_makes_a_line_too
    a_line_is_woken_when_its_source_changes
}

/// How often items of the duty were performed so far, asked or put back.
async fn wakings(shop: &Workshop) -> u64 {
    let duties = shop.core().bells.inspect().await;
    duties.iter().find(|duty| duty.name == DUTY).map_or(0, |duty| duty.done + duty.retried)
}

async fn succeeded(shop: &Workshop) -> u64 {
    let filters = vec![Filter::Equal("status", "succeeded".into())];
    shop.core().store.count::<OracleRequest>(Some(shop.account), filters).await.unwrap()
}

/// Asks so often, and lets all of them go at once; answers how often items were performed, and how long it took until all
/// were answered.
async fn storm(shop: &Workshop, source: Uuid, requests: u64) -> (u64, Duration) {
    let target = || Target::of::<OracleSource>(source);
    let new = NewPause { reason: "until all are there".to_owned(), until: None };
    shop.perform(PauseWork { target: target(), new }).await.unwrap();
    for _ in 0..requests {
        ask(shop, json!({"data_source_id": source})).await.unwrap();
    }
    shop.perform(ResumeWork { target: target(), how: Resume { missed: Missed::All } }).await.unwrap();
    let (began, mut seen) = (Instant::now(), 0);
    // Each wait is bounded; the whole takes as long as the rate makes it.
    while seen < requests {
        let before = seen;
        until("another one is answered", async || {
            seen = succeeded(shop).await;
            seen > before
        })
        .await;
    }
    (wakings(shop).await, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_a_thousand_wakes_each_for_its_own_turn() {
    line_of(Ground::lively().await, 1_000, "60/s").await;
}

async fn a_line_wakes_each_for_its_own_turn(ground: Ground) {
    line_of(ground, 60, "15/s").await;
}

async fn line_of(ground: Ground, requests: u64, rate: &str) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let plan = Plan::on(&ground).await.allow(&peer.host());
    let shop = plan.with(&MAX_OPEN, 10_000).with(&ACCOUNT_RATE, 100_000).start(ground).await;
    let fields = json!({"name": "slow", "url": peer.url("/p"), "rate_limit": rate});
    let id = source(&shop, fields).await.unwrap().id;
    let (wakings, took) = storm(&shop, id, requests).await;
    eprintln!("{requests} requests: {wakings} wakings in {took:?}");
    assert!(wakings <= requests * 5 / 2, "{wakings} wakings of {requests} requests");
    assert_eq!(peer.asked("/p").len() as u64, requests);
}

async fn an_account_s_rate_makes_a_line_too(ground: Ground) {
    const REQUESTS: u64 = 60;
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let plan = Plan::on(&ground).await.allow(&peer.host());
    let shop = plan.with(&ACCOUNT_RATE, 15).start(ground).await;
    let id = source(&shop, json!({"name": "fast", "url": peer.url("/p")})).await.unwrap().id;
    let (wakings, took) = storm(&shop, id, REQUESTS).await;
    eprintln!("{REQUESTS} requests: {wakings} wakings in {took:?}");
    assert!(wakings <= REQUESTS * 5 / 2, "{wakings} wakings of {REQUESTS} requests");
}

async fn a_line_is_woken_when_its_source_changes(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let shop = Plan::on(&ground).await.allow(&peer.host()).start(ground).await;
    for (name, patch, expected) in
        [("faster", json!({"rate_limit": "100/s"}), 4), ("off", json!({"enabled": false}), 1)]
    {
        let fields = json!({"name": name, "url": peer.url("/p"), "rate_limit": "1/h"});
        let id = source(&shop, fields).await.unwrap().id;
        let (before, performed) = (succeeded(&shop).await, wakings(&shop).await);
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push(ask(&shop, json!({"data_source_id": id})).await.unwrap().id);
        }
        until("one is answered, and three have a place", async || {
            succeeded(&shop).await == before + 1 && wakings(&shop).await >= performed + 4
        })
        .await;
        let patch = serde_json::from_value(patch).unwrap();
        shop.perform(Amend::<OracleSource> { id, expected: None, patch }).await.unwrap();
        for id in asked {
            ended(&shop, id).await;
        }
        assert_eq!(succeeded(&shop).await, before + expected, "{name}");
    }
}
