//! Executions whose request carries an idempotency key.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code,
    duty::{HEARTBEAT, LEASE},
    services::executions::{Execution, Status},
};
use sl_store::Query;

use crate::{
    workshop::{Plan, Workshop, execute},
    world::{Ground, on_both, until},
};

on_both! {
    fifty_equal_requests_are_one_execution
    a_repeat_is_answered_with_what_is_known_by_then
    the_answer_survives_the_daemon_that_promised_it
}

async fn fifty_equal_requests_are_one_execution(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({n: Math.random()}), 80))";
    let function = shop.function("counts", source).await;
    let all = (0..50).map(|_| shop.perform_keyed("the key", execute(function.id, "{}", None)));
    let (mut first, mut ids) = (0, Vec::new());
    for answer in futures_util::future::join_all(all).await {
        match answer {
            Ok((replayed, _, answer)) => {
                first += u32::from(!replayed);
                ids.push(answer["id"].clone());
            }
            Err(fault) => assert_eq!(fault.code, Code::InFlight),
        }
    }
    ids.dedup();
    assert_eq!((first, ids.len()), (1, 1));
    let made: Vec<Execution> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
    assert_eq!((made.len(), made[0].status), (1, Status::Succeeded));
    let (replayed, status, answer) =
        shop.perform_keyed("the key", execute(function.id, "{}", None)).await.unwrap();
    assert_eq!((replayed, status, &answer["status"]), (true, 200, &json!("succeeded")));
    assert_eq!(answer, serde_json::to_value(shop.fetch(made[0].head.id).await).unwrap());
    shop.stop().await;
}

async fn a_repeat_is_answered_with_what_is_known_by_then(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 500))";
    let function = shop.function("slow", source).await;
    let run = || execute(function.id, "{}", Some(Duration::from_millis(20)));
    let (_, _, first) = shop.perform_keyed("slow", run()).await.unwrap();
    assert_eq!(first["status"], json!("running"));
    let (replayed, status, second) = shop.perform_keyed("slow", run()).await.unwrap();
    assert_eq!((replayed, status, &second["status"]), (true, 202, &json!("running")));
    assert_eq!(first["id"], second["id"]);
    until("it ends", async || shop.perform_keyed("slow", run()).await.unwrap().2["status"] == "succeeded")
        .await;
    let queued = || execute(function.id, "{}", Some(Duration::ZERO));
    let (_, _, queued_first) = shop.perform_keyed("queued", queued()).await.unwrap();
    assert_eq!(queued_first["status"], json!("queued"));
    until("it ends", async || {
        let (replayed, status, answer) = shop.perform_keyed("queued", queued()).await.unwrap();
        assert!(replayed && answer["id"] == queued_first["id"]);
        (status, &answer["status"]) == (200, &json!("succeeded"))
    })
    .await;
    shop.stop().await;
}

async fn the_answer_survives_the_daemon_that_promised_it(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&LEASE, 500).with(&HEARTBEAT, 200_000).start(ground).await;
    let source = "export default (params, context) =>
        new Promise((r) => setTimeout(() => r({attempt: context.attempt}), context.attempt === 1 ? 30000 : 1))";
    let function = shop.function("slow", source).await;
    let other = shop.another().await;
    let run = || execute(function.id, "{}", Some(Duration::from_millis(20)));
    let (_, _, first) = shop.perform_keyed("key", run()).await.unwrap();
    assert_eq!(first["status"], json!("running"));
    until("another daemon ends it", async || {
        let (_, status, answer) = shop.perform_keyed("key", run()).await.unwrap();
        (status, &answer["output"]) == (200, &json!({"attempt": 2}))
    })
    .await;
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}
