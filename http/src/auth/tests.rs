use actix_web::http::header::HeaderValue;
use sl_actors::caller::Scope;

use super::*;

fn with(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn only_one_bearer_token_is_read() {
    for value in ["Bearer abc", "bearer abc", "BEARER   abc  "] {
        assert_eq!(bearer(&with(&[value])).expect(value), "abc");
    }
    for values in
        [&[][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a b"], &["Bearer a", "Bearer b"]]
    {
        assert_eq!(bearer(&with(values)).expect_err("refused").code, Code::Unauthorized, "{values:?}");
    }
}

#[test]
fn operators_are_known_by_their_token() {
    let operators = [Operator::new("alice", "one"), Operator::new("bob", "two")];
    assert_eq!(operator(&operators, "two"), Some("bob"));
    assert_eq!(operator(&operators, "tw"), None);
}

#[test]
fn a_foreign_account_is_missing_before_a_scope_is_looked_at() {
    let (own, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let caller = Caller { account: Some(own), scopes: vec![Scope::Read], ..Caller::duty("x") };
    for (needs, account, code) in [
        (Needs::Scope(Scope::Read), Some(own), None),
        (Needs::Scope(Scope::Write), Some(own), Some(Code::Forbidden)),
        (Needs::Scope(Scope::Write), Some(other), Some(Code::NotFound)),
        (Needs::Operator, None, Some(Code::Forbidden)),
        (Needs::Open, None, None),
    ] {
        assert_eq!(permit(&caller, needs, account).err().map(|fault| fault.code), code, "{needs:?}");
    }
    assert!(permit(&Caller::operator("alice"), Needs::Operator, Some(own)).is_ok());
}
