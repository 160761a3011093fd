//! Whether a thing already is what a manifest says, field by field.

use std::time::Duration;

use serde_json::{Map, Value};

/// Whether `actual` is as `wanted` says. What `wanted` does not say is free; lists of words have no order.
pub fn agrees(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| member_agrees(actual.get(name).unwrap_or(&Value::Null), wanted)),
        (Value::Array(actual), Value::Array(wanted)) => words(actual) == words(wanted),
        // A server may leave out what is empty.
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (Value::Null, Value::Object(wanted)) => wanted.values().all(Value::is_null),
        _ => actual == wanted,
    }
}

/// A member of an object is perhaps a limit, which can be written in more than one way.
fn member_agrees(actual: &Value, wanted: &Value) -> bool {
    agrees(actual, wanted)
        || size(actual).is_some_and(|actual| size(wanted) == Some(actual))
        || duration(actual).is_some_and(|actual| duration(wanted) == Some(actual))
}

fn words(list: &[Value]) -> Vec<String> {
    let mut words: Vec<String> = list.iter().map(ToString::to_string).collect();
    words.sort();
    words
}

fn duration(value: &Value) -> Option<Duration> {
    humantime::parse_duration(value.as_str()?).ok()
}

/// A number of bytes, plain or with a unit.
fn size(value: &Value) -> Option<u64> {
    let Some(text) = value.as_str() else { return value.as_u64() };
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// What is to be sent for a field: an object is amended by what `wanted` says, everything else is replaced.
pub fn amended(actual: Option<&Value>, wanted: &Value) -> Value {
    match (actual, wanted) {
        (Some(Value::Object(actual)), Value::Object(wanted)) => {
            let mut both = actual.clone();
            both.extend(wanted.clone());
            Value::Object(both)
        }
        _ => wanted.clone(),
    }
}

/// The part of `actual` that `wanted` speaks of, in `wanted`'s spelling where both agree.
pub fn side(actual: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    part(actual, wanted, agrees)
}

fn part(
    actual: &Map<String, Value>,
    wanted: &Map<String, Value>,
    agree: fn(&Value, &Value) -> bool,
) -> Map<String, Value> {
    let mut side = Map::new();
    for (name, wanted) in wanted {
        let value = match (actual.get(name), wanted) {
            (None, _) => continue,
            (Some(actual), wanted) if agree(actual, wanted) => wanted.clone(),
            (Some(Value::Object(actual)), Value::Object(wanted)) => {
                Value::Object(part(actual, wanted, member_agrees))
            }
            (Some(actual), _) => actual.clone(),
        };
        side.insert(name.clone(), value);
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_wanted_is_free() {
        let actual = json!({"wall": "1m30s", "heap": "1MiB", "output": "1000B", "heap_bytes": 64, "secrets": ["b", "a"]});
        assert!(agrees(&actual, &json!({"wall": "90s", "secrets": ["a", "b"]})));
        assert!(agrees(&actual, &json!({"heap": "1024KiB", "output": 1000})));
        assert!(!agrees(&actual, &json!({"heap": "2MiB"})));
        assert!(!agrees(&actual, &json!({"heap_bytes": 65})));
        assert!(!agrees(&actual, &json!({"missing": 1})));
        assert!(agrees(&json!(null), &json!([])));
        assert!(!agrees(&json!("90s"), &json!("1m30s")), "a text is itself");
    }
}
