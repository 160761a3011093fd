//! Randomness: drawn over the API, repeated, and checked by `slctl` without the server.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};
use sl_actors::signing::Signer;

use crate::world::{SIGNING_KEY, each_store, function, process::program, text};

/// What `slctl verify random` says to an answer: its exit code.
fn verify(answer: &Value) -> Option<i32> {
    let key = Signer::parse(SIGNING_KEY).expect("a key").public_key();
    let key = key.map(|byte| format!("{byte:02x}")).concat();
    let mut checked = Command::new(program("slctl"))
        .args(["verify", "random", "--file", "-", "--public-key", &key])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("slctl runs");
    let mut input = checked.stdin.take().expect("its input");
    input.write_all(answer.to_string().as_bytes()).expect("it reads");
    drop(input);
    checked.wait().expect("it ends").code()
}

#[test]
fn a_value_is_drawn_once_and_checked_by_anybody() {
    each_store(async |world| {
        let account = world.account().await;
        let random = format!("{account}/random");
        for encoding in ["hex", "base64", "base64url", "decimal"] {
            let new =
                json!({"length": 100, "encoding": encoding, "request_id": format!("draw in {encoding}")});
            let drawn = world.client.post(&random, &new).await.expect(200);
            let again = world.client.post(&random, &new).await.expect(200);
            assert_eq!(drawn, again, "a repeat is answered with the same");
            assert_eq!(verify(&drawn), Some(0), "{drawn}");
            for (name, value) in [
                ("value", json!("00")),
                ("counter", json!(9_999)),
                ("length", json!(99)),
                ("request_id", json!("another")),
                ("created_at", json!("2026-01-01T00:00:00Z")),
                ("account_id", json!("another")),
            ] {
                let mut tampered = drawn.clone();
                tampered[name] = value;
                assert_eq!(verify(&tampered), Some(11), "{name} was changed");
            }
            let fetched = world.client.get(&format!("{random}/{}", text(&drawn, "id"))).await.expect(200);
            assert_eq!(fetched, drawn);
        }
        let changed = json!({"length": 99, "encoding": "hex", "request_id": "draw in hex"});
        world.client.post(&random, &changed).await.problem(409, "conflict");
        let refused = world.client.post(&random, &json!({"length": 1_025})).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/length", "{refused}");
        let usual = world.client.ask(Method::POST, &random, None).await.expect(200);
        assert_eq!((&usual["length"], &usual["encoding"]), (&json!(32), &json!("base64")), "{usual}");
        let pages = world.client.pages(&random, 3).await;
        let counters: Vec<i64> = pages.iter().flatten().filter_map(|item| item["counter"].as_i64()).collect();
        assert_eq!(counters, [5, 4, 3, 2, 1]);
    });
}

#[test]
fn a_function_draws_by_an_action() {
    each_store(async |world| {
        let account = world.account().await;
        let source = "() => {
            Devpack.random.generate({ length: 8, requestId: 'lottery', encoding: 'hex' });
            Devpack.random.generate();
            Devpack.random.generate({ length: 9, requestId: 'lottery' });
            return Devpack.respond.success('drawn');
        }";
        let path = function(&world.client, &account, "lottery", source).await;
        let ran = world.client.post(&format!("{path}/execute"), &json!({})).await.expect(200);
        let statuses: Vec<&str> = (0..3).map(|n| text(&ran["actions"][n], "status")).collect();
        assert_eq!(statuses, ["succeeded", "succeeded", "failed"], "{ran}");
        assert_eq!(ran["actions"][2]["error"]["code"], "conflict", "{ran}");
        for action in 0..2 {
            assert_eq!(verify(&ran["actions"][action]["result"]), Some(0), "{ran}");
        }
        let own = format!("{}/action_2", text(&ran, "id"));
        assert_eq!(ran["actions"][1]["result"]["request_id"], own);
        let history = world.client.get(&format!("{account}/random?request_id=lottery")).await.expect(200);
        assert_eq!(history["items"], json!([ran["actions"][0]["result"]]), "{history}");
    });
}
