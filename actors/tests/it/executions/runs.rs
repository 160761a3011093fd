//! Runs that come straight from a request: how they end, and what is kept of them.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code,
    services::{
        executions::{MAX_WAIT, PERSIST_AFTER, Status},
        functions::limits,
    },
};
use sl_store::Key;

use crate::{
    workshop::{Plan, Workshop, error, execute, new_function, output},
    world::{Ground, on_both},
};

on_both! {
    a_short_run_is_written_once_at_its_end
    params_are_an_object_or_nothing
    what_is_odd_about_an_output_is_kept_or_named
    both_forms_of_source_run
    a_failing_function_is_a_failed_execution
    a_limit_names_its_setting_and_the_function_s_own_value
    the_wall_limit_is_a_status_of_its_own
    a_long_run_is_written_as_it_begins_and_outlasts_the_wait
    a_wait_over_the_bound_is_refused
    what_a_run_may_not_do_is_denied
}

async fn a_short_run_is_written_once_at_its_end(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&PERSIST_AFTER, 10_000).start(ground).await;
    let function = shop.function("echo", "export default (params) => ({got: params})").await;
    let ran = shop.execute(function.id, r#" {"b": 1.50, "a": [true]} "#).await;
    assert_eq!(ran.output.as_ref().unwrap().get(), r#"{"got":{"b":1.5,"a":[true]}}"#);
    assert_eq!((ran.status, ran.attempts, ran.function_version), (Status::Succeeded, 1, 1));
    assert_eq!(ran.input.get(), r#"{"b": 1.50, "a": [true]}"#);
    assert_eq!(output(&ran), json!({"got": {"b": 1.5, "a": [true]}}));
    assert!(ran.started_at <= ran.completed_at && ran.completed_at.is_some());
    assert!(ran.heap_peak > 0 && ran.duration.is_some());
    let stored = shop.fetch(ran.id).await;
    assert_eq!(serde_json::to_string(&stored).unwrap(), serde_json::to_string(&ran).unwrap());
    let row: sl_actors::services::executions::Execution =
        shop.core().store.get(Key::new(shop.account, ran.id)).await.unwrap();
    assert_eq!(row.head.version, 1);
    shop.told(ran.id, &["execution.succeeded"]).await;
    shop.stop().await;
}

async fn params_are_an_object_or_nothing(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("echo", "(params) => params").await;
    for nothing in ["", "  ", "null", "{}"] {
        let ran = shop.execute(function.id, nothing).await;
        assert_eq!((ran.input.get(), output(&ran)), ("{}", json!({})), "{nothing:?}");
    }
    for (text, code) in
        [("[1]", Code::Invalid), ("1", Code::Invalid), ("{", Code::Malformed), ("{} {}", Code::Malformed)]
    {
        assert_eq!(shop.perform(execute(function.id, text, None)).await.unwrap_err().code, code, "{text}");
    }
    shop.stop().await;
}

/// What JavaScript can hold and Unicode or other languages cannot is told apart from what a hostile host would send.
async fn what_is_odd_about_an_output_is_kept_or_named(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "({depth}) => {
        let deep = {};
        for (let i = 1; i < depth; i++) deep = {d: deep};
        return {half: 'a\\ud800', null: '\\0', line: '\\u2028', deep};
    }";
    let function = shop.function("odd", source).await;
    let ran = shop.execute(function.id, r#"{"depth": 126}"#).await;
    assert_eq!(output(&ran)["half"], json!("a\u{fffd}"));
    assert_eq!(output(&shop.fetch(ran.id).await)["null"], json!("\0"));
    let deep = shop.execute(function.id, r#"{"depth": 127}"#).await;
    assert_eq!((deep.status, &error(&deep)["code"]), (Status::Failed, &json!("output_limit")));
    shop.stop().await;
}

async fn both_forms_of_source_run(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let module = "export default async (params, context) => ({at: context.accountId, n: await params.n})";
    let module = shop.function("module", module).await;
    let ran = shop.execute(module.id, r#"{"n": 2}"#).await;
    assert_eq!(output(&ran), json!({"at": shop.account.to_string(), "n": 2}));
    let expression = shop.function("expression", "(params, secrets) => params.n * 2").await;
    assert_eq!(output(&shop.execute(expression.id, r#"{"n": 21}"#).await), json!({"result": 42}));
    shop.stop().await;
}

async fn a_failing_function_is_a_failed_execution(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&PERSIST_AFTER, 10_000).start(ground).await;
    let source = "export default () => {\n  console.warn('about to');\n  null.member;\n}";
    let function = shop.function("fails", source).await;
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!((ran.status, ran.attempts), (Status::Failed, 1));
    let error = error(&ran);
    assert_eq!((&error["class"], &error["code"]), (&json!("TypeError"), &json!("threw")));
    assert_eq!((&error["stack"][0]["line"], ran.output.is_none()), (&json!(3), true));
    assert_eq!(ran.logs, ["about to"]);
    shop.told(ran.id, &["execution.failed"]).await;
    shop.stop().await;
}

async fn a_limit_names_its_setting_and_the_function_s_own_value(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&limits::CPU, 2_000).start(ground).await;
    let mut looping = new_function("loops", "export default () => { for (;;) {} }");
    looping.limits = serde_json::from_value(json!({"cpu": "100ms"})).unwrap();
    let function = shop.create(looping).await.unwrap();
    let ran = shop.execute(function.id, "{}").await;
    let error = error(&ran);
    assert_eq!((ran.status, &error["code"]), (Status::Failed, &json!("cpu_limit")));
    assert_eq!(error["limit"], json!({"setting": "executions.cpu", "value": "100ms"}));

    let large = shop.function("large", "export default () => ({x: 'x'.repeat(2e6)})").await;
    let error = crate::workshop::error(&shop.execute(large.id, "{}").await);
    assert_eq!(error["limit"], json!({"setting": "executions.output", "value": "1MiB"}));
    shop.stop().await;
}

async fn the_wall_limit_is_a_status_of_its_own(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let mut sleeping =
        new_function("sleeps", "export default () => new Promise((r) => setTimeout(r, 60000))");
    sleeping.limits = serde_json::from_value(json!({"wall": "150ms"})).unwrap();
    let function = shop.create(sleeping).await.unwrap();
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!((ran.status, &error(&ran)["code"]), (Status::TimedOut, &json!("wall_limit")));
    shop.told(ran.id, &["execution.started", "execution.timed_out"]).await;
    shop.stop().await;
}

async fn a_long_run_is_written_as_it_begins_and_outlasts_the_wait(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let source = "export default () => new Promise((r) => setTimeout(() => r({done: true}), 400))";
    let function = shop.function("slow", source).await;
    let waited = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(20)))).await.unwrap();
    assert_eq!((waited.status, waited.attempts), (Status::Running, 1));
    assert!(waited.started_at.is_some() && waited.completed_at.is_none());
    assert_eq!(shop.fetch(waited.id).await.status, Status::Running);
    let ended = shop.until(waited.id, Status::Succeeded).await;
    assert_eq!(output(&ended), json!({"done": true}));
    shop.told(waited.id, &["execution.started", "execution.succeeded"]).await;
    let waits = sl_store::WorkQuery { account: Some(shop.account), limit: 10, ..Default::default() };
    assert_eq!(shop.core().store.work(waits).await.unwrap().len(), 0);
    shop.stop().await;
}

async fn a_wait_over_the_bound_is_refused(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&MAX_WAIT, 1_000).start(ground).await;
    let function = shop.function("echo", "(params) => params").await;
    let refused = shop.perform(execute(function.id, "{}", Some(Duration::from_secs(2)))).await.unwrap_err();
    assert_eq!((refused.code, refused.fields[0].pointer.as_str()), (Code::Invalid, "?wait"));
    assert!(refused.detail.contains("executions.max_wait"));
    assert_eq!(shop.execute(function.id, "{}").await.status, Status::Succeeded);
    shop.stop().await;
}

async fn what_a_run_may_not_do_is_denied(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("evil", "export default () => ({x: eval('1 + 1')})").await;
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!((ran.status, &error(&ran)["code"]), (Status::Failed, &json!("denied")));
    shop.stop().await;
}
