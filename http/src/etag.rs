//! Conditional requests (RFC 9110, section 13): versions as entity tags.

use actix_web::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use sl_actors::{Code, Fault};

/// What `If-Match` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever is there: it says `*`, or is not there.
    #[default]
    Anything,
    /// One of these versions. A tag that is none of ours, or a weak one, matches nothing and is left out.
    Versions(Vec<i64>),
}

/// More tags than this nobody has a use for.
const MOST: usize = 16;

/// What `If-Match` asks for: `*`, or a list of tags of which any may match, compared strongly (section 13.1.1).
///
/// # Errors
/// [`Code::Malformed`] where it is neither.
pub fn expected(headers: &HeaderMap) -> Result<Wanted, Fault> {
    let refused = || {
        let told = format!("If-Match: must be * or up to {MOST} tags like \"3\"");
        Fault::new(Code::Malformed, told)
    };
    let (mut versions, mut tags, mut anything) = (Vec::new(), 0, false);
    for value in headers.get_all(IF_MATCH) {
        let mut rest = value.to_str().map_err(|_| refused())?.trim_matches(WHITE);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('*') {
                (anything, rest) = (true, after);
            } else {
                let (version, after) = tag(rest).ok_or_else(refused)?;
                versions.extend(version);
                (tags, rest) = (tags + 1, after);
            }
            rest = rest.trim_start_matches(WHITE);
            if !rest.is_empty() {
                rest = rest.strip_prefix(',').ok_or_else(refused)?.trim_start_matches([' ', '\t', ',']);
            }
        }
    }
    match (anything, tags) {
        (true, 0) => Ok(Wanted::Anything),
        (false, 0) if !headers.contains_key(IF_MATCH) => Ok(Wanted::Anything),
        (false, 1..=MOST) => Ok(Wanted::Versions(versions)),
        _ => Err(refused()),
    }
}

const WHITE: [char; 2] = [' ', '\t'];

/// Takes the first tag off a list: its version, where it is strong and has one, and what comes after it.
fn tag(list: &str) -> Option<(Option<i64>, &str)> {
    let (strong, quoted) = list.strip_prefix("W/").map_or((true, list), |weak| (false, weak));
    let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
    if !opaque.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let version = opaque.parse().ok().filter(|version: &i64| strong && version.to_string() == opaque);
    Some((version, after))
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
