//! Whatever a node answers, it is told and the reading goes on where it stood.

use serde_json::{Value, json};
use sl_actors::SYSTEM;
use sl_store::Event;

use super::{
    START_HEIGHT, expected,
    node::{CONTRACT, Node, Says, halts, integer},
    shortly, tells_two, told_up_to, world,
};
use crate::world::{Ground, World, on_both, until};

on_both! {
    every_answer_that_is_none_is_told_and_asked_again
    depth_that_is_not_read_does_no_harm
}

fn result(value: &Value) -> Says {
    Says::Result(value.to_string())
}

fn deep(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

/// A block that is right but for one member.
fn block(node: &Node, index: usize, member: &str, value: Value) -> Says {
    let mut told = json!({
        "hash": node.block_hash(index), "previousblockhash": node.block_hash(index - 1), "index": index, "time": 1,
        "tx": [],
    });
    match value {
        Value::Null => drop(told.as_object_mut().unwrap().remove(member)),
        value => told[member] = value,
    }
    result(&told)
}

/// A block's log with these executions.
fn log(node: &Node, index: usize, executions: &Value) -> Says {
    result(&json!({"blockhash": node.block_hash(index), "executions": executions}))
}

/// Wrong answers of any form to any question: to which, and what that is called.
fn malformed() -> Vec<(&'static str, Says, &'static str)> {
    let that = |status: u16, body: &str| Says::That(status, "", body.to_owned());
    let mut all = vec![
        ("getblockcount", Says::Nothing, "unreachable"),
        ("getblockcount", Says::TooLate, "unreachable"),
        ("getblockcount", that(302, ""), "refused"),
        ("getblockcount", that(404, "<html>"), "refused"),
        ("getblockcount", that(500, "{}"), "refused"),
        ("getblockcount", that(429, "slow down"), "refused"),
        ("getblockcount", Says::That(503, "retry-after: 0\r\n", String::new()), "refused"),
        ("getblockcount", Says::Error(-32_603, "Internal\u{0}\n\u{1b}[31merror"), "refused"),
        ("getapplicationlog", Says::Error(-32_601, "Method not found"), "refused"),
        ("getapplicationlog", Says::Error(-105, "Unknown script container"), "refused"),
        ("getblock", Says::Error(-101, "Unknown block"), "refused"),
    ];
    let bomb = "\u{feff}{".repeat(100);
    for wrong in ["", "<html>", "{}", "[]", r#"{"result":1,"result":2}"#, r#"{"error":"text"}"#, &bomb] {
        all.push(("getblockcount", that(200, wrong), "unreadable"));
    }
    let (digits, depth, abyss) = ("9".repeat(5_000), deep(5_000), deep(100_000));
    let counts = ["null", "-1", "0", "4294967296", "1e999", "1.5", "\"3\"", "{}", "true", &digits, &depth];
    let versions = ["null", "{}", r#"{"protocol":{}}"#, r#"{"protocol":{"network":-5}}"#, &abyss];
    let (long, wide) = (format!("\"{}\"", "f".repeat(66)), format!("\"0x{}\"", "é".repeat(32)));
    let hashes = ["null", "7", r#""""#, r#""0x12""#, &long, &wide];
    for (method, wrongs) in
        [("getblockcount", &counts[..]), ("getversion", &versions[..]), ("getblockhash", &hashes[..])]
    {
        all.extend(wrongs.iter().map(|wrong| (method, Says::Result((*wrong).to_owned()), "unreadable")));
    }
    all
}

/// Wrong answers about a block.
fn misleading(node: &Node, index: usize) -> Vec<(&'static str, Says, &'static str)> {
    let mut all = Vec::new();
    let other = json!(format!("0x{}", "9".repeat(64)));
    all.push(("getblock", block(node, index, "previousblockhash", other), "forked"));
    for member in ["hash", "previousblockhash", "index", "time"] {
        for wrong in [Value::Null, json!({"a": [1]})] {
            all.push(("getblock", block(node, index, member, wrong), "unreadable"));
        }
    }
    for (member, wrong) in [
        ("index", json!(index + 1)),
        ("index", json!(-1)),
        ("time", json!(u64::MAX)),
        ("hash", json!("0x00")),
        ("tx", json!({"hash": 1})),
        ("tx", json!([{"hash": "0x00"}])),
        ("tx", json!([{}])),
    ] {
        all.push(("getblock", block(node, index, member, wrong), "unreadable"));
    }
    let contract = |contract: Value| json!({"contract": contract, "eventname": "A", "state": integer(1)});
    let notifications = [
        json!({}),
        json!({"contract": CONTRACT, "eventname": "A"}),
        json!({"contract": CONTRACT, "state": integer(1)}),
        json!({"contract": CONTRACT, "eventname": "A".repeat(10_000), "state": integer(1)}),
        contract(json!(7)),
        contract(json!("")),
        contract(json!("0xzz")),
        contract(json!("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRS7")),
    ];
    let with = |one: &Value| json!([{"trigger": "OnPersist", "vmstate": "HALT", "notifications": [one]}]);
    let executions = [json!(null), json!({}), json!([1]), json!([{"trigger": "OnPersist"}])];
    let executions = executions.into_iter().chain(notifications.iter().map(with));
    all.extend(executions.map(|wrong| ("getapplicationlog", log(node, index, &wrong), "unreadable")));
    for wrong in [json!({"txid": "0x00", "executions": []}), json!({"executions": []})] {
        all.push(("getapplicationlog", result(&wrong), "unreadable"));
    }
    all
}

async fn troubles(world: &World) -> Vec<Event> {
    world.events(SYSTEM, "neo_node.failing").await
}

async fn every_answer_that_is_none_is_told_and_asked_again(ground: Ground) {
    let node = Node::start(0).await;
    let world = world(ground, &node, &[]).await;
    told_up_to(&world, 1).await;
    let (forms, all) = (malformed(), malformed().len() + misleading(&node, 1).len());
    for number in 0..all {
        // Each meets a block of its own.
        let about = || misleading(&node, number + 1).swap_remove(number - forms.len());
        let (method, says, kind) = forms.get(number).cloned().unwrap_or_else(about);
        let what = format!("{number}: {method} {says:?}");
        let what: String = what.chars().take(200).collect();
        node.says(method, [says]);
        node.adds(vec![tells_two()]);
        let mut found = Vec::new();
        until(&what, async || {
            found = troubles(&world).await;
            found.len() > number
        })
        .await;
        assert_eq!((found.len(), &found[number].data["trouble"]), (number + 1, &json!(kind)), "{what}");
        let error = found[number].data["error"].as_str().unwrap();
        assert!(error.chars().count() <= 300 && !error.chars().any(char::is_control), "{what}: {error}");
        until("it recovered", async || world.events(SYSTEM, "neo_node.recovered").await.len() > number).await;
    }
    let told = told_up_to(&world, u32::try_from(all).unwrap() + 1).await;
    assert_eq!(shortly(&told), expected(0..all + 1, |index| usize::from(index > 0)));
    assert!(world.core().health.degraded().is_empty(), "it is well again");
}

async fn depth_that_is_not_read_does_no_harm(ground: Ground) {
    let node = Node::start(0).await;
    node.adds(vec![halts(vec![("A", integer(1)), ("B", integer(2))])]);
    // An honest node's log of an attacker's transaction: deeper than any reader of JSON goes.
    let told = format!(
        r#"{{"txid":"{}","executions":[{{"trigger":"Application","vmstate":"HALT","stack":{},"notifications":[
           {{"contract":"{CONTRACT}","eventname":"A","state":{}}},
           {{"contract":"{CONTRACT}","eventname":"B","state":{{"type":"Integer","value":"2"}}}}]}}]}}"#,
        node.transaction_hash(1, 0),
        deep(100_000),
        deep(1_000),
    );
    let blocks = json!({"blockhash": node.block_hash(1), "executions": [
        {"trigger": "OnPersist", "vmstate": "HALT", "notifications": []},
        {"trigger": "PostPersist", "vmstate": "HALT", "notifications": [
            {"contract": CONTRACT, "eventname": "Transfer", "state": integer(7)}]},
    ]});
    node.says("getapplicationlog", [result(&blocks), Says::Result(told)]);
    let world = world(ground, &node, &[(&START_HEIGHT, 1)]).await;
    let told = told_up_to(&world, 2).await;
    let mut wanted = expected(1..2, |_| 1);
    wanted.remove(1);
    assert_eq!(shortly(&told), wanted);
    assert!(told[1].data["state"].is_null(), "{}", told[1].data);
    assert!(told[1].data["state_omitted"].as_str().is_some_and(|why| why.contains("cannot be read")));
    assert_eq!(told[2].data["state"], "2");
}
