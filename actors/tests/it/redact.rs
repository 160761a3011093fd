//! Nothing of a secret gets through in any of the usual forms, and nothing else is touched.

use std::borrow::Cow;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use proptest::prelude::*;
use serde_json::json;
use sl_actors::redact::{MARK, Redactor};

/// A form's way of writing a value.
type Form = fn(&[u8]) -> String;

const WHOLE: [Form; 6] = [
    |bytes| String::from_utf8_lossy(bytes).into_owned(),
    |bytes| hex::encode(bytes),
    |bytes| hex::encode_upper(bytes),
    |bytes| BASE64_STANDARD.encode(bytes),
    |bytes| BASE64_URL_SAFE.encode(bytes),
    |bytes| bytes.iter().flat_map(|byte| [String::from("%"), hex::encode([*byte])]).collect(),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_is_taken_out_of_its_surroundings(
        secret in "[ -~äß€]{4,60}", before in "[a-z ]{0,20}", after in "[a-z ]{0,20}", form in 0..WHOLE.len(),
    ) {
        let written = WHOLE[form](secret.as_bytes());
        let text = format!("{before}{written}{after}");
        let clean = Redactor::new([&secret]).redact(&text).into_owned();
        prop_assert!(!clean.contains(&written), "{clean}");
        prop_assert!(clean.contains(MARK));
    }

    #[test]
    fn base64_of_a_longer_text_with_a_secret_in_it_tells_nothing_of_the_secret(
        secret in "[!-~]{12,60}", before in "[a-z]{0,9}", after in "[a-z]{0,9}",
    ) {
        let text = format!("{before}{secret}{after}");
        let redactor = Redactor::new([&secret]);
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            let clean = redactor.redact(&encoded).into_owned();
            // At most the characters that the secret shares with its neighbours are left at each end.
            let left: usize = clean.split(MARK).map(str::len).sum();
            prop_assert!(clean.contains(MARK), "{encoded}");
            prop_assert!(left <= (before.len() + after.len()) * 4 / 3 + 4, "{clean}");
        }
    }

    #[test]
    fn what_holds_no_secret_is_left_as_it_is(text in "[a-z ]{0,200}") {
        let redactor = Redactor::new(["S3CRET-VALUE", "ANOTHER+ONE"]);
        prop_assert!(matches!(redactor.redact(&text), Cow::Borrowed(same) if same == text));
    }

    #[test]
    fn no_input_panics(secrets in prop::collection::vec(".{0,40}", 0..4), text in ".{0,200}") {
        let redactor = Redactor::new(&secrets);
        let clean = redactor.redact(&text).into_owned();
        for secret in secrets.iter().filter(|secret| secret.len() >= 4 && !MARK.contains(secret.as_str())) {
            // A mark may complete a secret by chance only where the secret holds a part of the mark.
            if !secret.chars().any(|c| MARK.contains(c)) {
                prop_assert!(!clean.contains(secret.as_str()));
            }
        }
    }
}

#[test]
fn uris_forms_and_json_are_known() {
    let secret = "p@ss w/ord+\"q\"\n€";
    let redactor = Redactor::new([secret]);
    for written in [
        "p%40ss%20w%2Ford%2B%22q%22%0A%E2%82%AC",
        "p%40ss%20w%2ford%2b%22q%22%0a%e2%82%ac",
        "p@ss%20w/ord+%22q%22%0A%E2%82%AC",
        "p%40ss+w%2Ford%2B%22q%22%0A%E2%82%AC",
        r#"p@ss w/ord+\"q\"\n€"#,
        r#"p@ss w/ord+\\\"q\\\"\\n€"#,
    ] {
        assert_eq!(redactor.redact(&format!("<{written}>")), format!("<{MARK}>"), "{written}");
    }
}

#[test]
fn secrets_that_overlap_leave_no_rest() {
    let redactor = Redactor::new(["first-half-", "half-second"]);
    assert_eq!(redactor.redact("x first-half-second y"), format!("x {MARK} y"));
    assert_eq!(redactor.redact("first-half-first-half-"), MARK);
}

#[test]
fn long_values_are_taken_out_whole_and_each_line_of_a_key_by_itself() {
    let long: String =
        (0..50_000).map(|n: u32| char::from(b'a' + u8::try_from(n * 7 % 26).unwrap_or(0))).collect();
    let redactor =
        Redactor::new([long.as_str(), "-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0\n-----END KEY-----"]);
    assert_eq!(redactor.redact(&format!("<{long}>")), format!("<{MARK}>"));
    assert_eq!(redactor.redact(&format!("<{}>", BASE64_STANDARD.encode(&long))), format!("<{MARK}>"));
    assert_eq!(redactor.redact("line: MIIBVgIBADANBgkqhkiG9w0"), format!("line: {MARK}"));
}

#[test]
fn values_are_taken_out_of_texts_names_and_numbers() {
    let redactor = Redactor::new(["hunter2!", "31415926"]);
    let clean = redactor.redact_value(json!({"hunter2!": [1, "x hunter2!", null, true, {"n": 31_415_926}]}));
    assert_eq!(clean, json!({MARK: [1, format!("x {MARK}"), null, true, {"n": MARK}]}));
}

#[test]
fn a_redactor_does_not_print_what_it_looks_for() {
    assert!(!format!("{:?}", Redactor::new(["hunter2!"])).contains("hunter2"));
}
