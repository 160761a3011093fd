//! Signatures over executions, checked as anybody can who has the answer and the key.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value, json};
use sl_actors::services::executions::Cancel;

use crate::{
    workshop::{Plan, execute},
    world::{Ground, on_both},
};

on_both! { every_end_is_signed_and_nothing_signed_can_be_changed }

const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const SIGNED: [&str; 12] = [
    "id",
    "account_id",
    "function_id",
    "function_version",
    "input",
    "output",
    "error",
    "logs",
    "actions",
    "status",
    "started_at",
    "completed_at",
];

fn verifies(execution: &Value) -> bool {
    let mut members: Map<String, Value> =
        SIGNED.iter().filter_map(|name| Some(((*name).to_owned(), execution.get(*name)?.clone()))).collect();
    for action in members["actions"].as_array_mut().unwrap() {
        action.as_object_mut().unwrap().retain(|name, _| ["id", "type", "params"].contains(&name.as_str()));
    }
    let canonical = serde_json_canonicalizer::to_vec(&members).unwrap();
    let message = [b"service-layer/execution/v1\n".as_slice(), &canonical].concat();
    let part = |name: &str| BASE64_STANDARD.decode(execution["signature"][name].as_str().unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&part("public_key").try_into().unwrap()).unwrap();
    key.verify_strict(&message, &Signature::from_slice(&part("value")).unwrap()).is_ok()
}

async fn every_end_is_signed_and_nothing_signed_can_be_changed(ground: Ground) {
    let shop = Plan::on(&ground).await.signer(SEED).start(ground).await;
    let source = "export default ({kind}) => {
        console.log('kind', kind);
        if (kind === 'throws') throw new RangeError('no');
        if (kind === 'acts') Devpack.gasBank.ensureAccount({wallet: 'N', n: 1e21});
        if (kind === 'sleeps') return new Promise((r) => setTimeout(r, 20000));
        return {z: 0.1 + 0.2, a: 'é\\u0000 \\u2028', big: 12345678901234567890, nested: [{}, null]};
    }";
    let function = shop.function("signed", source).await;
    let mut ended = Vec::new();
    for kind in ["returns", "throws", "acts"] {
        let ran = shop.execute(function.id, &json!({"kind": kind, "n": 1.0, "x": 1e300}).to_string()).await;
        assert_eq!(
            serde_json::to_value(&ran).unwrap(),
            serde_json::to_value(shop.fetch(ran.id).await).unwrap()
        );
        ended.push(ran);
    }
    let wait = Some(std::time::Duration::from_millis(60));
    let running = shop.perform(execute(function.id, r#"{"kind": "sleeps"}"#, wait)).await.unwrap();
    assert!(running.signature.is_none());
    ended.push(shop.perform(Cancel(running.id)).await.unwrap());
    for execution in ended {
        let execution = serde_json::to_value(execution).unwrap();
        assert_eq!(execution["signature"]["algorithm"], json!("ed25519"));
        assert!(verifies(&execution), "{execution}");
        for name in SIGNED.iter().filter(|name| execution.get(**name).is_some()) {
            let mut tampered = execution.clone();
            tampered[*name] = json!([{"id": "another", "type": "t", "params": {}}]);
            assert!(!verifies(&tampered), "{name} can be changed");
        }
    }
    shop.stop().await;
}
