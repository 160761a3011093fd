//! Request ids: the caller's where it is well-formed, else one of ours.

use actix_web::http::header::{HeaderMap, HeaderName};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

/// The id that the caller chose.
pub fn told(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    is_well_formed(text).then(|| text.to_owned())
}

/// 1 to 128 characters that cannot break a log line, a header or a shell.
fn is_well_formed(text: &str) -> bool {
    let fits = (1..=LONGEST).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        for text in ["a", "0190a5d8-b3f0-7cc3", "trace/1:2=3@x+y_z.", &"x".repeat(128)] {
            assert!(is_well_formed(text), "{text}");
        }
        for text in ["", "a b", "a\n", "ä", "\"", "$(x)", &"x".repeat(129)] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
