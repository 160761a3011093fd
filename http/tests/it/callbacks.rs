//! Answers of oracle resolvers: signed over the body as it was sent, without a token.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::server::{Answer, Running, send, start};

struct Asked {
    server: Running,
    account: String,
    request: String,
    secret: String,
}

async fn asked() -> Asked {
    let server = start().await;
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
        let call = self.server.bare(Method::POST, &format!("{}/callback", self.path()));
        let call = call
            .header("webhook-id", &self.request)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature);
        send(call.header("content-type", "application/json").body(body.to_owned())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
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
