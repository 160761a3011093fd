//! Inbound webhooks as GitHub sends them: named deliveries, forms, bodies that are no JSON, large ones.

use std::{fmt::Write as _, time::Duration};

use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{World, client::Client, each_store, function, text, until};

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "It's a Secret to Everybody";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A webhook of GitHub that answers what it is given; its path and its URL.
async fn github(world: &World, account: &str) -> (String, String) {
    let f = function(&world.client, account, "hooked", "(params) => ({ payload: params.payload })").await;
    let function_id = f.rsplit('/').next().unwrap_or_default();
    let config = json!({"scheme": "github", "secret": SECRET});
    let new = json!({"function_id": function_id, "type": "webhook", "config": config});
    let made = world.client.post(&format!("{account}/triggers"), &new).await.expect(201);
    (format!("{account}/triggers/{}", text(&made, "id")), text(&made, "webhook_url").to_owned())
}

/// A client that signs this body as GitHub does, under the name of a delivery.
fn signed(world: &World, name: &str, body: &str) -> Client {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("keys of any length");
    let mac = mac.chain_update(body).finalize().into_bytes();
    let mut signature = "sha256=".to_owned();
    for byte in mac {
        let _strings_take_all = write!(signature, "{byte:02x}");
    }
    let client = world.client.without_token().with_header("x-hub-signature-256", &signature);
    if name.is_empty() { client } else { client.with_header("x-github-delivery", name) }
}

/// Sends it and answers the delivery.
async fn send(world: &World, url: &str, name: &str, (media_type, body): (&str, &str)) -> Value {
    signed(world, name, body).post_text(url, media_type, body).await.expect(202)["delivery_id"].clone()
}

/// What the function was given in a delivery.
async fn given(world: &World, path: &str, delivery: &Value) -> Value {
    let one = format!("{path}/deliveries/{}", delivery.as_str().unwrap_or_default());
    until(&world.client, &one, PATIENCE, |seen| seen["status"] == "succeeded").await["input"]["payload"]
        .clone()
}

#[test]
fn github_names_what_is_the_same_delivery() {
    each_store(async |world| {
        let account = world.account().await;
        let (path, url) = github(world, &account).await;
        let push = (JSON, r#"{"zen":"Keep it logically awesome."}"#);
        let first = send(world, &url, "1", push).await;
        assert_eq!(send(world, &url, "1", push).await, first, "sent again");
        let second = send(world, &url, "2", push).await;
        assert_ne!(second, first, "the same body under another name");
        let unnamed = send(world, &url, "", push).await;
        assert!(unnamed != first && unnamed != second);
        assert_eq!(send(world, &url, "", push).await, unnamed, "without a name the body tells");
        for delivery in [&first, &second, &unnamed] {
            assert_eq!(given(world, &path, delivery).await, json!({"zen": "Keep it logically awesome."}));
        }
        let all = world.client.get(&format!("{path}/deliveries")).await.expect(200);
        assert_eq!(all["items"].as_array().map(Vec::len), Some(3), "{all}");
    });
}

#[test]
fn a_body_need_not_be_json_and_may_be_large() {
    each_store(async |world| {
        let account = world.account().await;
        let (path, url) = github(world, &account).await;
        // The example of GitHub's documentation.
        let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let sender = world.client.without_token().with_header("x-hub-signature-256", published);
        let told = sender.post_text(&url, "text/plain", "Hello, World!").await.expect(202);
        assert_eq!(given(world, &path, &told["delivery_id"]).await, "Hello, World!");
        let form = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22a+b%22%3A1%7D&more=x";
        let delivery = send(world, &url, "form", (FORM, form)).await;
        assert_eq!(given(world, &path, &delivery).await, json!({"ref": "refs/heads/main", "a b": 1}));
        let list = send(world, &url, "list", (JSON, "[1,2]")).await;
        assert_eq!(given(world, &path, &list).await, json!([1, 2]));

        let large = json!({"text": "x".repeat((1 << 20) - 100)}).to_string();
        let delivery = send(world, &url, "large", (JSON, &large)).await;
        let one = format!("{path}/deliveries/{}", delivery.as_str().unwrap_or_default());
        until(&world.client, &one, PATIENCE, |seen| seen["execution_id"].is_string()).await;
        let over = json!({"text": "x".repeat(1 << 20)}).to_string();
        signed(world, "over", &over).post_text(&url, JSON, &over).await.problem(413, "too_large");

        // What proves nothing is refused as ever, whatever its media type.
        let plain = world.client.without_token().post_text(&url, FORM, form).await;
        plain.problem(415, "unsupported_media_type");
        signed(world, "x", "other").post_text(&url, FORM, form).await.problem(401, "unauthorized");
    });
}

#[test]
fn what_is_said_to_be_json_has_to_be_json_and_to_satisfy_the_schema() {
    each_store(async |world| {
        let account = world.account().await;
        let f = function(&world.client, &account, "hooked", "(params) => params").await;
        let function_id = f.rsplit('/').next().unwrap_or_default();
        let schema = json!({"type": ["object", "string"], "required": ["n"]});
        let config = json!({"scheme": "shared_secret", "secret": "a shared secret", "schema": schema});
        let new = json!({"function_id": function_id, "type": "webhook", "config": config});
        let made = world.client.post(&format!("{account}/triggers"), &new).await.expect(201);
        let (path, url) = (format!("{account}/triggers/{}", text(&made, "id")), text(&made, "webhook_url"));
        let sender = world.client.without_token().with_header("x-webhook-secret", "a shared secret");
        let bearer = world.client.without_token().with_header("authorization", "bearer a shared secret");
        bearer.post_text(url, JSON, "{\"n\":1}").await.expect(202);
        for media_type in [JSON, "application/json; charset=utf-8", "Application/CloudEvents+JSON"] {
            for body in ["{", "{\"n\":", "", " ", "plain", "{\"n\":1}{"] {
                sender.post_text(url, media_type, body).await.problem(400, "malformed");
            }
            sender.post_text(url, media_type, "{\"n\":1}").await.expect(202);
            let refused = sender.post_text(url, media_type, "{}").await.problem(422, "invalid");
            assert_eq!(refused["errors"][0]["pointer"], "", "{refused}");
        }
        let told = sender.post_text(url, "text/plain", "{").await.expect(202);
        assert_eq!(given(world, &path, &told["delivery_id"]).await, "{", "text where the sender says so");

        let fire = format!("{path}/fire");
        for payload in [json!({}), json!([1])] {
            let refused =
                world.client.post(&fire, &json!({"payload": payload})).await.problem(422, "invalid");
            assert_eq!(refused["errors"][0]["pointer"], "/payload", "{refused}");
            assert_eq!(refused["errors"][0]["code"], "schema", "{refused}");
        }
        world.client.post(&fire, &json!({"payload": {"n": 1}})).await.expect(202);
        let free = json!({"function_id": function_id, "type": "webhook", "config": {"schema": null}});
        world.client.post(&format!("{account}/triggers"), &free).await.expect(201);
        let wrong = json!({"config": {"schema": "n"}});
        let refused = world.client.patch(&path, &wrong).await.problem(422, "invalid");
        assert_eq!(
            refused["errors"][0]["detail"],
            "must be a JSON Schema (an object, true or false), of a webhook"
        );
    });
}
