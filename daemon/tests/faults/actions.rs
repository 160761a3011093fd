//! Actions outlive whoever performs them: each is done once, however often a daemon is killed between two of them.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sl_store::testing::postgres::Database;

use crate::world::{self, KEY, SIGNING_KEY, is_soak, on_threads, process::Daemon, text, until};

const ACTIONS: usize = 40;

fn daemon(dsn: &str) -> Daemon {
    Daemon::start(&[
        ("DATABASE_URL", dsn),
        ("SECRET_ENCRYPTION_KEY", KEY),
        ("RANDOM_SIGNING_KEY", SIGNING_KEY),
        ("SERVICE_LAYER_DUTIES_LEASE", "2s"),
        ("SERVICE_LAYER_DUTIES_HEARTBEAT", "500ms"),
        ("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000"),
        ("SERVICE_LAYER_HTTP_ACCOUNT_RATE", "100000"),
    ])
}

#[test]
fn kills_between_two_actions_lose_none_and_double_none() {
    let (executions, kills) = if is_soak() { (300, 20) } else { (40, 4) };
    on_threads(async {
        let database = Database::fresh().await;
        let admin = database.admin().await;
        let dsn = database.dsn();
        let mut daemons = [daemon(&dsn), daemon(&dsn)];
        let client = daemons[0].client();
        let account = world::account(&client).await;
        let source =
            "({ n }) => { for (let i = 0; i < n; i++) Devpack.random.generate({ length: 8 }); return n; }";
        let function = world::function(&client, &account, "draws", source).await;
        let (path, params) = (format!("{function}/execute?wait=0s"), json!({"n": ACTIONS}));
        let ids: Vec<String> = stream::iter(0..executions)
            .map(|_| client.post(&path, &params))
            .buffered(8)
            .map(|answer| text(&answer.expect(202), "id").to_owned())
            .collect()
            .await;
        let done = "SELECT count(*) FROM random_values";
        let split =
            "SELECT count(*) FROM executions WHERE actions LIKE '%succeeded%' AND actions LIKE '%pending%'";
        let mut met = 0;
        for kill in 0..kills {
            let before = admin.number(done).await;
            let began = Instant::now();
            while admin.number(done).await < before + 60 && began.elapsed() < Duration::from_secs(10) {}
            let victim = &mut daemons[kill % 2];
            victim.kill();
            met += admin.number(split).await;
            *victim = daemon(&dsn);
        }
        assert!(met > 0, "the kills met executions between two of their actions");
        let client = daemons[0].client();
        let is_over = |seen: &Value| {
            let actions = seen["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
            actions.len() == ACTIONS && actions.iter().all(|action| action["status"] == "succeeded")
        };
        for id in &ids {
            until(&client, &format!("{account}/executions/{id}"), Duration::from_mins(1), is_over).await;
        }
        let expected = i64::try_from(executions * ACTIONS).expect("a number");
        for effects in [
            done,
            "SELECT count(DISTINCT counter) FROM random_values",
            "SELECT count(*) FROM events WHERE kind = 'random.generated'",
            "SELECT count(*) FROM events WHERE kind = 'action.succeeded'",
        ] {
            assert_eq!(admin.number(effects).await, expected, "{effects}");
        }
        for rest in [
            "SELECT count(*) FROM work WHERE duty IN ('actions', 'executions')",
            "SELECT count(*) FROM dead_letters",
        ] {
            assert_eq!(admin.number(rest).await, 0, "{rest}");
        }
        println!(
            "{executions} executions of {ACTIONS} actions, {kills} kills, {met} of them met between two actions"
        );
    });
}
