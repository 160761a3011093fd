//! Triggers: by the clock, on events, by signed requests from outside; fired by hand, delivered again, paused.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use hmac::{Hmac, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{World, client::Client, each_store, function, text, until};

const PATIENCE: Duration = Duration::from_secs(30);
const ECHO: &str = "(params) => params";

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Makes a trigger and answers it with its path.
async fn trigger(world: &World, account: &str, function: &str, mut fields: Value) -> (Value, String) {
    fields["function_id"] = json!(id_of(function));
    let made = world.client.post(&format!("{account}/triggers"), &fields).await.expect(201);
    let path = format!("{account}/triggers/{}", text(&made, "id"));
    (made, path)
}

/// Looks until a trigger has so many deliveries that succeeded, and answers all it has.
async fn succeeded(client: &Client, path: &str, count: usize) -> Vec<Value> {
    let ended = format!("{path}/deliveries?status=succeeded&limit=100");
    until(client, &ended, PATIENCE, |seen| seen["items"].as_array().is_some_and(|all| all.len() >= count))
        .await;
    let all = client.get(&format!("{path}/deliveries?limit=100")).await.expect(200);
    all["items"].as_array().cloned().unwrap_or_default()
}

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    parts.iter().fold(mac, hmac::Mac::chain_update).finalize().into_bytes().to_vec()
}

fn now() -> i64 {
    sl_store::Clock::now(&sl_store::SystemClock).timestamp()
}

/// A client that sends what was signed by Standard Webhooks.
fn standard(world: &World, secret: &str, id: &str, at: i64, body: &Value) -> Client {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let signature = STANDARD.encode(mac(&key, &[id, ".", &at.to_string(), ".", &body.to_string()]));
    world
        .client
        .without_token()
        .with_header("webhook-id", id)
        .with_header("webhook-timestamp", &at.to_string())
        .with_header("webhook-signature", &format!("v1,{signature}"))
}

#[test]
fn an_event_fires_each_trigger_that_waits_for_it_once() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hears", ECHO).await;
        let new = json!({"type": "event", "rule": "secret.*", "config": {"filter": {"/name": "wanted"}}});
        let (made, wanted) = trigger(world, &account, &f, new).await;
        assert_eq!((&made["type"], &made["enabled"]), (&json!("event"), &json!(true)), "{made}");
        let (_, all) = trigger(world, &account, &f, json!({"type": "event", "rule": "*"})).await;
        let (_, off) =
            trigger(world, &account, &f, json!({"type": "event", "rule": "*", "enabled": false})).await;
        let job = json!({"name": "hears", "overlap": "allow", "on": {"kind": "secret.created"}, "function_id": id_of(&f)});
        let job = world.client.post(&format!("{account}/automation/jobs"), &job).await.expect(201);
        let other = match world.database {
            Some(_) => Some(world.beside().await),
            None => None,
        };
        for name in ["wanted", "other"] {
            let new = json!({"name": name, "value": "a value"});
            world.client.post(&format!("{account}/secrets"), &new).await.expect(201);
        }
        let heard = succeeded(&world.client, &wanted, 1).await;
        let input = &heard[0]["input"];
        assert_eq!(
            (&input["event"]["kind"], &input["event"]["data"]["name"]),
            (&json!("secret.created"), &json!("wanted")),
            "{input}"
        );
        assert_eq!(input["trigger"], json!({"id": id_of(&wanted), "type": "event"}));
        let runs = format!("{account}/automation/jobs/{}/runs?status=succeeded", text(&job, "id"));
        until(&world.client, &runs, PATIENCE, |seen| seen["items"].as_array().map(Vec::len) == Some(2)).await;
        if let Some(other) = other {
            other.end().await;
        }
        // Another trigger was made, a job, two secrets; neither its own runs nor what follows from them.
        let all = succeeded(&world.client, &all, 4).await;
        let kinds: Vec<&Value> = all.iter().map(|delivery| &delivery["input"]["event"]["kind"]).collect();
        assert_eq!(kinds.iter().filter(|kind| ***kind == "secret.created").count(), 2, "{kinds:?}");
        assert!(
            kinds.iter().all(|kind| *kind != "execution.queued" && *kind != "trigger.fired"),
            "{kinds:?}"
        );
        assert_eq!(world.client.get(&format!("{off}/deliveries")).await.body["items"], json!([]));
        assert_eq!(
            world.client.get(&format!("{wanted}/deliveries")).await.body["items"].as_array().map(Vec::len),
            Some(1)
        );
    });
}

#[test]
fn an_event_is_heard_promptly() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hears", ECHO).await;
        let (_, path) =
            trigger(world, &account, &f, json!({"type": "event", "rule": "secret.created"})).await;
        let mut took = Vec::new();
        for round in 0..5 {
            let began = tokio::time::Instant::now();
            let new = json!({"name": format!("s{round}"), "value": "a value"});
            world.client.post(&format!("{account}/secrets"), &new).await.expect(201);
            succeeded(&world.client, &path, round + 1).await;
            took.push(began.elapsed());
        }
        took.sort();
        assert!(took[2] < Duration::from_millis(900), "sooner than any poll: {took:?}");
    });
}

#[test]
fn a_signed_request_has_one_effect_however_often_it_is_sent() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hooked", ECHO).await;
        let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
        let new = json!({"type": "webhook", "config": {"URL": "https://old.example/x", "schema": schema}});
        let (made, path) = trigger(world, &account, &f, new).await;
        let (url, secret) = (text(&made, "webhook_url").to_owned(), text(&made, "secret").to_owned());
        let shown = world.client.get(&path).await.expect(200);
        assert!(shown.get("secret").is_none() && shown.get("webhook_url").is_none(), "{shown}");
        assert_eq!(shown["config"]["url"], "https://old.example/x", "kept as a label");

        let body = json!({"n": 7});
        let sender = standard(world, &secret, "msg_1", now(), &body);
        let answers = join_all((0..50).map(|_| sender.post(&url, &body))).await;
        let first = answers[0].body["delivery_id"].clone();
        for answer in answers {
            let told = answer.expect(202);
            assert_eq!(told["delivery_id"], first, "{told}");
        }
        let all = succeeded(&world.client, &path, 1).await;
        assert_eq!(all.len(), 1, "one effect");
        assert_eq!((&all[0]["id"], &all[0]["input"]["payload"]), (&first, &body));
        let ran = format!("{account}/executions/{}", text(&all[0], "execution_id"));
        let ran = world.client.get(&ran).await.expect(200);
        assert_eq!((&ran["output"]["payload"]["n"], &ran["trigger"]["kind"]), (&json!(7), &json!("webhook")));

        let none = world.client.without_token();
        none.post(&url, &body).await.problem(401, "unauthorized");
        none.post(&format!("/hooks/{}", "0".repeat(64)), &body).await.problem(404, "not_found");
        sender.post(&url, &json!({"n": 8})).await.problem(401, "unauthorized");
        for late in [now() - 310, now() + 310] {
            standard(world, &secret, "msg_late", late, &body)
                .post(&url, &body)
                .await
                .problem(401, "unauthorized");
        }
        let wrong = json!({"n": "seven"});
        let refused = standard(world, &secret, "msg_2", now(), &wrong).post(&url, &wrong).await;
        assert_eq!(refused.problem(422, "invalid")["errors"][0]["pointer"], "/n");
        world.client.ask(Method::POST, &format!("{path}/disable"), None).await.expect(200);
        standard(world, &secret, "msg_3", now(), &body).post(&url, &body).await.problem(409, "invalid_state");
        assert_eq!(succeeded(&world.client, &path, 1).await.len(), 1);
    });
}

#[test]
fn two_secrets_hold_while_one_replaces_the_other() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hooked", ECHO).await;
        let (made, path) = trigger(world, &account, &f, json!({"type": "webhook"})).await;
        let (url, first) = (text(&made, "webhook_url").to_owned(), text(&made, "secret").to_owned());
        let body = json!({"any": ["thing"]});
        let rotate = format!("{path}/rotate-secret");
        let rotated = world.client.post(&rotate, &json!({"grace": "1h"})).await.expect(200);
        let second = text(&rotated, "secret").to_owned();
        assert!(rotated.get("webhook_url").is_none() && first != second);
        for (id, secret) in [("a", &first), ("b", &second)] {
            standard(world, secret, id, now(), &body).post(&url, &body).await.expect(202);
        }
        let again = world.client.post(&rotate, &json!({"grace": "0s", "url": true})).await.expect(200);
        let (moved, third) = (text(&again, "webhook_url").to_owned(), text(&again, "secret").to_owned());
        standard(world, &third, "c", now(), &body).post(&url, &body).await.problem(404, "not_found");
        for old in [&first, &second] {
            standard(world, old, "d", now(), &body).post(&moved, &body).await.problem(401, "unauthorized");
        }
        standard(world, &third, "e", now(), &body).post(&moved, &body).await.expect(202);
        assert_eq!(succeeded(&world.client, &path, 3).await.len(), 3);
    });
}

#[test]
fn other_schemes_sign_in_their_own_way() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hooked", ECHO).await;
        let body = json!({"id": "evt_1", "zen": "Keep it logically awesome."});
        let written = body.to_string();
        let at = now().to_string();
        let stripe = mac(b"whsec_of_stripe", &[&at, ".", &written]);
        let github = mac(b"It's a Secret to Everybody", &[&written]);
        for (scheme, secret, header, value) in [
            ("stripe", "whsec_of_stripe", "stripe-signature", format!("t={at},v1={},v0=00", hex(&stripe))),
            (
                "github",
                "It's a Secret to Everybody",
                "x-hub-signature-256",
                format!("sha256={}", hex(&github)),
            ),
            ("shared_secret", "a shared secret", "x-webhook-secret", "a shared secret".to_owned()),
        ] {
            let new = json!({"type": "webhook", "config": {"scheme": scheme, "secret": secret}});
            let (made, path) = trigger(world, &account, &f, new).await;
            assert!(made["config"].get("secret").is_none(), "{made}");
            let sender = world.client.without_token().with_header(header, &value);
            let url = text(&made, "webhook_url");
            sender.post(url, &body).await.expect(202);
            world
                .client
                .without_token()
                .with_header(header, "t=1,v1=00")
                .post(url, &body)
                .await
                .problem(401, "unauthorized");
            assert_eq!(succeeded(&world.client, &path, 1).await[0]["input"]["payload"], body);
            if scheme != "shared_secret" {
                sender.post(url, &body).await.expect(202);
                assert_eq!(succeeded(&world.client, &path, 1).await.len(), 1, "{scheme}");
            }
        }
    });
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _strings_take_all = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn a_trigger_fires_by_the_clock_and_by_hand_and_is_paused_and_explained() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "ticks", ECHO).await;
        let (made, path) = trigger(world, &account, &f, json!({"rule": "@every 1s"})).await;
        assert_eq!(made["type"], "cron", "unless told otherwise");
        let all = succeeded(&world.client, &path, 2).await;
        let mut slots: Vec<&str> = all.iter().map(|one| text(&one["input"], "scheduled_for")).collect();
        let count = slots.len();
        slots.dedup();
        assert_eq!(slots.len(), count, "no slot fires twice");
        let why = world.client.get(&format!("{account}/why/{}", id_of(&path))).await.expect(200);
        assert_eq!((&why["kind"], &why["status"]), (&json!("trigger"), &json!("active")), "{why}");
        let off = world.client.patch(&path, &json!({"enabled": false})).await.expect(200);
        assert_eq!(off["enabled"], false);

        world.client.post(&format!("{path}/pause"), &json!({"reason": "maintenance"})).await.expect(200);
        let fire = format!("{path}/fire");
        let fired = world.client.post(&fire, &json!({"payload": {"by": "hand"}})).await.expect(202);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let one = format!("{path}/deliveries/{}", text(&fired, "id"));
        assert_eq!(world.client.get(&one).await.expect(200)["status"], "queued");
        world.client.post(&format!("{path}/resume"), &json!({"missed": "all"})).await.expect(200);
        until(&world.client, &one, PATIENCE, |seen| seen["status"] == "succeeded").await;
        let again = world.client.ask(Method::POST, &format!("{one}/redeliver"), None).await.expect(202);
        assert_eq!(
            (&again["redelivery_of"], &again["cause"]),
            (&fired["id"], &json!("redelivery")),
            "{again}"
        );
        let again = format!("{path}/deliveries/{}", text(&again, "id"));
        let seen = until(&world.client, &again, PATIENCE, |seen| seen["status"] == "succeeded").await;
        assert_eq!(seen["input"]["payload"], json!({"by": "hand"}));
        world.client.ask(Method::DELETE, &path, None).await.expect(204);
        world.client.get(&path).await.problem(404, "not_found");
    });
}

#[test]
fn a_wrong_trigger_is_refused_by_name_and_a_function_registers_its_own() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "(params) => { if (!params.trigger) Devpack.triggers.register({type: 'event', rule: 'secret.created'}); return {}; }";
        let f = function(&world.client, &account, "registers", source).await;
        let triggers = format!("{account}/triggers");
        for (new, pointer) in [
            (json!({"rule": "61 * * * *"}), "/rule"),
            (json!({"rule": "@daily", "config": {"timezone": "Mars/Base"}}), "/config/timezone"),
            (json!({"type": "event"}), "/rule"),
            (json!({"type": "event", "rule": "a*b"}), "/rule"),
            (json!({"type": "event", "rule": "*", "config": {"filter": {"name": 1}}}), "/config/filter"),
            (json!({"type": "webhook", "config": {"scheme": "carrier_pigeon"}}), "/config/scheme"),
            (json!({"type": "webhook", "config": {"schema": {"type": 7}}}), "/config/schema"),
            (
                json!({"type": "webhook", "config": {"schema": {"$ref": "http://127.0.0.1:1/x"}}}),
                "/config/schema",
            ),
            (json!({"type": "webhook", "config": {"secret": "too plain"}}), "/config/secret"),
        ] {
            let mut new = new;
            new["function_id"] = json!(id_of(&f));
            let refused = world.client.post(&triggers, &new).await.problem(422, "invalid");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{new}: {refused}");
        }
        let nobody = json!({"function_id": id_of(&account), "rule": "@daily"});
        let refused = world.client.post(&triggers, &nobody).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/function_id");
        world.client.post(&format!("{f}/execute"), &json!({})).await.expect(200);
        let seen = until(&world.client, &triggers, PATIENCE, |seen| {
            seen["items"].as_array().map(Vec::len) == Some(1)
        })
        .await;
        let path = format!("{triggers}/{}", text(&seen["items"][0], "id"));
        let new = json!({"name": "heard", "value": "a value"});
        world.client.post(&format!("{account}/secrets"), &new).await.expect(201);
        assert_eq!(succeeded(&world.client, &path, 1).await.len(), 1);
    });
}
