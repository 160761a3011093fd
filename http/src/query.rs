//! Query strings into types.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sl_actors::{
    Code, Fault, FieldError,
    page::{DEFAULT_LIMIT, MAX_LIMIT, PageRequest},
};

use crate::{json, suggest};

/// The parameters every list has.
pub const PAGE: [&str; 4] = ["limit", "cursor", "since", "until"];

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

    /// Takes the parameters of a list out.
    ///
    /// # Errors
    /// [`Code::Malformed`] naming the parameter.
    pub fn page(&mut self) -> Result<PageRequest, Fault> {
        let limit = self.take("limit").map_or(Ok(DEFAULT_LIMIT), |text| limit(&text))?;
        let cursor = self.take("cursor");
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
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Filters {
        status: Option<String>,
        count: Option<u8>,
    }

    const KNOWN: [&str; 6] = ["limit", "cursor", "since", "until", "status", "count"];

    fn read(text: &str) -> Result<(PageRequest, Filters), Fault> {
        let mut query = Query::parse(text, &KNOWN.map(str::to_owned))?;
        Ok((query.page()?, query.read()?))
    }

    #[test]
    fn limits_are_clamped_above_and_refused_below() {
        for (text, found) in
            [("", Some(25)), ("limit=1", Some(1)), ("limit=9999999999999999999999", Some(500))]
        {
            assert_eq!(read(text).ok().map(|(page, _)| page.limit), found, "{text}");
        }
        for text in
            ["limit=0", "limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=%2B1", "limit=1&limit=2"]
        {
            let fault = read(text).expect_err(text);
            assert_eq!((fault.code, fault.fields[0].pointer.as_str()), (Code::Malformed, "?limit"), "{text}");
        }
    }

    #[test]
    fn filters_are_typed_and_unknown_names_get_a_hint() {
        let (page, filters) = read("status=a%20b&count=7&since=2026-01-31T12:00:00%2B01:00").expect("well");
        assert_eq!((filters.status.as_deref(), filters.count), (Some("a b"), Some(7)));
        assert_eq!(page.since.map(|since| since.to_rfc3339()).as_deref(), Some("2026-01-31T11:00:00+00:00"));
        let fault = read("count=many").expect_err("no number");
        assert_eq!(fault.fields[0].pointer, "?count", "{fault}");
        let fault = read("statsu=a").expect_err("unknown");
        assert!(fault.detail.contains("did you mean ?status?"), "{fault}");
        assert!(read("since=yesterday").is_err());
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(text in ".{0,80}") {
            if let Err(fault) = read(&text) {
                prop_assert_eq!(fault.code, Code::Malformed);
            }
        }

        #[test]
        fn a_limit_lies_within_its_bounds(number in any::<i64>()) {
            match read(&format!("limit={number}")) {
                Ok((page, _)) => prop_assert_eq!(page.limit, usize::try_from(number).unwrap_or(0).min(MAX_LIMIT)),
                Err(_) => prop_assert!(number <= 0),
            }
        }
    }
}
