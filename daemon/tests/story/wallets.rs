//! Workspace wallets: registered, proved over HTTP, suspended, revoked.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value, json};

use crate::world::{each_store, text};

/// The first vector of single keys: a key and its published address.
pub const PRIVATE: &str = "7d128a6d096f0c14c3a25a2b0c41cf79661bfcb4a8cc95aaaea28bde4d732344";
pub const PUBLIC: &str = "02028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef";
pub const ADDRESS: &str = "NPTmAHDxo6Pkyic8Nvu3kwyXoYJCvcCB6i";

/// The body that holds the key's signature of a message.
pub fn signed(message: &str) -> Value {
    let key = SigningKey::from_slice(&hex::decode(PRIVATE).expect("hexadecimal")).expect("a key");
    let signature: Signature = key.sign(message.as_bytes());
    json!([{"public_key": PUBLIC, "signature": BASE64_STANDARD.encode(signature.to_bytes())}])
}

/// The same in hexadecimal.
fn signed_in_hex(message: &str) -> Value {
    let mut signed = signed(message);
    let bytes = BASE64_STANDARD.decode(text(&signed[0], "signature")).expect("base64");
    signed[0]["signature"] = json!(hex::encode(bytes));
    signed
}

#[test]
fn a_wallet_is_proved_and_then_suspended_and_revoked() {
    each_store(async |world| {
        let account = world.account().await;
        let wallets = format!("{account}/workspace-wallets");
        let new = json!({"wallet_address": ADDRESS, "public_keys": [PUBLIC], "label": "treasury"});
        let wallet = world.client.post(&wallets, &new).await.expect(201);
        assert_eq!((&wallet["status"], &wallet["threshold"]), (&json!("pending"), &json!(1)), "{wallet}");
        assert_eq!(wallet["script_hash"], "0xa7cbfee3f01f89d58c042644b0b6df2d59a6eb26", "{wallet}");
        assert_eq!(format!("/accounts/{}", text(&wallet, "workspace_id")), account, "{wallet}");
        assert!(text(&wallet, "challenge_expires_at") > text(&wallet, "created_at"), "{wallet}");
        let twice = world.client.post(&wallets, &new).await.problem(409, "conflict");
        assert_eq!(twice["errors"][0]["pointer"], "/wallet_address", "{twice}");
        let path = format!("{wallets}/{}", text(&wallet, "id"));
        let fresh = world.client.post(&format!("{path}/challenge"), &json!({})).await.expect(200);
        let stale = json!({"signatures": signed_in_hex(text(&wallet, "challenge"))});
        let refused = world.client.post(&format!("{path}/proof"), &stale).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/signatures/0/signature", "{refused}");
        let proof = json!({"signatures": signed(text(&fresh, "challenge"))});
        let active = world.client.post(&format!("{path}/proof"), &proof).await.expect(200);
        assert_eq!((&active["status"], &active["challenge"]), (&json!("active"), &Value::Null), "{active}");

        let listed = world.client.get(&format!("{wallets}?status=active")).await.expect(200);
        assert_eq!(listed["items"][0]["wallet_address"], ADDRESS, "{listed}");
        for status in ["suspended", "active", "revoked"] {
            let seen = world.client.patch(&path, &json!({"status": status})).await.expect(200);
            assert_eq!(seen["status"], status, "{seen}");
        }
        world.client.patch(&path, &json!({"status": "active"})).await.problem(409, "invalid_state");
        world.client.delete(&path).await.expect(204);
        world.client.get(&path).await.problem(404, "not_found");
    });
}
