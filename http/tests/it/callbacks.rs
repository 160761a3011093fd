//! Answers of oracle resolvers: signed over the body as it was sent, without a token.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use sl_actors::services::oracle::CALLBACK_RATE;
use sl_http::{Config, settings::PEER_RATE};

use crate::server::{Answer, Running, send, start, start_with};

struct Asked {
    server: Running,
    account: String,
    request: String,
    secret: String,
}

async fn asked() -> Asked {
    asked_of(start().await).await
}

async fn asked_of(server: Running) -> Asked {
    let account = server.account().await;
    let new = json!({"name": "later", "url": "https://later.invalid/"});
    let source = server.post(&format!("{account}/oracle/sources"), new).await.json();
    let new = json!({"data_source_id": source["id"]});
    let request = server.post(&format!("{account}/oracle/requests"), new).await.json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    Asked { account, request: text(&request["id"]), secret: text(&source["secret"]), server }
}

impl Asked {
    fn path(&self) -> String {
        format!("{}/oracle/requests/{}", self.account, self.request)
    }

    fn signature(&self, timestamp: i64, body: &str) -> String {
        let key = self.secret.strip_prefix("whsec_").and_then(|key| BASE64_STANDARD.decode(key).ok());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.expect("a secret")).expect("any key will do");
        mac.update(format!("{}.{timestamp}.{body}", self.request).as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }

    async fn call(&self, timestamp: i64, signature: &str, body: &str) -> Answer {
        self.call_keyed(timestamp, signature, body, None).await
    }

    async fn call_keyed(&self, timestamp: i64, signature: &str, body: &str, key: Option<&str>) -> Answer {
        let call = self.server.bare(Method::POST, &format!("{}/callback", self.path()));
        let call = call
            .header("webhook-id", &self.request)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature);
        let call = key.into_iter().fold(call, |call, key| call.header("idempotency-key", key));
        send(call.header("content-type", "application/json").body(body.to_owned())).await
    }
}

#[tokio::test(flavor = "local")]
async fn the_bytes_that_were_signed_are_the_bytes_that_were_sent() {
    let asked = asked().await;
    let now = asked.server.runtime.core().clock.now().timestamp();
    let body = "{ \"status\" : \"succeeded\",\n\"result\": 12345678901234567890.50 }";
    let signature = asked.signature(now, body);
    let respelled = asked.call(now, &signature, &body.replace(' ', "")).await;
    assert_eq!((respelled.status, respelled.problem().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
    let early = asked.call(now - 301, &asked.signature(now - 301, body), body).await;
    assert_eq!(early.problem(), "unauthorized");
    assert_eq!(asked.call(now, &signature, body).await.status, StatusCode::OK);
    let first = asked.server.get(&asked.path()).await.json();
    for _ in 0..3 {
        let answer = asked.call(now, &signature, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert!(answer.text.contains("12345678901234567890.50"), "{answer:?}");
    }
    let read = asked.server.get(&asked.path()).await.json();
    assert_eq!((read["status"].as_str(), &read["version"]), (Some("succeeded"), &first["version"]));
    let other = body.replace("50", "51");
    let answer = asked.call(now, &asked.signature(now, &other), &other).await;
    assert_eq!(answer.problem(), "invalid_state");
    asked.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_stored_answer_is_told_to_who_can_sign_alone() {
    let asked = asked().await;
    let now = asked.server.runtime.core().clock.now().timestamp();
    let body = "{\"status\": \"succeeded\", \"result\": 7}";
    let signature = asked.signature(now, body);
    let first = asked.call_keyed(now, &signature, body, Some("k1")).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (StatusCode::OK, None), "{first:?}");
    let again = asked.call_keyed(now, &signature, body, Some("k1")).await;
    assert_eq!((again.header("idempotency-replayed"), &again.text), (Some("true"), &first.text));
    for (forged, at) in [("v1,AAAA".to_owned(), now), (asked.signature(now - 400, body), now - 400)] {
        let refused = asked.call_keyed(at, &forged, body, Some("k1")).await;
        assert_eq!(refused.problem(), "unauthorized", "{refused:?}");
        assert!(!refused.text.contains("succeeded"), "{refused:?}");
    }
    asked.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn who_has_no_token_is_held_to_a_rate() {
    let asked = asked_of(start_with(&[(&CALLBACK_RATE, 2), (&PEER_RATE, 6)], Config::default()).await).await;
    let mut codes = Vec::new();
    for _ in 0..5 {
        let refused = asked.call(0, "v1,AAAA", "{}").await;
        codes.push(refused.problem());
        if refused.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(refused.json()["setting"], CALLBACK_RATE.name, "{refused:?}");
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
        }
    }
    assert_eq!(codes[..4], ["unauthorized"; 4], "as many at once as two seconds bring");
    assert_eq!(codes[4], "rate_limited");
    let mut settings = Vec::new();
    for number in 0..10 {
        let hook = format!("/hooks/{number:064x}");
        let answer = send(asked.server.bare(Method::POST, &hook).json(&json!({}))).await;
        settings.push(answer.json()["setting"].as_str().map(str::to_owned));
    }
    assert_eq!(settings[0], None, "nobody has called this one: {settings:?}");
    assert_eq!(
        settings[9].as_deref(),
        Some(PEER_RATE.name),
        "whoever tries tokens is one address: {settings:?}"
    );
    asked.server.stop().await;
}
