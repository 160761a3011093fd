//! Conditional requests (RFC 9110, section 13): versions as entity tags.

use actix_web::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use sl_actors::{Code, Fault};

/// The version that `If-Match` names; `*` names none, because whatever is there will do.
///
/// # Errors
/// [`Code::Malformed`] where it is no tag of ours.
pub fn expected(headers: &HeaderMap) -> Result<Option<i64>, Fault> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let refused = || Fault::new(Code::Malformed, "If-Match: must be * or one version like \"3\"");
    let text = value.to_str().map_err(|_| refused())?.trim();
    if text == "*" {
        return Ok(None);
    }
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(refused)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    digits.parse().map(Some).map_err(|_| refused())
}

/// Whether `If-None-Match` holds this tag.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let told = headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    told.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn with(name: actix_web::http::header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
        headers
    }

    #[test]
    fn if_match_is_one_version_or_anything() {
        for (value, version) in [("\"3\"", Some(3)), (" \"12\" ", Some(12)), ("*", None)] {
            assert_eq!(expected(&with(IF_MATCH, value)).expect(value), version);
        }
        for value in
            ["3", "W/\"3\"", "\"three\"", "\"\"", "\"1\", \"2\"", "\"-1\"", "\"99999999999999999999\""]
        {
            assert!(expected(&with(IF_MATCH, value)).is_err(), "{value}");
        }
    }

    #[test]
    fn if_none_match_lists_tags() {
        for (value, known) in
            [("\"3\"", true), ("\"1\", W/\"3\"", true), ("*", true), ("\"4\"", false), ("3", false)]
        {
            assert_eq!(is_known(&with(IF_NONE_MATCH, value), "\"3\""), known, "{value}");
        }
    }
}
