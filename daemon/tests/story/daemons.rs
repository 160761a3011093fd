//! Two daemons on one database are one service.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sl_actors::{
    duty::{HEARTBEAT, LEASE},
    settings::{Settings, Source},
};
use sl_store::testing::postgres::Database;

use crate::world::{World, function, on_one_thread, text, until};

/// Sooner than the run would end by itself.
const SOON: Duration = Duration::from_secs(8);

#[test]
fn what_one_daemon_takes_the_other_shows() {
    on_one_thread(async {
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
    on_one_thread(async {
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
fn what_is_cancelled_at_one_daemon_stops_at_the_other() {
    on_one_thread(async {
        // It does not wait for its lease to be prolonged.
        let limits =
            Settings::default().with(&LEASE, 600_000, Source::Flag).with(&HEARTBEAT, 200_000, Source::Flag);
        let one = World::start(Some(Arc::new(Database::fresh().await)), &limits).await;
        let other = one.beside().await;
        let account = one.account().await;
        let source = "() => new Promise((done) => setTimeout(done, 20000))";
        let path = function(&one.client, &account, "sleepy", source).await;
        let queued = one.client.post(&format!("{path}/execute?wait=0s"), &json!({})).await.expect(202);
        let execution = format!("{account}/executions/{}", text(&queued, "id"));
        let busy = |seen: &Value, count: u64| seen["sandbox"]["busy"] == count;
        until(&one.client, "/system/status", SOON, |seen| busy(seen, 1)).await;
        let cancelled = format!("{execution}/cancel");
        let ended = other.client.ask(Method::POST, &cancelled, None).await.expect(200);
        assert_eq!(ended["status"], "cancelled", "{ended}");
        until(&one.client, "/system/status", SOON, |seen| busy(seen, 0)).await;
        one.end().await;
        other.end().await;
    });
}

#[test]
fn changes_at_two_daemons_all_happen_or_meet_another_version() {
    on_one_thread(async {
        let one = World::on_postgres().await;
        let other = one.beside().await;
        let account = one.account().await;
        let path = function(&one.client, &account, "contended", "() => 1").await;
        let (here, there) = (&one.client, &other.client);
        let change = |number: usize| {
            let client = if number.is_multiple_of(2) { here } else { there };
            let (path, body) = (&path, json!({"description": format!("{number}")}));
            async move { client.patch(path, &body).await }
        };
        for answer in join_all((0..20).map(change)).await {
            answer.expect(200);
        }
        let version = here.get(&path).await.header("etag").expect("a tag").to_owned();
        let named = [here.with_header("if-match", &version), there.with_header("if-match", &version)];
        let change = |number: usize| {
            let (client, path, body) =
                (&named[number % 2], &path, json!({"description": format!("late {number}")}));
            async move { client.patch(path, &body).await.status }
        };
        let statuses = join_all((0..10).map(change)).await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
        one.end().await;
        other.end().await;
    });
}

#[test]
fn equal_removals_at_two_daemons_are_answered_alike() {
    on_one_thread(async {
        let one = World::on_postgres().await;
        let other = one.beside().await;
        let account = one.account().await;
        for round in 0..5 {
            let path = function(&one.client, &account, &format!("gone{round}"), "() => 1").await;
            let key = format!("round {round}").replace(' ', "-");
            let keyed =
                [&one.client, &other.client].map(|client| client.with_header("idempotency-key", &key));
            let remove = |number: usize| {
                let (client, path) = (&keyed[number % 2], &path);
                async move { client.delete(path).await }
            };
            for answer in join_all((0..20).map(remove)).await {
                match answer.status {
                    204 => {}
                    409 => drop(answer.problem(409, "in_flight")),
                    _ => panic!("{answer}"),
                }
            }
        }
        one.end().await;
        other.end().await;
    });
}

#[test]
fn one_key_has_one_effect_whichever_daemon_is_asked() {
    on_one_thread(async {
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
