//! Neo's keys, scripts, hashes and addresses against published vectors.

use p256::ecdsa::{SigningKey, signature::Signer as _};
use serde_json::Value;
use sl_actors::neo::{AddressFlaw, PublicKey, ScriptHash, Signature, multi_signature, single_signature};

/// The vectors, from the sources that each names.
fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/neo.json")).unwrap();
    let found = all[name].as_array().unwrap().clone();
    assert!(!found.is_empty(), "{name}");
    found
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field}: {vector}"))
}

fn keys(vector: &Value, field: &str) -> Vec<PublicKey> {
    let texts = vector[field].as_array().unwrap();
    texts.iter().map(|key| PublicKey::from_hex(key.as_str().unwrap()).unwrap()).collect()
}

fn is_account(vector: &Value, script: &[u8]) {
    assert_eq!(hex::encode(script), text(vector, "verification_script"));
    let hash = ScriptHash::of(script);
    assert_eq!(hex::encode(hash.as_bytes()), text(vector, "script_hash_be"));
    assert_eq!(hash.to_string(), text(vector, "script_hash_le"));
    assert_eq!(hash.address(), text(vector, "address"));
    assert_eq!(ScriptHash::parse(text(vector, "address")), Ok(hash));
    assert_eq!(ScriptHash::parse(text(vector, "script_hash_le")), Ok(hash));
}

#[test]
fn a_key_gives_its_address() {
    for vector in vectors("neo_single_sig") {
        let key = PublicKey::from_hex(text(&vector, "public_key")).unwrap();
        is_account(&vector, &single_signature(&key));
    }
}

#[test]
fn keys_and_a_threshold_give_their_address() {
    for vector in vectors("neo_multi_sig") {
        let threshold = usize::try_from(vector["m"].as_u64().unwrap()).unwrap();
        let given = keys(&vector, "public_keys_as_given");
        is_account(&vector, &multi_signature(&given, threshold).unwrap());
        let backwards: Vec<PublicKey> = given.iter().rev().copied().collect();
        assert_eq!(multi_signature(&backwards, threshold), multi_signature(&given, threshold));
        let mut sorted = given.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, keys(&vector, "public_keys_sorted"));
        for wrong in [0, given.len() + 1] {
            assert_eq!(multi_signature(&given, wrong), None);
        }
        assert_eq!(multi_signature(&[given[0], given[0]], 1), None, "a key counts once");
    }
    assert_eq!(multi_signature(&[], 1), None);
}

#[test]
fn an_address_is_read_or_refused_for_its_reason() {
    for vector in vectors("neo_address_decode") {
        let read = ScriptHash::parse(text(&vector, "address"));
        match vector["expect"].as_str() {
            None => assert_eq!(hex::encode(read.unwrap().as_bytes()), text(&vector, "script_hash_be")),
            Some(told) if told.contains("version") => assert_eq!(read, Err(AddressFlaw::Version)),
            Some(told) => {
                assert!(told.contains("alphabet"), "{told}");
                assert_eq!(read, Err(AddressFlaw::Alphabet));
            }
        }
    }
}

#[test]
fn a_signature_is_checked_over_the_hash_of_the_message() {
    for vector in vectors("p256_rfc6979") {
        let private = hex::decode(text(&vector, "private_key")).unwrap();
        let signing = SigningKey::from_slice(&private).unwrap();
        let public =
            PublicKey::from_hex(&hex::encode(signing.verifying_key().to_sec1_point(true).as_bytes()));
        let (public, message) = (public.unwrap(), text(&vector, "message_utf8").as_bytes());
        let signature = Signature::parse(text(&vector, "signature_r_s")).unwrap();
        assert!(public.verifies(message, &signature), "a high s is well");
        assert!(!public.verifies(b"simple", &signature));
        let made: p256::ecdsa::Signature = signing.sign(message);
        assert_eq!(hex::encode(made.to_bytes()), text(&vector, "signature_r_s"));
    }
}
