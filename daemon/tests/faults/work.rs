//! Work outlives whoever performs it: killed, frozen, paused or drained.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sl_store::testing::postgres::Database;

use crate::world::{self, Client, KEY, is_soak, on_threads, process::Daemon, sink::Sink, text, until};

/// Tells the sink which execution it is and the how many-th attempt.
const EFFECT: &str = "export default async (params, context) => {\n\
    const answer = await fetch(params.sink, { method: 'POST', body: JSON.stringify({\n\
        key: context.executionId, attempt: context.attempt }) });\n\
    if (params.rest) await new Promise((done) => setTimeout(done, params.rest));\n\
    return answer.status;\n\
}";

/// The same, and takes its time at the first attempt.
const SLOW_AT_FIRST: &str = "export default async (params, context) => {\n\
    await fetch(params.sink, { method: 'POST', body: JSON.stringify({\n\
        key: context.executionId, attempt: context.attempt }) });\n\
    if (context.attempt === 1) await new Promise((done) => setTimeout(done, 25000));\n\
    return {};\n\
}";

/// What is the same for every daemon of one test.
pub(super) struct Setting {
    pub database: Database,
    pub sink: Sink,
    dsn: String,
}

impl Setting {
    pub async fn new() -> Self {
        let database = Database::fresh().await;
        let dsn = database.dsn();
        Self { database, sink: Sink::start(), dsn }
    }

    /// Another daemon. A short lease makes the tests short; what it bounds scales with it.
    pub fn daemon(&self) -> Daemon {
        self.daemon_with(&[("SERVICE_LAYER_DUTIES_LEASE", "3s"), ("SERVICE_LAYER_DUTIES_HEARTBEAT", "1s")])
    }

    fn daemon_with(&self, more: &[(&str, &str)]) -> Daemon {
        let all = [
            ("DATABASE_URL", &*self.dsn),
            ("SECRET_ENCRYPTION_KEY", KEY),
            ("SERVICE_LAYER_EGRESS_ALLOW", &self.sink.address),
            ("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000"),
            ("SERVICE_LAYER_HTTP_ACCOUNT_RATE", "100000"),
        ];
        Daemon::start(&[&all, more].concat())
    }

    fn params(&self, rest: u64) -> Value {
        json!({"sink": format!("http://{}/", self.sink.address), "rest": rest})
    }
}

/// Queues so many executions; their ids.
async fn queue(client: &Client, function: &str, params: &Value, count: usize) -> Vec<String> {
    let path = format!("{function}/execute?wait=0s");
    stream::iter(0..count)
        .map(|_| client.post(&path, params))
        .buffered(8)
        .map(|answer| text(&answer.expect(202), "id").to_owned())
        .collect()
        .await
}

/// Waits until every execution has succeeded.
async fn all_succeeded(client: &Client, account: &str, ids: &[String], within: Duration) {
    let began = Instant::now();
    for id in ids {
        let left = within.saturating_sub(began.elapsed());
        let path = format!("{account}/executions/{id}");
        let is_over = |seen: &Value| !matches!(seen["status"].as_str(), Some("queued" | "running"));
        let ended = until(client, &path, left, is_over).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
    }
}

/// Holds back all executions.
async fn pause(client: &Client) {
    let asked =
        client.post("/system/duties/executions/pause", &json!({"reason": "until all are there"})).await;
    assert!(asked.status < 300, "{asked}");
    // Longer than a pause takes to reach every daemon.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

async fn resume(client: &Client) {
    let asked = client.post("/system/duties/executions/resume", &json!({"missed": "all"})).await;
    assert!(asked.status < 300, "{asked}");
}

#[test]
fn a_storm_of_kills_loses_nothing_and_doubles_no_end() {
    let (items, kills) = if is_soak() { (10_000, 40) } else { (1_000, 6) };
    on_threads(async {
        let setting = Setting::new().await;
        let mut daemons = [setting.daemon(), setting.daemon()];
        let client = daemons[0].client();
        let account = world::account(&client).await;
        let function = world::function(&client, &account, "effect", EFFECT).await;
        pause(&client).await;
        let ids = queue(&client, &function, &setting.params(100), items).await;
        resume(&client).await;
        for kill in 0..kills {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let victim = &mut daemons[kill % 2];
            victim.kill();
            *victim = setting.daemon();
        }
        let last_start = Instant::now();
        let client = daemons[0].client();
        all_succeeded(&client, &account, &ids, Duration::from_mins(1)).await;
        let took = last_start.elapsed();
        let effects = setting.sink.effects();
        assert_eq!(effects.keys().cloned().collect::<BTreeSet<_>>(), ids.iter().cloned().collect());
        let mut repeated = 0;
        for (key, calls) in &effects {
            let attempts: Vec<i64> = calls.iter().filter_map(|call| call["attempt"].as_i64()).collect();
            repeated += attempts.len() - 1;
            assert!(attempts.windows(2).all(|pair| pair[0] < pair[1]), "{key}: attempts {attempts:?}");
        }
        assert!(repeated > 0, "the kills met something that ran");
        println!(
            "{items} items, {kills} kills: done {took:?} after the last start, {repeated} calls repeated"
        );
        let admin = setting.database.admin().await;
        assert_eq!(admin.number("SELECT count(*) FROM work WHERE duty = 'executions'").await, 0);
    });
}

#[test]
fn a_frozen_daemon_that_wakes_has_lost_its_lease() {
    on_threads(async {
        let setting = Setting::new().await;
        let first = setting.daemon();
        let account = world::account(&first.client()).await;
        let function = world::function(&first.client(), &account, "slow", EFFECT).await;
        let ids = queue(&first.client(), &function, &setting.params(1_500), 1).await;
        setting.sink.wait_for(1, Duration::from_secs(10));
        first.signal("STOP");
        let second = setting.daemon();
        all_succeeded(&second.client(), &account, &ids, Duration::from_secs(30)).await;
        let before = second.client().get(&format!("{account}/executions/{}", ids[0])).await.expect(200);
        assert_eq!(before["attempts"], 2, "{before}");
        first.signal("CONT");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = first.client().get(&format!("{account}/executions/{}", ids[0])).await.expect(200);
        assert_eq!(after, before, "the one that woke changed nothing");
        first.client().get("/readyz").await.expect(200);
        let metrics = first.client().get("/metrics").await.text;
        let refused = r#"service_layer_duty_attempts_total{duty="executions",outcome="lost"} 1"#;
        assert!(metrics.contains(refused), "the refusal is counted: {metrics}");
    });
}

#[test]
fn a_drained_daemon_gives_its_work_to_the_other_at_once() {
    on_threads(async {
        let setting = Setting::new().await;
        let mut first = setting.daemon();
        let account = world::account(&first.client()).await;
        let function = world::function(&first.client(), &account, "slow", EFFECT).await;
        let ids = queue(&first.client(), &function, &setting.params(200), 60).await;
        let second = setting.daemon();
        let asked = Instant::now();
        first.signal("TERM");
        let status = tokio::task::block_in_place(|| first.ended(Duration::from_secs(30)));
        assert!(status.success(), "{status}: {}", first.log());
        println!("drained in {:?}", asked.elapsed());
        let admin = setting.database.admin().await;
        let held = "SELECT count(*) FROM work WHERE leased_until > now() + interval '3 seconds'";
        assert_eq!(admin.number(held).await, 0);
        all_succeeded(&second.client(), &account, &ids, Duration::from_secs(30)).await;
    });
}

#[test]
fn who_waits_at_a_drained_daemon_is_answered_and_the_other_begins_the_runs_anew() {
    on_threads(async {
        let setting = Setting::new().await;
        // Longer than the test: nothing is taken over because a lease has run out.
        let long = ("SERVICE_LAYER_DUTIES_LEASE", "10m");
        let mut first = setting.daemon_with(&[long, ("SERVICE_LAYER_DAEMON_DRAIN_TIME", "4s")]);
        let account = world::account(&first.client()).await;
        let function = world::function(&first.client(), &account, "slow", SLOW_AT_FIRST).await;
        let second = setting.daemon_with(&[long]);
        let (path, params) = (format!("{function}/execute?wait=60s"), setting.params(0));
        let (plain, keyed) = (first.client(), first.client().with_header("idempotency-key", "waits"));
        let draining = async {
            let began = Instant::now();
            while setting.sink.effects().len() < 3 {
                assert!(began.elapsed() < Duration::from_secs(20), "the runs begin");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            first.signal("TERM");
        };
        let waiting = [plain.post(&path, &params), keyed.post(&path, &params), plain.post(&path, &params)];
        let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), draining);
        let answers: Vec<Value> = answers.into_iter().map(|answer| answer.expect(202)).collect();
        assert!(answers.iter().all(|answer| answer["status"] == "running"), "{answers:?}");
        let status = tokio::task::block_in_place(|| first.ended(Duration::from_secs(30)));
        assert!(status.success(), "{status}: {}", first.log());
        let ids: Vec<String> = answers.iter().map(|answer| text(answer, "id").to_owned()).collect();
        all_succeeded(&second.client(), &account, &ids, Duration::from_secs(15)).await;
        for (key, calls) in setting.sink.effects() {
            let attempts: Vec<_> = calls.iter().map(|call| &call["attempt"]).collect();
            assert_eq!(attempts, [&json!(1), &json!(2)], "{key}");
        }
        let again = second.client().with_header("idempotency-key", "waits").post(&path, &params).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        assert_eq!(again.expect(202), answers[1], "every repeat is answered as the first was");
    });
}

#[test]
fn a_pause_holds_within_a_quarter_of_a_second() {
    let items = if is_soak() { 10_000 } else { 400 };
    on_threads(async {
        let setting = Setting::new().await;
        let daemons = [setting.daemon(), setting.daemon()];
        let client = daemons[0].client();
        let account = world::account(&client).await;
        let function = world::function(&client, &account, "effect", EFFECT).await;
        let ids = queue(&client, &function, &setting.params(50), items).await;
        setting.sink.wait_for(1, Duration::from_secs(30));
        let asked = client.post("/system/duties/executions/pause", &json!({"reason": "now"})).await;
        assert!(asked.status < 300, "{asked}");
        tokio::time::sleep(Duration::from_millis(250)).await;
        // What had begun by then may still be on its way to the sink.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begun = setting.sink.effects().len();
        assert!(begun < items, "something is left to be held back");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(setting.sink.effects().len(), begun, "nothing starts any more");
        println!("{begun} of {items} had begun when the pause held");
        resume(&client).await;
        all_succeeded(&client, &account, &ids, Duration::from_mins(2)).await;
    });
}

#[test]
fn a_request_whose_daemon_dies_is_repeated_with_one_effect() {
    on_threads(async {
        let setting = Setting::new().await;
        let mut first = setting.daemon();
        let account = world::account(&first.client()).await;
        let function = world::function(&first.client(), &account, "slow", EFFECT).await;
        let path = format!("{function}/execute?wait=20s");
        let (keyed, params) = (first.client().with_header("idempotency-key", "once"), setting.params(1_000));
        let lost = sl_actors::supervisor::spawn_task("lost", {
            let (path, params) = (path.clone(), params.clone());
            async move {
                let answer = keyed.try_ask(reqwest::Method::POST, &path, Some(&params)).await;
                assert!(answer.is_err(), "the first answer never came");
            }
        });
        setting.sink.wait_for(1, Duration::from_secs(10));
        first.kill();
        lost.await.expect("it ends well");
        let second = setting.daemon();
        let keyed = second.client().with_header("idempotency-key", "once");
        let began = Instant::now();
        let answer = loop {
            let answer = keyed.post(&path, &params).await;
            match answer.status {
                200 => break answer,
                202 | 409 => assert!(began.elapsed() < Duration::from_secs(30), "{answer}"),
                _ => panic!("{answer}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        assert_eq!(answer.body["status"], "succeeded", "{answer}");
        assert_eq!(
            keyed.post(&path, &params).await.expect(200),
            answer.body,
            "every repeat is answered alike"
        );
        let all = second.client().get(&format!("{function}/executions")).await.expect(200);
        assert_eq!(all["items"].as_array().map(Vec::len), Some(1), "{all}");
        let effects = setting.sink.effects();
        let attempts: Vec<_> = effects.values().flatten().map(|call| &call["attempt"]).collect();
        assert_eq!((effects.len(), attempts), (1, vec![&json!(1), &json!(2)]), "one key, a higher attempt");
    });
}

#[test]
fn nothing_starts_behind_a_pause_and_nothing_is_forgotten() {
    let items = if is_soak() { 10_000 } else { 500 };
    on_threads(async {
        let setting = Setting::new().await;
        let mut first = setting.daemon();
        let account = world::account(&first.client()).await;
        let function = world::function(&first.client(), &account, "effect", EFFECT).await;
        pause(&first.client()).await;
        let ids = queue(&first.client(), &function, &setting.params(0), items).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(setting.sink.effects().is_empty(), "nothing started");
        first.kill();
        let second = setting.daemon();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(setting.sink.effects().is_empty(), "still paused after a start");
        resume(&second.client()).await;
        all_succeeded(&second.client(), &account, &ids, Duration::from_mins(1)).await;
        let effects = setting.sink.effects();
        assert_eq!(effects.len(), items);
        assert!(effects.values().all(|calls| calls.len() == 1), "each once");
    });
}
