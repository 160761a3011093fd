//! Executions whose request carries an idempotency key.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code,
    duty::{HEARTBEAT, LEASE},
    pause::{NewPause, PauseWork, Target},
    services::{
        executions::{Execution, MAX_WAIT, Status},
        functions::Function,
    },
};
use sl_store::Query;

use crate::{
    workshop::{Plan, Workshop, execute, perform_keyed},
    world::{Ground, on_both, set, start, until},
};

on_both! {
    fifty_equal_requests_are_one_execution
    a_repeat_is_answered_as_the_first_was
    no_repeat_is_answered_before_the_first_is
    no_other_daemon_answers_a_repeat_while_the_answer_is_owed
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

async fn a_repeat_is_answered_as_the_first_was(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 200))";
    let function = shop.function("slow", source).await;
    for (key, wait, status, stands) in
        [("runs", 20, 202, "running"), ("queued", 0, 202, "queued"), ("ended", 20_000, 200, "succeeded")]
    {
        let run = || execute(function.id, "{}", Some(Duration::from_millis(wait)));
        let (replayed, _, first) = shop.perform_keyed(key, run()).await.unwrap();
        assert_eq!((replayed, &first["status"]), (false, &json!(stands)));
        assert_eq!(shop.perform_keyed(key, run()).await.unwrap(), (true, status, first.clone()));
        let id = first["id"].as_str().unwrap().parse().unwrap();
        shop.until(id, Status::Succeeded).await;
        assert_eq!(shop.perform_keyed(key, run()).await.unwrap(), (true, status, first));
    }
    shop.stop().await;
}

async fn no_repeat_is_answered_before_the_first_is(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 600))";
    let function = shop.function("slow", source).await;
    let run = || execute(function.id, "{}", None);
    let repeated = async {
        until("it runs", async || is_running(&shop).await).await;
        shop.perform_keyed("the key", run()).await
    };
    let (first, repeated) = tokio::join!(shop.perform_keyed("the key", run()), repeated);
    assert_eq!(repeated.unwrap_err().code, Code::InFlight);
    let (_, _, first) = first.unwrap();
    assert_eq!(first["status"], json!("succeeded"));
    assert_eq!(shop.perform_keyed("the key", run()).await.unwrap(), (true, 200, first));
    shop.stop().await;
}

async fn no_other_daemon_answers_a_repeat_while_the_answer_is_owed(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 800))";
    let function = shop.function("slow", source).await;
    let (other, mut late) = (shop.another().await, shop.parts().await);
    // For this one nobody can be waiting any more.
    set(&mut late, &MAX_WAIT, 0);
    let late = start(late, Some(Vec::new())).await;
    let run = || execute(function.id, "{}", None);
    let at = async |runtime, key| perform_keyed(runtime, shop.account, key, run()).await;
    let repeated = async {
        until("it runs", async || is_running(&shop).await).await;
        for daemon in [&other, &late] {
            let refused = at(daemon, "runs").await.unwrap_err();
            assert_eq!(refused.code, Code::InFlight, "its lease is alive");
            assert!(refused.retry_after.is_some());
        }
    };
    let (first, ()) = tokio::join!(shop.perform_keyed("runs", run()), repeated);
    let (_, _, first) = first.unwrap();
    assert_eq!(first["status"], json!("succeeded"));
    assert_eq!(at(&other, "runs").await.unwrap(), (true, 200, first));

    let new = NewPause { reason: String::new(), until: None };
    shop.perform(PauseWork { target: Target::of::<Function>(function.id), new }).await.unwrap();
    let waits = execute(function.id, "{}", Some(Duration::from_secs(2)));
    let repeated = async {
        until("it waits", async || has_queued(&shop).await).await;
        assert_eq!(at(&other, "waits").await.unwrap_err().code, Code::InFlight, "somebody waits for it");
        let (replayed, status, standing) = at(&late, "waits").await.unwrap();
        assert_eq!((replayed, status, &standing["status"]), (true, 202, &json!("queued")), "nobody does");
    };
    let (first, ()) = tokio::join!(shop.perform_keyed("waits", waits), repeated);
    assert_eq!(at(&other, "waits").await.unwrap(), (true, 202, first.unwrap().2));
    for runtime in [other, late] {
        runtime.drain(Duration::from_secs(1)).await;
    }
    shop.stop().await;
}

async fn has_queued(shop: &Workshop) -> bool {
    let queued = Query::of(shop.account).equal("status", Status::Queued.as_str()).limit(1);
    !shop.core().store.list::<Execution>(queued).await.unwrap().is_empty()
}

async fn the_answer_survives_the_daemon_that_promised_it(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&LEASE, 2_000).with(&HEARTBEAT, 200_000).start(ground).await;
    let source = "export default (params, context) => new Promise((r) =>
        setTimeout(() => r({attempt: context.attempt}), context.attempt === 1 ? 60000 : 1))";
    let function = shop.function("slow", source).await;
    let other = shop.another().await;
    let run = || execute(function.id, "{}", Some(Duration::from_secs(50)));
    let again = async || perform_keyed(&other, shop.account, "key", run()).await;
    let repeated = async {
        until("it runs", async || is_running(&shop).await).await;
        assert_eq!(again().await.unwrap_err().code, Code::InFlight, "its daemon may yet answer");
        until("another daemon ends it", async || again().await.is_ok_and(|(_, status, _)| status == 200))
            .await;
        let answer = again().await.unwrap();
        assert!(answer.2["output"]["attempt"].as_u64() > Some(1), "{answer:?}");
        assert_eq!(again().await.unwrap(), answer);
    };
    tokio::select! {
        _ = shop.perform_keyed("key", run()) => panic!("its own daemon does not answer meanwhile"),
        () = repeated => {}
    }
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}

async fn is_running(shop: &Workshop) -> bool {
    let made: Vec<Execution> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
    made.first().is_some_and(|made| made.status == Status::Running)
}
