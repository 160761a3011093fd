//! What is kept of executions and what is not: secrets, lists, replays, age, fetches.

use std::{collections::BTreeSet, time::Duration};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::json;
use sl_actors::{
    Code,
    page::PageRequest,
    services::{
        executions::{Execution, ExecutionFilters, KEPT, ListExecutions, Replay, Status},
        secrets::{DeleteSecret, NewValue, PutSecret},
    },
};
use sl_store::{Entity as _, Query};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use crate::{
    workshop::{Plan, Workshop, error, new_function, output},
    world::{Ground, on_both, until},
};

on_both! {
    no_secret_stays_in_what_a_run_leaves_behind
    a_secret_that_is_gone_fails_the_execution
    what_a_kept_context_made_of_a_secret_goes_with_its_value
    a_fetch_goes_through_the_guard_and_is_bounded
    a_replay_runs_the_same_version_with_the_same_input
    lists_are_narrowed_and_paged
    only_so_many_are_kept
    a_foreign_execution_is_answered_like_a_missing_one
}

const CANARY: &str = "canary/s3cret+value? \"quoted\"";

async fn no_secret_stays_in_what_a_run_leaves_behind(ground: Ground) {
    let shop = Workshop::on(ground).await;
    shop.secret("key", CANARY).await;
    let source = "(params, secrets) => {
        const key = secrets.key;
        const hex = Array.from(key, (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
        const forms = [key, btoa(key), btoa(key).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, ''), hex,
            encodeURIComponent(key)];
        console.log('forms', ...forms);
        if (params.fail) { const e = new Error('with ' + forms.join(' ')); e.name = 'E'; throw e; }
        if (params.act) Devpack.gasBank.ensureAccount({wallet: forms.join('|')});
        return {forms, nested: {['as ' + key]: [[key]]}, length: key.length};
    }";
    let mut new = new_function("leaks", source);
    new.secrets = vec!["key".to_owned()];
    let function = shop.create(new).await.unwrap();
    let mut texts = Vec::new();
    for params in ["{}", r#"{"fail": true}"#, r#"{"act": true}"#] {
        let ran = shop.execute(function.id, params).await;
        let row: Vec<Execution> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
        texts.push(serde_json::to_string(&ran).unwrap());
        texts.push(format!("{:?}", row[0].encode()));
        until("the events are told", async || shop.events(ran.id).await.len() >= 2).await;
        let events = shop.events(ran.id).await;
        texts.push(format!("{events:?}"));
        let resolved = events.iter().find(|event| event.kind == "secret.resolved").unwrap();
        assert_eq!(resolved.data["secrets"], json!([{"name": "key", "version": 1}]));
    }
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!(output(&ran)["length"], json!(CANARY.len()), "the run itself has the value");
    assert_eq!(output(&ran)["forms"], json!(vec!["[redacted]"; 5]));
    let canaries = [
        CANARY.to_owned(),
        CANARY.replace('"', "\\\""),
        BASE64_STANDARD.encode(CANARY),
        BASE64_URL_SAFE_NO_PAD.encode(CANARY),
        hex::encode(CANARY),
        "canary%2Fs3cret".to_owned(),
        "s3cret".to_owned(),
    ];
    for canary in canaries {
        assert!(!texts.iter().any(|text| text.contains(&canary)), "{canary} in {texts:?}");
    }
    shop.stop().await;
}

async fn a_secret_that_is_gone_fails_the_execution(ground: Ground) {
    let shop = Workshop::on(ground).await;
    shop.secret("key", "a value").await;
    let mut new = new_function("uses", "(params, secrets) => secrets.key.length");
    new.secrets = vec!["key".to_owned()];
    let function = shop.create(new).await.unwrap();
    assert_eq!(output(&shop.execute(function.id, "{}").await), json!({"result": 7}));
    shop.perform(DeleteSecret { name: "key".to_owned(), expected: None }).await.unwrap();
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!((ran.status, &error(&ran)["code"]), (Status::Failed, &json!("secret_missing")));
    assert!(error(&ran)["message"].as_str().unwrap().contains("key"));
    shop.stop().await;
}

async fn what_a_kept_context_made_of_a_secret_goes_with_its_value(ground: Ground) {
    let shop = Workshop::on(ground).await;
    shop.secret("key", "first-secret-1").await;
    let source = "let client, runs = 0; export default (params, context) => {
        client ??= {key: context.secrets.key};
        console.log('using', client);
        return {client, runs: ++runs};
    }";
    let mut new = new_function("keeps", source);
    (new.secrets, new.keep_context) = (vec!["key".to_owned()], true);
    let function = shop.create(new).await.unwrap();
    for runs in 1..=2 {
        let ran = shop.execute(function.id, "{}").await;
        assert_eq!(output(&ran), json!({"client": {"key": "[redacted]"}, "runs": runs}), "it is kept");
    }
    let new = NewValue { value: "second-secret-2".into() };
    shop.perform(PutSecret { name: "key".to_owned(), expected: None, new }).await.unwrap();
    let ran = shop.execute(function.id, "{}").await;
    assert_eq!(output(&ran), json!({"client": {"key": "[redacted]"}, "runs": 1}), "and left");
    assert!(!serde_json::to_string(&ran).unwrap().contains("first-secret-1"), "{ran:?}");
    shop.stop().await;
}

/// A server on loopback that answers every request with its first line.
async fn mirror() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    sl_actors::supervisor::spawn_task("mirror", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4_096];
            let read = stream.read(&mut bytes).await.unwrap();
            let line = String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap_or_default().to_owned();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
                line.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

async fn a_fetch_goes_through_the_guard_and_is_bounded(ground: Ground) {
    let port = mirror().await;
    let shop = Plan::on(&ground).await.allow(&format!("127.0.0.1:{port}")).start(ground).await;
    let source = "export default async ({urls}) => {
        const answers = [];
        for (const url of urls) {
            try { answers.push(await (await fetch(url)).text()); } catch (error) { answers.push(error.name); }
        }
        return {answers};
    }";
    let mut new = new_function("fetches", source);
    new.limits = serde_json::from_value(json!({"fetches": 2})).unwrap();
    let function = shop.create(new).await.unwrap();
    let open = format!("http://127.0.0.1:{port}/a");
    let urls = json!({"urls": [open, "http://127.0.0.1:1/"]}).to_string();
    let ran = shop.execute(function.id, &urls).await;
    assert_eq!(output(&ran), json!({"answers": ["GET /a HTTP/1.1", "TypeError"]}));
    let ran = shop.execute(function.id, &json!({"urls": [open, open, open]}).to_string()).await;
    assert_eq!(error(&ran)["limit"], json!({"setting": "executions.fetches", "value": "2"}));
    shop.stop().await;
}

async fn a_replay_runs_the_same_version_with_the_same_input(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("echo", "export default (params) => ({first: params})").await;
    let ran = shop.execute(function.id, r#"{"n": 3}"#).await;
    let patch = serde_json::from_value(json!({"source": "export default () => ({second: true})"})).unwrap();
    let amend = sl_actors::resource::Amend { id: function.id, expected: None, patch };
    shop.perform::<sl_actors::resource::Amend<sl_actors::services::functions::Function>>(amend)
        .await
        .unwrap();
    let again = shop.perform(Replay { execution_id: ran.id, wait: None }).await.unwrap();
    assert_eq!((again.function_version, output(&again)), (1, json!({"first": {"n": 3}})));
    assert_eq!((again.trigger.kind.as_str(), again.trigger.id), ("replay", Some(ran.id)));
    assert_ne!(again.id, ran.id);
    shop.stop().await;
}

async fn lists_are_narrowed_and_paged(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let good = shop.function("good", "() => 1").await;
    let bad = shop.function("bad", "() => { throw 1 }").await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(shop.execute(good.id, "{}").await.id);
        shop.execute(bad.id, "{}").await;
    }
    let list = |function_id, status, cursor| ListExecutions {
        function_id,
        filters: ExecutionFilters { status },
        page: PageRequest { limit: 2, cursor, ..PageRequest::default() },
    };
    let first = shop.perform(list(Some(good.id), None, None)).await.unwrap();
    let second = shop.perform(list(Some(good.id), None, first.next_cursor.clone())).await.unwrap();
    let found: Vec<Uuid> = first.items.iter().chain(&second.items).map(|one| one.id).collect();
    made.reverse();
    assert_eq!((found, second.next_cursor), (made, None));
    let failed = shop.perform(list(None, Some(Status::Failed), None)).await.unwrap();
    assert_eq!(failed.items.len(), 2);
    assert!(failed.next_cursor.is_some() && failed.items.iter().all(|one| one.function_id == bad.id));
    let missing = shop.perform(list(Some(Uuid::from_u128(1)), None, None)).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);

    let large = shop.function("large", "() => ({x: 'x'.repeat(1e6)})").await;
    for _ in 0..10 {
        shop.execute(large.id, "{}").await;
    }
    let page = PageRequest { limit: 500, ..PageRequest::default() };
    let all = ListExecutions { function_id: Some(large.id), filters: ExecutionFilters::default(), page };
    let part = shop.perform(all).await.unwrap();
    assert!(part.items.len() <= 10 && (part.items.len() == 10) == part.next_cursor.is_none());
    shop.stop().await;
}

async fn only_so_many_are_kept(ground: Ground) {
    let shop = Plan::on(&ground)
        .await
        .with(&KEPT, 2)
        .with(&sl_actors::services::executions::RETENTION_EVERY, 1_000)
        .start(ground)
        .await;
    let function = shop.function("echo", "() => 1").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(shop.execute(function.id, "{}").await.id);
    }
    until("the oldest go", async || {
        let kept: Vec<Execution> = shop.core().store.list(Query::of(shop.account)).await.unwrap();
        let kept: BTreeSet<Uuid> = kept.iter().map(|one| one.head.id).collect();
        kept == made[3..].iter().copied().collect()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    shop.stop().await;
}

async fn a_foreign_execution_is_answered_like_a_missing_one(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("echo", "() => 1").await;
    let ran = shop.execute(function.id, "{}").await;
    let stranger = shop.world.account("a stranger").await.id;
    let fetch = |id| sl_actors::services::executions::FetchExecution(id);
    let foreign = shop.perform_for(stranger, fetch(ran.id)).await.unwrap_err();
    let missing = shop.perform_for(stranger, fetch(Uuid::from_u128(1))).await.unwrap_err();
    assert_eq!((foreign.code, foreign.detail), (missing.code, missing.detail));
    for fault in [
        shop.perform_for(stranger, Replay { execution_id: ran.id, wait: None }).await.unwrap_err(),
        shop.perform_for(stranger, sl_actors::services::executions::Cancel(ran.id)).await.unwrap_err(),
        shop.perform_for(stranger, sl_actors::services::executions::FetchLogs(ran.id)).await.unwrap_err(),
    ] {
        assert_eq!((fault.code, fault.detail.as_str()), (Code::NotFound, "no such execution"));
    }
    shop.stop().await;
}
