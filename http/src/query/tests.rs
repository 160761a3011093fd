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
    Ok((query.page(25)?, query.read()?))
}

#[test]
fn limits_are_clamped_above_and_refused_below() {
    for (text, found) in [("", Some(25)), ("limit=1", Some(1)), ("limit=9999999999999999999999", Some(500))] {
        assert_eq!(read(text).ok().map(|(page, _)| page.limit), found, "{text}");
    }
    for text in ["limit=0", "limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=%2B1", "limit=1&limit=2"] {
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
