//! Requests that are repeated, dropped, or under way when the daemon ends.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sl_store::testing::postgres::Database;

use crate::world::{Client, KEY, TOKEN, each_store, on_threads, process::Daemon};

#[test]
fn fifty_equal_requests_have_one_effect() {
    each_store(async |world| {
        let keyed = world.client.with_header("idempotency-key", "fifty");
        let body = json!({"owner": "once"});
        let answers = join_all((0..50).map(|_| keyed.post("/accounts", &body))).await;
        let mut made = Vec::new();
        for answer in answers {
            match answer.status {
                201 => made.push(answer.body),
                _ => {
                    answer.problem(409, "in_flight");
                }
            }
        }
        assert!(!made.is_empty(), "one of them got through");
        assert!(made.iter().all(|answer| *answer == made[0]), "all answers are the same");
        let all = world.client.pages("/accounts", 100).await;
        assert_eq!(all.iter().flatten().filter(|item| item["owner"] == "once").count(), 1);
        keyed.post("/accounts", &json!({"owner": "another"})).await.problem(422, "idempotency_mismatch");
    });
}

#[test]
fn clients_that_go_away_leave_nothing_behind() {
    let rounds = if crate::world::is_soak() { 10_000 } else { 300 };
    on_threads(async {
        let database = Database::fresh().await;
        let dsn = database.dsn();
        let daemon = Daemon::start(&[
            ("DATABASE_URL", &dsn),
            ("SECRET_ENCRYPTION_KEY", KEY),
            ("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000"),
        ]);
        let address = daemon.base.trim_start_matches("http://").to_owned();
        tokio::task::block_in_place(|| drop_requests(&address, rounds));
        let client = daemon.client();
        let body = json!({"owner": "after"});
        let answers = join_all((0..40).map(|_| client.post("/accounts", &body))).await;
        for answer in answers {
            answer.expect(201);
        }
        let admin = database.admin().await;
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
        assert_eq!(admin.number(open).await, 0);
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND \
                    database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(admin.number(held).await, 0);
    });
}

/// Sends requests and goes away after a moment that differs each time, from at once to a few milliseconds.
fn drop_requests(address: &str, rounds: u32) {
    let body = r#"{"owner":"gone"}"#;
    let request = format!(
        "POST /accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for round in 0..rounds {
        let mut stream = TcpStream::connect(address).expect("it accepts");
        // A multiplicative step visits all moments without order.
        let moment = round.wrapping_mul(2_654_435_761) % 4_000;
        let sent = if moment % 5 == 0 { request.len() / 2 } else { request.len() };
        stream.write_all(&request.as_bytes()[..sent]).expect("it reads");
        std::thread::sleep(Duration::from_micros(u64::from(moment)));
    }
}

#[test]
fn a_drain_under_load_resets_no_request() {
    let mut daemon = Daemon::start(&[("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000")]);
    let client = daemon.client();
    let (ended, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    on_threads(async {
        let end = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let began = Instant::now();
            daemon.signal("TERM");
            let status = tokio::task::block_in_place(|| daemon.ended(Duration::from_secs(30)));
            ended.store(true, Ordering::Relaxed);
            (status, began.elapsed())
        };
        let (_, (status, took)) =
            tokio::join!(join_all((0..8).map(|_| load(&client, &ended, &answered))), end);
        assert!(status.success(), "{status}");
        println!("{} requests answered, drained in {took:?}", answered.load(Ordering::Relaxed));
        assert!(answered.load(Ordering::Relaxed) > 100, "there was a load");
    });
}

/// Asks one thing after another until the daemon is gone; a request that was taken has to be answered.
async fn load(client: &Client, ended: &AtomicBool, answered: &AtomicU32) {
    while !ended.load(Ordering::Relaxed) {
        match client.try_ask(Method::POST, "/accounts", Some(&json!({"owner": "load"}))).await {
            Ok(answer) => {
                assert!(matches!(answer.status, 201 | 503), "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(error.is_connect(), "a request was reset: {error:?}");
                return;
            }
        }
    }
}
