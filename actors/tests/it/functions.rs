//! Functions and their versions.

use serde_json::json;
use sl_actors::{
    Code, Fault,
    page::PageRequest,
    resource::{Amend, List, Remove},
    services::{
        executions::Status,
        functions::{
            AmendFunction, FetchFunction, FetchVersion, Function, FunctionFilters, FunctionView,
            ListVersions, MAX_FUNCTIONS, MAX_SOURCE, MAX_VERSIONS,
        },
    },
};
use uuid::Uuid;

use crate::{
    workshop::{Plan, Workshop, execute, new_function},
    world::{Ground, on_both},
};

on_both! {
    each_change_is_an_immutable_version_and_can_be_rolled_back_to
    a_change_of_nothing_makes_no_version
    lists_leave_the_source_out_and_can_be_narrowed_by_name
    names_are_unique_whatever_their_case
    a_syntax_error_is_refused_with_line_and_column
    every_broken_rule_is_told_at_once
    the_quota_holds_and_names_its_setting
    secrets_must_exist_when_they_are_named
    only_so_many_versions_are_kept
    another_version_than_expected_is_refused
    a_removed_function_leaves_its_executions
    a_foreign_function_is_answered_like_a_missing_one
}

const ECHO: &str = "export default (params) => params";

async fn amend(shop: &Workshop, id: Uuid, patch: serde_json::Value) -> Result<FunctionView, Fault> {
    let patch: AmendFunction = serde_json::from_value(patch).unwrap();
    shop.perform(Amend::<Function> { id, expected: None, patch }).await
}

async fn a_change_of_nothing_makes_no_version(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = shop.function("echo", ECHO).await;
    let (made, mut seen) = (json!(made), Vec::new());
    for patch in [
        json!({}),
        json!({"name": null}),
        json!({"name": "echo", "source": ECHO, "secrets": []}),
        json!({"rollback_to": 1}),
    ] {
        let same = amend(&shop, made["id"].as_str().unwrap().parse().unwrap(), patch).await.unwrap();
        seen.push(json!(same));
    }
    assert!(seen.iter().all(|same| *same == made), "{seen:?}");
    shop.stop().await;
}

async fn each_change_is_an_immutable_version_and_can_be_rolled_back_to(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = shop.function(" Echo ", ECHO).await;
    assert_eq!((made.version, made.name.as_str(), made.source.as_deref()), (1, "Echo", Some(ECHO)));
    let second = "export default () => ({second: true})";
    let amended = amend(&shop, made.id, json!({"source": second, "limits": {"cpu": "1s"}})).await.unwrap();
    assert_eq!((amended.version, amended.source.as_deref()), (2, Some(second)));
    let renamed = amend(&shop, made.id, json!({"name": "Other"})).await.unwrap();
    assert_eq!((renamed.version, renamed.source.as_deref()), (3, Some(second)));
    let back = amend(&shop, made.id, json!({"rollback_to": 1})).await.unwrap();
    assert_eq!((back.version, back.name.as_str(), back.source.as_deref()), (4, "Other", Some(ECHO)));
    assert_eq!(back.limits, made.limits);

    let page = ListVersions { function_id: made.id, page: PageRequest::default() };
    let versions = shop.perform(page).await.unwrap().items;
    let told: Vec<_> = versions.iter().map(|v| (v.version, v.name.as_str(), v.source.is_none())).collect();
    assert_eq!(told, [(4, "Other", true), (3, "Other", true), (2, "Echo", true), (1, "Echo", true)]);
    let first = shop.perform(FetchVersion { function_id: made.id, version: 1 }).await.unwrap();
    assert_eq!((first.source.as_deref(), &first.source_sha256), (Some(ECHO), &versions[0].source_sha256));
    let missing = shop.perform(FetchVersion { function_id: made.id, version: 9 }).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    shop.told(made.id, &["function.created", "function.amended", "function.amended", "function.amended"])
        .await;
    shop.stop().await;
}

async fn lists_leave_the_source_out_and_can_be_narrowed_by_name(ground: Ground) {
    let shop = Workshop::on(ground).await;
    for name in ["one", "two", "three"] {
        shop.function(name, ECHO).await;
    }
    let list = |name: Option<&str>| List::<Function> {
        page: PageRequest::default(),
        filters: FunctionFilters { name: name.map(str::to_owned) },
    };
    let all = shop.perform(list(None)).await.unwrap().items;
    let names: Vec<_> = all.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["three", "two", "one"]);
    assert!(all.iter().all(|function| function.source.is_none()));
    let one = shop.perform(list(Some("TWO"))).await.unwrap().items;
    assert_eq!(one.len(), 1);
    assert_eq!(shop.perform(FetchFunction(one[0].id)).await.unwrap().source.as_deref(), Some(ECHO));
    shop.stop().await;
}

async fn names_are_unique_whatever_their_case(ground: Ground) {
    let shop = Workshop::on(ground).await;
    shop.function("Price Feed", ECHO).await;
    let other = shop.function("other", ECHO).await;
    let taken = shop.create(new_function("PRICE feed", ECHO)).await.unwrap_err();
    assert_eq!(taken.code, Code::Conflict);
    assert!(taken.detail.contains("a function of this name exists already"), "{taken}");
    assert_eq!(amend(&shop, other.id, json!({"name": "price feed"})).await.unwrap_err().code, Code::Conflict);
    let another = shop.world.account("another").await.id;
    let create = sl_actors::resource::Create::<Function>(new_function("Price Feed", ECHO));
    shop.perform_for(another, create).await.unwrap();
    shop.stop().await;
}

async fn a_syntax_error_is_refused_with_line_and_column(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let refused = shop.create(new_function("broken", "export default () => {\n  return 1 +;\n}")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, Code::Invalid);
    let field = &refused.fields[0];
    assert_eq!((field.pointer.as_str(), field.rule), ("/source", "syntax"));
    assert!(field.detail.starts_with("SyntaxError: "), "{}", field.detail);
    assert!(field.detail.ends_with("(line 2, column 13)"), "{}", field.detail);

    let made = shop.function("whole", ECHO).await;
    assert_eq!(
        amend(&shop, made.id, json!({"source": "not a function ("})).await.unwrap_err().code,
        Code::Invalid
    );
    assert_eq!(shop.perform(FetchFunction(made.id)).await.unwrap().version, 1);
    shop.stop().await;
}

async fn every_broken_rule_is_told_at_once(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&MAX_SOURCE, 1_024).start(ground).await;
    let mut new = new_function(" ", &format!("() => '{}'", "x".repeat(1_024)));
    new.limits = serde_json::from_value(json!({"heap": "1GiB", "log_lines": 0})).unwrap();
    let refused = shop.create(new).await.unwrap_err();
    let told: Vec<_> = refused.fields.iter().map(|f| (f.pointer.as_str(), f.rule)).collect();
    let expected = [
        ("/name", "length"),
        ("/source", "length"),
        ("/limits/heap", "bounds"),
        ("/limits/log_lines", "bounds"),
    ];
    assert_eq!(told, expected, "{refused}");
    assert!(refused.detail.contains("functions.source") && refused.detail.contains("executions.heap"));
    for source in ["", " \n", "() => '\0'"] {
        let refused = shop.create(new_function("name", source)).await.unwrap_err();
        assert_eq!(refused.fields[0].pointer, "/source");
    }
    shop.stop().await;
}

async fn the_quota_holds_and_names_its_setting(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&MAX_FUNCTIONS, 2).start(ground).await;
    shop.function("one", ECHO).await;
    shop.function("two", ECHO).await;
    let refused = shop.create(new_function("three", ECHO)).await.unwrap_err();
    assert_eq!(refused.code, Code::QuotaExceeded);
    assert_eq!(refused.limit.unwrap().setting, "functions.count");
    shop.stop().await;
}

async fn secrets_must_exist_when_they_are_named(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let mut new = new_function("uses", ECHO);
    new.secrets = ["api_key", "other", "api_key"].map(str::to_owned).to_vec();
    shop.secret("api_key", "hush hush").await;
    let refused = shop.create(new.clone()).await.unwrap_err();
    assert_eq!(refused.fields.len(), 1);
    assert!(refused.fields[0].detail.contains("\"other\""), "{refused}");
    new.secrets.retain(|name| name == "api_key");
    assert_eq!(shop.create(new).await.unwrap().secrets, ["api_key"]);
    shop.stop().await;
}

async fn only_so_many_versions_are_kept(ground: Ground) {
    let shop = Plan::on(&ground).await.with(&MAX_VERSIONS, 3).start(ground).await;
    let made = shop.function("counted", ECHO).await;
    for count in 2..=5 {
        amend(&shop, made.id, json!({"description": format!("the {count}th")})).await.unwrap();
    }
    let page = ListVersions { function_id: made.id, page: PageRequest::default() };
    let kept: Vec<_> = shop.perform(page).await.unwrap().items.iter().map(|v| v.version).collect();
    assert_eq!(kept, [5, 4, 3]);
    let forgotten = amend(&shop, made.id, json!({"rollback_to": 1})).await.unwrap_err();
    assert_eq!(forgotten.fields[0].pointer, "/rollback_to");
    shop.stop().await;
}

async fn another_version_than_expected_is_refused(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = shop.function("raced", ECHO).await;
    let patch = || AmendFunction { description: Some(Some("new".to_owned())), ..AmendFunction::default() };
    let amend = |expected| Amend::<Function> { id: made.id, expected, patch: patch() };
    assert_eq!(shop.perform(amend(Some(2))).await.unwrap_err().code, Code::VersionMismatch);
    shop.perform(amend(Some(1))).await.unwrap();
    assert_eq!(
        shop.perform(Remove::<Function>::new(made.id, Some(1))).await.unwrap_err().code,
        Code::VersionMismatch
    );
    shop.stop().await;
}

async fn a_removed_function_leaves_its_executions(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = shop.function("short lived", ECHO).await;
    let ran = shop.execute(made.id, r#"{"a": 1}"#).await;
    shop.perform(Remove::<Function>::new(made.id, None)).await.unwrap();
    assert_eq!(shop.perform(FetchFunction(made.id)).await.unwrap_err().code, Code::NotFound);
    assert_eq!(shop.fetch(ran.id).await.status, Status::Succeeded);
    let gone = shop.perform(execute(made.id, "", None)).await.unwrap_err();
    assert_eq!((gone.code, gone.detail.as_str()), (Code::NotFound, "no such function"));
    shop.told(made.id, &["function.created", "function.removed"]).await;
    shop.stop().await;
}

async fn a_foreign_function_is_answered_like_a_missing_one(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = shop.function("mine", ECHO).await;
    let stranger = shop.world.account("stranger").await.id;
    let foreign = shop.perform_for(stranger, FetchFunction(made.id)).await.unwrap_err();
    let missing = shop.perform_for(stranger, FetchFunction(Uuid::from_u128(1))).await.unwrap_err();
    assert_eq!((foreign.code, foreign.detail), (missing.code, missing.detail));
    let run = execute(made.id, "{}", None);
    assert_eq!(shop.perform_for(stranger, run).await.unwrap_err().code, Code::NotFound);
    shop.stop().await;
}
