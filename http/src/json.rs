//! JSON bodies into types, and what is wrong with those that do not fit.

use serde::de::{DeserializeOwned, DeserializeSeed as _, IgnoredAny};
use serde_json::{Value, error::Category};
use sl_actors::{Code, Fault};

use self::strict::Strict;
use crate::{guard::Guard, pointer, suggest};

mod strict;

/// How a body is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// How deep arrays and objects may lie within each other.
    pub depth: usize,
    /// Whether it must be an object: serde would read a struct from an array as well.
    pub object: bool,
}

/// Reads a body by what its proof says.
pub type Read<P, T> = fn(&P, &[u8], Reading) -> Result<T, Fault>;

/// Reads a body. An absent body is `null`, which only a type that is optional takes.
///
/// # Errors
/// [`Code::Malformed`] with line and column where it is no JSON or breaks a bound, [`Code::Invalid`] with pointers where
/// a field breaks a rule.
pub fn read<T: DeserializeOwned>(body: &[u8], reading: Reading) -> Result<T, Fault> {
    let first = body.trim_ascii_start().first();
    if first.is_none() {
        let absent = || Fault::new(Code::Malformed, "the operation needs a JSON body, and there is none");
        return serde_json::from_slice(b"null").map_err(|_| absent());
    }
    guard(body, reading.depth)?;
    if reading.object && !matches!(first, Some(b'{' | b'n')) {
        return Err(Fault::field("", "type", "the body must be an object"));
    }
    T::deserialize(Strict(&mut serde_json::Deserializer::from_slice(body)))
        .or_else(|_| with_whole_numbers(body).ok_or_else(|| misfit::<T>(body)))
}

/// Reads a body that need not be JSON unless whoever sends it says that it is: what is none is a text.
///
/// # Errors
/// [`Code::Malformed`] where it is JSON that breaks a bound, is said to be JSON and is none, or is neither JSON nor text.
pub fn read_or_text(body: &[u8], is_said_json: bool, reading: Reading) -> Result<Value, Fault> {
    let is_empty = body.trim_ascii().is_empty();
    if is_said_json && is_empty {
        return Err(Fault::new(Code::Malformed, "the body is said to be JSON, and there is none"));
    }
    if is_said_json || (!is_empty && serde_json::from_slice::<IgnoredAny>(body).is_ok()) {
        return read(body, reading);
    }
    let text = std::str::from_utf8(body).ok().filter(|text| !text.contains('\0'));
    let neither = || Fault::new(Code::Malformed, "the body is neither JSON nor text in UTF-8");
    text.map(Value::from).ok_or_else(neither)
}

/// Reads a body once more with each whole number as such, however it is written: `3.0` is an integer (JSON Schema, 6.1.1).
fn with_whole_numbers<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    make_whole(&mut value);
    T::deserialize(Strict(value)).ok()
}

fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().and_then(whole) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        _ => {}
    }
}

/// The integer that a number is, as far as it holds integers exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and lies within 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn guard(body: &[u8], depth: usize) -> Result<(), Fault> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    Guard::new(depth).deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    let told = error.to_string();
    let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
    Fault::new(Code::Malformed, format!("the body at line {line}, column {column}: {told}"))
}

/// Reads once more, slowly, to find where it went wrong.
fn misfit<T: DeserializeOwned>(body: &[u8]) -> Fault {
    let reader = &mut serde_json::Deserializer::from_slice(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(Strict(reader)) else {
        return Fault::internal("a body was read at second sight only");
    };
    if error.inner().classify() != Category::Data {
        // The body was read as JSON before: where a word of a list belongs, serde_json takes anything but text for no JSON.
        let place = pointer::of(error.path(), None);
        return Fault::field(place, "type", "must be a string, one of the words that are allowed");
    }
    let told = error.inner().to_string();
    let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
    let broken = explain(told);
    let repeated = broken.rule == "unknown_field" && ends_with(error.path(), broken.member);
    let place = pointer::of(error.path(), broken.member.filter(|_| !repeated));
    let detail = match (place.as_str(), broken.rule) {
        ("", "type") => format!("the body {}", broken.detail),
        _ => broken.detail,
    };
    Fault::field(place, broken.rule, detail)
}

fn ends_with(path: &serde_path_to_error::Path, member: Option<&str>) -> bool {
    matches!(path.iter().next_back(), Some(serde_path_to_error::Segment::Map { key }) if Some(key.as_str()) == member)
}

/// A broken rule in our words. serde's own may repeat what was sent, which may be a secret.
pub struct Broken<'a> {
    /// The rule.
    pub rule: &'static str,
    /// The member it is about, where that is not the place of the failure itself.
    pub member: Option<&'a str>,
    /// For a person.
    pub detail: String,
}

/// Puts serde's message into our words.
pub fn explain(told: &str) -> Broken<'_> {
    if let Some(rest) = told.strip_prefix("missing field ") {
        let name = quoted(rest).next();
        return Broken { rule: "required", member: name, detail: "is required".to_owned() };
    }
    if let Some(rest) = told.strip_prefix("unknown field ") {
        return unknown("unknown_field", "is not a known field", rest);
    }
    if let Some(rest) = told.strip_prefix("unknown variant ") {
        return Broken { member: None, ..unknown("enumeration", "is not one of the values allowed", rest) };
    }
    if let Some(rest) = told.strip_prefix("invalid type: ").or_else(|| told.strip_prefix("invalid value: ")) {
        let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "another type"));
        let found = found.split([' ', '`']).next().unwrap_or("another");
        let found = if found == "null" { "null" } else { &format!("this {found}") };
        return Broken {
            rule: "type",
            member: None,
            detail: format!("must be {}, not {found}", in_words(expected)),
        };
    }
    let detail =
        if told.starts_with("UUID parsing failed") { "must be an id, which is a UUID" } else { told };
    Broken { rule: "format", member: None, detail: detail.to_owned() }
}

fn unknown<'a>(rule: &'static str, what: &str, rest: &'a str) -> Broken<'a> {
    let mut names = quoted(rest);
    let name = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let hint = match suggest::nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("known are {}", known.join(", ")),
    };
    Broken { rule, member: Some(name), detail: format!("{name:?} {what}; {hint}") }
}

/// The words that a message puts into backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What was expected, as the API calls it.
fn in_words(expected: &str) -> String {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "unit" => "absent".to_owned(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "an object".to_owned(),
            None => other
                .replace("a map", "an object")
                .replace("a sequence", "an array")
                .replace("map", "object")
                .replace("sequence", "array"),
        },
    }
}

#[cfg(test)]
mod tests;
