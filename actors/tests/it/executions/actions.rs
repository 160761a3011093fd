//! Devpack actions: queued by a run, performed after it in order, each once, each with its own result.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use sl_actors::{
    Code, Fault, SYSTEM,
    duty::{HEARTBEAT, LEASE, RETRY_ATTEMPTS, RETRY_BASE},
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
    services::{
        dead_letters::{DeadLetter, RedriveDeadLetter},
        executions::{ACTIONS, ActionKind, Execution, ExecutionView, Status},
    },
    why::Why,
};
use sl_store::{Query, WorkQuery};
use uuid::Uuid;

use crate::{
    workshop::{Plan, Workshop, execute, output},
    world::{Ground, on_both, until},
};

on_both! {
    each_action_is_done_in_order_with_its_own_result
    a_run_that_throws_queues_none
    a_failed_action_stops_none_of_those_after_it
    what_may_pass_is_tried_again_and_nothing_is_done_twice
    what_does_not_pass_is_given_up_and_can_be_redriven
    a_daemon_that_hangs_between_two_actions_is_replaced
    a_pause_holds_actions_back_and_is_explained
    a_resume_that_drops_fails_what_waited
    a_secret_is_never_a_param
    a_repeat_is_answered_as_the_first_was_whatever_became_of_the_actions
}

/// Actions for tests, in the place of whatever bears these names.
static KINDS: &[ActionKind] = &[
    // Tells an event, and answers how many were told before.
    ActionKind {
        name: "datalink.createDelivery",
        plan: |acting, params, batch| {
            Box::pin(async move {
                let tenant = acting.tenant();
                let data = json!({"n": params["n"], "key": acting.key()});
                batch.event(tenant.event("tests", "note.taken", acting.function_id, data));
                if params["huge"] == true {
                    return Ok(json!("x".repeat(100_000)));
                }
                Ok(json!({"noted": params["n"]}))
            })
        },
    },
    ActionKind {
        name: "datafeeds.submitUpdate",
        plan: |acting, params, batch| {
            Box::pin(async move {
                let told = acting.tenant().event("tests", "note.taken", acting.function_id, json!({"n": -1}));
                batch.event(told);
                assert!(params["panic"] != true, "on purpose");
                Err(Fault::field("/feedId", "unknown", "there is no such feed"))
            })
        },
    },
    // Does not succeed before the marker of its name was left.
    ActionKind {
        name: "datastreams.publishFrame",
        plan: |acting, params, batch| {
            Box::pin(async move {
                if !is_open(&params["door"]) {
                    return Err(Fault::new(Code::Unavailable, "the door is shut"));
                }
                let told =
                    acting.tenant().event("tests", "note.taken", acting.function_id, json!({"n": 100}));
                batch.event(told);
                Ok(json!({"open": true}))
            })
        },
    },
    // Hangs for whoever comes first, and for them only.
    ActionKind {
        name: "triggers.register",
        plan: |acting, _, batch| {
            Box::pin(async move {
                if open(&acting.key()) {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                let told =
                    acting.tenant().event("tests", "note.taken", acting.function_id, json!({"n": 200}));
                batch.event(told);
                Ok(json!({"registered": true}))
            })
        },
    },
];

static DOORS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn open(door: &str) -> bool {
    DOORS.lock().unwrap_or_else(PoisonError::into_inner).insert(door.to_owned())
}

fn is_open(door: &Value) -> bool {
    DOORS.lock().unwrap_or_else(PoisonError::into_inner).contains(door.as_str().unwrap_or_default())
}

const NOTES: &str = "export default ({notes, then}) => {
    for (const n of notes) Devpack.dataLink.createDelivery({n});
    if (then) throw new Error(then);
    return {queued: notes.length};
}";

/// An unavailable thing between two notes.
const DOOR: &str = "export default ({door}) => {
    Devpack.dataLink.createDelivery({n: 1});
    Devpack.dataStreams.publishFrame({door});
    Devpack.dataLink.createDelivery({n: 2});
    return {};
}";

fn actions(execution: &ExecutionView) -> Vec<Value> {
    serde_json::from_str(execution.actions.get()).unwrap()
}

fn statuses(execution: &ExecutionView) -> Vec<String> {
    actions(execution).iter().map(|action| action["status"].as_str().unwrap().to_owned()).collect()
}

/// What the actions of a function told, in order.
async fn notes(shop: &Workshop, function: Uuid) -> Vec<i64> {
    let events = shop.events(function).await;
    events
        .iter()
        .filter(|event| event.kind == "note.taken")
        .map(|event| event.data["n"].as_i64().unwrap())
        .collect()
}

async fn noted(shop: &Workshop, function: Uuid, expected: &[i64]) {
    until("the notes are told", async || notes(shop, function).await.len() >= expected.len()).await;
    assert_eq!(notes(shop, function).await, expected);
}

async fn nothing_left(shop: &Workshop) {
    let query = WorkQuery { account: Some(shop.account), limit: 10, ..WorkQuery::default() };
    assert_eq!(shop.core().store.work(query).await.unwrap(), []);
}

async fn over(shop: &Workshop, execution: Uuid) -> ExecutionView {
    until("the actions are done", async || shop.fetch(execution).await.is_over()).await;
    shop.fetch(execution).await
}

async fn shop_on(ground: Ground) -> Workshop {
    Plan::on(&ground).await.actions(KINDS).with(&RETRY_BASE, 20).start(ground).await
}

async fn each_action_is_done_in_order_with_its_own_result(ground: Ground) {
    let shop = shop_on(ground).await;
    let function = shop.function("acts", NOTES).await;
    for (wait, persisted) in [(None, false), (Some(Duration::ZERO), true)] {
        let ran = shop.perform(execute(function.id, r#"{"notes": [3, 1, 2]}"#, wait)).await.unwrap();
        assert_eq!(ran.is_over(), !persisted, "an answer that waits has the actions' results");
        let ran = over(&shop, ran.id).await;
        assert_eq!((ran.status, output(&ran)), (Status::Succeeded, json!({"queued": 3})));
        let done = actions(&ran);
        for (at, n) in [3, 1, 2].into_iter().enumerate() {
            assert_eq!(done[at]["id"], format!("action_{}", at + 1));
            assert_eq!(done[at]["type"], "datalink.createDelivery");
            assert_eq!(
                (&done[at]["status"], &done[at]["result"]),
                (&json!("succeeded"), &json!({"noted": n}))
            );
            assert!(done[at]["completed_at"].is_string());
        }
        let ended = ["execution.succeeded", "action.succeeded", "action.succeeded", "action.succeeded"];
        let queued = if persisted { &["execution.queued"][..] } else { &[] };
        shop.told(ran.id, &[queued, &ended].concat()).await;
    }
    noted(&shop, function.id, &[3, 1, 2, 3, 1, 2]).await;
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn a_run_that_throws_queues_none(ground: Ground) {
    let shop = shop_on(ground).await;
    let function = shop.function("throws", NOTES).await;
    let ran = shop.execute(function.id, r#"{"notes": [1, 2], "then": "no"}"#).await;
    assert_eq!((ran.status, ran.actions.get()), (Status::Failed, "[]"));
    shop.told(ran.id, &["execution.failed"]).await;
    assert_eq!(notes(&shop, function.id).await, [0; 0]);
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn a_failed_action_stops_none_of_those_after_it(ground: Ground) {
    let shop = shop_on(ground).await;
    let source = "export default () => {
        Devpack.dataLink.createDelivery({n: 1});
        Devpack.dataFeeds.submitUpdate({});
        Devpack.dataFeeds.submitUpdate({panic: true});
        Devpack.random.generate({length: 1e9});
        Devpack.dataLink.createDelivery({n: 2, huge: true});
        Devpack.dataLink.createDelivery({n: 3});
        return {};
    }";
    let function = shop.function("fails", source).await;
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!(ran.status, Status::Succeeded, "the run itself did not fail");
    assert_eq!(statuses(&ran), ["succeeded", "failed", "failed", "failed", "failed", "succeeded"]);
    let done = actions(&ran);
    assert_eq!(done[1]["error"]["code"], "invalid");
    assert_eq!(done[1]["error"]["errors"][0]["pointer"], "/feedId");
    assert_eq!(done[2]["error"]["code"], "internal");
    assert!(!done[2].to_string().contains("on purpose"), "a panic's words are for the log");
    assert_eq!(done[3]["error"]["code"], "unknown_action");
    assert_eq!(done[4]["error"]["code"], "too_large");
    noted(&shop, function.id, &[1, 3]).await;
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn what_may_pass_is_tried_again_and_nothing_is_done_twice(ground: Ground) {
    let shop = shop_on(ground).await;
    let function = shop.function("doors", DOOR).await;
    let door = function.id.to_string();
    let run = execute(function.id, &json!({"door": door}).to_string(), Some(Duration::from_millis(300)));
    let ran = shop.perform(run).await.unwrap();
    assert_eq!(statuses(&ran), ["succeeded", "pending", "pending"], "later ones wait for their turn");
    assert_eq!((ran.status, ran.is_over()), (Status::Succeeded, false));
    open(&door);
    assert_eq!(statuses(&over(&shop, ran.id).await), ["succeeded"; 3]);
    noted(&shop, function.id, &[1, 100, 2]).await;
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn what_does_not_pass_is_given_up_and_can_be_redriven(ground: Ground) {
    let plan = Plan::on(&ground).await.actions(KINDS).with(&RETRY_BASE, 5).with(&RETRY_ATTEMPTS, 2);
    let shop = plan.start(ground).await;
    let function = shop.function("doors", DOOR).await;
    let door = function.id.to_string();
    let ran = shop.execute(function.id, &json!({"door": door}).to_string()).await;
    assert_eq!(statuses(&ran), ["succeeded", "failed", "failed"]);
    assert_eq!(actions(&ran)[2]["error"]["code"], "given_up");
    let letters: Vec<DeadLetter> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
    assert_eq!((letters.len(), letters[0].duty.as_str(), letters[0].subject), (1, ACTIONS, ran.id));
    open(&door);
    shop.perform(RedriveDeadLetter(letters[0].head.id)).await.unwrap();
    until("they are done after all", async || statuses(&shop.fetch(ran.id).await) == ["succeeded"; 3]).await;
    noted(&shop, function.id, &[1, 100, 2]).await;
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn a_daemon_that_hangs_between_two_actions_is_replaced(ground: Ground) {
    let plan = Plan::on(&ground).await.actions(KINDS).with(&LEASE, 500).with(&HEARTBEAT, 200_000);
    let shop = plan.start(ground).await;
    let source = "export default () => {
        Devpack.dataLink.createDelivery({n: 1});
        Devpack.triggers.register({});
        Devpack.dataLink.createDelivery({n: 2});
        return {};
    }";
    let function = shop.function("hangs", source).await;
    let other = shop.another().await;
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!(statuses(&ran), ["succeeded"; 3]);
    // The one that hung wakes up, and nothing of what it does counts.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    noted(&shop, function.id, &[1, 200, 2]).await;
    assert_eq!(actions(&shop.fetch(ran.id).await), actions(&ran));
    nothing_left(&shop).await;
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}

fn duty() -> Target {
    Target::Duty(ACTIONS.to_owned())
}

async fn resume(shop: &Workshop, missed: Missed) {
    shop.perform_for(SYSTEM, ResumeWork { target: duty(), how: Resume { missed } }).await.unwrap();
}

async fn paused(shop: &Workshop) -> (Uuid, ExecutionView) {
    let function = shop.function("acts", NOTES).await;
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    shop.perform_for(SYSTEM, PauseWork { target: duty(), new }).await.unwrap();
    let wait = Some(Duration::from_millis(200));
    let ran = shop.perform(execute(function.id, r#"{"notes": [1, 2]}"#, wait)).await.unwrap();
    assert_eq!((ran.status, statuses(&ran)), (Status::Succeeded, vec!["pending".to_owned(); 2]));
    (function.id, ran)
}

async fn a_pause_holds_actions_back_and_is_explained(ground: Ground) {
    let shop = shop_on(ground).await;
    let (function, ran) = paused(&shop).await;
    let why = shop.perform(Why(ran.id)).await.unwrap();
    let codes: Vec<&str> = why.causes.iter().map(|cause| cause.code).collect();
    assert!(codes.contains(&"paused") && codes.contains(&"actions_pending"), "{why:?}");
    resume(&shop, Missed::All).await;
    assert_eq!(statuses(&over(&shop, ran.id).await), ["succeeded"; 2]);
    noted(&shop, function, &[1, 2]).await;
    assert!(shop.perform(Why(ran.id)).await.unwrap().causes.is_empty());
    shop.stop().await;
}

async fn a_resume_that_drops_fails_what_waited(ground: Ground) {
    let shop = shop_on(ground).await;
    let (function, ran) = paused(&shop).await;
    resume(&shop, Missed::Drop).await;
    let ran = over(&shop, ran.id).await;
    assert_eq!((ran.status, statuses(&ran)), (Status::Succeeded, vec!["failed".to_owned(); 2]));
    assert_eq!(actions(&ran)[0]["error"]["code"], "cancelled");
    assert_eq!(notes(&shop, function).await, [0; 0]);
    nothing_left(&shop).await;
    shop.stop().await;
}

async fn a_secret_is_never_a_param(ground: Ground) {
    let shop = shop_on(ground).await;
    shop.secret("key", "hunter2-canary").await;
    let source = "(params, secrets) => {
        Devpack.dataLink.createDelivery({n: 1});
        Devpack.dataLink.createDelivery({n: 2, with: btoa(secrets.key)});
        Devpack.dataLink.createDelivery({n: 3});
        return {};
    }";
    let mut new = crate::workshop::new_function("leaks", source);
    new.secrets = vec!["key".to_owned()];
    let function = shop.create(new).await.unwrap();
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!(statuses(&ran), ["succeeded", "failed", "succeeded"]);
    assert_eq!(actions(&ran)[1]["error"]["code"], "secret_in_params");
    assert_eq!(actions(&ran)[1]["params"], json!({"n": 2, "with": "[redacted]"}));
    noted(&shop, function.id, &[1, 3]).await;
    let told = ["execution.succeeded", "action.failed", "action.succeeded", "action.succeeded"];
    let resolved = ["secret.resolved"];
    shop.told(ran.id, &[&resolved[..], &told].concat()).await;
    let rows: Vec<Execution> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
    assert!(!format!("{rows:?}").contains("hunter2"));
    shop.stop().await;
}

async fn a_repeat_is_answered_as_the_first_was_whatever_became_of_the_actions(ground: Ground) {
    let shop = shop_on(ground).await;
    let function = shop.function("doors", DOOR).await;
    let door = function.id.to_string();
    let params = json!({"door": door}).to_string();
    let run = || execute(function.id, &params, Some(Duration::from_millis(200)));
    let (_, _, first) = shop.perform_keyed("key", run()).await.unwrap();
    let (replayed, status, second) = shop.perform_keyed("key", run()).await.unwrap();
    assert_eq!((replayed, status, &second["id"]), (true, 202, &first["id"]));
    assert_eq!(second["actions"][1]["status"], "pending");
    open(&door);
    let id = first["id"].as_str().unwrap().parse().unwrap();
    until("they are done", async || shop.fetch(id).await.is_over()).await;
    assert_eq!(shop.perform_keyed("key", run()).await.unwrap(), (true, 202, first));
    noted(&shop, function.id, &[1, 100, 2]).await;
    shop.stop().await;
}
