//! Cancelling executions, wherever they are.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code,
    duty::HEARTBEAT,
    pause::{NewPause, PauseWork, Target},
    services::{
        executions::{Cancel, Status},
        functions::Function,
    },
};
use uuid::Uuid;

use crate::{
    workshop::{Plan, Workshop, error, execute},
    world::{Ground, on_both},
};

on_both! {
    a_running_execution_ends_with_what_it_logged
    a_queued_execution_never_runs
    an_execution_that_runs_elsewhere_is_cancelled_at_once_and_stops_soon
    what_has_ended_cannot_be_cancelled
    a_cancellation_and_an_end_that_meet_leave_one_end
}

const SLOW: &str =
    "export default () => new Promise((r) => { console.log('begun'); setTimeout(() => r({}), 20000); })";

async fn a_running_execution_ends_with_what_it_logged(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("slow", SLOW).await;
    let running = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(100)))).await.unwrap();
    assert_eq!(running.status, Status::Running);
    let cancelled = shop.perform(Cancel(running.id)).await.unwrap();
    assert_eq!((cancelled.status, &error(&cancelled)["code"]), (Status::Cancelled, &json!("cancelled")));
    assert_eq!(cancelled.logs, ["begun"]);
    shop.told(running.id, &["execution.started", "execution.cancelled"]).await;
    shop.stop().await;
}

async fn a_queued_execution_never_runs(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("slow", SLOW).await;
    let new = NewPause { reason: String::new(), until: None };
    shop.perform(PauseWork { target: Target::of::<Function>(function.id), new }).await.unwrap();
    let queued = shop.begin(function.id, "{}").await;
    let cancelled = shop.perform(Cancel(queued.id)).await.unwrap();
    assert_eq!((cancelled.status, cancelled.attempts), (Status::Cancelled, 0));
    let waits = sl_store::WorkQuery { subject: Some(queued.id), limit: 10, ..Default::default() };
    assert_eq!(shop.core().store.work(waits).await.unwrap(), []);
    shop.told(queued.id, &["execution.queued", "execution.cancelled"]).await;
    shop.stop().await;
}

async fn an_execution_that_runs_elsewhere_is_cancelled_at_once_and_stops_soon(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&HEARTBEAT, 100).start(ground).await;
    let function = shop.function("slow", SLOW).await;
    let running = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(100)))).await.unwrap();
    let other = shop.another().await;
    let caller = std::sync::Arc::new(sl_actors::caller::Caller::operator("alice"));
    let cancelled = other.perform(shop.account, caller, None, Cancel(running.id)).await.unwrap();
    assert_eq!((cancelled.status, cancelled.logs.len()), (Status::Cancelled, 0));
    assert!(error(&cancelled)["message"].as_str().unwrap().contains("operator:alice"));
    crate::world::until("the run stops", async || shop.core().sandbox.status().busy == 0).await;
    assert_eq!(shop.fetch(running.id).await.completed_at, cancelled.completed_at);
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}

async fn what_has_ended_cannot_be_cancelled(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("quick", "() => 1").await;
    let ended = shop.execute(function.id, "{}").await;
    let refused = shop.perform(Cancel(ended.id)).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.detail.as_str()),
        (Code::InvalidState, "the execution has ended: succeeded")
    );
    assert_eq!(shop.perform(Cancel(Uuid::from_u128(7))).await.unwrap_err().code, Code::NotFound);
    shop.stop().await;
}

async fn a_cancellation_and_an_end_that_meet_leave_one_end(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({}), 60))";
    let function = shop.function("meets", source).await;
    for round in 0..12 {
        let wait = Some(Duration::from_millis(55 + round % 4));
        let running = shop.perform(execute(function.id, "{}", wait)).await.unwrap();
        let cancelled = shop.perform(Cancel(running.id)).await;
        let ended = shop.fetch(running.id).await;
        match cancelled {
            Ok(answer) => assert_eq!((answer.status, ended.status), (Status::Cancelled, Status::Cancelled)),
            Err(fault) => assert_eq!((fault.code, ended.status), (Code::InvalidState, Status::Succeeded)),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(shop.fetch(running.id).await.status, ended.status);
    }
    shop.stop().await;
}
