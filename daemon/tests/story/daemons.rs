//! Two daemons on one database are one service.

use std::time::Duration;

use serde_json::json;

use crate::world::{World, function, on_threads, text, until};

#[test]
fn what_one_daemon_takes_the_other_shows() {
    on_threads(async {
        let one = World::on_postgres().await;
        let other = one.beside().await;
        let account = one.account().await;
        let path = function(&one.client, &account, "shared", "(params) => params.n * 2").await;
        let ran = other.client.post(&format!("{path}/execute"), &json!({"n": 21})).await.expect(200);
        assert_eq!(ran["output"]["result"], 42, "{ran}");
        let seen = one.client.get(&format!("{account}/executions/{}", text(&ran, "id"))).await.expect(200);
        assert_eq!(seen, ran);
        one.end().await;
        other.client.get(&account).await.expect(200);
        other.end().await;
    });
}

#[test]
fn a_revoked_token_is_refused_by_both_within_a_moment() {
    on_threads(async {
        let one = World::on_postgres().await;
        let other = one.beside().await;
        let account = one.account().await;
        let new = json!({"name": "shared", "scopes": ["read"]});
        let made = one.client.post(&format!("{account}/tokens"), &new).await.expect(201);
        let tenant = other.client.with_token(text(&made, "token"));
        tenant.get(&account).await.expect(200);
        one.client.delete(&format!("{account}/tokens/{}", text(&made, "id"))).await;
        until(&tenant, &account, Duration::from_secs(2), |seen| seen["code"] == "unauthorized").await;
        one.end().await;
        other.end().await;
    });
}

#[test]
fn one_key_has_one_effect_whichever_daemon_is_asked() {
    on_threads(async {
        let one = World::on_postgres().await;
        let other = one.beside().await;
        let body = json!({"owner": "shared"});
        let first =
            one.client.with_header("idempotency-key", "shared").post("/accounts", &body).await.expect(201);
        let again = other.client.with_header("idempotency-key", "shared").post("/accounts", &body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        assert_eq!(again.expect(201), first);
        one.end().await;
        other.end().await;
    });
}
