//! Conditional requests (RFC 9110, section 13): versions as entity tags.

use actix_web::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use sl_actors::{Code, Fault};

/// The version that `If-Match` names; `*` and nothing at all name none, because whatever is there will do.
///
/// # Errors
/// [`Code::Malformed`] where it is no tag of ours.
pub fn expected(headers: &HeaderMap) -> Result<Option<i64>, Fault> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let refused = || Fault::new(Code::Malformed, "If-Match: must be * or one version like \"3\"");
    let text = value.to_str().map_err(|_| refused())?.trim();
    if matches!(text, "" | "*") {
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
mod tests;
