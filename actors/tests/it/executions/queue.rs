//! Executions that wait for their turn: asked to, paused, crowded, or taken over from a daemon that died.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code, Fault, Parts,
    duty::{HEARTBEAT, LEASE, RETRY_ATTEMPTS},
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
    resource::{Amend, Remove},
    sandbox::{HostProgram, Sandbox, SandboxLimits},
    services::{
        dead_letters::{DeadLetter, RedriveDeadLetter},
        executions::{ExecutionView, PERSIST_AFTER, QUEUE, Status},
        functions::{AmendFunction, Function},
    },
    why::Why,
};
use sl_store::Query;
use uuid::Uuid;

use crate::{
    workshop::{Plan, Workshop, error, execute, new_function, output},
    world::{Ground, on_both},
};

on_both! {
    an_execution_that_is_not_waited_for_runs_from_the_queue
    a_paused_function_s_executions_wait_until_it_is_resumed
    a_resume_that_drops_cancels_what_waited
    no_function_has_more_runs_than_it_may
    the_version_is_that_of_the_moment_of_asking
    executions_of_a_removed_function_are_cancelled
    another_daemon_performs_what_a_dead_one_began
    what_no_host_can_be_had_for_ends_as_a_dead_letter_and_can_be_redriven
    the_queue_is_bounded
}

const ECHO: &str = "export default (params) => params";

async fn an_execution_that_is_not_waited_for_runs_from_the_queue(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&PERSIST_AFTER, 10_000).start(ground).await;
    let function = shop.function("echo", ECHO).await;
    let begun = shop.begin(function.id, r#"{"n": 1}"#).await;
    assert_eq!((begun.status, begun.attempts, begun.started_at), (Status::Queued, 0, None));
    let ended = shop.until(begun.id, Status::Succeeded).await;
    assert_eq!((ended.attempts, output(&ended)), (1, json!({"n": 1})));
    shop.told(begun.id, &["execution.queued", "execution.succeeded"]).await;
    shop.stop().await;
}

async fn pause(shop: &Workshop, function: Uuid) {
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    shop.perform(PauseWork { target: Target::of::<Function>(function), new }).await.unwrap();
}

async fn resume(shop: &Workshop, function: Uuid, missed: Missed) {
    shop.perform(ResumeWork { target: Target::of::<Function>(function), how: Resume { missed } })
        .await
        .unwrap();
}

async fn a_paused_function_s_executions_wait_until_it_is_resumed(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let (held, free) = (shop.function("held", ECHO).await, shop.function("free", ECHO).await);
    pause(&shop, held.id).await;
    let waited = shop.perform(execute(held.id, "{}", Some(Duration::from_millis(100)))).await.unwrap();
    assert_eq!(waited.status, Status::Queued);
    assert_eq!(shop.execute(free.id, "{}").await.status, Status::Succeeded);
    let why = shop.perform(Why(waited.id)).await.unwrap();
    assert_eq!((why.kind.as_str(), why.status.as_str()), ("execution", "queued"));
    assert!(why.causes.iter().any(|cause| cause.code == "paused"), "{why:?}");
    resume(&shop, held.id, Missed::All).await;
    assert_eq!(shop.until(waited.id, Status::Succeeded).await.attempts, 1);
    shop.stop().await;
}

async fn a_resume_that_drops_cancels_what_waited(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("held", ECHO).await;
    pause(&shop, function.id).await;
    let begun = shop.begin(function.id, "{}").await;
    resume(&shop, function.id, Missed::Drop).await;
    let dropped = shop.until(begun.id, Status::Cancelled).await;
    assert!(error(&dropped)["message"].as_str().unwrap().contains("pause"));
    assert_eq!(dropped.attempts, 0);
    shop.stop().await;
}

async fn no_function_has_more_runs_than_it_may(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let mut new =
        new_function("narrow", "export default () => new Promise((r) => setTimeout(() => r({}), 30))");
    new.limits = serde_json::from_value(json!({"concurrency": 1})).unwrap();
    let function = shop.create(new).await.unwrap();
    let all = (0..6).map(|_| shop.execute(function.id, "{}"));
    let mut ran: Vec<ExecutionView> = futures_util::future::join_all(all).await;
    assert!(ran.iter().all(|one| one.status == Status::Succeeded), "{ran:?}");
    ran.sort_by_key(|one| one.started_at);
    for pair in ran.windows(2) {
        assert!(pair[0].completed_at <= pair[1].started_at, "two ran at once: {pair:?}");
    }
    shop.stop().await;
}

async fn the_version_is_that_of_the_moment_of_asking(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let first = "export default () => new Promise((r) => setTimeout(() => r({version: 1}), 150))";
    let function = shop.function("changing", first).await;
    let running = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(10)))).await.unwrap();
    pause(&shop, function.id).await;
    let queued = shop.begin(function.id, "{}").await;
    let patch = AmendFunction {
        source: Some("export default () => ({version: 2})".to_owned()),
        ..AmendFunction::default()
    };
    shop.perform(Amend::<Function> { id: function.id, expected: None, patch }).await.unwrap();
    resume(&shop, function.id, Missed::All).await;
    let new = shop.execute(function.id, "{}").await;
    assert_eq!((new.function_version, output(&new)), (2, json!({"version": 2})));
    for id in [running.id, queued.id] {
        let old = shop.until(id, Status::Succeeded).await;
        assert_eq!((old.function_version, output(&old)), (1, json!({"version": 1})));
    }
    shop.stop().await;
}

async fn executions_of_a_removed_function_are_cancelled(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("doomed", ECHO).await;
    pause(&shop, function.id).await;
    let begun = shop.begin(function.id, "{}").await;
    shop.perform(Remove::<Function>::new(function.id, None)).await.unwrap();
    let cancelled = shop.until(begun.id, Status::Cancelled).await;
    assert_eq!(error(&cancelled)["code"], json!("function_removed"));
    shop.told(begun.id, &["execution.queued", "execution.cancelled"]).await;
    shop.stop().await;
}

/// The first daemon never prolongs its lease, which is all that others see of a dead one. Its own end of the run is then
/// that of a zombie.
async fn another_daemon_performs_what_a_dead_one_began(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&LEASE, 500).with(&HEARTBEAT, 200_000).start(ground).await;
    let source = "export default (params, context) =>
        new Promise((r) => setTimeout(() => r({attempt: context.attempt}), context.attempt === 1 ? 2500 : 1))";
    let function = shop.function("slow", source).await;
    let other = shop.another().await;
    let begun = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(10)))).await.unwrap();
    assert_eq!((begun.status, begun.attempts), (Status::Running, 1));
    let ended = shop.until(begun.id, Status::Succeeded).await;
    assert_eq!((ended.attempts, output(&ended)), (2, json!({"attempt": 2})));
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    let still = shop.fetch(begun.id).await;
    assert_eq!(serde_json::to_string(&still).unwrap(), serde_json::to_string(&ended).unwrap());
    let refused = shop.core().metrics.executions_lost.with_label_values(&["run"]).get();
    assert_eq!(refused, 1, "the stale end is counted");
    let ends = shop.events(begun.id).await.into_iter().filter(|event| event.kind != "execution.started");
    assert!(ends.count() <= 1, "one end, as far as readers are shown yet");
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}

async fn what_no_host_can_be_had_for_ends_as_a_dead_letter_and_can_be_redriven(ground: Ground) {
    let mut shop = Plan::on(&ground).await.with(&RETRY_ATTEMPTS, 1).start(ground).await;
    let function = shop.function("echo", ECHO).await;
    let program = HostProgram { path: "/nowhere/sl-js-host".into(), arguments: Vec::new() };
    let sandbox = Sandbox::new(SandboxLimits::default(), program).unwrap();
    let lame = Parts { sandbox, ..shop.parts().await };
    shop.move_to(lame).await;
    let waited = shop.perform(execute(function.id, "{}", Some(Duration::from_secs(20)))).await.unwrap();
    assert_eq!((waited.status, &error(&waited)["code"]), (Status::Failed, &json!("unavailable")));
    let letters: Vec<DeadLetter> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
    assert_eq!((letters.len(), letters[0].subject), (1, waited.id));

    let mended = shop.parts().await;
    shop.move_to(mended).await;
    shop.perform(RedriveDeadLetter(letters[0].head.id)).await.unwrap();
    let ended = shop.until(waited.id, Status::Succeeded).await;
    assert!(ended.error.is_none());
    shop.stop().await;
}

async fn the_queue_is_bounded(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&QUEUE, 2).start(ground).await;
    let function = shop.function("held", ECHO).await;
    pause(&shop, function.id).await;
    shop.begin(function.id, "{}").await;
    shop.begin(function.id, "{}").await;
    let refused: Fault = shop.perform(execute(function.id, "{}", Some(Duration::ZERO))).await.unwrap_err();
    assert_eq!((refused.code, refused.limit.unwrap().setting), (Code::QuotaExceeded, "executions.queue"));
    shop.stop().await;
}
