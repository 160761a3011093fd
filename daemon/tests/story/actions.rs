//! Devpack actions over the API: what a run queues is done after it, in order, each with its own result.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{each_store, function, text};

const QUEUE: &str = "({ feed, foreign, price }) => {
    const handle = Devpack.random.generate({ length: 4, encoding: 'hex', requestId: 'first' });
    Devpack.priceFeeds.recordSnapshot({ feedId: feed, price });
    Devpack.priceFeeds.recordSnapshot({ feedId: foreign, price });
    Devpack.priceFeeds.recordSnapshot({ feedId: 'no id', price });
    Devpack.random.generate({ length: 4_000 });
    Devpack.random.generate({ length: 4, encoding: 'hex', requestId: 'last' });
    return Devpack.respond.success(handle.asResult({ label: 'ticket' }));
}";

async fn feed(client: &crate::world::Client, account: &str) -> String {
    let new = json!({"base_asset": "NEO", "quote_asset": "USD", "deviation_percent": 1});
    let made = client.post(&format!("{account}/pricefeeds"), &new).await.expect(201);
    text(&made, "id").to_owned()
}

fn told<'a>(actions: &'a Value, field: &str) -> Vec<&'a str> {
    let actions = actions.as_array().map(Vec::as_slice).unwrap_or_default();
    actions.iter().map(|action| text(action, field)).collect()
}

#[test]
fn what_a_run_queues_is_done_in_order_and_what_is_foreign_is_refused() {
    each_store(async |world| {
        let (account, stranger) = (world.account().await, world.account().await);
        let (own, foreign) = (feed(&world.client, &account).await, feed(&world.client, &stranger).await);
        let path = function(&world.client, &account, "queues", QUEUE).await;
        let params = json!({"feed": own, "foreign": foreign, "price": "12.5"});
        let ran = world.client.post(&format!("{path}/execute"), &params).await.expect(200);
        assert_eq!(ran["status"], "succeeded", "{ran}");
        let reference = json!({"__devpack_ref__": true, "id": "action_1", "type": "random.generate", "meta": {"label": "ticket"}});
        assert_eq!(ran["output"]["data"], reference, "{ran}");
        let actions = &ran["actions"];
        let ids = ["action_1", "action_2", "action_3", "action_4", "action_5", "action_6"];
        assert_eq!(told(actions, "id"), ids);
        let statuses = ["succeeded", "succeeded", "failed", "failed", "failed", "succeeded"];
        assert_eq!(told(actions, "status"), statuses, "{actions}");
        let missing = &actions[2]["error"];
        assert_eq!(missing["code"], "not_found", "{missing}");
        assert!(!missing.to_string().contains(&foreign), "a foreign id is answered as a missing one");
        assert_eq!(actions[4]["error"]["errors"][0]["pointer"], "/length", "{actions}");

        // The effects are there, and nothing with the stranger.
        let snapshots = |account: &str, feed: &str| format!("{account}/pricefeeds/{feed}/snapshots");
        let seen = world.client.get(&snapshots(&account, &own)).await.expect(200);
        assert_eq!(seen["items"].as_array().map(Vec::len), Some(1), "{seen}");
        let theirs = world.client.get(&snapshots(&stranger, &foreign)).await.expect(200);
        assert_eq!(theirs["items"], json!([]));
        let drawn = world.client.get(&format!("{account}/random")).await.expect(200);
        let named: Vec<&str> = told(&drawn["items"], "request_id");
        assert_eq!(named, ["last", "first"], "newest first: they were done in order");

        // A replay is another execution, with actions of its own.
        let replay = format!("{account}/executions/{}/replay", text(&ran, "id"));
        let again = world.client.ask(Method::POST, &replay, None).await.expect(200);
        assert_eq!(told(&again["actions"], "status"), statuses, "{again}");
        assert_eq!(again["actions"][0]["result"], ran["actions"][0]["result"], "the request id is the same");
    });
}

#[test]
fn a_flood_of_actions_ends_the_run_and_does_nothing() {
    each_store(async |world| {
        let account = world.account().await;
        let floods = [
            ("many", "() => { for (;;) Devpack.random.generate({}); }", "action_limit"),
            (
                "swallowed",
                "() => { for (let i = 0; i < 200; i++) try { Devpack.random.generate({}) } catch {} }",
                "action_limit",
            ),
            (
                "large",
                "() => { for (;;) Devpack.random.generate({ requestId: 'x'.repeat(3e5) }); }",
                "output_limit",
            ),
        ];
        for (name, source, code) in floods {
            let path = function(&world.client, &account, name, source).await;
            let ran = world.client.post(&format!("{path}/execute"), &json!({})).await.expect(200);
            assert_eq!((&ran["status"], &ran["error"]["code"]), (&json!("failed"), &json!(code)), "{ran}");
            assert_eq!(ran["actions"], json!([]), "{ran}");
        }
        let source =
            "({ n }) => { for (let i = 0; i < n; i++) Devpack.random.generate({ length: 1 }); return n; }";
        let path = function(&world.client, &account, "full", source).await;
        let ran = world.client.post(&format!("{path}/execute"), &json!({"n": 100})).await.expect(200);
        assert_eq!(told(&ran["actions"], "status"), ["succeeded"; 100]);
        let drawn = world.client.pages(&format!("{account}/random"), 100).await;
        assert_eq!(drawn.iter().map(Vec::len).sum::<usize>(), 100, "nothing of the floods was done");
    });
}
