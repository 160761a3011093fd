//! Who asks: operator tokens from the configuration, account tokens from the store.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest as _, Sha256};
use sl_actors::{Code, Core, Fault, caller::Caller, services::accounts};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::operation::Needs;

/// An operator: a name, and the SHA-256 of their token.
#[derive(Clone, Debug)]
pub struct Operator {
    /// As events and logs name them, without the `operator:` before it.
    pub name: String,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
}

impl Operator {
    /// The operator of this name and token.
    #[must_use]
    pub fn new(name: impl Into<String>, token: &str) -> Self {
        Self { name: name.into(), token_hash: Sha256::digest(token).into() }
    }
}

/// Finds out who asks.
///
/// # Errors
/// [`Code::Unauthorized`] where the token is none of ours.
pub async fn caller(core: &Arc<Core>, operators: &[Operator], token: &str) -> Result<Caller, Fault> {
    match operator(operators, token) {
        Some(name) => Ok(Caller::operator(name)),
        None => accounts::authenticate(core, token).await,
    }
}

/// Compares with every operator's token, whichever matches, so that time tells nothing.
fn operator<'a>(operators: &'a [Operator], token: &str) -> Option<&'a str> {
    let hash: [u8; 32] = Sha256::digest(token).into();
    let mut found = None;
    for operator in operators {
        if bool::from(operator.token_hash.ct_eq(&hash)) {
            found = Some(operator.name.as_str());
        }
    }
    found
}

/// The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1).
///
/// # Errors
/// [`Code::Unauthorized`] where there is none.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    let refused = |why| Fault::new(Code::Unauthorized, why);
    let mut told = headers.get_all(AUTHORIZATION);
    let value = told.next().ok_or_else(|| refused("send a token: Authorization: Bearer <token>"))?;
    if told.next().is_some() {
        return Err(refused("there is more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| refused("the Authorization header is not plain text"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("the Authorization header is not of the Bearer scheme"));
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused("the Authorization header holds no token"));
    }
    Ok(token)
}

/// No token of ours is longer.
const MAX_TOKEN: usize = 512;

/// Whether the caller may do this, on this account. Another's account is told as missing, before any scope is looked at.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`].
pub fn permit(caller: &Caller, needs: Needs, account: Option<Uuid>) -> Result<(), Fault> {
    if let (Some(own), Some(account)) = (caller.account, account)
        && own != account
    {
        return Err(Fault::not_found("account"));
    }
    let refused = |what: &str| Fault::new(Code::Forbidden, format!("this needs {what}"));
    match needs {
        Needs::Open => Ok(()),
        Needs::Scope(scope) if caller.has(scope) => Ok(()),
        Needs::Scope(_) => Err(refused(&format!("a token of the scope {}", needs.as_str()))),
        Needs::Operator if caller.is_operator() => Ok(()),
        Needs::Operator => Err(refused("an operator's token")),
    }
}

#[cfg(test)]
mod tests {
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
}
