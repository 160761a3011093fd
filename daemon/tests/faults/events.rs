//! Events are heard once each, whoever dies while they are read.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future::join, stream};
use reqwest::Method;
use serde_json::{Value, json};
use sl_store::{Chance as _, OsChance, testing::postgres::Database};

use super::work::Setting;
use crate::world::{self, Client, is_soak, on_threads, text};

/// How long each of the callers rests between two events.
const PACE: Duration = Duration::from_millis(100);
const CALLERS: usize = 4;

fn random(most: u64) -> u64 {
    let mut bytes = [0; 8];
    OsChance.fill(&mut bytes);
    u64::from_le_bytes(bytes) % most
}

/// Brings an event about, through whichever daemon is there.
async fn keep(clients: &Mutex<[Client; 2]>, account: &str, number: usize) {
    let new = json!({"name": format!("secret_{number}"), "value": "a value"});
    for attempt in number.. {
        tokio::time::sleep(PACE).await;
        let client = clients.lock().unwrap_or_else(PoisonError::into_inner)[attempt % 2].clone();
        let answer = client.try_ask(Method::POST, &format!("{account}/secrets"), Some(&new)).await;
        match answer.map(|answer| answer.status) {
            // It is there already where an earlier answer was lost.
            Ok(201 | 409) => return,
            Ok(503) | Err(_) => {}
            Ok(other) => panic!("secret {number}: {other}"),
        }
    }
}

/// Waits until a count in the database is this.
async fn reaches(database: &Database, count: &str, expected: i64, within: Duration) {
    let (admin, began) = (database.admin().await, Instant::now());
    loop {
        let seen = admin.number(count).await;
        if seen == expected {
            return;
        }
        assert!(began.elapsed() < within, "{count}: {seen} of {expected} after {within:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn kills_at_random_lose_no_event_and_let_none_fire_twice() {
    let (events, kills) = if is_soak() { (900, 40) } else { (250, 7) };
    on_threads(async {
        let setting = Setting::new().await;
        let mut daemons = [setting.daemon(), setting.daemon()];
        let client = daemons[0].client();
        let account = world::account(&client).await;
        let function = world::function(&client, &account, "hears", "() => 1").await;
        let function = function.rsplit('/').next().unwrap_or_default();
        for rule in ["secret.created", "secret.*"] {
            let new = json!({"type": "event", "rule": rule, "function_id": function});
            client.post(&format!("{account}/triggers"), &new).await.expect(201);
        }
        let new = json!({"url": format!("http://{}/", setting.sink.address), "kinds": ["secret.created"]});
        client.post(&format!("{account}/webhooks"), &new).await.expect(201);

        let clients = Mutex::new([daemons[0].client(), daemons[1].client()]);
        let flow = stream::iter(0..events)
            .map(|number| keep(&clients, &account, number))
            .buffer_unordered(CALLERS)
            .count();
        let storm = async {
            for _ in 0..kills {
                tokio::time::sleep(Duration::from_millis(100 + random(800))).await;
                let victim = usize::try_from(random(2)).unwrap_or_default();
                daemons[victim].kill();
                daemons[victim] = setting.daemon();
                clients.lock().unwrap_or_else(PoisonError::into_inner)[victim] = daemons[victim].client();
            }
        };
        let (told, ()) = join(flow, storm).await;
        let count = i64::try_from(told).unwrap_or_default();

        let (database, patience, began) = (&setting.database, Duration::from_mins(1), Instant::now());
        let number = async |text: &str| database.admin().await.number(text).await;
        assert_eq!(number("SELECT count(*) FROM events WHERE kind = 'secret.created'").await, count);
        let fired = "SELECT count(*) FROM trigger_deliveries WHERE status = 'succeeded'";
        reaches(database, fired, 2 * count, patience).await;
        let delivered = "SELECT count(*) FROM webhook_deliveries WHERE status = 'succeeded'";
        reaches(database, delivered, count, patience).await;
        let took = began.elapsed();
        for (what, expected) in [
            ("count(*) FROM trigger_deliveries", 2 * count),
            ("count(DISTINCT (trigger_id, source)) FROM trigger_deliveries", 2 * count),
            ("count(DISTINCT execution_id) FROM trigger_deliveries", 2 * count),
            ("count(*) FROM executions", 2 * count),
            ("count(*) FROM webhook_deliveries", count),
            ("count(DISTINCT (webhook_id, event_id)) FROM webhook_deliveries", count),
            ("count(*) FROM dead_letters", 0),
            ("count(*) FROM events WHERE kind = 'event_reader.skipped'", 0),
        ] {
            assert_eq!(number(&format!("SELECT {what}")).await, expected, "{what}");
        }
        let calls: Vec<Value> = setting.sink.effects().into_values().flatten().collect();
        let ids: BTreeSet<&str> = calls.iter().map(|call| text(call, "event_id")).collect();
        assert_eq!(ids.len(), told, "each event was told");
        println!(
            "{told} events, {kills} kills: all heard {took:?} after the last, {} calls repeated",
            calls.len() - told
        );
    });
}
