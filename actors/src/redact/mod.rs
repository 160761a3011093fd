//! Takes secrets out of what runs leave behind, in the forms in which they tend to be written.
//!
//! A value is found as it is, in JSON's escapes, in the escapes of a logged line, in hex of either case, in base64 and
//! base64url with padding or without and wherever it stands in a longer encoded text, and each of these percent-encoded,
//! whichever of its characters are: the text is searched as it stands, with what is percent-encoded decoded once, and
//! with it decoded until nothing is left to decode. Matches that overlap are taken out together, so that no rest of one
//! stays. Searching takes time and memory in proportion to the text.
//!
//! What is shorter than [`SHORTEST`] bytes would be found everywhere and is not looked for.

mod forms;
mod reach;
mod reading;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    ops::Range,
    sync::Arc,
};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use self::{reach::Reach, reading::Reading};

/// The shortest value that is looked for, in bytes.
pub const SHORTEST: usize = 4;
/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// How much of a form the automaton knows; a match is followed from there byte by byte, so that large values cost little
/// memory.
const KNOWN: usize = 256;

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
            for form in forms::of(value.as_ref()) {
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
        let mut found: Vec<Range<usize>> = Vec::new();
        for reading in Reading::all(text) {
            self.search(&reading, &mut |range| {
                let range = reading.place(range);
                let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
                match found.last_mut() {
                    Some(last) if range.start <= last.end && last.start <= range.end => {
                        *last = last.start.min(range.start)..last.end.max(range.end);
                    }
                    _ => found.push(range),
                }
            });
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

    fn search(&self, reading: &Reading<'_>, tell: &mut impl FnMut(Range<usize>)) {
        let bytes = reading.bytes();
        let mut reaches: HashMap<usize, Vec<Reach<'_>>> = HashMap::new();
        for hit in self.automaton.find_overlapping_iter(bytes) {
            let pattern = hit.pattern().as_usize();
            let longer = reaches.entry(pattern).or_insert_with(|| {
                let longer = self.whole[pattern].iter().filter(|form| form.len() > hit.len());
                longer.map(|form| Reach::new(form)).collect()
            });
            let longest = longer.iter_mut().map(|reach| reach.from(bytes, hit.start())).max();
            tell(hit.start()..hit.start() + longest.unwrap_or(hit.len()));
        }
    }
}
