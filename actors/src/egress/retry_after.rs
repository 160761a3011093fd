//! `Retry-After`, as every peer may send it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How long the peer asks to wait: seconds or an HTTP date (RFC 9110, section 10.2.3), zero for a date in the past, none
/// where the header is missing or unreadable. The caller bounds it; a peer may ask for years.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at: DateTime<Utc> = httpdate::parse_http_date(value).ok()?.into();
    Some((at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<Duration> {
        let now = "1994-11-06T08:49:30Z".parse().expect("an instant");
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("a value"))]), now)
    }

    #[test]
    fn seconds_and_all_three_date_forms_are_read() {
        let seven = Some(Duration::from_secs(7));
        for value in [
            "7",
            " 7 ",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parsed(value), seven, "{value}");
        }
        assert_eq!(parsed("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parsed("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn anything_else_is_no_advice() {
        for value in ["", "-1", "1.5", "soon", "2024-01-01T00:00:00Z"] {
            assert_eq!(parsed(value), None, "{value}");
        }
    }
}
