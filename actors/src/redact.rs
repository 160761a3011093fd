//! Takes secrets out of what runs leave behind, in the forms in which they tend to be written.
//!
//! A value is found as it is, in JSON's escapes, in hex of either case, in base64 and base64url with padding or without
//! and wherever it stands in a longer encoded text, and percent-encoded by the rules of URIs, of forms and of
//! JavaScript's functions. Matches that overlap are taken out together, so that no rest of one stays.
//!
//! What is shorter than [`SHORTEST`] bytes would be found everywhere and is not looked for.

use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Range, sync::Arc};

use aho_corasick::AhoCorasick;
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;

/// The shortest value that is looked for, in bytes.
pub const SHORTEST: usize = 4;
/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// How much of a form the automaton knows; a match is followed from there byte by byte, so that large values cost little
/// memory.
const KNOWN: usize = 256;
/// Lines of a value of several lines are looked for by themselves from this length on.
const LINE: usize = 16;

/// Finds the values it was made for, and takes them out; cheap to clone.
#[derive(Clone)]
pub struct Redactor(Sought);

#[derive(Clone)]
enum Sought {
    Nothing,
    Forms(Arc<Forms>),
    /// There are more forms than an automaton can hold: nothing is let through.
    Everything,
}

struct Forms {
    automaton: AhoCorasick,
    /// The whole forms that begin with each of the automaton's patterns.
    whole: Vec<Vec<Vec<u8>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Looks for these values.
    pub fn new<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut by_beginning: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for value in values {
            for form in forms_of(value.as_ref()) {
                let beginning = form[..form.len().min(KNOWN)].to_vec();
                by_beginning.entry(beginning).or_default().push(form);
            }
        }
        let (patterns, whole): (Vec<_>, Vec<_>) = by_beginning.into_iter().unzip();
        if patterns.is_empty() {
            return Self(Sought::Nothing);
        }
        Self(match AhoCorasick::new(&patterns) {
            Ok(automaton) => Sought::Forms(Arc::new(Forms { automaton, whole })),
            Err(_) => Sought::Everything,
        })
    }

    /// Whether it looks for nothing at all.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.0, Sought::Nothing)
    }

    /// The text without the values; borrowed where none was found.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = match &self.0 {
            Sought::Nothing => return Cow::Borrowed(text),
            Sought::Everything => return Cow::Borrowed(MARK),
            Sought::Forms(forms) => forms.found(text),
        };
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            clean.push_str(&text[end..range.start]);
            clean.push_str(MARK);
            end = range.end;
        }
        clean.push_str(&text[end..]);
        Cow::Owned(clean)
    }

    /// The value without the values: in texts, in names of members, and in numbers that spell one.
    #[must_use]
    pub fn redact_value(&self, value: Value) -> Value {
        if matches!(self.0, Sought::Nothing) {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.redact(&text).into_owned()),
            Value::Number(number) => {
                let text = number.to_string();
                let clean = self.redact(&text);
                if clean == text { Value::Number(number) } else { Value::String(clean.into_owned()) }
            }
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.redact_value(item)).collect())
            }
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .map(|(name, member)| (self.redact(&name).into_owned(), self.redact_value(member)))
                    .collect(),
            ),
            Value::Null | Value::Bool(_) => value,
        }
    }
}

impl Forms {
    /// What is to be taken out: ranges on character boundaries, in order, apart from each other.
    fn found(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found: Vec<Range<usize>> = Vec::new();
        for hit in self.automaton.find_overlapping_iter(bytes) {
            let longest = self.whole[hit.pattern().as_usize()]
                .iter()
                .map(|form| form.iter().zip(&bytes[hit.start()..]).take_while(|(a, b)| a == b).count())
                .max();
            let end = hit.start() + longest.unwrap_or(hit.len());
            found.push(text.floor_char_boundary(hit.start())..text.ceil_char_boundary(end));
        }
        found.sort_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }
}

/// The forms in which a value is looked for.
fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let lines = value.lines().filter(|line| line.len() >= LINE && line.len() < value.len());
    let mut forms: Vec<Vec<u8>> = std::iter::once(value)
        .chain(lines)
        .filter(|text| text.len() >= SHORTEST)
        .flat_map(encodings)
        .filter(|form| form.len() >= SHORTEST)
        .collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn encodings(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut forms = vec![
        text.to_owned(),
        hex::encode(bytes),
        hex::encode_upper(bytes),
        BASE64_STANDARD.encode(bytes),
        BASE64_URL_SAFE.encode(bytes),
        BASE64_STANDARD_NO_PAD.encode(bytes),
        BASE64_URL_SAFE_NO_PAD.encode(bytes),
        escaped(text),
        escaped(&escaped(text)),
    ];
    for ahead in 0..3 {
        forms.push(inner(&BASE64_STANDARD_NO_PAD.encode(shifted(bytes, ahead)), bytes.len(), ahead));
        forms.push(inner(&BASE64_URL_SAFE_NO_PAD.encode(shifted(bytes, ahead)), bytes.len(), ahead));
    }
    for kept in [UNRESERVED, COMPONENT, URI, FORM, ""] {
        for lower in [false, true] {
            forms.push(percent(bytes, kept, lower));
        }
    }
    forms.into_iter().map(String::into_bytes).collect()
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

/// RFC 3986, section 2.3, besides letters and digits.
const UNRESERVED: &str = "-._~";
/// `encodeURIComponent` of ECMAScript.
const COMPONENT: &str = "-._~!*'()";
/// `encodeURI` of ECMAScript.
const URI: &str = "-._~!*'();/?:@&=+$,#";
/// `application/x-www-form-urlencoded`, which writes a space as `+`.
const FORM: &str = "-._* ";

/// Percent-encoded; an empty `kept` encodes letters and digits too.
fn percent(bytes: &[u8], kept: &str, lower: bool) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let plain = kept.as_bytes().contains(byte) || (byte.is_ascii_alphanumeric() && !kept.is_empty());
        match (plain, *byte) {
            (true, b' ') => text.push('+'),
            (true, byte) => text.push(char::from(byte)),
            (false, byte) => {
                text.push('%');
                let digits = if lower { hex::encode([byte]) } else { hex::encode_upper([byte]) };
                text.push_str(&digits);
            }
        }
    }
    text
}
