//! PostgreSQL goes away, or its answer does.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use sl_store::testing::postgres::{Server, Stop};

use crate::world::{
    KEY,
    client::{Client, text},
    on_threads,
    process::Daemon,
    proxy::Proxy,
};

/// A daemon on a server of the test's own; through a proxy where one is given.
fn daemon(server: &Server, port: u16) -> Daemon {
    let dsn = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    assert_ne!(server.port(), 0);
    Daemon::start(&[("DATABASE_URL", &dsn), ("SECRET_ENCRYPTION_KEY", KEY)])
}

/// Waits until the daemon is as ready as expected; how long that took.
async fn readiness(client: &Client, status: u16, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let answer = client.get("/readyz").await;
        if answer.status == status {
            return began.elapsed();
        }
        assert!(began.elapsed() < within, "after {within:?} still: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes accounts until told to stop; keeps the ids of those that were acknowledged.
async fn write(client: &Client, stop: &AtomicBool, acknowledged: &Mutex<Vec<String>>) {
    while !stop.load(Ordering::Relaxed) {
        let answer = client.post("/accounts", &json!({"owner": "writer"})).await;
        if answer.status == 201 {
            let id = text(&answer.body, "id").to_owned();
            acknowledged.lock().expect("no test panicked").push(id);
        } else {
            assert!(answer.header("retry-after").is_some(), "{answer}");
            answer.problem(503, "unavailable");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[test]
fn a_crash_of_the_database_loses_nothing_that_was_acknowledged() {
    let server = Server::start();
    let mut daemon = daemon(&server, server.port());
    let client = daemon.client();
    on_threads(async {
        let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let writers = async {
            tokio::join!(
                write(&client, &stop, &acknowledged),
                write(&client, &stop, &acknowledged),
                write(&client, &stop, &acknowledged),
            );
        };
        let crash = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            tokio::task::block_in_place(|| server.stop(Stop::Immediate));
            let noticed = readiness(&client, 503, Duration::from_secs(2)).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            tokio::task::block_in_place(|| server.resume());
            let back = readiness(&client, 200, Duration::from_secs(5)).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            stop.store(true, Ordering::Relaxed);
            (noticed, back)
        };
        let ((), (noticed, back)) = tokio::join!(writers, crash);
        let acknowledged = acknowledged.into_inner().expect("no test panicked");
        println!(
            "noticed after {noticed:?}, back after {back:?}, {} writes acknowledged",
            acknowledged.len()
        );
        assert!(acknowledged.len() > 20, "there was a load");
        for id in acknowledged {
            client.get(&format!("/accounts/{id}")).await.expect(200);
        }
    });
    daemon.signal("TERM");
    assert!(daemon.ended(Duration::from_secs(30)).success());
}

#[test]
fn a_lost_answer_to_a_commit_has_one_effect() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let daemon = daemon(&server, proxy.port);
    let client = daemon.client();
    on_threads(async {
        for round in 0..5 {
            let keyed = client.with_header("idempotency-key", &format!("round-{round}"));
            let body = json!({"owner": format!("owner-{round}")});
            proxy.lose_answer_to(&format!("owner-{round}"));
            let first = keyed.ask(Method::POST, "/accounts", Some(&body)).await;
            assert!(proxy.has_lost(), "the answer to a commit was lost");
            assert!(matches!(first.status, 201 | 503), "{first}");
            let again = keyed.post("/accounts", &body).await;
            let replayed = again.header("idempotency-replayed").map(str::to_owned);
            let again = again.expect(201);
            // What was refused may not be committed yet when it is said again; then the repetition is what has the effect.
            if first.status == 201 {
                assert_eq!(replayed.as_deref(), Some("true"));
                assert_eq!(first.body, again);
            }
            let all = client.pages("/accounts", 500).await;
            let named = all.iter().flatten().filter(|item| item["owner"] == body["owner"]).count();
            assert_eq!(named, 1, "one effect");
        }
    });
}
