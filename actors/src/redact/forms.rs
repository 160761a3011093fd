//! The forms in which a value is looked for.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;
use sl_js_protocol::one_line;

use super::{SHORTEST, reading};

/// Lines of a value of several lines are looked for by themselves from this length on.
const LINE: usize = 16;

/// What to look for, as texts are read.
pub(super) fn of(value: &str) -> Vec<Vec<u8>> {
    let lines = value.lines().filter(|line| line.len() >= LINE && line.len() < value.len());
    let mut forms: Vec<Vec<u8>> = std::iter::once(value)
        .chain(lines)
        .filter(|text| text.len() >= SHORTEST)
        .flat_map(|text| encodings(text).into_iter().flat_map(|form| read(&form)).chain(units(text)))
        .filter(|form| form.len() >= SHORTEST)
        .collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// A form as it is, and as it is where all of the text is decoded.
fn read(form: &str) -> [Vec<u8>; 2] {
    [reading::plain(form.as_bytes()).into_owned(), reading::fully(form)]
}

fn encodings(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut forms = vec![
        hex::encode(bytes),
        hex::encode_upper(bytes),
        BASE64_STANDARD.encode(bytes),
        BASE64_URL_SAFE.encode(bytes),
        BASE64_STANDARD_NO_PAD.encode(bytes),
        BASE64_URL_SAFE_NO_PAD.encode(bytes),
    ];
    for form in [text.to_owned(), escaped(text), escaped(&escaped(text))] {
        forms.push(one_line(&form));
        forms.push(form);
    }
    for ahead in 0..3 {
        forms.push(inner(&BASE64_STANDARD_NO_PAD.encode(shifted(bytes, ahead)), bytes.len(), ahead));
        forms.push(inner(&BASE64_URL_SAFE_NO_PAD.encode(shifted(bytes, ahead)), bytes.len(), ahead));
    }
    forms
}

/// What is left of ECMAScript's `escape` once its `%XX` are decoded: a byte for each character up to U+00FF, and `%uXXXX`
/// for each unit of UTF-16 of the others. Of ASCII it is the text.
fn units(text: &str) -> Option<Vec<u8>> {
    let units = || text.encode_utf16();
    (!text.is_ascii()).then(|| {
        let bytes = units().flat_map(|unit| match u8::try_from(unit) {
            Ok(byte) => vec![byte],
            Err(_) => format!("%u{unit:04X}").into_bytes(),
        });
        reading::plain(&bytes.collect::<Vec<u8>>()).into_owned()
    })
}

/// What JSON makes of a text between its quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The value with so many bytes ahead of it.
fn shifted(bytes: &[u8], ahead: usize) -> Vec<u8> {
    [&[0, 0][..ahead], bytes].concat()
}

/// The characters of an encoding that depend on the value only, not on what stands around it.
fn inner(encoded: &str, length: usize, ahead: usize) -> String {
    let first = (ahead * 8).div_ceil(6);
    let last = (ahead + length) * 8 / 6;
    encoded.get(first..last).unwrap_or_default().to_owned()
}
