use actix_web::http::header::HeaderValue;

use super::*;

fn with(name: actix_web::http::header::HeaderName, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
    headers
}

#[test]
fn if_match_is_a_list_of_tags_or_anything() {
    for (value, wanted) in [
        ("\"3\"", Wanted::Versions(vec![3])),
        (" \"12\" ", Wanted::Versions(vec![12])),
        ("\"9\", \"4\"", Wanted::Versions(vec![9, 4])),
        ("\"9\",,\"4\" ,", Wanted::Versions(vec![9, 4])),
        ("W/\"3\"", Wanted::Versions(Vec::new())),
        ("W/\"3\", \"4\"", Wanted::Versions(vec![4])),
        ("\"three\"", Wanted::Versions(Vec::new())),
        ("\"a,b\", \"2\"", Wanted::Versions(vec![2])),
        ("\"03\"", Wanted::Versions(Vec::new())),
        ("\"\"", Wanted::Versions(Vec::new())),
        ("\"99999999999999999999\"", Wanted::Versions(Vec::new())),
        ("*", Wanted::Anything),
    ] {
        assert_eq!(expected(&with(IF_MATCH, value)).expect(value), wanted, "{value}");
    }
    let many = "\"1\",".repeat(17);
    assert_eq!(expected(&HeaderMap::new()).expect("no condition"), Wanted::Anything);
    for value in ["", ",", "3", "w/\"3\"", "\"3", "\"1\" \"2\"", "*, \"1\"", "\"a b\"", "W/3", many.as_str()]
    {
        assert!(expected(&with(IF_MATCH, value)).is_err(), "{value}");
    }
}

#[test]
fn tags_in_several_fields_are_one_list() {
    let mut headers = with(IF_MATCH, "\"1\"");
    headers.append(IF_MATCH, HeaderValue::from_static("\"2\""));
    assert_eq!(expected(&headers).expect("well"), Wanted::Versions(vec![1, 2]));
}

#[test]
fn if_none_match_lists_tags() {
    for (value, known) in
        [("\"3\"", true), ("\"1\", W/\"3\"", true), ("*", true), ("\"4\"", false), ("3", false)]
    {
        assert_eq!(is_known(&with(IF_NONE_MATCH, value), "\"3\""), known, "{value}");
    }
}
