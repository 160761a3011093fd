//! Random values, checked without a server.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::{program::Program, server::Server};

/// What the signature is over, written out by hand from its definition.
const MESSAGE: &str = concat!(
    "service-layer/random/v1\n",
    r#"{"account_id":"a1","counter":7,"created_at":"2026-01-02T03:04:05.000006Z","length":70,"request_id":"draw é"}"#
);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key() -> String {
    STANDARD.encode(key().verifying_key())
}

/// The bytes, and the answer that has them in hex.
fn drawn() -> (Vec<u8>, Value) {
    let signature = key().sign(MESSAGE.as_bytes()).to_bytes();
    let block = |number: u8| {
        Sha512::digest([b"service-layer/random/v1/value\n", &signature[..], &[0, 0, 0, number]].concat())
    };
    let bytes = [block(1), block(2)].concat()[..70].to_vec();
    let answer = json!({
        "id": "r1", "account_id": "a1", "counter": 7, "created_at": "2026-01-02T03:04:05.000006Z", "length": 70,
        "request_id": "draw é", "encoding": "hex", "value": hex::encode(&bytes),
        "signature": STANDARD.encode(signature), "public_key": public_key(),
        "verification": {"message": "is not looked at"},
    });
    (bytes, answer)
}

fn verify(answer: &Value, more: &[&str]) -> crate::program::Run {
    let program = Program::alone().input(&answer.to_string());
    program.run(&[&["verify", "random", "--file", "-"], more].concat())
}

#[test]
fn a_good_value_verifies_offline_in_each_encoding() {
    let (bytes, mut answer) = drawn();
    let run = verify(&answer, &["-o", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let told: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(told, json!({"id": "r1", "verified": true, "pinned": false, "public_key": public_key()}));
    for (encoding, value) in
        [("base64", STANDARD.encode(&bytes)), ("base64url", URL_SAFE_NO_PAD.encode(&bytes))]
    {
        (answer["encoding"], answer["value"]) = (json!(encoding), json!(value));
        assert_eq!(verify(&answer, &["--public-key", &public_key()]).code, 0, "{encoding}");
    }
}

#[test]
fn a_decimal_is_the_number_that_the_bytes_are() {
    let (_, mut answer) = drawn();
    let message = MESSAGE.replace("70", "8");
    let signature = key().sign(message.as_bytes()).to_bytes();
    let block = Sha512::digest([b"service-layer/random/v1/value\n", &signature[..], &[0, 0, 0, 1]].concat());
    let number = u64::from_be_bytes(block[..8].try_into().expect("eight bytes"));
    answer["length"] = json!(8);
    answer["signature"] = json!(STANDARD.encode(signature));
    (answer["encoding"], answer["value"]) = (json!("decimal"), json!(number.to_string()));
    assert_eq!(verify(&answer, &[]).code, 0);
    answer["value"] = json!((number ^ 1).to_string());
    assert_eq!(verify(&answer, &[]).code, 11);
}

#[test]
fn every_member_is_guarded() {
    let changes = [
        ("account_id", json!("a2")),
        ("counter", json!(8)),
        ("created_at", json!("2026-01-02T03:04:05.000007Z")),
        ("length", json!(69)),
        ("request_id", json!("draw e")),
        ("encoding", json!("base64")),
        ("encoding", json!("roman")),
        ("value", json!(hex::encode([0; 70]))),
        ("value", json!(drawn().1["value"].as_str().map(str::to_uppercase))),
        ("signature", json!(STANDARD.encode([0; 64]))),
        ("signature", json!("")),
        ("public_key", json!(STANDARD.encode(SigningKey::from_bytes(&[8; 32]).verifying_key()))),
        ("public_key", json!("???")),
    ];
    for (name, value) in changes {
        let (_, mut tampered) = drawn();
        tampered[name] = value;
        let run = verify(&tampered, &[]);
        assert_eq!(run.code, 11, "{name}: {run:?}");
        assert!(run.err.starts_with("error: not verified: ") && run.out.is_empty(), "{run:?}");
        tampered.as_object_mut().expect("an object").remove(name);
        assert_eq!(verify(&tampered, &[]).code, 11, "without {name}");
    }
    let other = STANDARD.encode(SigningKey::from_bytes(&[8; 32]).verifying_key());
    assert_eq!(verify(&drawn().1, &["--public-key", &other]).code, 11);
    assert_eq!(verify(&json!([]), &[]).code, 11);
}

#[test]
fn a_value_is_fetched_by_its_id() {
    let server = Server::always(200, &drawn().1);
    let told =
        Program::of(&server).out(&["verify", "random", "r1", "--public-key", &public_key(), "-o", "name"]);
    assert_eq!(told, "r1\n");
    assert_eq!(server.lines(), ["GET /accounts/acc/random/r1"]);
}
