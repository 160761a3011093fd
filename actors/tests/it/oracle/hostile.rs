//! Oracle under attack: by sources that lie about everything, by resolvers, by tenants.

use serde_json::json;
use sl_actors::{
    Code,
    page::PageRequest,
    resource::Create,
    services::{
        oracle::{AnswerStatus, FetchRequest, OracleSource},
        triggers::{DeliveryFilters, ListDeliveries, Trigger},
    },
};
use uuid::Uuid;

use super::{Peer, ask, call_back, ended, plain, read, rules, signed, source, workshop};
use crate::world::{Ground, on_both, until};

on_both! {
    what_a_source_writes_into_its_failure_can_be_kept
    a_result_that_cannot_be_read_back_is_none
    numbers_that_differ_in_the_last_digit_do_not_agree
    a_signature_answers_its_own_request_alone
    a_resolver_learns_nothing_of_other_sources
    a_path_that_would_blow_up_is_refused
    a_source_of_another_account_is_no_source
    a_request_that_waits_for_a_turn_says_until_when
    what_an_answer_brings_about_brings_about_no_further_answer
}

async fn what_a_source_writes_into_its_failure_can_be_kept(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/nul", 404, "", "a\0b\x1b[31m").says("/bytes", 400, "", "\u{fffd}\r\n\0");
    peer.says("/adapter", 200, "", r#"{"statusCode":400,"errorMessage":"\u0000no\u0007"}"#);
    let shop = workshop(ground, &peer).await;
    for (path, kind, told) in [
        ("/nul", "http", "it answered 404: ab[31m"),
        ("/bytes", "http", "it answered 400: \u{fffd}"),
        ("/adapter", "external_adapter", "the adapter failed with 400: no"),
    ] {
        let fields = json!({"name": path, "url": peer.url(path), "kind": kind});
        let id = source(&shop, fields).await.unwrap().id;
        let asked = ask(&shop, json!({"data_source_id": id})).await.unwrap();
        let done = ended(&shop, asked.id).await;
        assert_eq!((done.status.as_str(), done.error.as_deref()), ("failed", Some(told)));
        assert_eq!(peer.asked(path).len(), 1, "{path}");
    }
}

async fn a_result_that_cannot_be_read_back_is_none(ground: Ground) {
    let peer = Peer::start().await;
    let deep = format!(r#"{{"result":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    peer.says("/deep", 200, "", &deep).says("/half", 200, "", r#"{"result":"\ud800"}"#);
    let shop = workshop(ground, &peer).await;
    for path in ["/deep", "/half"] {
        let fields = json!({"name": path, "url": peer.url(path), "kind": "external_adapter"});
        let id = source(&shop, fields).await.unwrap().id;
        let asked = ask(&shop, json!({"data_source_id": id})).await.unwrap();
        let done = ended(&shop, asked.id).await;
        assert!(done.error.as_ref().unwrap().starts_with("its result is nested"), "{path}: {:?}", done.error);
    }
}

async fn numbers_that_differ_in_the_last_digit_do_not_agree(ground: Ground) {
    let peer = Peer::start().await;
    let word = "11579208923731619542357098500868790785326998466564056403945758400791312963993";
    for (path, end) in [("/a", 5), ("/b", 6), ("/c", 5)] {
        peer.says(path, 200, "", &format!(r#"{{"v":{word}{end}}}"#));
    }
    let shop = workshop(ground, &peer).await;
    let mut ids = Vec::new();
    for path in ["/a", "/b", "/c"] {
        let fields = json!({"name": path, "url": peer.url(path), "result_path": "$.v"});
        ids.push(source(&shop, fields).await.unwrap().id);
    }
    let quorum = json!({"method": "quorum", "n": 2});
    let two = ask(&shop, json!({"data_source_ids": ids[..2], "aggregation": quorum})).await.unwrap();
    assert_eq!(ended(&shop, two.id).await.status.as_str(), "failed");
    let all = ask(&shop, json!({"data_source_ids": ids, "aggregation": quorum})).await.unwrap();
    assert_eq!(plain(&ended(&shop, all.id).await), Some(format!("{word}5")));
}

async fn a_signature_answers_its_own_request_alone(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "");
    let shop = workshop(ground, &peer).await;
    let made = source(&shop, json!({"name": "later", "url": peer.url("/later")})).await.unwrap();
    let secret = made.secret.unwrap();
    let first = ask(&shop, json!({"data_source_id": made.id})).await.unwrap().id;
    let second = ask(&shop, json!({"data_source_id": made.id})).await.unwrap().id;
    let says = json!({"status": "succeeded", "result": 1});
    let now = shop.world.now().timestamp();
    let told = signed(&secret, first, now, &says);
    let elsewhere = call_back(&shop, second, told.clone()).await.unwrap_err();
    let nowhere = call_back(&shop, Uuid::from_u128(9), signed(&secret, Uuid::from_u128(9), now, &says)).await;
    let nowhere = nowhere.unwrap_err();
    assert_eq!((elsewhere.code, &elsewhere.detail), (Code::Unauthorized, &nowhere.detail));
    assert!(!read(&shop, second).await.status.is_final());
    assert_eq!(call_back(&shop, first, told).await.unwrap().status.as_str(), "succeeded");
    let noisy = json!({"status": "failed", "error": "a\u{0}b"});
    let fault = call_back(&shop, second, signed(&secret, second, now, &noisy)).await.unwrap_err();
    assert_eq!(rules(&fault), [("/error", "characters")]);
}

async fn a_resolver_learns_nothing_of_other_sources(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/later", 202, "", "").says("/known", 200, "", "31337");
    let shop = workshop(ground, &peer).await;
    let later = source(&shop, json!({"name": "later", "url": peer.url("/later")})).await.unwrap();
    let known = source(&shop, json!({"name": "known", "url": peer.url("/known")})).await.unwrap();
    let new = json!({
        "data_source_ids": [later.id, known.id], "aggregation": {"method": "median", "n": 2}, "payload": "p-4711",
    });
    let id = ask(&shop, new).await.unwrap().id;
    until("the other one answers", async || read(&shop, id).await.answers[1].value.is_some()).await;
    let now = shop.world.now().timestamp();
    let says = json!({"status": "running"});
    let told = call_back(&shop, id, signed(&later.secret.unwrap(), id, now, &says)).await.unwrap();
    assert_eq!(told.answer.source_id, later.id);
    let told = serde_json::to_string(&told).unwrap();
    assert!(!told.contains("31337") && !told.contains("4711"), "{told}");
}

async fn a_path_that_would_blow_up_is_refused(ground: Ground) {
    let peer = Peer::start().await;
    let shop = workshop(ground, &peer).await;
    for path in [
        "..*".repeat(80),
        format!("[?{}@.a{}]", "@[?".repeat(60), "]".repeat(60)),
        "[?search(@.a, '(x{1000}){1000}')]".to_owned(),
    ] {
        let fields = json!({
            "name": "bomb", "url": peer.url("/"), "result_path": format!("${path}"),
            "headers": {"Host": "metadata.internal", "transfer-encoding": "chunked"},
        });
        let fault = source(&shop, fields).await.unwrap_err();
        let expected = [
            ("/headers/Host", "reserved"),
            ("/headers/transfer-encoding", "reserved"),
            ("/result_path", "format"),
        ];
        assert_eq!(rules(&fault), expected);
    }
}

async fn a_source_of_another_account_is_no_source(ground: Ground) {
    let peer = Peer::start().await;
    let shop = workshop(ground, &peer).await;
    let theirs = shop.world.account("another").await.id;
    let fields = serde_json::from_value(json!({"name": "theirs", "url": peer.url("/")})).unwrap();
    let foreign = shop.perform_for(theirs, Create::<OracleSource>(fields)).await.unwrap();
    let fault = ask(&shop, json!({"data_source_id": foreign.id})).await.unwrap_err();
    let missing = ask(&shop, json!({"data_source_id": Uuid::from_u128(7)})).await.unwrap_err();
    assert_eq!(rules(&fault), rules(&missing));
    assert_eq!(fault.fields[0].detail, missing.fields[0].detail);
    let mine = source(&shop, json!({"name": "mine", "url": peer.url("/")})).await.unwrap().id;
    let asked = ask(&shop, json!({"data_source_id": mine})).await.unwrap().id;
    assert_eq!(shop.perform_for(theirs, FetchRequest(asked)).await.unwrap_err().code, Code::NotFound);
}

async fn a_request_that_waits_for_a_turn_says_until_when(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let shop = workshop(ground, &peer).await;
    let fields = json!({"name": "rare", "url": peer.url("/p"), "rate_limit": "1/h"});
    let id = source(&shop, fields).await.unwrap().id;
    let first = ask(&shop, json!({"data_source_id": id})).await.unwrap().id;
    assert_eq!(ended(&shop, first).await.status.as_str(), "succeeded");
    let second = ask(&shop, json!({"data_source_id": id})).await.unwrap().id;
    let why = serde_json::to_value(shop.perform(sl_actors::why::Why(second)).await.unwrap()).unwrap();
    let causes = why["causes"].as_array().unwrap();
    let rated = causes.iter().find(|cause| cause["code"] == "rate_limited").expect("it waits for a turn");
    assert!(rated["until"].is_string() && rated["rate_limit"] == "1/h", "{why}");
    assert_eq!(read(&shop, second).await.answers[0].status, AnswerStatus::Waiting);
}

async fn what_an_answer_brings_about_brings_about_no_further_answer(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 200, "", "1");
    let shop = workshop(ground, &peer).await;
    let id = source(&shop, json!({"name": "echo", "url": peer.url("/p")})).await.unwrap().id;
    let code = format!("() => {{ Devpack.oracle.createRequest({{ dataSourceId: '{id}' }}); return {{}}; }}");
    let function = shop.function("asks", &code).await.id;
    let new = json!({"function_id": function, "type": "event", "rule": "oracle_request.succeeded"});
    let trigger = shop.perform(Create::<Trigger>(serde_json::from_value(new).unwrap())).await.unwrap().id;
    let fired = async || {
        let (filters, page) = (DeliveryFilters::default(), PageRequest::default());
        shop.perform(ListDeliveries { trigger_id: trigger, filters, page }).await.unwrap().items.len()
    };
    ask(&shop, json!({"data_source_id": id})).await.unwrap();
    until("the function has asked as well", async || peer.asked("/p").len() == 2).await;
    // What comes next shows that everything before it was heard.
    ask(&shop, json!({"data_source_id": id})).await.unwrap();
    until("it is heard", async || fired().await >= 2).await;
    until("its function has asked", async || peer.asked("/p").len() >= 4).await;
    assert_eq!((fired().await, peer.asked("/p").len()), (2, 4));
}
