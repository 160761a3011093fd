//! Headers that tenants have sent along: checked when they are stored, marked as sensitive when they are sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{HeaderMap, HeaderName, HeaderValue, exchange::NEVER_SENT};
use crate::check::Check;

/// How many there may be.
const MOST: usize = 20;
/// How long the name and the value of one may be together.
const BYTES: usize = 4_096;

/// Checks headers; every broken rule is told at its place under `at`.
pub(crate) fn check(at: &str, headers: &BTreeMap<String, String>, check: &mut Check) {
    if headers.len() > MOST {
        check.broken(at, "entries", format!("must have at most {MOST} headers, not {}", headers.len()));
    }
    let mut names = BTreeSet::new();
    for (name, value) in headers {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        if HeaderName::try_from(name).is_err() {
            check.broken(at.clone(), "format", "must be the name of a header (RFC 9110)");
        }
        if !names.insert(name.to_lowercase()) {
            check.broken(at.clone(), "unique", "another header has this name, which is the same in any case");
        }
        if NEVER_SENT.contains(&name.to_lowercase().as_str()) {
            check.broken(at.clone(), "reserved", "is made by the connection itself and cannot be set");
        }
        if HeaderValue::try_from(value).is_err() {
            check.broken(at.clone(), "format", "must be a header's value: visible characters and blanks");
        }
        if name.len() + value.len() > BYTES {
            check.broken(at, "length", format!("must have at most {BYTES} bytes with its name"));
        }
    }
}

/// The headers as they are sent.
pub(crate) fn sent(headers: &BTreeMap<String, String>) -> HeaderMap {
    let read = headers.iter().filter_map(|(name, value)| {
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    });
    read.collect()
}
