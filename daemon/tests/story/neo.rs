//! The Neo chain: its notifications fire triggers and jobs, are told to webhooks' deliveries and shown on streams, to
//! whoever names them and to nobody else.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use sl_actors::{
    peers::{Peer, Peers},
    services::neo::POLL,
    settings::{Settings, Source},
};
use sl_store::testing::postgres::Database;

use crate::world::{
    World, function,
    node::{CONTRACT, Node},
    on_one_thread, text, until,
};

const PATIENCE: Duration = Duration::from_secs(30);
const ECHO: &str = "(params) => params.event.data";

/// Tells a story on both stores, with a chain of one block.
fn each_store(story: impl AsyncFn(&World, &Node)) {
    let limits = Settings::default().with(&POLL, 50, Source::Flag);
    on_one_thread(async {
        for database in [None, Some(Arc::new(Database::fresh().await))] {
            let node = Node::start(1, Duration::ZERO);
            let peers = Peers { neo_rpc: Some(Peer { url: node.url(), key: None }), ..Peers::default() };
            let world = World::with_peers(database, &limits, peers).await;
            story(&world, &node).await;
            world.end().await;
        }
    });
}

fn count(seen: &Value) -> usize {
    seen["items"].as_array().map_or(0, Vec::len)
}

async fn trigger(world: &World, account: &str, function: &str, rule: &str, filter: Value) -> String {
    let id = function.rsplit('/').next().unwrap_or_default();
    let new = json!({"type": "event", "rule": rule, "config": {"filter": filter}, "function_id": id});
    let made = world.client.post(&format!("{account}/triggers"), &new).await.expect(201);
    format!("{account}/triggers/{}", text(&made, "id"))
}

async fn follows(world: &World, next: u64) -> Value {
    until(&world.client, "/system/neo", PATIENCE, |seen| {
        seen["status"] == "following" && seen["next_height"] == next
    })
    .await
}

#[test]
fn a_notification_on_the_chain_reaches_whoever_names_it() {
    each_store(async |world, node| {
        let seen = follows(world, 1).await;
        assert_eq!((&seen["network"], &seen["lag"]), (&json!(42), &json!(0)), "{seen}");
        let (account, other) = (world.account().await, world.account().await);
        let f = function(&world.client, &account, "hears", ECHO).await;
        let g = function(&world.client, &other, "hears", ECHO).await;
        let filter = json!({"/contract": CONTRACT, "/name": "Told", "/state/0": "2"});
        let wanted = trigger(world, &account, &f, "neo.notification", filter).await;
        let theirs = trigger(world, &other, &g, "neo.*", json!({})).await;
        let all = trigger(world, &account, &f, "*", json!({})).await;
        let operators = trigger(world, &account, &f, "neo_node.*", json!({})).await;
        let id = f.rsplit('/').next().unwrap_or_default();
        let job =
            json!({"name": "hears", "overlap": "allow", "on": {"kind": "neo.block"}, "function_id": id});
        let job = world.client.post(&format!("{account}/automation/jobs"), &job).await.expect(201);
        let hook = json!({"url": "https://receiver.example/hook", "kinds": ["neo.block"]});
        let hook = world.client.post(&format!("{account}/webhooks"), &hook).await.expect(201);
        node.adds(3);
        follows(world, 4).await;
        let done = format!("{wanted}/deliveries?status=succeeded");
        let heard = until(&world.client, &done, PATIENCE, |seen| count(seen) == 1).await;
        let event = &heard["items"][0]["input"]["event"];
        assert_eq!(
            (&event["kind"], &event["data"]["state"]),
            (&json!("neo.notification"), &json!(["2"])),
            "{event}"
        );
        let execution = text(&heard["items"][0], "execution_id");
        let ran = world.client.get(&format!("{account}/executions/{execution}")).await.expect(200);
        assert_eq!(ran["output"]["block"], 2, "{ran}");
        let six = format!("{theirs}/deliveries?status=succeeded&limit=100");
        until(&world.client, &six, PATIENCE, |seen| count(seen) == 6).await;
        let runs = format!("{account}/automation/jobs/{}/runs?status=succeeded", text(&job, "id"));
        until(&world.client, &runs, PATIENCE, |seen| count(seen) == 3).await;
        let told = format!("{account}/webhooks/{}/deliveries", text(&hook, "id"));
        let told = until(&world.client, &told, PATIENCE, |seen| count(seen) == 3).await;
        let payload = &told["items"][0]["payload"];
        assert_eq!(
            (&payload["type"], text(payload, "account_id")),
            (&json!("neo.block"), &account[10..]),
            "{payload}"
        );
        let heard = world.client.get(&format!("{all}/deliveries?limit=100")).await.expect(200);
        let kinds: Vec<&Value> = heard["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| &one["input"]["event"]["kind"])
            .collect();
        assert!(
            kinds.iter().all(|kind| kind.as_str().is_some_and(|kind| !kind.starts_with("neo"))),
            "{kinds:?}"
        );
        assert_eq!(count(&world.client.get(&format!("{operators}/deliveries")).await.expect(200)), 0);
    });
}

#[test]
fn a_tenant_sees_the_chain_and_an_operator_how_far_it_was_read() {
    each_store(async |world, node| {
        follows(world, 1).await;
        let account = world.account().await;
        let new = json!({"name": "reads", "scopes": ["read"]});
        let made = world.client.post(&format!("{account}/tokens"), &new).await.expect(201);
        let tenant = world.client.with_token(text(&made, "token"));
        tenant.get("/system/neo").await.problem(403, "forbidden");
        tenant.post("/system/neo/restart", &json!({})).await.problem(403, "forbidden");
        node.adds(1);
        follows(world, 2).await;
        let shown =
            tenant.first_events(&format!("{account}/events?kind=neo.notification&after=0-0"), 2).await;
        let blocks: Vec<&Value> = shown.iter().map(|event| &event["data"]["block"]).collect();
        assert_eq!(blocks, [&json!(0), &json!(1)], "{shown:?}");
        let own = tenant.first_events(&format!("{account}/events?after=0-0"), 2).await;
        assert!(own.iter().all(|event| event["service"] != "neo"), "{own:?}");
        let status = world.client.get("/system/status").await.expect(200);
        assert_eq!(status["neo"]["next_height"], 2, "{status}");
        let again = world.client.ask(Method::POST, "/system/neo/restart", Some(&json!({"height": 1}))).await;
        again.expect(200);
        follows(world, 2).await;
        let shown = tenant.first_events(&format!("{account}/events?kind=neo.block&after=0-0"), 3).await;
        let blocks: Vec<&Value> = shown.iter().map(|event| &event["data"]["index"]).collect();
        assert_eq!(blocks, [&json!(0), &json!(1), &json!(1)], "told again, as was asked for");
    });
}
