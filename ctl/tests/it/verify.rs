//! Signatures of executions, checked without a server.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

use crate::{program::Program, server::Server};

/// What the signature is over, written out by hand from its definition.
const MESSAGE: &str = concat!(
    "service-layer/execution/v1\n",
    r#"{"account_id":"a1","actions":[{"id":"x1","params":{"length":32},"type":"random.generate"}],"#,
    r#""completed_at":"2026-01-02T03:04:06Z","error":null,"function_id":"f1","function_version":3,"id":"e1","#,
    r#""input":{"a":"é","b":[1,2.5,1e+21]},"logs":[{"level":"info","message":"hi"}],"output":{"ok":true},"#,
    r#""started_at":"2026-01-02T03:04:05Z","status":"succeeded"}"#
);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> String {
    STANDARD.encode(key().verifying_key())
}

/// An execution as the server answers it, with members that are not signed.
fn execution() -> Value {
    json!({
        "id": "e1", "account_id": "a1", "function_id": "f1", "function_version": 3,
        "input": {"b": [1.0, 2.5, 1e21], "a": "é"}, "output": {"ok": true}, "error": null,
        "logs": [{"level": "info", "message": "hi"}],
        "actions": [{"id": "x1", "type": "random.generate", "params": {"length": 32}, "status": "succeeded", "result": {"value": "00"}}],
        "status": "succeeded", "started_at": "2026-01-02T03:04:05Z", "completed_at": "2026-01-02T03:04:06Z",
        "cpu_time": "3ms", "attempts": 1,
        "signature": {"algorithm": "ed25519", "public_key": public_key(), "value": STANDARD.encode(key().sign(MESSAGE.as_bytes()).to_bytes())},
    })
}

fn verify(execution: &Value, more: &[&str]) -> crate::program::Run {
    let program = Program::alone().input(&execution.to_string());
    program.run(&[&["verify", "execution", "--file", "-"], more].concat())
}

#[test]
fn a_good_signature_verifies_offline() {
    let run = verify(&execution(), &["-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(told, json!({"id": "e1", "verified": true, "pinned": false, "public_key": public_key()}));
    assert!(run.err.contains("pin it"), "{run:?}");
}

#[test]
fn a_pinned_key_is_the_only_one() {
    let run = verify(&execution(), &["--public-key", &public_key()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let other = STANDARD.encode(SigningKey::from_bytes(&[8; 32]).verifying_key());
    assert_eq!(verify(&execution(), &["--public-key", &other]).code, 11);
    let other = execution_signed_by(&SigningKey::from_bytes(&[8; 32]));
    assert_eq!(verify(&other, &[]).code, 0, "anybody can sign with a key of their own");
    assert_eq!(verify(&other, &["--public-key", &public_key()]).code, 11);
}

fn execution_signed_by(key: &SigningKey) -> Value {
    let mut execution = execution();
    execution["signature"]["public_key"] = json!(STANDARD.encode(key.verifying_key()));
    execution["signature"]["value"] = json!(STANDARD.encode(key.sign(MESSAGE.as_bytes()).to_bytes()));
    execution
}

#[test]
fn every_signed_member_is_guarded() {
    let changes = [
        ("/id", json!("e2")),
        ("/account_id", json!("a2")),
        ("/function_id", json!("f2")),
        ("/function_version", json!(4)),
        ("/input/a", json!("e")),
        ("/input/b/0", json!(1.000_000_1)),
        ("/output/ok", json!(false)),
        ("/error", json!({"message": "x"})),
        ("/logs/0/message", json!("ho")),
        ("/actions/0/id", json!("x2")),
        ("/actions/0/type", json!("gasbank.withdraw")),
        ("/actions/0/params/length", json!(33)),
        ("/actions", json!([])),
        ("/status", json!("failed")),
        ("/started_at", json!("2026-01-02T03:04:04Z")),
        ("/completed_at", json!("2026-01-02T03:04:07Z")),
        ("/signature/algorithm", json!("none")),
        ("/signature/public_key", json!(STANDARD.encode([1; 32]))),
        ("/signature/public_key", json!("???")),
        ("/signature/value", json!(STANDARD.encode([0; 64]))),
        ("/signature/value", json!("")),
        ("/signature", json!(null)),
    ];
    for (pointer, value) in changes {
        let mut tampered = execution();
        *tampered.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let run = verify(&tampered, &[]);
        assert_eq!(run.code, 11, "{pointer}: {run:?}");
        assert!(run.err.starts_with("error: not verified: ") && run.out.is_empty(), "{run:?}");
    }
    for member in ["id", "error", "logs", "actions", "output"] {
        let mut tampered = execution();
        tampered.as_object_mut().expect("an object").remove(member);
        assert_eq!(verify(&tampered, &[]).code, 11, "{member}");
    }
}

#[test]
fn members_that_are_not_signed_are_free() {
    let mut execution = execution();
    execution["cpu_time"] = json!("4ms");
    execution["actions"][0]["status"] = json!("failed");
    assert_eq!(verify(&execution, &[]).code, 0);
}

#[test]
fn an_execution_is_fetched_by_its_id() {
    let server = Server::always(200, &execution());
    let told =
        Program::of(&server).out(&["verify", "execution", "e1", "--public-key", &public_key(), "-o", "name"]);
    assert_eq!(told, "e1\n");
    assert_eq!(server.lines(), ["GET /accounts/acc/executions/e1"]);
}

#[test]
fn what_is_no_execution_is_refused() {
    assert_eq!(Program::alone().input("{").run(&["verify", "execution", "-f", "-"]).code, 2);
    assert_eq!(Program::alone().input("[]").run(&["verify", "execution", "-f", "-"]).code, 11);
}
