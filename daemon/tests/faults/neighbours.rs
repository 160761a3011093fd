//! One account asks for far more than it may have; its neighbour does not feel it.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sl_store::testing::postgres::Database;

use crate::world::{self, Client, KEY, is_soak, on_threads, process::Daemon, text};

/// So many requests a second an account may make.
const QUOTA: &str = "20";
/// So many requests of the neighbour are timed.
const ASKED: usize = 100;
/// How far they lie apart: within the quota.
const APART: Duration = Duration::from_millis(60);
/// So many connections the noisy one has, and how far the requests of each lie apart: a hundred times its quota.
const NOISY: (usize, Duration) = (24, Duration::from_millis(12));

#[test]
fn a_noisy_neighbour_is_refused_and_others_are_served() {
    on_threads(async {
        let database = Database::fresh().await;
        let dsn = database.dsn();
        let daemon = Daemon::start(&[
            ("DATABASE_URL", &dsn),
            ("SECRET_ENCRYPTION_KEY", KEY),
            ("SERVICE_LAYER_HTTP_TOKEN_RATE", QUOTA),
            ("SERVICE_LAYER_HTTP_ACCOUNT_RATE", QUOTA),
        ]);
        let operator = daemon.client();
        let quiet = tenant(&operator, "quiet").await;
        let noisy = tenant(&operator, "noisy").await;
        let alone = p99(&quiet).await;
        let (over, tally) = (AtomicBool::new(false), Tally::default());
        let (beside, ()) = tokio::join!(
            async {
                // The flood has to be there before the neighbour is looked at.
                tokio::time::sleep(Duration::from_secs(1)).await;
                let beside = p99(&quiet).await;
                over.store(true, Ordering::Relaxed);
                beside
            },
            async {
                join_all((0..NOISY.0).map(|lane| flood(&noisy, lane, &over, &tally))).await;
            },
        );
        let (taken, refused) = (tally.taken.load(Ordering::Relaxed), tally.refused.load(Ordering::Relaxed));
        println!("p99 alone {alone:?}, beside {taken} taken and {refused} refused requests {beside:?}");
        assert!(refused > taken * 3, "the noisy one asked for more than it may have");
        if is_soak() {
            assert!(beside <= alone * 2, "alone {alone:?}, beside the noisy one {beside:?}");
        }
    });
}

/// An account with a function, seen through a token of its own.
struct Tenant {
    client: Client,
    path: String,
    function: String,
}

async fn tenant(operator: &Client, name: &str) -> Tenant {
    let path = world::account(operator).await;
    let body = json!({"name": name, "scopes": ["read", "run", "write"]});
    let made = operator.post(&format!("{path}/tokens"), &body).await.expect(201);
    let client = operator.with_token(text(&made, "token"));
    let function = world::function(&client, &path, name, "(params) => ({ sum: params.a + 1 })").await;
    Tenant { client, path, function }
}

/// The 99th percentile of requests a little apart; every one of them is served.
async fn p99(tenant: &Tenant) -> Duration {
    let mut took = Vec::new();
    for _ in 0..ASKED {
        let began = Instant::now();
        let ran =
            tenant.client.post(&format!("{}/execute", tenant.function), &json!({"a": 1})).await.expect(200);
        took.push(began.elapsed());
        assert_eq!(ran["output"]["sum"], 2, "{ran}");
        tokio::time::sleep(APART).await;
    }
    took.sort_unstable();
    took[ASKED * 99 / 100 - 1]
}

#[derive(Default)]
struct Tally {
    taken: AtomicU32,
    refused: AtomicU32,
}

/// Runs, queues, writes and reads far more than it may.
async fn flood(tenant: &Tenant, lane: usize, over: &AtomicBool, tally: &Tally) {
    let endless = json!({"a": "x".repeat(10_000)});
    let (execute, queue) =
        (format!("{}/execute", tenant.function), format!("{}/execute?wait=0s", tenant.function));
    let lists = format!("{}/executions?limit=500", tenant.path);
    let functions = format!("{}/functions", tenant.path);
    while !over.load(Ordering::Relaxed) {
        let answer = match lane % 4 {
            0 => tenant.client.post(&execute, &endless).await,
            1 => tenant.client.post(&queue, &endless).await,
            2 => tenant.client.get(&lists).await,
            _ => tenant.client.post(&functions, &refused_function()).await,
        };
        match answer.status {
            429 => {
                assert!(answer.header("retry-after").is_some(), "{answer}");
                tally.refused.fetch_add(1, Ordering::Relaxed)
            }
            status => {
                assert!(status < 500, "{answer}");
                tally.taken.fetch_add(1, Ordering::Relaxed)
            }
        };
        tokio::time::sleep(NOISY.1).await;
    }
}

/// Costs a compilation and is refused.
fn refused_function() -> Value {
    json!({"name": "broken", "source": "(params) => {"})
}
