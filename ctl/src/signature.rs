//! The signature of an execution: Ed25519 over a canonical form of its content, checked without the server.

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Map, Value};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// What every signed message begins with, so that a signature for one purpose is none for another.
const DOMAIN: &[u8] = b"service-layer/execution/v1\n";

/// The members of an execution that are signed; those it does not have are left out.
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

/// The members of each action that are signed: what was asked for, not what became of it.
const SIGNED_ACTION: [&str; 3] = ["id", "type", "params"];

/// A public key as it is written: base64, or hex where it has 64 digits.
pub fn public_key(text: &str) -> Option<VerifyingKey> {
    let text = text.trim();
    let bytes = if text.len() == 64 { hex::decode(text).ok()? } else { STANDARD.decode(text).ok()? };
    VerifyingKey::from_bytes(bytes.as_slice().try_into().ok()?).ok()
}

/// The message that is signed: the domain, a line feed, and the signed members in canonical JSON (RFC 8785).
pub fn message(execution: &Value) -> Outcome<Vec<u8>> {
    let mut members = only(execution, &SIGNED);
    if let Some(Value::Array(actions)) = members.get_mut("actions") {
        for action in actions {
            *action = Value::Object(only(action, &SIGNED_ACTION));
        }
    }
    let canonical = serde_json_canonicalizer::to_vec(&Value::Object(members))
        .map_err(|error| Failure::new(Exit::Other, format!("no canonical form: {error}")))?;
    Ok([DOMAIN, &canonical].concat())
}

fn only(value: &Value, names: &[&str]) -> Map<String, Value> {
    let members = names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone())));
    members.collect()
}

/// Checks the signature that an execution carries, with `pinned` or else with the key it names itself, and gives the key.
pub fn verify(execution: &Value, pinned: Option<&VerifyingKey>) -> Outcome<VerifyingKey> {
    let failed = |why: &str| Failure::new(Exit::VerificationFailed, format!("not verified: {why}"));
    let signature = execution.get("signature").filter(|signature| signature.is_object());
    let signature = signature.ok_or_else(|| failed("it carries no signature"))?;
    let text = |name: &str| signature[name].as_str().unwrap_or_default();
    if text("algorithm") != "ed25519" {
        return Err(failed("its algorithm is not ed25519"));
    }
    let key = public_key(text("public_key")).ok_or_else(|| failed("its public key is none"))?;
    if pinned.is_some_and(|pinned| *pinned != key) {
        return Err(failed("it was signed with another key than the pinned one"));
    }
    let value = STANDARD.decode(text("value")).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let value = value.ok_or_else(|| failed("its signature is none"))?;
    let verified = key.verify_strict(&message(execution)?, &value);
    verified.map(|()| key).map_err(|_| failed("content and signature do not belong together"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn canonical_json_is_that_of_the_standard() {
        let input: Value = serde_json::from_str(
            "{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],\
             \"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
        )
        .expect("the example of RFC 8785, section 3.2.2");
        let canonical = serde_json_canonicalizer::to_string(&input).expect("a canonical form");
        assert_eq!(
            canonical,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    proptest! {
        #[test]
        fn the_canonical_form_reads_back_as_the_same_value(text in "\\PC{0,12}", number in any::<f64>(), whole in -1_i64 << 53..1 << 53) {
            prop_assume!(number.is_finite());
            let value = json!({"output": {"text": text, "whole": whole, &text: [number]}});
            let message = message(&value).expect("a canonical form");
            let again: Value = serde_json::from_slice(&message[DOMAIN.len()..]).expect("JSON");
            prop_assert_eq!(again["output"]["text"].as_str(), Some(text.as_str()));
            prop_assert_eq!(again["output"]["whole"].as_i64(), Some(whole));
            let number_again = again["output"][&text][0].as_f64();
            prop_assert!(["text", "whole"].contains(&text.as_str()) || number_again == Some(number));
        }
    }
}
