//! The chain of a Neo node becomes events: in order, each block once, whatever the node answers and whoever dies.

mod hostile;
mod node;
mod troubles;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sl_actors::{
    Parts, SYSTEM,
    duty::{RETRY_BASE, RETRY_CAP as DUTY_RETRY_CAP},
    egress::{Egress, EgressLimits, SystemResolver},
    pause::{NewPause, PauseWork, Resume, ResumeWork, Target},
    peers::Peer,
    services::{
        control::SystemStatus,
        neo::{
            COMMIT_EVENTS, DUTY, FetchNeo, NeoView, PAGE, POLL, RETRY_CAP, RPC_TIME, START_HEIGHT, STATE_SIZE,
        },
    },
    settings::Setting,
};
use sl_store::Event;

use self::node::{CONTRACT, NETWORK, Node, array, bytes, faults, halts, integer, time};
use crate::world::{Ground, World, on_both, set, start, until};

on_both! {
    blocks_are_told_in_order_from_the_newest_on
    what_was_missed_is_made_up_for_page_by_page
    a_block_is_told_once_whoever_stops_in_its_middle
    several_daemons_tell_each_block_once
    what_is_too_large_is_marked_and_nothing_stops
    a_pause_holds_the_reading_and_a_resume_lets_it_go_on
    without_a_node_nothing_is_read
}

/// What a daemon that reads from this node is made of.
async fn parts(ground: &Ground, node: &Node, settings: &[(&Setting, u64)]) -> Parts {
    let mut parts = ground.parts().await;
    let quick = [(&POLL, 20), (&RETRY_BASE, 10), (&DUTY_RETRY_CAP, 50), (&RETRY_CAP, 50), (&RPC_TIME, 500)];
    for (setting, value) in quick.iter().chain(settings) {
        set(&mut parts, setting, *value);
    }
    let limits = EgressLimits::from(&parts.settings);
    let names = Arc::new(SystemResolver::new(4));
    parts.egress = Egress::new(limits, node.host().parse().unwrap(), names).unwrap();
    parts.peers.neo_rpc = Some(Peer { url: node.url(), key: None });
    parts
}

async fn world(ground: Ground, node: &Node, settings: &[(&Setting, u64)]) -> World {
    let parts = parts(&ground, node, settings).await;
    World::of(ground, parts, None).await
}

async fn view(world: &World) -> NeoView {
    world.act(SYSTEM, FetchNeo).await.expect("it is told")
}

/// Looks until the chain stands so.
async fn stands(world: &World, status: &str) -> NeoView {
    until(&format!("it is {status}"), async || view(world).await.status == status).await;
    view(world).await
}

/// Looks until every block below this one is told, and answers all that was told.
async fn told_up_to(world: &World, next: u32) -> Vec<Event> {
    until(&format!("everything before {next} is told"), async || {
        let view = view(world).await;
        view.next_height == Some(next) && view.status == "following"
    })
    .await;
    let mut told = Vec::new();
    // What an open transaction may precede is not shown yet.
    until("it is shown", async || {
        told = world.events(SYSTEM, "neo.*").await;
        told.iter()
            .rfind(|event| event.kind == "neo.block")
            .is_some_and(|last| last.data["index"] == next - 1)
            && told.last().is_some_and(|last| last.data["trigger"] == "PostPersist")
    })
    .await;
    told
}

/// Looks until operators were told so much of the node, and answers it.
async fn operators_told(world: &World, kind: &str, count: usize) -> Vec<Event> {
    let mut told = Vec::new();
    until(&format!("{kind} was told {count} times"), async || {
        told = world.events(SYSTEM, kind).await;
        told.len() >= count
    })
    .await;
    assert_eq!(told.len(), count, "{told:?}");
    told
}

/// What was told, shortly: a block's index, or of a notification block, trigger, name and index.
fn shortly(events: &[Event]) -> Vec<String> {
    let short = |event: &Event| match event.kind.as_str() {
        "neo.block" => format!("block {}", event.data["index"]),
        kind => {
            let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
            let kind = kind.trim_start_matches("neo.");
            format!(
                "{kind} {} {} {} {}",
                event.data["block"],
                text("trigger"),
                text("name"),
                event.data["index"]
            )
        }
    };
    events.iter().map(short).collect()
}

/// The same of empty blocks, and of blocks with so many transactions that tell `A` and `B` each.
fn expected(blocks: std::ops::Range<usize>, transactions: impl Fn(usize) -> usize) -> Vec<String> {
    let mut told = Vec::new();
    for index in blocks {
        told.push(format!("block {index}"));
        told.push(format!("notification {index} OnPersist Transfer 0"));
        for _ in 0..transactions(index) {
            told.push(format!("notification {index} Application A 0"));
            told.push(format!("notification {index} Application B 1"));
        }
        told.push(format!("notification {index} PostPersist Transfer 0"));
    }
    told
}

fn tells_two() -> node::Transaction {
    halts(vec![("A", array(&[integer(1)])), ("B", array(&[integer(2)]))])
}

async fn blocks_are_told_in_order_from_the_newest_on(ground: Ground) {
    let node = Node::start(4).await;
    let account = sl_actors::neo::ScriptHash::parse("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRS7").unwrap();
    let world = world(ground, &node, &[]).await;
    assert_eq!(shortly(&told_up_to(&world, 5).await), expected(4..5, |_| 0), "the newest block is the first");
    let transfer = array(&[json!({"type": "Any"}), bytes(account.as_bytes()), integer(100_000_000)]);
    node.adds(vec![halts(vec![("Transfer", transfer)]), faults(vec![("Transfer", burnt())]), tells_two()]);
    node.adds(Vec::new());
    let told = told_up_to(&world, 7).await;
    let mut wanted = expected(4..5, |_| 0);
    wanted.extend(expected(5..6, |_| 1));
    // The first transaction tells of a transfer, the second came to nothing.
    wanted.insert(5, "notification 5 Application Transfer 0".to_owned());
    wanted.extend(expected(6..7, |_| 0));
    assert_eq!(shortly(&told), wanted);
    let at = chrono::DateTime::from_timestamp_millis(time(5).cast_signed()).unwrap();
    let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let block = json!({
        "network": NETWORK, "time": at, "index": 5, "hash": node.block_hash(5),
        "previous_hash": node.block_hash(4), "transactions": 3,
    });
    assert_eq!(told[3].data, block);
    let notification = json!({
        "network": NETWORK, "time": at, "block": 5, "block_hash": node.block_hash(5),
        "tx_hash": node.transaction_hash(5, 0), "trigger": "Application", "vmstate": "HALT", "index": 0,
        "contract": CONTRACT, "name": "Transfer",
        "state": [null, {"bytes": hex::encode(account.as_bytes()), "address": account.address()}, "100000000"],
    });
    assert_eq!(told[5].data, notification);
    assert!(told.iter().all(|event| event.service == "neo" && event.actor == "duty:neo-blocks"));
    assert_eq!(
        (told[4].subject, &told[4].data["tx_hash"]),
        (told[5].subject, &Value::Null),
        "by its contract"
    );
    let status = world.act(SYSTEM, SystemStatus).await.unwrap();
    assert_eq!(status.neo.map(|neo| (neo.status, neo.lag)), Some(("following", Some(0))));
    let metrics = world.core().metrics.text().unwrap();
    assert!(metrics.contains("service_layer_neo_lag_blocks 0"), "{metrics}");
    operators_told(&world, "neo_node.*", 1).await;
}

fn burnt() -> Value {
    array(&[integer(7)])
}

async fn what_was_missed_is_made_up_for_page_by_page(ground: Ground) {
    let node = Node::start(0).await;
    for index in 1..=40 {
        node.adds(vec![tells_two(); index % 4]);
    }
    let settings = [(&START_HEIGHT, 1), (&PAGE, 7), (&COMMIT_EVENTS, 3)];
    let world = world(ground, &node, &settings).await;
    let told = told_up_to(&world, 41).await;
    assert_eq!(shortly(&told), expected(1..41, |index| index % 4));
    assert!(told.is_sorted_by_key(|event| event.position));
    assert!(node.asked("getversion") >= 6, "each page is a look of its own");
}

async fn a_block_is_told_once_whoever_stops_in_its_middle(ground: Ground) {
    let node = Node::start(0).await;
    for _ in 1..=12 {
        node.adds(vec![tells_two(); 5]);
    }
    let settings = [(&START_HEIGHT, 1), (&COMMIT_EVENTS, 1)];
    let mut core = parts(&ground, &node, &settings).await;
    // Every daemon meets an answer that never comes, further on each time, and is stopped there.
    for stop in 1..=6 {
        let mut stops: Vec<node::Says> = Vec::new();
        core.store = ground.other().await;
        set(&mut core, &RPC_TIME, 60_000);
        let asked = node.asked("getapplicationlog");
        stops.push(node::Says::TooLate);
        let daemon = start(core.clone(), None).await;
        until("it went on", async || node.asked("getapplicationlog") >= asked + stop * 2).await;
        node.says("getapplicationlog", stops);
        until("it hangs", async || node.has_said_all()).await;
        daemon.drain(Duration::ZERO).await;
    }
    let world = world(ground, &node, &settings).await;
    assert_eq!(shortly(&told_up_to(&world, 13).await), expected(1..13, |_| 5));
}

async fn several_daemons_tell_each_block_once(ground: Ground) {
    let node = Node::start(0).await;
    for _ in 1..=30 {
        node.adds(vec![tells_two(); 2]);
    }
    let settings = [(&START_HEIGHT, 1), (&PAGE, 2), (&COMMIT_EVENTS, 2)];
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(start(parts(&ground, &node, &settings).await, None).await);
    }
    let world = world(ground, &node, &settings).await;
    for _ in 0..10 {
        node.adds(vec![tells_two()]);
        tokio::task::yield_now().await;
    }
    let told = told_up_to(&world, 41).await;
    assert_eq!(shortly(&told), expected(1..41, |index| if index <= 30 { 2 } else { 1 }));
    for other in others {
        other.drain(Duration::from_secs(5)).await;
    }
}

async fn what_is_too_large_is_marked_and_nothing_stops(ground: Ground) {
    let node = Node::start(0).await;
    let nested = (0..40).fold(integer(1), |inner, _| array(&[inner]));
    let states = vec![
        ("Small", array(&[integer(1)])),
        ("Large", array(&[bytes(&[b'x'; 200])])),
        ("Nested", nested),
        ("Recursive", json!("error: recursive reference")),
        ("Unknown", json!({"type": "Unheard", "value": [1]})),
        ("NoNumber", json!({"type": "Integer", "value": 1e300})),
        ("NoItem", json!(7)),
        ("Last", array(&[integer(2)])),
    ];
    node.adds(vec![halts(states), halts(vec![("Huge", bytes(&[7; 8_000]))]), tells_two()]);
    // A block that is too large itself: its header is told.
    node.adds(Vec::new());
    let bound =
        sl_actors::settings::catalogue().into_iter().find(|one| one.name == "egress.response_body").unwrap();
    let settings = [(&START_HEIGHT, 1), (&STATE_SIZE, 256), (bound, 8 << 10)];
    let world = world(ground, &node, &settings).await;
    let told = told_up_to(&world, 3).await;
    let data = |name: &str| &told.iter().find(|event| event.data["name"] == name).unwrap().data;
    assert_eq!((&data("Small")["state"], &data("Last")["state"]), (&json!(["1"]), &json!(["2"])));
    assert!(data("Small").get("state_omitted").is_none());
    for (name, why) in [
        ("Large", "more than 256"),
        ("Nested", "deeper than 16"),
        ("Recursive", "could not write it"),
        ("Unknown", "\"Unheard\""),
        ("NoNumber", "\"Integer\""),
        ("NoItem", "no stack item"),
    ] {
        let omitted = data(name)["state_omitted"].as_str().unwrap_or_else(|| panic!("{name} is marked"));
        assert!(data(name)["state"].is_null() && omitted.contains(why), "{name}: {omitted}");
    }
    let omitted = told.iter().find(|event| event.kind == "neo.log_omitted").expect("the log is too large");
    assert_eq!(omitted.data["tx_hash"], node.transaction_hash(1, 1));
    assert!(omitted.data["reason"].as_str().is_some_and(|why| why.contains("egress.response_body")));
    assert!(shortly(&told).contains(&"notification 1 Application B 1".to_owned()), "what follows is told");
    node.says("getblock", [node::Says::That(200, "", "x".repeat(9_000))]);
    node.adds(vec![tells_two()]);
    let told = told_up_to(&world, 4).await;
    let block = &told.iter().rfind(|event| event.kind == "neo.block").unwrap().data;
    assert_eq!((&block["transactions"], &block["hash"]), (&Value::Null, &json!(node.block_hash(3))));
    assert!(block["transactions_omitted"].as_str().is_some_and(|why| why.contains("egress.response_body")));
}

async fn a_pause_holds_the_reading_and_a_resume_lets_it_go_on(ground: Ground) {
    let node = Node::start(0).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 1).await;
    let target = || Target::Duty(DUTY.to_owned());
    world.act(SYSTEM, PauseWork { target: target(), new: NewPause::default() }).await.unwrap();
    node.adds(vec![tells_two()]);
    let asked = node.asked("getblock");
    assert_eq!(view(&world).await.status, "paused");
    world.act(SYSTEM, ResumeWork { target: target(), how: Resume::default() }).await.unwrap();
    assert!(node.asked("getblock") <= asked + 1);
    let told = told_up_to(&world, 2).await;
    assert_eq!(shortly(&told), expected(0..2, |index| index));
}

async fn without_a_node_nothing_is_read(ground: Ground) {
    let world = World::on(ground).await;
    let view = view(&world).await;
    assert_eq!((view.status, view.network, view.lag), ("unconfigured", None, None));
    assert!(world.core().duty(DUTY).is_none(), "nobody performs it");
    assert!(world.act(SYSTEM, SystemStatus).await.unwrap().neo.is_none());
}
