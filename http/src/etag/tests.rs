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
    for value in ["3", "W/\"3\"", "\"three\"", "\"\"", "\"1\", \"2\"", "\"-1\"", "\"99999999999999999999\""] {
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
