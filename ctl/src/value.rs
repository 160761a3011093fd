//! What was typed, as JSON of the kind that is wanted.

use std::io::Read;

use serde_json::{Map, Number, Value};

use crate::{
    failure::{Failure, Outcome},
    schema::Kind,
};

/// How much a file or standard input may hold, in bytes: twice what the server takes.
const INPUT_MAX: u64 = 2 << 20;

/// Reads `text` as a value of `kind`.
///
/// # Errors
/// A message for people that says what is wanted.
pub fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text(_) => Ok(Value::String(text.to_owned())),
        Kind::Integer => integer(text).ok_or_else(|| format!("`{text}` is no whole number")),
        Kind::Number => number(text).ok_or_else(|| format!("`{text}` is no number")),
        Kind::Boolean => boolean(text).ok_or_else(|| format!("`{text}` is neither true nor false")),
        Kind::List(item) => list(item, text),
        Kind::Map(_) | Kind::Object(_) => object(kind, text),
        Kind::Any => Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}

fn integer(text: &str) -> Option<Value> {
    let signed = text.parse::<i64>().map(Value::from);
    signed.or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn number(text: &str) -> Option<Value> {
    integer(text).or_else(|| text.parse().ok().and_then(Number::from_f64).map(Value::Number))
}

fn boolean(text: &str) -> Option<Value> {
    text.parse::<bool>().ok().map(Value::Bool)
}

/// A JSON list, or values with commas between them.
fn list(item: &Kind, text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('[') {
        return json(text);
    }
    if matches!(item, Kind::Object(_) | Kind::Map(_) | Kind::List(_)) {
        let one = parse(item, text)?;
        return Ok(Value::Array(vec![one]));
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| parse(item, part)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// A JSON object, a file with one, or `key=value` with commas between them.
fn object(kind: &Kind, text: &str) -> Result<Value, String> {
    if text.starts_with('@') || text == "-" {
        let read = input(text).map_err(|failure| failure.to_string())?;
        return json(&read);
    }
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    let mut found = Map::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| format!("`{pair}` is neither JSON nor key=value"))?;
        let (name, kind) = member(kind, key);
        found.insert(name.to_owned(), parse(kind, value)?);
    }
    Ok(Value::Object(found))
}

/// The name and kind of a member; a known one may be written with dashes.
fn member<'a>(kind: &'a Kind, key: &'a str) -> (&'a str, &'a Kind) {
    match kind {
        Kind::Map(item) => (key, item),
        Kind::Object(properties) => {
            let known = properties.iter().find(|property| property.name == key || property.flag() == key);
            known.map_or((key, &Kind::Any), |property| (&property.name, &property.kind))
        }
        _ => (key, &Kind::Any),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// Text given as `@FILE`, as `-` for standard input, or as itself.
pub fn input(text: &str) -> Outcome<String> {
    match text.strip_prefix('@') {
        Some(path) => file(path),
        None if text == "-" => file("-"),
        None => Ok(text.to_owned()),
    }
}

/// The text of a file; `-` is standard input.
pub fn file(path: &str) -> Outcome<String> {
    let about = |error: &dyn std::fmt::Display| Failure::usage(format!("{path}: {error}"));
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().take(INPUT_MAX + 1).read_to_end(&mut bytes).map_err(|error| about(&error))?;
    } else {
        let file = std::fs::File::open(path).map_err(|error| about(&error))?;
        file.take(INPUT_MAX + 1).read_to_end(&mut bytes).map_err(|error| about(&error))?;
    }
    if bytes.len() as u64 > INPUT_MAX {
        return Err(about(&format!("more than {INPUT_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| about(&"not UTF-8"))
}

/// Merges a further value of a repeated flag into the first one.
pub fn merge(into: &mut Value, further: Value) {
    match (into, further) {
        (Value::Array(items), Value::Array(more)) => items.extend(more),
        (Value::Object(members), Value::Object(more)) => members.extend(more),
        (into, further) => *into = further,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_by_their_kind() {
        let text = || Box::new(Kind::Text(Vec::new()));
        let cases = [
            (Kind::Integer, "-5", json!(-5)),
            (Kind::Integer, "18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            (Kind::Number, "0.5", json!(0.5)),
            (Kind::Boolean, "true", json!(true)),
            (Kind::Text(Vec::new()), "12", json!("12")),
            (Kind::List(text()), "a, b", json!(["a", "b"])),
            (Kind::List(text()), "[\"a,b\"]", json!(["a,b"])),
            (Kind::Map(text()), "team=x,level=2", json!({"team": "x", "level": "2"})),
            (Kind::Map(text()), "{\"team\":\"a,b\"}", json!({"team": "a,b"})),
            (Kind::Any, "{\"a\":1}", json!({"a": 1})),
            (Kind::Any, "plain", json!("plain")),
        ];
        for (kind, text, wanted) in cases {
            assert_eq!(parse(&kind, text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_told() {
        assert_eq!(parse(&Kind::Integer, "5x"), Err("`5x` is no whole number".to_owned()));
        assert!(parse(&Kind::Map(Box::new(Kind::Any)), "novalue").is_err());
        assert!(parse(&Kind::Map(Box::new(Kind::Any)), "{broken").is_err());
    }
}
