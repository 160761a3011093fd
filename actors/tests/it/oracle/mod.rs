//! Oracle: sources asked over real sockets, answers aggregated, called back, expired, handed to functions.

mod hostile;
mod line;
pub mod peer;
mod removal;

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sl_actors::{
    Code, Fault,
    duty::RETRY_BASE,
    resource::{Amend, Create, Remove},
    services::{
        executions::{FetchExecution, Status},
        oracle::{
            ATTEMPTS, AttemptStatus, Callback, CancelRequest, CreateRequest, FetchRequest, MAX_OPEN,
            OracleCallbackView, OracleRequestView, OracleSource, ProveCallback, RotateSourceSecret,
            SignedCallback, SourceView, UpdateRequest,
        },
    },
    settings::write_duration,
    why::Why,
};
use uuid::Uuid;

use self::peer::Peer;
use crate::{
    workshop::{Plan, Workshop},
    world::{Ground, on_both, until},
};

on_both! {
    a_failure_that_passes_is_tried_again_and_every_attempt_is_kept
    what_will_not_pass_fails_at_once
    one_liar_is_outvoted_and_a_median_is_exact
    an_answer_may_come_later_signed
    an_external_adapter_is_spoken_to_in_its_form
    an_expired_request_runs_its_function
    rates_hold_over_daemons
    updates_are_the_same_however_often
    every_broken_rule_is_told
    a_function_asks_a_source
    a_sources_own_body_counts_where_there_is_no_payload
    null_clears_what_a_source_can_be_without
}

async fn workshop(ground: Ground, peer: &Peer) -> Workshop {
    let plan = Plan::on(&ground).await.allow(&peer.host());
    plan.with(&RETRY_BASE, 1).with(&ATTEMPTS, 3).start(ground).await
}

async fn source(shop: &Workshop, fields: Value) -> Result<SourceView, Fault> {
    shop.perform(Create::<OracleSource>(serde_json::from_value(fields).unwrap())).await
}

async fn ask(shop: &Workshop, fields: Value) -> Result<OracleRequestView, Fault> {
    shop.perform(CreateRequest(serde_json::from_value(fields).unwrap())).await
}

async fn read(shop: &Workshop, id: Uuid) -> OracleRequestView {
    shop.perform(FetchRequest(id)).await.unwrap()
}

async fn ended(shop: &Workshop, id: Uuid) -> OracleRequestView {
    until("the request ends", async || read(shop, id).await.status.is_final()).await;
    read(shop, id).await
}

fn plain(view: &OracleRequestView) -> Option<String> {
    view.result.as_ref().map(|result| result.text().to_owned())
}

fn rules(fault: &Fault) -> Vec<(&str, &str)> {
    fault.fields.iter().map(|field| (field.pointer.as_str(), field.rule)).collect()
}

async fn a_failure_that_passes_is_tried_again_and_every_attempt_is_kept(ground: Ground) {
    let peer = Peer::start().await;
    let body = r#"{"data":{"price":12345678901234567890.125}}"#;
    peer.says("/p", 500, "", "").says("/p", 429, "retry-after: 0\r\n", "").says("/p", 200, "", body);
    let shop = workshop(ground, &peer).await;
    let fields = json!({
        "name": "Prices", "url": peer.url("/p?k=1"), "headers": {"x-api-key": "canary-12"},
        "result_path": "$.data.price", "result_type": "number",
    });
    let made = source(&shop, fields).await.unwrap();
    assert_eq!((made.method.as_str(), &made.header_names[..]), ("GET", &["x-api-key".to_owned()][..]));
    assert!(!serde_json::to_string(&made).unwrap().contains("canary-12"));
    let asked = ask(&shop, json!({"data_source_id": made.id, "payload": {"base": "NEO"}})).await.unwrap();
    let done = ended(&shop, asked.id).await;
    assert_eq!(plain(&done).as_deref(), Some("\"12345678901234567890.125\""), "{done:?}");
    let told: Vec<_> = done.attempts.iter().map(|a| (a.number, a.http_status, a.error.is_some())).collect();
    assert_eq!(told, [(1, Some(500), true), (2, Some(429), true), (3, Some(200), false)]);
    let told: Vec<_> = done.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(told, [AttemptStatus::Retried, AttemptStatus::Retried, AttemptStatus::Succeeded]);
    for attempt in &done.attempts {
        assert_eq!(attempt.latency, write_duration(Duration::from_millis(attempt.latency_ms)));
    }
    assert_eq!(done.attempts[2].size, Some(body.len() as u64));
    let heads = peer.asked("/p");
    assert_eq!(heads.len(), 3);
    assert!(heads[0].head.starts_with("GET /p?k=1&base=NEO HTTP/1.1"), "{}", heads[0].head);
    assert!(heads[0].head.contains("canary-12"));
    shop.told(asked.id, &["oracle_request.created", "oracle_request.started", "oracle_request.succeeded"])
        .await;
}

async fn what_will_not_pass_fails_at_once(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/404", 404, "", "no such thing").says("/html", 200, "", "<html>");
    peer.says("/miss", 200, "", "{\"a\":1}").says("/text", 200, "", "{\"a\":\"x\"}");
    peer.says("/down", 503, "", "").says("/moved", 302, "location: http://10.0.0.1/\r\n", "");
    peer.says("/huge", 200, "", &"x".repeat((1 << 20) + 1));
    let shop = workshop(ground, &peer).await;
    for (path, attempts, why) in [
        ("/404", 1, "it answered 404: no such thing"),
        ("/html", 1, "the answer is not JSON"),
        ("/miss", 1, "the path names 0 values of the answer, not one"),
        ("/text", 1, "its result must be a decimal number"),
        ("/down", 3, "it answered 503; it was asked 3 times"),
        ("/moved", 1, "10.0.0.1"),
        ("/huge", 1, "1048576"),
    ] {
        let result_path = if path == "/miss" { "$.b" } else { "$.a" };
        let fields = json!({
            "name": path, "url": peer.url(path), "result_path": result_path, "result_type": "number",
        });
        let id = source(&shop, fields).await.unwrap().id;
        let asked = ask(&shop, json!({"data_source_id": id})).await.unwrap();
        let done = ended(&shop, asked.id).await;
        assert_eq!(done.status.as_str(), "failed", "{path}");
        assert_eq!(done.attempts.len(), attempts, "{path}: {done:?}");
        assert_eq!(done.attempts[attempts - 1].status, AttemptStatus::Failed, "{path}");
        assert!(done.error.as_ref().unwrap().contains(why), "{path}: {:?}", done.error);
    }
}

async fn one_liar_is_outvoted_and_a_median_is_exact(ground: Ground) {
    let peer = Peer::start().await;
    for (path, answer) in [("/a", "1.50"), ("/b", "\"1.5\""), ("/liar", "9"), ("/c", "0.1"), ("/d", "0.2")] {
        peer.says(path, 200, "", answer);
    }
    let shop = workshop(ground, &peer).await;
    let mut ids = std::collections::BTreeMap::new();
    for path in ["/a", "/b", "/liar", "/c", "/d", "/none"] {
        let fields = json!({"name": path, "url": peer.url(path), "result_type": "number"});
        ids.insert(path, source(&shop, fields).await.unwrap().id);
    }
    for (paths, aggregation, expected) in [
        (vec!["/liar", "/a", "/b"], json!({"method": "quorum", "n": 2}), Some("\"1.5\"")),
        (vec!["/a", "/b", "/liar"], json!({"method": "mode"}), Some("\"1.5\"")),
        (vec!["/c", "/d", "/none"], json!({"method": "median", "n": 2}), Some("\"0.15\"")),
        (vec!["/none", "/d"], json!({"method": "first"}), Some("\"0.2\"")),
        (vec!["/liar", "/a"], json!({"method": "quorum", "n": 2}), None),
        (vec!["/none", "/a"], json!({"method": "median", "n": 2}), None),
    ] {
        let sources: Vec<Uuid> = paths.iter().map(|path| ids[path]).collect();
        let new = json!({"data_source_ids": sources, "aggregation": aggregation});
        let asked = ask(&shop, new).await.unwrap();
        let done = ended(&shop, asked.id).await;
        assert_eq!(plain(&done).as_deref(), expected, "{paths:?} {aggregation}: {done:?}");
        assert_eq!(done.answers.len(), paths.len());
    }
}

/// A callback signed as Standard Webhooks sign.
fn signed(secret: &str, id: Uuid, at: i64, update: &Value) -> (SignedCallback, Value) {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, timestamp, body) = (id.to_string(), at.to_string(), update.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    (SignedCallback { id, timestamp, signature, body: body.into() }, update.clone())
}

async fn call_back(
    shop: &Workshop,
    request_id: Uuid,
    (signed, update): (SignedCallback, Value),
) -> Result<OracleCallbackView, Fault> {
    let update = serde_json::from_value(update).unwrap();
    let proven = shop.perform(ProveCallback { request_id, signed }).await?;
    shop.perform(Callback { proven, update }).await
}

async fn an_answer_may_come_later_signed(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "");
    let shop = workshop(ground, &peer).await;
    let fields = json!({"name": "later", "url": peer.url("/later"), "method": "post"});
    let made = source(&shop, fields).await.unwrap();
    let secret = made.secret.unwrap();
    let asked = ask(&shop, json!({"data_source_id": made.id, "payload": "what?"})).await.unwrap();
    let pending = async || read(&shop, asked.id).await.attempts.len() == 1;
    until("the source is asked", pending).await;
    assert_eq!(peer.asked("/later")[0].body, "what?");
    let why = serde_json::to_string(&shop.perform(Why(asked.id)).await.unwrap()).unwrap();
    assert!(why.contains("awaiting_callback") && why.contains("awaiting_answers"), "{why}");

    let now = shop.world.now().timestamp();
    let says = json!({"status": "succeeded", "result": {"n": 7}});
    let forged = signed("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", asked.id, now, &says);
    assert_eq!(call_back(&shop, asked.id, forged).await.unwrap_err().code, Code::Unauthorized);
    let stale = signed(&secret, asked.id, now - 301, &says);
    assert_eq!(call_back(&shop, asked.id, stale).await.unwrap_err().code, Code::Unauthorized);
    let (mut other, _) = signed(&secret, asked.id, now, &says);
    other.body = json!({"status": "succeeded", "result": {"n": 8}}).to_string().into();
    assert_eq!(call_back(&shop, asked.id, (other, says.clone())).await.unwrap_err().code, Code::Unauthorized);

    let first = call_back(&shop, asked.id, signed(&secret, asked.id, now, &says)).await.unwrap();
    let value = |told: &OracleCallbackView| told.answer.value.as_ref().map(|value| value.text().to_owned());
    assert_eq!((first.status.as_str(), value(&first).as_deref()), ("succeeded", Some("{\"n\":7}")));
    let stored = read(&shop, asked.id).await;
    for _ in 0..50 {
        let again = call_back(&shop, asked.id, signed(&secret, asked.id, now, &says)).await.unwrap();
        assert_eq!((again.status, value(&again)), (first.status, value(&first)));
    }
    assert_eq!(read(&shop, asked.id).await.version, stored.version);
    let otherwise = signed(&secret, asked.id, now, &json!({"status": "succeeded", "result": 8}));
    assert_eq!(call_back(&shop, asked.id, otherwise).await.unwrap_err().code, Code::InvalidState);
    let fresh = shop.perform(RotateSourceSecret(made.id)).await.unwrap().secret.unwrap();
    assert_ne!(fresh, secret);
    assert_eq!(
        call_back(&shop, asked.id, signed(&secret, asked.id, now, &says)).await.unwrap_err().code,
        Code::Unauthorized
    );
    assert!(call_back(&shop, asked.id, signed(&fresh, asked.id, now, &says)).await.is_ok());
}

async fn an_external_adapter_is_spoken_to_in_its_form(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/ok", 200, "", r#"{"jobRunID":"1","data":{"result":"12.5"},"result":12.5,"statusCode":200}"#);
    peer.says(
        "/bad",
        200,
        "",
        r#"{"jobRunID":"1","status":"errored","statusCode":400,"error":{"name":"E","message":"no pair"}}"#,
    );
    peer.says("/busy", 200, "", r#"{"statusCode":504,"errorMessage":"not warm"}"#);
    peer.says("/busy", 200, "", r#"{"data":{"result":3}}"#);
    peer.says("/async", 200, "", r#"{"pending":true}"#);
    let shop = workshop(ground, &peer).await;
    let mut done = Vec::new();
    for path in ["/ok", "/bad", "/busy", "/async"] {
        let fields = json!({"name": path, "url": peer.url(path), "kind": "external_adapter"});
        let id = source(&shop, fields).await.unwrap().id;
        let asked = ask(&shop, json!({"data_source_id": id, "payload": {"base": "NEO"}})).await.unwrap();
        let answered =
            async || read(&shop, asked.id).await.answers[0].answered_at.is_some() || path == "/async";
        until("the adapter answers", answered).await;
        done.push(asked.id);
    }
    let told = async |place: usize| read(&shop, done[place]).await;
    assert_eq!(plain(&told(0).await).as_deref(), Some("12.5"));
    assert_eq!(told(1).await.error.as_deref(), Some("the adapter failed with 400: no pair"));
    assert_eq!((plain(&told(2).await).as_deref(), told(2).await.attempts.len()), (Some("3"), 2));
    until("it answers later", async || told(3).await.attempts.len() == 1).await;
    assert!(!told(3).await.status.is_final());
    let sent: Value = serde_json::from_str(&peer.asked("/ok")[0].body).unwrap();
    assert_eq!(sent, json!({"id": done[0], "data": {"base": "NEO"}}));
}

async fn an_expired_request_runs_its_function(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "");
    let shop = workshop(ground, &peer).await;
    let function = shop.function("listens", "(params) => ({ heard: params.oracle_request.status })").await.id;
    let id = source(&shop, json!({"name": "later", "url": peer.url("/later")})).await.unwrap().id;
    let new = json!({"data_source_id": id, "ttl": "1s", "callback_function_id": function});
    let asked = ask(&shop, new).await.unwrap();
    let done = ended(&shop, asked.id).await;
    assert_eq!(done.status.as_str(), "expired");
    let told = async || read(&shop, asked.id).await.callback_execution_id.is_some();
    until("the function is begun", told).await;
    let execution = read(&shop, asked.id).await.callback_execution_id.unwrap();
    let ran = async || shop.perform(FetchExecution(execution)).await.unwrap().status == Status::Succeeded;
    until("the function has run", ran).await;
    let ran = serde_json::to_value(shop.perform(FetchExecution(execution)).await.unwrap()).unwrap();
    assert_eq!(ran["output"], json!({"heard": "expired"}));
    assert_eq!(ran["trigger"]["kind"], "oracle");
    let left = shop.core().store.work(sl_store::WorkQuery {
        subject: Some(asked.id),
        limit: 9,
        ..Default::default()
    });
    assert!(left.await.unwrap().is_empty(), "nothing of it is left in the queue");
}

async fn rates_hold_over_daemons(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let shop = workshop(ground, &peer).await;
    let another = {
        let egress = shop.core().egress.clone();
        crate::world::start(sl_actors::Parts { egress, ..shop.parts().await }, None).await
    };
    let fields = json!({"name": "slow", "url": peer.url("/p"), "rate_limit": "4/s"});
    let id = source(&shop, fields).await.unwrap().id;
    let began = Instant::now();
    let mut asked = Vec::new();
    for _ in 0..12 {
        asked.push(ask(&shop, json!({"data_source_id": id})).await.unwrap().id);
        another.core().bells.ring(sl_actors::services::oracle::DUTY);
    }
    for id in asked {
        assert_eq!(ended(&shop, id).await.status.as_str(), "succeeded");
    }
    // Four at once, and the other eight a quarter of a second apart.
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    assert_eq!(peer.asked("/p").len(), 12, "waiting for a turn asks nobody");
    another.drain(Duration::from_secs(5)).await;
}

async fn updates_are_the_same_however_often(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "");
    let shop = workshop(ground, &peer).await;
    let id = source(&shop, json!({"name": "later", "url": peer.url("/later")})).await.unwrap().id;
    let request_id = ask(&shop, json!({"data_source_id": id})).await.unwrap().id;
    let update = async |fields: Value| {
        let update = serde_json::from_value(fields).unwrap();
        shop.perform(UpdateRequest { request_id, update, expected: None }).await
    };
    assert_eq!(update(json!({"status": "running"})).await.unwrap().status.as_str(), "running");
    let fault = update(json!({"status": "succeeded"})).await.unwrap_err();
    assert_eq!(rules(&fault), [("/result", "required")]);
    let done = update(json!({"status": "completed", "result": "42"})).await.unwrap();
    assert_eq!((done.status.as_str(), plain(&done).as_deref()), ("succeeded", Some("\"42\"")));
    let again = update(json!({"status": "succeeded", "result": "42"})).await.unwrap();
    assert_eq!(again.version, done.version);
    for other in [
        json!({"status": "succeeded", "result": "43"}),
        json!({"status": "failed"}),
        json!({"status": "running"}),
    ] {
        assert_eq!(update(other).await.unwrap_err().code, Code::InvalidState);
    }
    assert_eq!(shop.perform(CancelRequest(request_id)).await.unwrap_err().code, Code::InvalidState);
    let second = ask(&shop, json!({"data_source_id": id})).await.unwrap().id;
    assert_eq!(shop.perform(CancelRequest(second)).await.unwrap().status.as_str(), "cancelled");
    let third = ask(&shop, json!({"data_source_id": id})).await.unwrap().id;
    shop.perform(Remove::<OracleSource>::new(id, None)).await.unwrap();
    let orphan = read(&shop, third).await;
    assert!(orphan.status.as_str() != "succeeded", "{orphan:?}");
}

async fn every_broken_rule_is_told(ground: Ground) {
    let peer = Peer::start().await;
    let shop = Plan::on(&ground).await.allow(&peer.host()).with(&MAX_OPEN, 1).start(ground).await;
    let fields = json!({
        "name": "", "url": "http://10.0.0.1/", "method": "CONNECT", "result_path": "data[",
        "timeout": "2h", "rate_limit": "5/d", "headers": {"bad header": "x", "X-Key": "1", "x-key": "2"},
    });
    let fault = source(&shop, fields).await.unwrap_err();
    let mut pointers: Vec<&str> = rules(&fault).into_iter().map(|(pointer, _)| pointer).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        [
            "/headers/bad header",
            "/headers/x-key",
            "/method",
            "/name",
            "/rate_limit",
            "/result_path",
            "/timeout",
            "/url"
        ]
    );
    let made = source(&shop, json!({"name": "One", "url": peer.url("/x")})).await.unwrap();
    let twin = source(&shop, json!({"name": "one", "url": peer.url("/x")})).await.unwrap_err();
    assert_eq!(twin.code, Code::Conflict);
    let off = serde_json::from_value(json!({"enabled": false})).unwrap();
    shop.perform(Amend::<OracleSource> { id: made.id, expected: None, patch: off }).await.unwrap();
    let ghost = Uuid::from_u128(9);
    for (new, expected) in [
        (json!({}), vec![("/data_source_id", "required")]),
        (json!({"data_source_id": ghost}), vec![("/data_source_id", "missing")]),
        (json!({"data_source_id": made.id}), vec![("/data_source_id", "disabled")]),
        (
            json!({"data_source_id": made.id, "data_source_ids": [made.id]}),
            vec![("/data_source_ids", "exclusive")],
        ),
        (json!({"data_source_ids": []}), vec![("/data_source_ids", "entries")]),
    ] {
        assert_eq!(rules(&ask(&shop, new).await.unwrap_err()), expected);
    }
    let on = serde_json::from_value(json!({"enabled": true})).unwrap();
    shop.perform(Amend::<OracleSource> { id: made.id, expected: None, patch: on }).await.unwrap();
    let bad = json!({
        "data_source_id": made.id, "aggregation": {"method": "quorum", "n": 2}, "ttl": "1ms",
        "callback_function_id": ghost,
    });
    let fault = ask(&shop, bad).await.unwrap_err();
    assert_eq!(
        rules(&fault),
        [("/aggregation/n", "bounds"), ("/ttl", "bounds"), ("/callback_function_id", "missing")]
    );
}

async fn a_function_asks_a_source(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "pong");
    let shop = workshop(ground, &peer).await;
    let id =
        source(&shop, json!({"name": "echo", "url": peer.url("/p"), "method": "POST"})).await.unwrap().id;
    let code = "(params) => { Devpack.oracle.createRequest({ dataSourceId: params.id, payload: { ping: 1 } }); return {}; }";
    let function = shop.function("asks", code).await.id;
    let ran = serde_json::to_value(shop.execute(function, &json!({"id": id}).to_string()).await).unwrap();
    assert_eq!(ran["actions"][0]["status"], "succeeded", "{ran}");
    let request: Uuid = serde_json::from_value(ran["actions"][0]["result"]["request"]["id"].clone()).unwrap();
    assert_eq!(plain(&ended(&shop, request).await).as_deref(), Some("\"pong\""));
    assert_eq!(peer.asked("/p")[0].body, "{\"ping\":1}");
    let foreign =
        serde_json::to_value(shop.execute(function, &json!({"id": Uuid::from_u128(3)}).to_string()).await);
    assert_eq!(foreign.unwrap()["actions"][0]["status"], "failed");
}

async fn a_sources_own_body_counts_where_there_is_no_payload(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/g", 200, "", "1").says("/p", 200, "", "1");
    let shop = workshop(ground, &peer).await;
    for (method, path) in [("GET", "/g"), ("POST", "/p")] {
        let fields =
            json!({"name": path, "url": peer.url(path), "method": method, "body": "{\"from\":\"NEO\"}"});
        let id = source(&shop, fields).await.unwrap().id;
        for payload in [Value::Null, json!(""), json!({"from": "GAS"})] {
            let asked = ask(&shop, json!({"data_source_id": id, "payload": payload})).await.unwrap();
            ended(&shop, asked.id).await;
        }
    }
    let lines: Vec<_> =
        peer.asked("/g").iter().map(|asked| asked.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["GET /g?from=NEO HTTP/1.1", "GET /g?from=NEO HTTP/1.1", "GET /g?from=GAS HTTP/1.1"]);
    let bodies: Vec<_> = peer.asked("/p").iter().map(|asked| asked.body.clone()).collect();
    assert_eq!(bodies, ["{\"from\":\"NEO\"}", "{\"from\":\"NEO\"}", "{\"from\":\"GAS\"}"]);
}

async fn null_clears_what_a_source_can_be_without(ground: Ground) {
    let peer = Peer::start().await;
    let shop = workshop(ground, &peer).await;
    let fields = json!({
        "name": "full", "url": peer.url("/x"), "method": "POST", "description": "what for", "body": "b",
        "headers": {"x-key": "1"}, "result_path": "$.a", "result_type": "number", "timeout": "5s", "rate_limit": "5/s",
    });
    let made = source(&shop, fields.clone()).await.unwrap();
    let amend = async |patch: Value| {
        let patch = serde_json::from_value(patch).unwrap();
        shop.perform(Amend::<OracleSource> { id: made.id, expected: None, patch }).await.unwrap()
    };
    assert_eq!(amend(fields).await.version, 1, "nothing changed");
    let nulls = json!({
        "method": null, "description": null, "body": null, "headers": null, "result_path": null,
        "result_type": null, "timeout": null, "rate_limit": null,
    });
    let cleared = amend(nulls.clone()).await;
    assert_eq!((cleared.body, cleared.result_path, cleared.rate_limit), (None, None, None));
    assert_eq!((cleared.method.as_str(), cleared.timeout.as_str(), cleared.version), ("GET", "10s", 2));
    assert!(cleared.header_names.is_empty() && cleared.description.is_empty());
    assert_eq!(amend(nulls.clone()).await.version, 2);
    let mut new = nulls;
    for (name, value) in [("name", json!("bare")), ("url", json!(peer.url("/x"))), ("kind", Value::Null)] {
        new[name] = value;
    }
    let bare = source(&shop, new).await.unwrap();
    assert_eq!((bare.method.as_str(), bare.timeout.as_str()), ("GET", "10s"), "what is null is as absent");
    assert!(bare.header_names.is_empty() && bare.description.is_empty() && bare.rate_limit.is_none());
}
