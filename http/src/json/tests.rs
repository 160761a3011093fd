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
        (r#"{"name":"a","inner":{"b":[1]}}"#, "/inner/b", "type"),
        (r#"{"name":"a","kind":5}"#, "/kind", "type"),
        (r#"{"name":"a","kind":[]}"#, "/kind", "type"),
        (r#"{"name":"a","count":null}"#, "/count", "type"),
        (r#"{"name":null}"#, "/name", "type"),
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
        if let Err(fault) = read::<Value>(body.as_bytes(), Reading { object: false, ..READING }) {
            prop_assert!(matches!(fault.code, Code::Malformed));
        }
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_of_nothing() {
    let read =
        read::<Sample>(br#"{"name":"a","count":3.0,"inner":{"b":{"size":-2e3}}}"#, READING).expect("it fits");
    assert_eq!((read.count, read.inner["b"].size), (3, -2_000));
    for body in
        [r#"{"name":"a","count":3.5}"#, r#"{"name":"a","count":-1.0}"#, r#"{"name":"a","count":1e300}"#]
    {
        assert_eq!(refused(body).1, "/count", "{body}");
    }
}
