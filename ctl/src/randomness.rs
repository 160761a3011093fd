//! A random value: its bytes follow from an Ed25519 signature, checked without the server.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha512};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    signature::public_key,
};

const DOMAIN: &str = "service-layer/random/v1";

/// The members of an answer that are signed.
const SIGNED: [&str; 5] = ["account_id", "counter", "created_at", "length", "request_id"];

/// The longest value there is, in bytes.
const LONGEST: u64 = 1_024;

/// Checks a random value with `pinned` or else with the key it names itself, and gives the key.
pub fn verify(answer: &Value, pinned: Option<&VerifyingKey>) -> Outcome<VerifyingKey> {
    let failed = |why: &str| Failure::new(Exit::VerificationFailed, format!("not verified: {why}"));
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    let message = message(answer)?.ok_or_else(|| failed("it lacks members that are signed"))?;
    let key = public_key(text("public_key")).ok_or_else(|| failed("its public key is none"))?;
    if pinned.is_some_and(|pinned| *pinned != key) {
        return Err(failed("it was signed with another key than the pinned one"));
    }
    let signature = STANDARD.decode(text("signature")).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.ok_or_else(|| failed("its signature is none"))?;
    key.verify_strict(&message, &signature)
        .map_err(|_| failed("request and signature do not belong together"))?;
    let length = answer["length"].as_u64().filter(|length| (1..=LONGEST).contains(length));
    let length = length.ok_or_else(|| failed("its length is none"))?;
    let bytes = bytes(&signature.to_bytes(), usize::try_from(length).unwrap_or_default());
    let value = write(text("encoding"), &bytes).ok_or_else(|| failed("its encoding is none"))?;
    if value == text("value") { Ok(key) } else { Err(failed("its value does not follow from its signature")) }
}

/// The message that is signed: the domain, a line feed, and the signed members in canonical JSON (RFC 8785).
fn message(answer: &Value) -> Outcome<Option<Vec<u8>>> {
    let members: Option<Map<String, Value>> =
        SIGNED.iter().map(|name| Some(((*name).to_owned(), answer.get(*name)?.clone()))).collect();
    let Some(members) = members else { return Ok(None) };
    let canonical = serde_json_canonicalizer::to_string(&Value::Object(members))
        .map_err(|error| Failure::new(Exit::Other, format!("no canonical form: {error}")))?;
    Ok(Some(format!("{DOMAIN}\n{canonical}").into_bytes()))
}

fn bytes(signature: &[u8], length: usize) -> Vec<u8> {
    let block = |number: u32| {
        Sha512::new()
            .chain_update(format!("{DOMAIN}/value\n"))
            .chain_update(signature)
            .chain_update(number.to_be_bytes())
            .finalize()
    };
    (1..).flat_map(block).take(length).collect()
}

fn write(encoding: &str, bytes: &[u8]) -> Option<String> {
    match encoding {
        "hex" => Some(hex::encode(bytes)),
        "base64" => Some(STANDARD.encode(bytes)),
        "base64url" => Some(URL_SAFE_NO_PAD.encode(bytes)),
        "decimal" => Some(decimal(bytes)),
        _ => None,
    }
}

/// The unsigned big-endian number that the bytes are.
fn decimal(bytes: &[u8]) -> String {
    // The lowest digit first.
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}
