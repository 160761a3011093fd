//! Price feeds: observed by hand and from sources, agreed on, published, told.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use reqwest::Method;
use serde_json::json;

use crate::world::{account, each_store, function, on_one_thread, process::Daemon, text, until};

#[test]
fn a_feed_is_answered_as_it_was_written() {
    each_store(async |world| {
        let feeds = format!("{}/pricefeeds", world.account().await);
        let new = json!({
            "base_asset": "neo", "quote_asset": "usd", "deviation_percent": 0.5, "update_interval": "5m",
            "heartbeat_interval": "@every 1h",
        });
        let feed = world.client.post(&feeds, &new).await.expect(201);
        for name in ["deviation_percent", "update_interval", "heartbeat_interval"] {
            assert_eq!(feed[name], new[name], "as it was written: {feed}");
        }
        let listed = world.client.get(&feeds).await.expect(200);
        assert_eq!(listed["items"][0]["update_interval"], "5m", "{listed}");
        let path = format!("{feeds}/{}", text(&feed, "id"));
        let new =
            json!({"deviation_percent": "0.5", "update_interval": null, "sources": ["https://a.invalid/p"]});
        let changed = world.client.patch(&path, &new).await.expect(200);
        let told = ["deviation_percent", "update_interval", "heartbeat_interval"].map(|name| &changed[name]);
        assert_eq!(told, ["0.5", "@every 1m", "@every 1h"], "{changed}");
        assert_eq!(changed["sources"][0]["url"], "https://a.invalid/p", "{changed}");
        assert_eq!(world.client.patch(&path, &new).await.expect(200)["version"], 2, "nothing changed");
    });
}

#[test]
fn a_price_is_published_when_it_moves_enough() {
    each_store(async |world| {
        let account = world.account().await;
        let feeds = format!("{account}/pricefeeds");
        let new = json!({"base_asset": "neo", "quote_asset": "usd", "deviation_percent": 0.5});
        let feed = world.client.post(&feeds, &new).await.expect(201);
        assert_eq!((&feed["pair"], &feed["deviation_bps"]), (&json!("NEO/USD"), &json!(50)), "{feed}");
        world.client.post(&feeds, &new).await.problem(409, "conflict");
        let path = format!("{feeds}/{}", text(&feed, "id"));
        world.client.get(&format!("{path}/latest")).await.problem(404, "not_found");

        let snapshots = format!("{path}/snapshots");
        let first =
            world.client.post(&snapshots, &json!({"price": 12.5, "source": "exchange"})).await.expect(201);
        assert_eq!(
            (&first["published"], &first["round_id"], &first["price"]),
            (&json!(true), &json!(1), &json!("12.5"))
        );
        let below = world.client.post(&snapshots, &json!({"price": "12.55"})).await.expect(201);
        assert_eq!(
            (&below["published"], &below["reason"]),
            (&json!(false), &json!("below_deviation")),
            "{below}"
        );
        assert_eq!((&below["change_bps"], &below["source"]), (&json!(40), &json!("manual")), "{below}");
        let above = world.client.post(&snapshots, &json!({"price": "12.6"})).await.expect(201);
        assert_eq!((&above["published"], &above["change_bps"]), (&json!(true), &json!(80)), "{above}");
        for (price, rule) in [
            (json!(0), "bounds"),
            (json!(-1), "bounds"),
            (json!("x"), "format"),
            (json!("1e-30"), "precision"),
        ] {
            let refused =
                world.client.post(&snapshots, &json!({"price": price})).await.problem(422, "invalid");
            assert_eq!(
                (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
                (&json!("/price"), &json!(rule))
            );
        }

        let latest = world.client.get(&format!("{path}/latest")).await.expect(200);
        assert_eq!((&latest["price"], &latest["round_id"]), (&json!("12.6"), &json!(2)), "{latest}");
        let round = world.client.get(&format!("{path}/rounds/2")).await.expect(200);
        assert_eq!(
            (&round["status"], &round["decision"]["reason"]),
            (&json!("published"), &json!("deviation")),
            "{round}"
        );
        assert_eq!(
            (&round["formula"], &round["previous"]["price"]),
            (&json!("pricefeed/2"), &json!("12.5")),
            "{round}"
        );
        let pages = world.client.pages(&snapshots, 2).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        let seen = format!("{snapshots}/{}", text(&below, "id"));
        assert_eq!(world.client.get(&seen).await.expect(200), below);

        world.client.patch(&path, &json!({"active": false})).await.expect(200);
        world.client.post(&snapshots, &json!({"price": 13})).await.problem(409, "invalid_state");
        let listed = world.client.get(&format!("{feeds}?active=false")).await.expect(200);
        assert_eq!(
            (&listed["items"][0]["status"], &listed["items"][0]["latest_price"]),
            (&json!("inactive"), &json!("12.6"))
        );
        world.client.delete(&path).await.expect(204);
        world.client.get(&path).await.problem(404, "not_found");
    });
}

#[test]
fn a_publication_is_told_and_a_function_can_record_one() {
    each_store(async |world| {
        let account = world.account().await;
        let new =
            json!({"base_asset": "GAS", "quote_asset": "USD", "deviation_bps": 100, "min_submissions": 2});
        let feed = world.client.post(&format!("{account}/pricefeeds"), &new).await.expect(201);
        let (id, path) = (text(&feed, "id"), format!("{account}/pricefeeds/{}", text(&feed, "id")));
        let source = "(params) => { Devpack.priceFeeds.recordSnapshot(params); return 'recorded'; }";
        let execute = format!("{}/execute", function(&world.client, &account, "records", source).await);
        for price in ["4.10", "4.20"] {
            let ran = world.client.post(&execute, &json!({"feedId": id, "price": price})).await.expect(200);
            assert_eq!(ran["status"], "succeeded", "{ran}");
        }
        let latest = format!("{path}/latest");
        until(&world.client, &latest, Duration::from_secs(20), |seen| seen["price"] == "4.15").await;
        let audit = format!("{account}/audit");
        let told = until(&world.client, &audit, Duration::from_secs(20), |seen| {
            seen.to_string().contains("pricefeed.published")
        })
        .await;
        assert!(told.to_string().contains("pricefeed.observed"), "{told}");
        let foreign = world.account().await;
        let stranger = format!("{}/execute", function(&world.client, &foreign, "records", source).await);
        world.client.post(&stranger, &json!({"feedId": id, "price": "9"})).await.expect(200);
        assert_eq!(
            world.client.get(&latest).await.expect(200)["price"],
            "4.15",
            "a foreign feed is out of reach"
        );
    });
}

#[test]
fn a_feed_is_refreshed_paused_and_explained() {
    each_store(async |world| {
        let account = world.account().await;
        let sources = json!([{"name": "nowhere", "url": "https://prices.invalid/neo", "headers": {"x-api-key": "canary-77"}}]);
        let new =
            json!({"base_asset": "NEO", "quote_asset": "EUR", "deviation_percent": "1", "sources": sources});
        let feed = world.client.post(&format!("{account}/pricefeeds"), &new).await.expect(201);
        assert!(!feed.to_string().contains("canary-77"), "{feed}");
        let path = format!("{account}/pricefeeds/{}", text(&feed, "id"));
        let failing = |seen: &serde_json::Value| seen["consecutive_failures"].as_i64() >= Some(1);
        let seen = until(&world.client, &path, Duration::from_secs(20), failing).await;
        assert!(text(&seen, "last_error").starts_with("nowhere: "), "{seen}");
        let round = world.client.get(&format!("{path}/rounds/1")).await.expect(200);
        assert_eq!(round["rejects"][0]["source"], "nowhere", "{round}");
        let why = format!("{account}/why/{}", text(&feed, "id"));
        let why = world.client.get(&why).await.expect(200);
        assert!(why["causes"].to_string().contains("failing"), "{why}");

        world.client.ask(Method::POST, &format!("{path}/refresh"), None).await.expect(202);
        let again = |seen: &serde_json::Value| seen["consecutive_failures"].as_i64() >= Some(2);
        until(&world.client, &path, Duration::from_secs(20), again).await;
        world.client.post(&format!("{path}/pause"), &json!({"reason": "maintenance"})).await.expect(200);
        let why = world.client.get(&format!("{account}/why/{}", text(&feed, "id"))).await.expect(200);
        assert_eq!(why["causes"][0]["code"], "paused", "{why}");
        world.client.post(&format!("{path}/resume"), &json!({"missed": "drop"})).await.expect(200);
    });
}

/// A price service on loopback; answers its address and the request lines and headers it was sent.
fn price_service(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hearing = heard.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            hearing.lock().unwrap_or_else(PoisonError::into_inner).extend(asked);
            let length = answer.len();
            let mut writer: &TcpStream = &stream;
            // Whoever asked may have gone.
            let _ = write!(
                writer,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
            );
        }
    });
    (address, heard)
}

#[test]
fn the_operators_price_service_may_be_private_and_is_asked_as_before() {
    on_one_thread(async {
        let (address, heard) = price_service(r#"{"price": 17.125, "source": "exchange"}"#);
        let url = format!("http://{address}/price");
        let daemon =
            Daemon::start(&[("PRICEFEED_FETCH_URL", &url), ("PRICEFEED_FETCH_KEY", "the key of prices")]);
        let client = daemon.client();
        let new = json!({"base_asset": "NEO", "quote_asset": "USD", "deviation_percent": 1});
        let account = account(&client).await;
        let feed = client.post(&format!("{account}/pricefeeds"), &new).await.expect(201);
        let path = format!("{account}/pricefeeds/{}/latest", text(&feed, "id"));
        let latest = until(&client, &path, Duration::from_secs(20), |seen| seen["price"].is_string()).await;
        assert_eq!((&latest["price"], &latest["reason"]), (&json!("17.125"), &json!("first")), "{latest}");
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).join("\n").to_lowercase();
        assert!(heard.starts_with("get /price?base=neo&quote=usd http/1.1"), "{heard}");
        assert!(heard.contains("authorization: bearer the key of prices"), "{heard}");
    });
}

#[test]
fn a_deviation_runs_the_function_of_a_job() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "(params) => ({ price: params.event.data.price, change: params.event.data.change_bps })";
        let path = function(&world.client, &account, "hears", source).await;
        let function = path.rsplit('/').next().unwrap_or_default();
        let on = json!({"kind": "pricefeed.deviation", "filter": {"/pair": "NEO/USD"}});
        let job = json!({"function_id": function, "name": "on deviation", "on": on});
        world.client.post(&format!("{account}/automation/jobs"), &job).await.expect(201);
        for base in ["NEO", "GAS"] {
            let new = json!({"base_asset": base, "quote_asset": "USD", "deviation_percent": 5});
            let feed = world.client.post(&format!("{account}/pricefeeds"), &new).await.expect(201);
            let snapshots = format!("{account}/pricefeeds/{}/snapshots", text(&feed, "id"));
            for price in ["10", "10.1", "11"] {
                world.client.post(&snapshots, &json!({"price": price})).await.expect(201);
            }
        }
        let executions = format!("{path}/executions");
        let ran = |seen: &serde_json::Value| seen["items"][0]["status"] == "succeeded";
        let ran = until(&world.client, &executions, Duration::from_secs(20), ran).await;
        // The check is a run, and the performance is.
        for item in ran["items"].as_array().into_iter().flatten() {
            assert_eq!(item["output"], json!({"price": "11", "change": 1000}), "{ran}");
        }
    });
}
