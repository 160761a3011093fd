//! Query strings into types.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sl_actors::{
    Code, Fault, FieldError,
    page::{MAX_LIMIT, PageRequest},
};

use crate::{json, suggest};

/// The parameters of lists.
const PAGE: [&str; 4] = ["limit", "cursor", "since", "until"];

/// The parameters that a list has: one without times has none of those.
pub fn page_parameters(timeless: bool) -> &'static [&'static str] {
    if timeless { &PAGE[..2] } else { &PAGE }
}

/// A query string, taken apart and percent-decoded.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// One parameter breaks one rule.
fn refused(name: &str, rule: &'static str, detail: String) -> Fault {
    let mut fault = Fault::new(Code::Malformed, format!("?{name}: {detail}"));
    fault.fields = vec![FieldError { pointer: format!("?{name}"), rule, detail }];
    fault
}

impl Query {
    /// Takes a query string apart; every parameter must be known and there once.
    ///
    /// # Errors
    /// [`Code::Malformed`] naming the parameter.
    pub fn parse(text: &str, known: &[String]) -> Result<Self, Fault> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !known.iter().any(|known| *known == name) {
                let hint = suggest::nearest(&name, known.iter().map(String::as_str));
                let hint = hint.map_or_else(String::new, |meant| format!("; did you mean ?{meant}?"));
                let name: String = name.chars().take(64).collect();
                return Err(refused(
                    &name,
                    "unknown_field",
                    format!("is not a parameter of this operation{hint}"),
                ));
            }
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(refused(&name, "duplicate", "is given twice".to_owned()));
            }
            if value.contains('\0') {
                return Err(refused(&name, "characters", "the character U+0000 is not allowed".to_owned()));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.swap_remove(position).1)
    }

    /// Takes the parameters of a list out, of which a page has so many items where nothing is said.
    ///
    /// # Errors
    /// [`Code::Malformed`] naming the parameter.
    pub fn page(&mut self, default_limit: usize) -> Result<PageRequest, Fault> {
        let limit = self.take("limit").map_or(Ok(default_limit), |text| limit(&text))?;
        let cursor = self.take("cursor").filter(|cursor| !cursor.is_empty());
        Ok(PageRequest { limit, cursor, since: self.time("since")?, until: self.time("until")? })
    }

    fn time(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let read = DateTime::parse_from_rfc3339(&text).map(|time| time.with_timezone(&Utc));
        let expected = "must be a time like 2026-01-31T12:00:00Z (RFC 3339; a + is written %2B)";
        read.map(Some).map_err(|_| refused(name, "format", expected.to_owned()))
    }

    /// Reads what is left.
    ///
    /// # Errors
    /// [`Code::Malformed`] naming the parameter.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let told = error.inner().to_string();
            let broken = json::explain(&told);
            let at = error.path().to_string();
            refused(broken.member.unwrap_or(&at), broken.rule, broken.detail)
        })
    }
}

/// How many items a page is to have: 1 or more, above the most clamped.
fn limit(text: &str) -> Result<usize, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().unwrap_or(usize::MAX) } else { 0 };
    match number {
        0 => Err(refused("limit", "bounds", format!("must be a whole number of 1 to {MAX_LIMIT}"))),
        number => Ok(number.min(MAX_LIMIT)),
    }
}

#[cfg(test)]
mod tests;
