//! Holds a host to the limits that it was sent: it should do so itself, and a host that tenant code has taken over does
//! not.

use std::borrow::Cow;

use serde_json::{Value, value::RawValue};
use sl_js_protocol::{Action, RunLimits};

use super::{
    run::QueuedAction,
    text::{DEPTH, depth, well_formed},
};

/// What a host has said in one run so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    lines: u32,
    line_bytes: u64,
    fetches: u32,
}

/// What is wrong with a text that should be JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// No host in order would have sent it.
    Violation(String),
    /// It is JSON, but nested deeper than the system takes. A tenant's program can do that without any harm meant.
    TooDeep,
}

impl Tally {
    /// Counts a logged line.
    pub(super) fn line(&mut self, bytes: usize, sequence: u32, limits: &RunLimits) -> Result<(), String> {
        self.lines += 1;
        self.line_bytes += bytes as u64;
        if self.lines > limits.log_lines || self.line_bytes > limits.log_bytes {
            return Err(format!("it logged {} lines of {} bytes", self.lines, self.line_bytes));
        }
        if sequence == self.lines {
            Ok(())
        } else {
            Err(format!("line {} had the number {sequence}", self.lines))
        }
    }

    /// Counts a fetch.
    pub(super) fn fetch(&mut self, id: u32, limits: &RunLimits) -> Result<(), String> {
        self.fetches += 1;
        if self.fetches > limits.fetches {
            return Err(format!("it began {} fetches", self.fetches));
        }
        if id == self.fetches { Ok(()) } else { Err(format!("fetch {} had the number {id}", self.fetches)) }
    }
}

/// Reads the output: an object of at most so many bytes, as the text it is.
pub(super) fn output(text: String, limits: &RunLimits) -> Result<Box<RawValue>, Unusable> {
    if text.len() as u64 > limits.output_bytes {
        return Err(Unusable::Violation(format!("its output had {} bytes", text.len())));
    }
    if depth(&text) > DEPTH {
        return Err(Unusable::TooDeep);
    }
    let text = match well_formed(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean,
    };
    let output = RawValue::from_string(text).map_err(|error| no_json(&error))?;
    if output.get().starts_with('{') {
        Ok(output)
    } else {
        Err(Unusable::Violation("its output was no object".to_owned()))
    }
}

/// Reads the queued actions: so many at most, of so many bytes together, numbered in order.
pub(super) fn actions(queued: Vec<Action>, limits: &RunLimits) -> Result<Vec<QueuedAction>, Unusable> {
    let bytes: usize = queued.iter().map(|action| action.params_json.len()).sum();
    if queued.len() > limits.actions as usize || bytes as u64 > limits.output_bytes {
        return Err(Unusable::Violation(format!("it queued {} actions of {bytes} bytes", queued.len())));
    }
    queued.into_iter().enumerate().map(|(place, action)| read(place, action)).collect()
}

fn read(place: usize, action: Action) -> Result<QueuedAction, Unusable> {
    let Action { id, kind, params_json } = action;
    if id != format!("action_{}", place + 1) {
        return Err(Unusable::Violation(format!("action {} had the name {id:?}", place + 1)));
    }
    Ok(QueuedAction { id, kind, params: json(&params_json)? })
}

fn json(text: &str) -> Result<Value, Unusable> {
    if depth(text) > DEPTH {
        return Err(Unusable::TooDeep);
    }
    serde_json::from_str(&well_formed(text)).map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> Unusable {
    Unusable::Violation(format!("a text that should have been JSON was not: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_a_limit_is_a_violation() {
        let limits = RunLimits { log_lines: 2, log_bytes: 10, fetches: 1, ..RunLimits::default() };
        let mut tally = Tally::default();
        assert_eq!((tally.line(5, 1, &limits), tally.line(5, 2, &limits)), (Ok(()), Ok(())));
        assert!(tally.line(0, 3, &limits).is_err(), "a line too many");
        assert!(Tally::default().line(11, 1, &limits).is_err(), "a byte too many");
        assert!(Tally::default().line(1, 7, &limits).is_err(), "a number out of order");
        assert_eq!(tally.fetch(1, &limits), Ok(()));
        assert!(tally.fetch(2, &limits).is_err(), "a fetch too many");
        assert!(Tally::default().fetch(9, &limits).is_err(), "a number out of order");
    }

    #[test]
    fn output_is_an_object_within_its_bound() {
        let limits = RunLimits { output_bytes: 1_000, ..RunLimits::default() };
        let output = |text: &str| output(text.to_owned(), &limits).map(|output| output.get().to_owned());
        assert_eq!(output("{\"b\":1.0,\"a\":1}").as_deref(), Ok("{\"b\":1.0,\"a\":1}"));
        assert_eq!(output("{\"a\":\"\\ud800\"}").as_deref(), Ok("{\"a\":\"\\ufffd\"}"));
        for broken in ["", "[]", "null", "{", "{\"a\":1}x", &format!("{{\"a\":\"{}\"}}", "x".repeat(1_000))] {
            assert!(matches!(output(broken), Err(Unusable::Violation(_))), "{broken}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(output(&deep), Err(Unusable::TooDeep));
    }
}
