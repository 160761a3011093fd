//! What the headers of an answer tell of it: its id and its version.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// What is written as it is in a step of a path (RFC 3986, section 2.3), besides letters and digits.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Read off the answer as it was written; everything else of it is skipped.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Facts {
    /// Its id.
    pub id: Option<String>,
    /// Its name, which stands for the id where there is none.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<i64>,
    /// What counts its changes where its version counts something else: a secret's, whose path ends with its name.
    pub revision: Option<i64>,
}

impl Facts {
    /// The facts of an answer; none where it has none.
    pub fn of(answer: &[u8]) -> Self {
        serde_json::from_slice(answer).unwrap_or_default()
    }

    /// What the path of the thing ends with.
    pub fn path_end(&self) -> Option<String> {
        let id = self.id.as_deref().filter(|_| self.revision.is_none());
        let end = id.or(self.name.as_deref())?;
        Some(utf8_percent_encode(end, PLAIN).to_string())
    }

    /// The entity tag (RFC 9110, section 8.8.3).
    pub fn tag(&self) -> Option<String> {
        self.revision.or(self.version).map(|version| format!("\"{version}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_tells_its_own_id_and_version_and_a_secret_its_name_and_revision() {
        let told =
            |view: &[u8]| [Facts::of(view).path_end(), Facts::of(view).tag()].map(Option::unwrap_or_default);
        assert_eq!(told(br#"{"nested":{"id":"9","version":9},"id":"7","version":3}"#), ["7", "\"3\""]);
        let secret = br#"{"id":"7","name":"my key/1","version":1,"revision":5}"#;
        assert_eq!(told(secret), ["my%20key%2F1", "\"5\""]);
    }

    #[test]
    fn lists_and_nothing_tell_nothing() {
        assert_eq!([Facts::of(b"[1]"), Facts::of(b"")], <[Facts; 2]>::default());
    }
}
