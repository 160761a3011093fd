//! Sources that answer well and badly, slots, heartbeats, hosts that ask to wait, two daemons.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::json;
use sl_actors::{
    KeyRing, Parts,
    pause::{NewPause, PauseWork, Resume, ResumeWork, Target},
    peers::Peer as Named,
    services::price_feeds::{
        DUTY, FetchFeed, FetchLatest, PriceFeed, PriceFeedView, Reason, Refresh, Rejection,
    },
    services::secrets::progress,
};
use sl_store::{Cell, Entity as _, Key};
use uuid::Uuid;

use super::{amend, feed, observe, open, peer::Peer, round, rounds, snapshots};
use crate::world::{Ground, World, on_both, random, start, until};

on_both! {
    each_source_counts_or_is_rejected_with_its_reason
    the_operators_price_service_is_asked_with_its_key
    headers_are_sent_and_stand_nowhere_in_clear
    headers_are_sealed_again_when_the_root_key_is_rotated
    a_host_that_asks_to_wait_is_left_alone_by_every_daemon
    two_daemons_refresh_a_slot_once
    a_paused_feed_is_not_refreshed_and_goes_on_after_a_resume
}

async fn world(ground: Ground, peer: &Peer) -> World {
    let mut parts = ground.parts().await;
    open(&mut parts, &peer.host());
    World::of(ground, parts, None).await
}

async fn look(world: &World, account: Uuid, feed: Uuid) -> PriceFeedView {
    world.act(account, FetchFeed(feed)).await.unwrap()
}

async fn published(world: &World, account: Uuid, feed: Uuid, round: i64) {
    until(&format!("round {round} is published"), async || {
        let latest = world.act(account, FetchLatest(feed)).await;
        latest.is_ok_and(|latest| latest.round_id >= round)
    })
    .await;
}

async fn each_source_counts_or_is_rejected_with_its_reason(ground: Ground) {
    let peer = Peer::start().await;
    peer.quotes("/good", "100.25");
    peer.says("/deep", 200, "", r#"{"data": [{"last": "100.75"}]}"#);
    peer.quotes("/long", "12345678901234567.890");
    peer.quotes("/fine", "0.12345678901234567890");
    peer.quotes("/less", "-3");
    peer.quotes("/wild", "999");
    peer.says("/down", 500, "", "");
    peer.says("/html", 200, "", "<html>");
    let world = world(ground, &peer).await;
    let account = world.account("Ada").await.id;
    let named = |name: &str, path: &str| json!({"name": name, "url": peer.url(&format!("/{name}")), "result_path": path});
    let sources = json!([
        named("good", "$.price"), named("deep", "$.data[0].last"), named("long", "$.price"), named("fine", "$.price"),
        named("less", "$.price"), named("wild", "$.price"), named("down", "$.price"), named("html", "$.price"),
        {"name": "gone", "url": "https://prices.invalid/p"},
    ]);
    let made = feed(&world, account, json!({"sources": sources, "min_submissions": 2})).await.unwrap();
    published(&world, account, made.id, 1).await;
    let round = round(&world, account, made.id, 1).await;
    assert_eq!(round.price.map(|price| price.to_string()).as_deref(), Some("100.5"));
    let mut rejects: Vec<_> =
        round.rejects.iter().map(|reject| (reject.source.as_str(), reject.reason)).collect();
    rejects.sort_unstable_by_key(|(source, _)| *source);
    assert_eq!(
        rejects,
        [
            ("down", Rejection::HttpStatus),
            ("fine", Rejection::Unreadable),
            ("gone", Rejection::Unreachable),
            ("html", Rejection::Unreadable),
            ("less", Rejection::Unreadable),
            ("long", Rejection::Unreadable),
            ("wild", Rejection::Outlier),
        ]
    );
    assert!(round.rejects.iter().any(|reject| reject.detail.contains("precision")), "{:?}", round.rejects);
    let seen = look(&world, account, made.id).await;
    assert_eq!((seen.consecutive_failures, seen.last_error, seen.latest_round_id), (0, None, Some(1)));
    assert!(seen.refreshed_at.is_some());
    assert_eq!(snapshots(&world, account, made.id).await.len(), 3, "what was read is kept, an outlier too");
}

async fn the_operators_price_service_is_asked_with_its_key(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/fetch", 200, "", r#"{"price": 17.50, "source": "exchange"}"#);
    let mut parts = ground.parts().await;
    open(&mut parts, &peer.host());
    let key = Some(SecretString::from("the key of prices"));
    parts.peers.price_fetch = Some(Named { url: peer.url("/fetch?v=2"), key });
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap();
    published(&world, account, made.id, 1).await;
    let kept = snapshots(&world, account, made.id).await;
    assert_eq!((kept[0].price.to_string().as_str(), kept[0].source.as_str()), ("17.5", "exchange"));
    let head = peer.asked("/fetch").remove(0);
    assert!(head.starts_with("GET /fetch?v=2&base=NEO&quote=USD HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer the key of prices"), "{head}");

    peer.says("/fetch", 200, "", r#"{"price": "none"}"#);
    world.act(account, Refresh(made.id)).await.unwrap();
    until("it fails", async || look(&world, account, made.id).await.consecutive_failures == 1).await;
    let error = look(&world, account, made.id).await.last_error.unwrap();
    assert!(error.contains("127.0.0.1") && !error.contains("the key of prices"), "{error}");
    until("it is told", async || world.events(account, "pricefeed.failing").await.len() == 1).await;
    peer.says("/fetch", 200, "", r#"{"price": 18.5, "source": ""}"#);
    world.act(account, Refresh(made.id)).await.unwrap();
    published(&world, account, made.id, 2).await;
    assert_eq!(snapshots(&world, account, made.id).await[0].source, "127.0.0.1");
    until("it is told", async || world.events(account, "pricefeed.recovered").await.len() == 1).await;
}

async fn headers_are_sent_and_stand_nowhere_in_clear(ground: Ground) {
    let peer = Peer::start().await;
    peer.quotes("/p", "5");
    let world = world(ground, &peer).await;
    let account = world.account("Ada").await.id;
    let sources = json!([{"url": peer.url("/p"), "headers": {"X-Api-Key": "canary-5521"}}]);
    let made = feed(&world, account, json!({"sources": sources})).await.unwrap();
    published(&world, account, made.id, 1).await;
    assert!(peer.asked("/p")[0].contains("x-api-key: canary-5521"));
    assert_eq!(made.sources[0].header_names, ["X-Api-Key"]);
    let row =
        world.core().store.find_row(PriceFeed::TABLE, Key::new(account, made.id)).await.unwrap().unwrap();
    let seen = serde_json::to_string(&look(&world, account, made.id).await).unwrap();
    let events: Vec<_> = world.events(account, "*").await.into_iter().map(|event| event.data).collect();
    assert!(!format!("{seen} {row:?} {events:?}").contains("canary-5521"));
    let at = PriceFeed::TABLE.position("envelope").unwrap();
    let Cell::Bytes(envelope) = &row.cells[at] else { panic!("no envelope") };
    assert!(!envelope.windows(6).any(|window| window == b"canary"));
}

async fn headers_are_sealed_again_when_the_root_key_is_rotated(ground: Ground) {
    let peer = Peer::start().await;
    peer.quotes("/p", "5");
    let ring = |text: &str| Arc::new(KeyRing::parse("SECRET_ENCRYPTION_KEY", text).unwrap());
    let (old, new) = (hex::encode(random(32)), hex::encode(random(32)));
    let mut parts = ground.parts().await;
    open(&mut parts, &peer.host());
    let (store, parts) = (ground.other().await, Parts { keys: ring(&old), ..parts });
    let before = World::of(ground, parts.clone(), Some(Vec::new())).await;
    let account = before.account("Ada").await.id;
    let sources = json!([{"url": peer.url("/p"), "headers": {"x-api-key": "kept"}}]);
    let made = feed(&before, account, json!({"sources": sources})).await.unwrap();
    let parts = Parts { keys: ring(&format!("{new},{old}")), store, ..parts };
    let between = start(parts.clone(), None).await;
    let done = async || {
        let told = progress(between.core()).await.unwrap();
        (told.total, told.remaining) == (1, 0)
    };
    until("it is sealed again", done).await;
    between.drain(Duration::from_secs(1)).await;
    let parts = Parts { keys: ring(&new), ..parts };
    let after = World { runtime: start(parts, None).await, ground: before.ground };
    let asked = peer.asked("/p").len();
    after.act(account, Refresh(made.id)).await.unwrap();
    until("it is asked", async || peer.asked("/p").len() > asked).await;
    assert!(peer.asked("/p")[asked].contains("x-api-key: kept"), "the old key is not needed");
}

async fn a_host_that_asks_to_wait_is_left_alone_by_every_daemon(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/p", 429, "retry-after: 600\r\n", "");
    let mut parts = ground.parts().await;
    open(&mut parts, &peer.host());
    let other = Parts { store: ground.other().await, ..parts.clone() };
    let world = World::of(ground, parts, None).await;
    let beside = start(other, None).await;
    let account = world.account("Ada").await.id;
    let sources = json!([{"name": "p", "url": peer.url("/p")}]);
    let made = feed(&world, account, json!({"sources": sources, "update_interval": "1s"})).await.unwrap();
    until("it is refreshed", async || look(&world, account, made.id).await.consecutive_failures >= 3).await;
    assert_eq!(peer.asked("/p").len(), 1, "asked once, and then left alone");
    let seen = look(&world, account, made.id).await;
    assert!(seen.last_error.unwrap().contains("asked to wait until"));
    let round = round(&world, account, made.id, 1).await;
    assert_eq!((round.rejects.len(), round.rejects[0].reason), (1, Rejection::RateLimited));
    assert!(round.rejects[0].count >= 3 && round.decision.is_some_and(|decision| decision.price.is_none()));
    beside.drain(Duration::from_secs(1)).await;
}

async fn two_daemons_refresh_a_slot_once(ground: Ground) {
    let peer = Peer::start().await;
    peer.quotes("/p", "5");
    let mut parts = ground.parts().await;
    open(&mut parts, &peer.host());
    let other = Parts { store: ground.other().await, ..parts.clone() };
    let world = World::of(ground, parts, None).await;
    let beside = start(other, None).await;
    let account = world.account("Ada").await.id;
    let fields = json!({
        "sources": [{"url": peer.url("/p")}], "update_interval": "1s", "heartbeat_interval": "1s",
    });
    let made = feed(&world, account, fields).await.unwrap();
    until("five slots pass", async || peer.asked("/p").len() >= 5).await;
    amend(&world, account, made.id, json!({"active": false})).await.unwrap();
    let slot =
        |at: chrono::DateTime<chrono::Utc>| (at - made.created_at).num_milliseconds().div_euclid(1_000);
    let all = snapshots(&world, account, made.id).await;
    let slots: BTreeSet<i64> = all.iter().map(|snapshot| slot(snapshot.created_at)).collect();
    assert_eq!(slots.len(), all.len(), "one observation in each slot");
    assert!(peer.asked("/p").len() - all.len() <= 1, "at most the one under way at the end brought nothing");
    let numbers: Vec<i64> =
        rounds(&world, account, made.id).await.iter().map(|round| round.round_id).collect();
    assert_eq!(numbers, (1..=numbers[0]).rev().collect::<Vec<_>>());
    beside.drain(Duration::from_secs(1)).await;
}

async fn a_paused_feed_is_not_refreshed_and_goes_on_after_a_resume(ground: Ground) {
    let peer = Peer::start().await;
    peer.quotes("/p", "5");
    let world = world(ground, &peer).await;
    let account = world.account("Ada").await.id;
    let fields = json!({"sources": [{"url": peer.url("/p")}], "update_interval": "1s"});
    let made = feed(&world, account, fields).await.unwrap();
    published(&world, account, made.id, 1).await;
    let target = Target::of::<PriceFeed>(made.id);
    world.act(account, PauseWork { target: target.clone(), new: NewPause::default() }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = peer.asked("/p").len();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(peer.asked("/p").len(), asked, "nothing is asked while it is paused");
    let how: Resume = serde_json::from_value(json!({"missed": "drop"})).unwrap();
    let resumed = world.act(account, ResumeWork { target, how }).await.unwrap();
    assert_eq!((resumed.kept, resumed.dropped), (0, 1));
    until("it goes on with the next slot", async || peer.asked("/p").len() > asked).await;
}

/// How often a feed's refreshes brought something.
async fn refreshed(world: &World, account: Uuid, feed: Uuid) -> usize {
    world.core().bells.ring(DUTY);
    snapshots(world, account, feed).await.len()
}

/// Moves the clock on by a minute and waits until the feed's slot was refreshed.
async fn minute(world: &World, account: Uuid, feed: Uuid) {
    world.pass(Duration::from_mins(1));
    let now = world.now();
    let refreshed = async || {
        // A sleep that begins while the clock is moved would sleep on.
        world.core().bells.ring(DUTY);
        look(world, account, feed).await.refreshed_at == Some(now)
    };
    until("the slot is refreshed", refreshed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_feed_has_its_own_slots_and_a_heartbeat_is_published_unchanged() {
    let peer = Peer::start().await;
    peer.quotes("/often", "5");
    peer.quotes("/seldom", "7");
    let world = world(Ground::memory().await, &peer).await;
    let account = world.account("Ada").await.id;
    let often = json!({"sources": [{"url": peer.url("/often")}]});
    let often = feed(&world, account, often).await.unwrap().id;
    let seldom = json!({"base_asset": "GAS", "update_interval": "@every 4m", "sources": [{"url": peer.url("/seldom")}]});
    let seldom = feed(&world, account, seldom).await.unwrap().id;
    published(&world, account, often, 1).await;
    published(&world, account, seldom, 1).await;
    for minutes in 1..=9 {
        minute(&world, account, often).await;
        // Whoever moves the clock further takes the lease away from whoever still asks.
        let slots = 1 + minutes / 4;
        until("its slot is refreshed", async || refreshed(&world, account, seldom).await == slots).await;
    }
    assert_eq!((peer.asked("/often").len(), peer.asked("/seldom").len()), (10, 3));
    assert_eq!(look(&world, account, often).await.latest_round_id, Some(1));
    minute(&world, account, often).await;
    let latest = world.act(account, FetchLatest(often)).await.unwrap();
    assert_eq!((latest.round_id, latest.reason, latest.change_bps), (2, Reason::Heartbeat, Some(0)));
    let round = round(&world, account, often, 2).await;
    assert_eq!((round.inputs.len(), round.rejects.len(), round.rejects[0].count), (1, 1, 9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_without_news_becomes_stale_once_and_fresh_again() {
    let peer = Peer::start().await;
    peer.quotes("/p", "5");
    let world = world(Ground::memory().await, &peer).await;
    let account = world.account("Ada").await.id;
    let fields = json!({"sources": [{"name": "p", "url": peer.url("/p")}]});
    let made = feed(&world, account, fields).await.unwrap().id;
    published(&world, account, made, 1).await;
    let began = world.now();
    peer.says("/p", 500, "", "");
    for minutes in 1..=12 {
        minute(&world, account, made).await;
        assert_eq!(look(&world, account, made).await.stale, minutes >= 10, "after {minutes} minutes");
    }
    let seen = look(&world, account, made).await;
    assert_eq!(
        (seen.consecutive_failures, seen.stale_since),
        (12, Some(began + chrono::TimeDelta::minutes(10)))
    );
    assert_eq!(world.events(account, "pricefeed.stale").await.len(), 1, "told once");
    peer.quotes("/p", "5");
    minute(&world, account, made).await;
    let seen = look(&world, account, made).await;
    assert_eq!((seen.stale, seen.latest_round_id, seen.consecutive_failures), (false, Some(2), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_below_the_deviation_is_published_by_the_heartbeat() {
    let world = World::on(Ground::memory().await).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap().id;
    observe(&world, account, made, "100").await.unwrap();
    world.pass(Duration::from_secs(30));
    let kept = observe(&world, account, made, "100.3").await.unwrap();
    assert!(!kept.published && kept.heartbeat_at.is_some());
    for _ in 0..10 {
        world.pass(Duration::from_mins(1));
        world.core().bells.ring(DUTY);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = async || {
        world.core().bells.ring(DUTY);
        world.act(account, FetchLatest(made)).await.is_ok_and(|latest| latest.round_id == 2)
    };
    until("the heartbeat publishes it", heard).await;
    let latest = world.act(account, FetchLatest(made)).await.unwrap();
    assert_eq!((latest.price.to_string().as_str(), latest.reason), ("100.3", Reason::Heartbeat));
}
