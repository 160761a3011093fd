//! Rounds of price feeds, decided again without a server.

use serde_json::{Value, json};

use crate::program::{Program, Run};

/// What the server's own formula made of many rounds.
fn rounds() -> Vec<Value> {
    read("price_rounds.json")
}

fn read(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
    serde_json::from_str(&text.expect("the rounds")).expect("JSON")
}

fn verify(round: &Value) -> Run {
    Program::alone().input(&round.to_string()).run(&["verify", "round", "--file", "-", "-o", "json"])
}

fn of_reason(reason: &str) -> Value {
    let found = rounds().into_iter().find(|round| round["decision"]["reason"] == reason);
    found.unwrap_or_else(|| panic!("no round is {reason}"))
}

#[test]
fn every_round_of_the_server_verifies() {
    // Those that were decided by the formula before the present one verify as ever.
    for round in rounds().into_iter().chain(read("price_rounds_1.json")) {
        let run = verify(&round);
        assert_eq!(run.code, 0, "{run:?} of {round}");
        let told: Value = serde_json::from_str(&run.out).expect("JSON");
        assert_eq!((&told["verified"], &told["price"]), (&json!(true), &round["price"]));
        assert_eq!(run.err.contains("may still change"), round["status"] == "open", "{run:?}");
    }
}

#[test]
fn a_round_that_was_tampered_with_does_not() {
    let changes = [
        ("deviation", "/price", json!("1")),
        ("deviation", "/decision/price", json!("1")),
        ("deviation", "/decision/reason", json!("heartbeat")),
        ("deviation", "/decision/change_bps", json!(7)),
        ("deviation", "/decision/submissions", json!(99)),
        ("deviation", "/status", json!("open")),
        ("deviation", "/closed_at", json!("2020-01-01T00:00:00Z")),
        ("deviation", "/previous", Value::Null),
        ("deviation", "/previous/price", json!("0.000000000000000001")),
        ("deviation", "/previous/round_id", json!(1_000_000)),
        ("deviation", "/rules/min_submissions", json!(50)),
        ("deviation", "/inputs/0/price", json!("5000")),
        ("deviation", "/inputs/0/price", json!("-5")),
        ("deviation", "/rules/heartbeat_interval", json!("soon")),
        ("heartbeat", "/rules/heartbeat_interval", json!("@every 30d")),
        ("below_deviation", "/rules/deviation_bps", json!(0)),
        ("first", "/inputs", json!([])),
    ];
    for (reason, pointer, value) in changes {
        let mut round = of_reason(reason);
        *round.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        let run = verify(&round);
        assert_eq!(run.code, 11, "{reason} {pointer}: {run:?}");
        assert!(run.err.contains("does not verify"), "{run:?}");
    }
    let mut rejected =
        rounds().into_iter().find(|round| round["rejects"][0].is_object()).expect("one with rejects");
    rejected["rejects"] = json!([]);
    assert_eq!(verify(&rejected).code, 11);
}

#[test]
fn another_formula_is_not_judged() {
    let mut round = of_reason("first");
    round["formula"] = json!("pricefeed/9");
    let run = verify(&round);
    assert_eq!(run.code, 2, "{run:?}");
}
