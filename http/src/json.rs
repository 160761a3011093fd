//! JSON bodies into types, and what is wrong with those that do not fit.

use serde::de::{DeserializeOwned, DeserializeSeed as _};
use serde_json::error::Category;
use sl_actors::{Code, Fault};

use crate::{guard::Guard, pointer, suggest};

/// How a body is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// How deep arrays and objects may lie within each other.
    pub depth: usize,
    /// Whether it must be an object: serde would read a struct from an array as well.
    pub object: bool,
}

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
        return Err(Fault::field("", "type", "must be an object"));
    }
    serde_json::from_slice(body).map_err(|_| misfit::<T>(body))
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
    let Err(error) = serde_path_to_error::deserialize::<_, T>(reader) else {
        return Fault::internal("a body was read at second sight only");
    };
    if error.inner().classify() != Category::Data {
        return malformed(error.inner());
    }
    let told = error.inner().to_string();
    let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
    let broken = explain(told);
    let repeated = broken.rule == "unknown_field" && ends_with(error.path(), broken.member);
    let place = pointer::of(error.path(), broken.member.filter(|_| !repeated));
    Fault::field(place, broken.rule, broken.detail)
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
    Broken { rule: "format", member: None, detail: told.to_owned() }
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
            None => other.replace("map", "object").replace("sequence", "array"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read into")]
    struct Sample {
        name: String,
        #[serde(default)]
        count: u32,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        inner: BTreeMap<String, Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read into")]
    struct Inner {
        size: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        First,
        Second,
    }

    const READING: Reading = Reading { depth: 16, object: true };

    fn refused(body: &str) -> (Code, String, &'static str, String) {
        let fault = read::<Sample>(body.as_bytes(), READING).expect_err(body);
        let field = fault.fields.into_iter().next();
        let (pointer, rule) = field.map_or((String::new(), ""), |field| (field.pointer, field.rule));
        (fault.code, pointer, rule, fault.detail)
    }

    #[test]
    fn each_misfit_names_its_place_and_rule() {
        for (body, pointer, rule) in [
            (r#"{"count":1}"#, "/name", "required"),
            (r#"{"name":"a","cuont":1}"#, "/cuont", "unknown_field"),
            (r#"{"name":"a","count":-1}"#, "/count", "type"),
            (r#"{"name":"a","kind":"frist"}"#, "/kind", "enumeration"),
            (r#"{"name":"a","inner":{"x/y":{}}}"#, "/inner/x~1y/size", "required"),
            (r#"{"name":"a","inner":{"b":{"size":1,"sice":2}}}"#, "/inner/b/sice", "unknown_field"),
            (r#"{"name":"a","inner":{"b":{"size":"x"}}}"#, "/inner/b/size", "type"),
            ("[]", "", "type"),
        ] {
            let (code, at, broken, detail) = refused(body);
            assert_eq!((code, at.as_str(), broken), (Code::Invalid, pointer, rule), "{body}: {detail}");
        }
        assert!(refused(r#"{"name":"a","cuont":1}"#).3.contains("did you mean \"count\"?"));
        assert!(refused(r#"{"name":"a","kind":"frist"}"#).3.contains("did you mean \"first\"?"));
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let (.., detail) = refused(r#"{"name":"a","inner":"hunter2"}"#);
        assert!(!detail.contains("hunter2") && detail.contains("not this string"), "{detail}");
    }

    #[test]
    fn what_is_no_json_names_line_and_column() {
        let (code, _, _, detail) = refused("{\"name\":\n  oops}");
        assert_eq!(code, Code::Malformed);
        assert!(detail.contains("line 2, column 3"), "{detail}");
        assert_eq!(refused("").0, Code::Malformed);
        assert_eq!(read::<Option<Sample>>(b" ", READING).expect("absent").map(|_| ()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Err(fault) = read::<Sample>(&body, READING) {
                prop_assert!(matches!(fault.code, Code::Malformed | Code::Invalid));
            }
        }

        #[test]
        fn any_json_is_read_or_refused(body in r#"[\[\]{}:,"a-z0-9 \\u]{0,60}"#) {
            if let Err(fault) = read::<serde_json::Value>(body.as_bytes(), Reading { object: false, ..READING }) {
                prop_assert!(matches!(fault.code, Code::Malformed));
            }
        }
    }
}
