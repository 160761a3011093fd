//! The state of a notification: stack items of the virtual machine as plain JSON.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::neo::ScriptHash;

/// How deep items may lie in each other; each takes two levels of the node's JSON, of which 128 are read.
const DEPTH: usize = 16;
/// How many characters an integer may have; the machine's have 256 bits.
const INTEGER: usize = 80;

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Entry {
    key: Value,
    value: Value,
}

/// The plain form of a state as a node wrote it: `Any` is `null`, booleans are booleans, integers decimal texts, arrays and
/// structs arrays. Bytes are `{"bytes": hex}`, with `text` where they are printable UTF-8 and `address` where they are as
/// long as a script hash. Maps are `{"map": [{"key", "value"}]}`; what means nothing outside is `{"opaque": type}`.
///
/// # Errors
/// Why it is left out: a sentence.
pub fn decode(raw: &RawValue, most: usize) -> Result<Value, String> {
    let text = raw.get();
    if text.starts_with('"') {
        // What a node writes in place of a state that contains itself.
        return Err("the node could not write it".to_owned());
    }
    // The node's form is larger than the plain one, but not without bound: it need not be read to know that.
    if text.len() > most.saturating_mul(16) {
        return Err(format!("it has {} bytes as the node wrote it, more than 16 times {most}", text.len()));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))?;
    let plain = item(value, DEPTH)?;
    let size = plain.to_string().len();
    if size > most {
        return Err(format!("it has {size} bytes, more than {most}"));
    }
    Ok(plain)
}

fn item(value: Value, deeper: usize) -> Result<Value, String> {
    let Item { kind, value } = serde_json::from_value(value)
        .map_err(|error| format!("it has no stack item where one should be: {error}"))?;
    match (kind.as_str(), value) {
        ("Any", _) => Ok(Value::Null),
        ("Boolean", Value::Bool(value)) => Ok(value.into()),
        ("Integer", Value::String(digits)) => integer(digits),
        ("ByteString" | "Buffer", Value::String(text)) => bytes(&text),
        ("Array" | "Struct", Value::Array(items)) => {
            let deeper = below(deeper)?;
            items.into_iter().map(|value| item(value, deeper)).collect()
        }
        ("Map", Value::Array(entries)) => map(entries, below(deeper)?),
        ("Pointer" | "InteropInterface", _) => Ok(json!({"opaque": kind})),
        _ => Err(format!("it has a stack item {kind:?} without the value that goes with it")),
    }
}

fn below(deeper: usize) -> Result<usize, String> {
    deeper.checked_sub(1).ok_or_else(|| format!("its items lie deeper than {DEPTH} in each other"))
}

fn integer(digits: String) -> Result<Value, String> {
    let bare = digits.strip_prefix('-').unwrap_or(&digits);
    let fits = (1..=INTEGER).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(digits.into()) } else { Err("an integer is no decimal number of 256 bits".to_owned()) }
}

fn bytes(text: &str) -> Result<Value, String> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| "bytes are not base64".to_owned())?;
    let mut told = Map::new();
    told.insert("bytes".to_owned(), hex::encode(&bytes).into());
    let printable = std::str::from_utf8(&bytes).ok().filter(|text| !text.chars().any(char::is_control));
    if let Some(text) = printable.filter(|text| !text.is_empty()) {
        told.insert("text".to_owned(), text.into());
    }
    if let Ok(hash) = <[u8; 20]>::try_from(bytes.as_slice()) {
        told.insert("address".to_owned(), ScriptHash::from(hash).address().into());
    }
    Ok(told.into())
}

fn map(entries: Vec<Value>, deeper: usize) -> Result<Value, String> {
    let mut told = Vec::new();
    for entry in entries {
        let Entry { key, value } = serde_json::from_value(entry)
            .map_err(|error| format!("an entry of a map cannot be read: {error}"))?;
        told.push(json!({"key": item(key, deeper)?, "value": item(value, deeper)?}));
    }
    Ok(json!({"map": told}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(state: &str) -> Result<Value, String> {
        decode(&RawValue::from_string(state.to_owned()).unwrap(), 4_096)
    }

    #[test]
    fn every_kind_of_item_has_a_plain_form() {
        for (state, told) in [
            (r#"{"type":"Any"}"#, json!(null)),
            (r#"{"type":"Boolean","value":true}"#, json!(true)),
            (r#"{"type":"Integer","value":"-100000000000000000000"}"#, json!("-100000000000000000000")),
            (r#"{"type":"ByteString","value":"aGk="}"#, json!({"bytes": "6869", "text": "hi"})),
            (r#"{"type":"Buffer","value":"AP8="}"#, json!({"bytes": "00ff"})),
            (
                r#"{"type":"Struct","value":[{"type":"Any"},{"type":"Integer","value":"1"}]}"#,
                json!([null, "1"]),
            ),
            (
                r#"{"type":"Map","value":[{"key":{"type":"Integer","value":"1"},"value":{"type":"Any"}}]}"#,
                json!({"map": [{"key": "1", "value": null}]}),
            ),
            (r#"{"type":"InteropInterface","interface":"IIterator"}"#, json!({"opaque": "InteropInterface"})),
        ] {
            assert_eq!(plain(state), Ok(told), "{state}");
        }
        let account = ScriptHash::parse("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRS7").unwrap();
        let state = json!({"type": "ByteString", "value": BASE64_STANDARD.encode(account.as_bytes())});
        assert_eq!(plain(&state.to_string()).unwrap()["address"], account.address());
    }
}
