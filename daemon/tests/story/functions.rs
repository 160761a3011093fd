//! Functions: made, changed in versions, run.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::world::{each_store, function, text, until};

#[test]
fn a_function_runs_in_both_forms() {
    each_store(async |world| {
        let account = world.account().await;
        let module = "export default async (params, context) => ({ sum: params.a + params.b, version: context.functionVersion })";
        let expression =
            "(function (params, secrets) { console.log('adding', params.a); return params.a + params.b })";
        let path = function(&world.client, &account, "module", module).await;
        let ran = world.client.post(&format!("{path}/execute"), &json!({"a": 2, "b": 3})).await.expect(200);
        assert_eq!(
            (&ran["status"], &ran["output"]),
            (&json!("succeeded"), &json!({"sum": 5, "version": 1})),
            "{ran}"
        );
        assert_eq!(ran["input"], json!({"a": 2, "b": 3}), "{ran}");
        let path = function(&world.client, &account, "expression", expression).await;
        let ran = world.client.post(&format!("{path}/execute"), &json!({"a": 2, "b": 3})).await.expect(200);
        assert_eq!((&ran["output"], &ran["logs"]), (&json!({"result": 5}), &json!(["adding 2"])), "{ran}");
    });
}

#[test]
fn a_source_that_does_not_compile_is_refused_with_its_place() {
    each_store(async |world| {
        let account = world.account().await;
        let new = json!({"name": "broken", "source": "export default () => {\n  return }}\n"});
        let refused = world.client.post(&format!("{account}/functions"), &new).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/source", "{refused}");
        assert!(text(&refused["errors"][0], "detail").contains("line 2"), "{refused}");
    });
}

#[test]
fn each_change_is_a_version_and_an_execution_names_its_own() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "versions", "() => 'one'").await;
        let execute = format!("{path}/execute");
        let one = world.client.post(&execute, &json!({})).await.expect(200);
        let changed = world.client.patch(&path, &json!({"source": "() => 'two'"})).await.expect(200);
        assert_eq!(changed["version"], 2, "{changed}");
        let two = world.client.post(&execute, &json!({})).await.expect(200);
        assert_eq!((&one["output"], &one["function_version"]), (&json!({"result": "one"}), &json!(1)));
        assert_eq!((&two["output"], &two["function_version"]), (&json!({"result": "two"}), &json!(2)));
        let versions = world.client.get(&format!("{path}/versions")).await.expect(200);
        assert_eq!(versions["items"].as_array().map(Vec::len), Some(2), "{versions}");
        let replayed = format!("{account}/executions/{}/replay", text(&one, "id"));
        let replayed = world.client.ask(Method::POST, &replayed, None).await.expect(200);
        assert_eq!(replayed["output"]["result"], "one", "a replay runs the version that ran: {replayed}");
    });
}

#[test]
fn a_function_that_throws_is_an_execution_that_failed() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "(params) => {\n  throw new TypeError('no ' + params.what);\n}";
        let path = function(&world.client, &account, "throws", source).await;
        let ran = world.client.post(&format!("{path}/execute"), &json!({"what": "luck"})).await.expect(200);
        assert_eq!(ran["status"], "failed", "{ran}");
        let error = &ran["error"];
        assert_eq!((&error["class"], &error["message"]), (&json!("TypeError"), &json!("no luck")), "{ran}");
        assert_eq!(error["stack"][0]["line"], 2, "{ran}");
    });
}

#[test]
fn a_run_without_end_is_stopped_and_a_neighbour_is_not() {
    each_store(async |world| {
        let account = world.account().await;
        let new = json!({"name": "endless", "source": "() => { for (;;); }", "limits": {"cpu": "200ms"}});
        let endless = world.client.post(&format!("{account}/functions"), &new).await.expect(201);
        let endless = format!("{account}/functions/{}/execute", text(&endless, "id"));
        let calm = function(&world.client, &account, "calm", "() => 1").await;
        let (calm, nothing) = (format!("{calm}/execute"), json!({}));
        let (stopped, ran) =
            tokio::join!(world.client.post(&endless, &nothing), world.client.post(&calm, &nothing));
        let (stopped, ran) = (stopped.expect(200), ran.expect(200));
        assert_eq!(
            (&stopped["status"], &stopped["error"]["code"]),
            (&json!("failed"), &json!("cpu_limit")),
            "{stopped}"
        );
        assert_eq!(ran["output"]["result"], 1, "{ran}");
    });
}

#[test]
fn whoever_does_not_wait_finds_the_execution_later() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "later", "() => 'done'").await;
        let queued = world.client.post(&format!("{path}/execute?wait=0s"), &json!({})).await.expect(202);
        assert!(matches!(queued["status"].as_str(), Some("queued" | "running")), "{queued}");
        let execution = format!("{account}/executions/{}", text(&queued, "id"));
        let ended =
            until(&world.client, &execution, Duration::from_secs(20), |seen| seen["status"] == "succeeded")
                .await;
        assert_eq!(ended["output"]["result"], "done", "{ended}");
        assert_eq!(ended["signature"]["algorithm"], "ed25519", "{ended}");
        let listed = world.client.get(&format!("{path}/executions")).await.expect(200);
        assert_eq!(listed["items"][0]["id"], ended["id"], "{listed}");
    });
}

#[test]
fn a_running_execution_can_be_cancelled() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "() => new Promise((done) => setTimeout(done, 20000))";
        let path = function(&world.client, &account, "sleepy", source).await;
        let queued = world.client.post(&format!("{path}/execute?wait=0s"), &json!({})).await.expect(202);
        let execution = format!("{account}/executions/{}", text(&queued, "id"));
        until(&world.client, &execution, Duration::from_secs(20), |seen| seen["status"] == "running").await;
        world.client.ask(Method::POST, &format!("{execution}/cancel"), None).await.expect(200);
        let ended =
            until(&world.client, &execution, Duration::from_secs(10), |seen| seen["status"] != "running")
                .await;
        assert_eq!(ended["status"], "cancelled", "{ended}");
    });
}

#[test]
fn history_is_paged_newest_first() {
    each_store(async |world| {
        let account = world.account().await;
        let path = function(&world.client, &account, "counts", "(params) => params.number").await;
        for number in 0..5 {
            world.client.post(&format!("{path}/execute"), &json!({"number": number})).await.expect(200);
        }
        let pages = world.client.pages(&format!("{account}/executions"), 2).await;
        let numbers: Vec<i64> =
            pages.iter().flatten().filter_map(|item| item["input"]["number"].as_i64()).collect();
        assert_eq!(numbers, [4, 3, 2, 1, 0]);
    });
}

#[test]
fn a_repeated_execute_is_answered_as_the_first_was() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "() => new Promise((done) => setTimeout(() => done('done'), 400))";
        let path = function(&world.client, &account, "repeated", source).await;
        for (wait, status) in [("0s", 202), ("100ms", 202), ("20s", 200)] {
            let execute = format!("{path}/execute?wait={wait}");
            let keyed = world.client.with_header("idempotency-key", wait);
            let first = keyed.post(&execute, &json!({})).await.expect(status);
            let execution = format!("{account}/executions/{}", text(&first, "id"));
            until(&world.client, &execution, Duration::from_secs(20), |seen| seen["status"] == "succeeded")
                .await;
            let again = keyed.post(&execute, &json!({})).await;
            assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
            assert_eq!(again.expect(status), first);
            keyed.post(&execute, &json!({"other": 1})).await.problem(422, "idempotency_mismatch");
        }
    });
}

#[test]
fn fifty_equal_executes_run_once() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "() => new Promise((done) => setTimeout(() => done('done'), 300))";
        let path = format!("{}/execute", function(&world.client, &account, "once", source).await);
        let keyed = world.client.with_header("idempotency-key", "fifty");
        let body = json!({});
        let mut made = Vec::new();
        for answer in join_all((0..50).map(|_| keyed.post(&path, &body))).await {
            match answer.status {
                200 => made.push(answer.body),
                _ => {
                    answer.problem(409, "in_flight");
                }
            }
        }
        assert!(!made.is_empty() && made.iter().all(|answer| *answer == made[0]), "{made:?}");
        let listed = world.client.get(&format!("{account}/executions")).await.expect(200);
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    });
}

#[test]
fn why_begins_with_what_holds_an_execution() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "() => new Promise((done) => setTimeout(done, 1500))";
        let new = json!({"name": "narrow", "source": source, "limits": {"concurrency": 1}});
        let made = world.client.post(&format!("{account}/functions"), &new).await.expect(201);
        let execute = format!("{account}/functions/{}/execute?wait=0s", text(&made, "id"));
        let mut ids = Vec::new();
        for _ in 0..3 {
            let queued = world.client.post(&execute, &json!({})).await.expect(202);
            ids.push(text(&queued, "id").to_owned());
        }
        let first = format!("{account}/executions/{}", ids[0]);
        until(&world.client, &first, Duration::from_secs(20), |seen| seen["status"] == "running").await;
        let why = format!("{account}/why");
        let third = format!("{why}/{}", ids[2]);
        let narrow = |why: &serde_json::Value| why["causes"][0]["code"] == "concurrency";
        let held = until(&world.client, &third, Duration::from_secs(5), narrow).await;
        assert_eq!((&held["kind"], &held["status"]), (&json!("execution"), &json!("queued")), "{held}");
        for id in &ids[1..] {
            let held = world.client.get(&format!("{why}/{id}")).await.expect(200);
            let codes = held["causes"].as_array().expect("causes").iter().map(|cause| &cause["code"]);
            assert!(!codes.clone().any(|code| code == "due" || code == "running"), "{held}");
        }
        let running = world.client.get(&format!("{why}/{}", ids[0])).await.expect(200);
        assert_eq!(running["causes"][0]["code"], "running", "{running}");
        let ended =
            until(&world.client, &first, Duration::from_secs(20), |seen| seen["status"] == "succeeded");
        let ended = ended.await;
        assert!(text(&ended, "updated_at") >= text(&ended, "completed_at"), "{ended}");
    });
}
