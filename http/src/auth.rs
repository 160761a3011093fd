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
mod tests;
