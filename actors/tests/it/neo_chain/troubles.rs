//! A node that is not as it should be: what is told, to whom, and how it ends.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    SYSTEM,
    services::{
        control::FetchDuty,
        neo::{DUTY, NeoChain, NeoRestart, RETRY_CAP, RestartNeo},
    },
    why::Why,
};

use super::{
    expected,
    node::{NETWORK, Node, Says},
    operators_told, shortly, stands, tells_two, told_up_to, view, world,
};
use crate::world::{Ground, on_both, until};

on_both! {
    a_node_that_does_not_answer_is_asked_again_and_the_daemon_is_degraded
    a_node_of_another_network_is_not_read_until_an_operator_says_so
    a_node_behind_is_waited_for
    a_node_on_another_fork_is_not_read
    a_node_may_ask_to_be_left_alone
}

async fn a_node_that_does_not_answer_is_asked_again_and_the_daemon_is_degraded(ground: Ground) {
    let node = Node::start(0).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 1).await;
    node.says("getversion", vec![Says::Nothing; 5]);
    let seen = stands(&world, "unreachable").await;
    assert!(seen.error.is_some_and(|error| error.starts_with("getversion: ")));
    let degraded = world.core().health.degraded();
    assert!(degraded.get("neo").is_some_and(|why| why.starts_with("unreachable: ")), "{degraded:?}");
    let why = world.act(SYSTEM, Why(NeoChain::key().id)).await.unwrap();
    assert_eq!((why.kind.as_str(), why.status.as_str()), ("neo_chain", "unreachable"), "{why:?}");
    assert!(why.causes.iter().any(|cause| cause.code == "neo_node"), "{why:?}");
    let seen = stands(&world, "following").await;
    assert_eq!((seen.trouble, seen.error, seen.consecutive_failures), (None, None, 0));
    assert!(world.core().health.degraded().is_empty());
    let told = operators_told(&world, "neo_node.*", 3).await;
    let kinds: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["neo_node.began", "neo_node.failing", "neo_node.recovered"], "once each");
    assert_eq!(told[2].data["failures"], 5);
    let duty = world.act(SYSTEM, FetchDuty(DUTY.to_owned())).await.unwrap();
    assert_eq!(duty.status.retried, 5);
    assert!(duty.status.last_error.is_some_and(|error| error.contains("unreachable")));
}

async fn a_node_of_another_network_is_not_read_until_an_operator_says_so(ground: Ground) {
    let node = Node::start(0).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 1).await;
    node.joins(860_833_102);
    let seen = stands(&world, "other_network").await;
    assert_eq!((seen.network, seen.next_height), (Some(NETWORK), Some(1)));
    node.adds(vec![tells_two()]);
    let asked = node.asked("getversion");
    until("it is asked further on", async || node.asked("getversion") > asked + 3).await;
    assert_eq!(node.asked("getblock"), 1, "nothing is read of it");
    node.joins(NETWORK);
    assert_eq!(shortly(&told_up_to(&world, 2).await), expected(0..2, |index| index), "it goes on");
    node.joins(860_833_102);
    stands(&world, "other_network").await;
    let restart = |height| RestartNeo(NeoRestart { height });
    world.act(SYSTEM, restart(Some(1))).await.unwrap();
    until("it begins anew", async || view(&world).await.network == Some(860_833_102)).await;
    let told = told_up_to(&world, 2).await;
    let mut wanted = expected(0..2, |index| index);
    wanted.extend(expected(1..2, |_| 1));
    assert_eq!(shortly(&told), wanted);
    assert_eq!(told.last().unwrap().data["network"], 860_833_102);
    let restarted = operators_told(&world, "neo_node.restarted", 1).await;
    let data = json!({
        "network": NETWORK, "next_height": 2, "last_hash": node.block_hash(1), "height": 1,
    });
    assert_eq!((restarted[0].actor.as_str(), &restarted[0].data), ("operator:alice", &data));
}

async fn a_node_behind_is_waited_for(ground: Ground) {
    let node = Node::start(3).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 4).await;
    node.keeps(2);
    let seen = stands(&world, "behind").await;
    assert_eq!((seen.next_height, seen.node_height, seen.lag), (Some(4), Some(1), Some(0)));
    for _ in 0..3 {
        node.adds(Vec::new());
    }
    assert_eq!(shortly(&told_up_to(&world, 5).await), expected(3..5, |_| 0), "nothing is told twice");
}

async fn a_node_on_another_fork_is_not_read(ground: Ground) {
    let node = Node::start(3).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 4).await;
    node.forks(7);
    let seen = stands(&world, "forked").await;
    assert!(seen.error.is_some_and(|error| error.contains("block 3")));
    node.adds(Vec::new());
    let asked = node.asked("getblockhash");
    until("it is asked further on", async || node.asked("getblockhash") > asked + 3).await;
    assert_eq!(view(&world).await.next_height, Some(4));
    node.forks(0);
    assert_eq!(shortly(&told_up_to(&world, 5).await), expected(3..5, |_| 0));
    node.forks(7);
    stands(&world, "forked").await;
    world.act(SYSTEM, RestartNeo(NeoRestart::default())).await.unwrap();
    let told = told_up_to(&world, 5).await;
    let mut wanted = expected(3..5, |_| 0);
    wanted.extend(expected(4..5, |_| 0));
    until("the newest block of the other fork is told", async || {
        world
            .events(SYSTEM, "neo.block")
            .await
            .last()
            .is_some_and(|last| last.data["hash"] == node.block_hash(4))
    })
    .await;
    assert!(told.len() >= 6);
    assert_eq!(shortly(&told_up_to(&world, 5).await), wanted);
}

async fn a_node_may_ask_to_be_left_alone(ground: Ground) {
    let node = Node::start(0).await;
    let world = world(ground, &node, &[(&RETRY_CAP, 10)]).await;
    told_up_to(&world, 1).await;
    let asks = Says::That(503, "retry-after: 2\r\n", "{}".to_owned());
    node.says("getversion", [asks]);
    let began = tokio::time::Instant::now();
    stands(&world, "refused").await;
    let asked = node.asked("getversion");
    stands(&world, "following").await;
    assert!(began.elapsed() > Duration::from_millis(1_500), "it was left alone");
    assert!(node.asked("getversion") <= asked + 2);
}
