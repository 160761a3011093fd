//! Whether a thing already is what a manifest says, field by field.

use serde_json::{Map, Value};

/// Whether `actual` is as `wanted` says. What `wanted` does not say is free; lists of words have no order.
pub fn agrees(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| agrees(actual.get(name).unwrap_or(&Value::Null), wanted))
        }
        (Value::Array(actual), Value::Array(wanted)) => words(actual) == words(wanted),
        (Value::String(actual), Value::String(wanted)) => actual == wanted || same_duration(actual, wanted),
        // A server may leave out what is empty.
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (Value::Null, Value::Object(wanted)) => wanted.values().all(Value::is_null),
        _ => actual == wanted,
    }
}

fn words(list: &[Value]) -> Vec<String> {
    let mut words: Vec<String> = list.iter().map(ToString::to_string).collect();
    words.sort();
    words
}

fn same_duration(left: &str, right: &str) -> bool {
    match (humantime::parse_duration(left), humantime::parse_duration(right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

/// The part of `actual` that `wanted` speaks of, in `wanted`'s spelling where both agree.
pub fn side(actual: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut side = Map::new();
    for (name, wanted) in wanted {
        let value = match (actual.get(name), wanted) {
            (None, _) => continue,
            (Some(actual), wanted) if agrees(actual, wanted) => wanted.clone(),
            (Some(Value::Object(actual)), Value::Object(wanted)) => Value::Object(self::side(actual, wanted)),
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
        let actual = json!({"wall": "1m 30s", "heap_bytes": 64, "secrets": ["b", "a"]});
        assert!(agrees(&actual, &json!({"wall": "90s", "secrets": ["a", "b"]})));
        assert!(!agrees(&actual, &json!({"heap_bytes": 65})));
        assert!(!agrees(&actual, &json!({"missing": 1})));
        assert!(agrees(&json!(null), &json!([])));
        assert!(!agrees(&json!("abc"), &json!("abd")));
    }
}
