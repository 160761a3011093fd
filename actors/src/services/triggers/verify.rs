//! Whether an inbound request comes from whoever knows the secret: pure, in constant time.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::named::Scheme;

type HmacSha256 = Hmac<Sha256>;

/// How long a part of a header may be that names something.
const NAME: usize = 255;

/// What an inbound request proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// Names what was signed, where a replay of it can be known.
    pub source: Option<String>,
}

/// Looks a header up by its name in lower case.
pub(super) type Headers<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// What is looked at.
pub(super) struct Request<'a> {
    pub headers: Headers<'a>,
    pub body: &'a [u8],
    pub now: DateTime<Utc>,
    /// How far the time of a signature may be off, either way; both edges are within.
    pub window: TimeDelta,
}

/// Verifies a request under any of the secrets.
///
/// # Errors
/// What is missing or wrong, in words that tell nothing of the secret.
pub(super) fn verify<S: AsRef<[u8]>>(
    scheme: Scheme,
    secrets: &[S],
    request: &Request<'_>,
) -> Result<Proof, &'static str> {
    match scheme {
        Scheme::Standard => standard(secrets, request),
        Scheme::Github => github(secrets, request),
        Scheme::Stripe => stripe(secrets, request),
        Scheme::SharedSecret => shared(secrets, request),
    }
}

/// The key of a Standard Webhooks secret.
pub(super) fn standard_key(secret: &[u8]) -> Option<Vec<u8>> {
    let encoded = secret.strip_prefix(b"whsec_")?;
    STANDARD.decode(encoded).ok().filter(|key| (16..=64).contains(&key.len()))
}

/// Whether one of the secrets' MACs over the parts is one of those given. All pairs are looked at.
fn any_mac<K: AsRef<[u8]>>(keys: &[K], parts: &[&[u8]], given: &[Vec<u8>]) -> bool {
    let mut found = false;
    for key in keys {
        let Ok(mac) = HmacSha256::new_from_slice(key.as_ref()) else { continue };
        let mac = parts.iter().fold(mac, hmac::Mac::chain_update);
        for candidate in given {
            found |= mac.clone().verify_slice(candidate).is_ok();
        }
    }
    found
}

fn within(request: &Request<'_>, seconds: &str) -> Result<(), &'static str> {
    let digits =
        !seconds.is_empty() && seconds.len() <= 12 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let at = seconds.parse().ok().filter(|_| digits).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.ok_or("the signature's time is not a whole number of seconds")?;
    // The signature's time has whole seconds: the window is measured between seconds.
    let now = DateTime::from_timestamp(request.now.timestamp(), 0).unwrap_or(request.now);
    if (now - at).abs() <= request.window {
        Ok(())
    } else {
        Err("the signature's time lies outside the window")
    }
}

fn standard<S: AsRef<[u8]>>(secrets: &[S], request: &Request<'_>) -> Result<Proof, &'static str> {
    let header = |name| {
        (request.headers)(name).ok_or("webhook-id, webhook-timestamp and webhook-signature are required")
    };
    let (id, time, signatures) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    if id.is_empty() || id.len() > NAME {
        return Err("webhook-id: 1 to 255 characters");
    }
    within(request, time)?;
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .take(16)
        .collect();
    let keys: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| standard_key(secret.as_ref())).collect();
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", request.body];
    if !any_mac(&keys, &parts, &given) {
        return Err("no signature is right");
    }
    Ok(Proof { source: Some(named("standard", id.as_bytes())) })
}

fn github<S: AsRef<[u8]>>(secrets: &[S], request: &Request<'_>) -> Result<Proof, &'static str> {
    let header = (request.headers)("x-hub-signature-256").ok_or("x-hub-signature-256 is required")?;
    let given = header.strip_prefix("sha256=").and_then(|mac| hex::decode(mac).ok());
    let given = given.ok_or("x-hub-signature-256: sha256= and 64 hexadecimal digits")?;
    if !any_mac(secrets, &[request.body], &[given]) {
        return Err("no signature is right");
    }
    // GitHub names each delivery, and sends one again under its name; only a sender that names none is known by the body.
    let id = (request.headers)("x-github-delivery").filter(|id| !id.is_empty() && id.len() <= NAME);
    let source = id.map_or_else(|| named("github", request.body), |id| named("github-id", id.as_bytes()));
    Ok(Proof { source: Some(source) })
}

/// What a `Stripe-Signature` header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StripeHeader<'a> {
    pub time: Option<&'a str>,
    pub signatures: Vec<&'a str>,
}

/// Reads a `Stripe-Signature` header; schemes other than `v1` are passed over.
pub(super) fn stripe_header(header: &str) -> StripeHeader<'_> {
    let mut read = StripeHeader::default();
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" => read.time = Some(value),
            "v1" if read.signatures.len() < 16 => read.signatures.push(value),
            _ => {}
        }
    }
    read
}

fn stripe<S: AsRef<[u8]>>(secrets: &[S], request: &Request<'_>) -> Result<Proof, &'static str> {
    let header = (request.headers)("stripe-signature").ok_or("stripe-signature is required")?;
    let StripeHeader { time, signatures } = stripe_header(header);
    let time = time.ok_or("stripe-signature has no time")?;
    within(request, time)?;
    let given: Vec<Vec<u8>> = signatures.into_iter().filter_map(|mac| hex::decode(mac).ok()).collect();
    if !any_mac(secrets, &[time.as_bytes(), b".", request.body], &given) {
        return Err("no signature is right");
    }
    // A retry is signed anew with another time: the event's own id names it, where there is one.
    let event: Option<serde_json::Value> = serde_json::from_slice(request.body).ok();
    let id = event.as_ref().and_then(|event| event.get("id")?.as_str()).filter(|id| id.len() <= NAME);
    let source = id.map_or_else(|| named("stripe", request.body), |id| named("stripe-id", id.as_bytes()));
    Ok(Proof { source: Some(source) })
}

fn shared<S: AsRef<[u8]>>(secrets: &[S], request: &Request<'_>) -> Result<Proof, &'static str> {
    // RFC 9110, 11.1: the name of a scheme in any case, and blanks after it.
    let bearer = || {
        let (scheme, token) = (request.headers)("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
    };
    let given = (request.headers)("x-webhook-secret").or_else(bearer);
    let given = given.ok_or("x-webhook-secret, or the secret as a bearer token, is required")?;
    // Equal secrets have equal MACs, and MACs are compared in constant time whatever the secrets' lengths.
    let mac = HmacSha256::new_from_slice(given.as_bytes()).map_err(|_| "the secret is wrong")?;
    let mac = mac.chain_update("shared secret").finalize().into_bytes().to_vec();
    if !any_mac(secrets, &[b"shared secret"], &[mac]) {
        return Err("the secret is wrong");
    }
    // Nothing is signed: the sender says by webhook-id what is the same.
    let id = (request.headers)("webhook-id").filter(|id| !id.is_empty() && id.len() <= NAME);
    Ok(Proof { source: id.map(|id| named("shared", id.as_bytes())) })
}

/// A name of bounded length, whatever it names.
fn named(scheme: &str, what: &[u8]) -> String {
    format!("{scheme}/{}", hex::encode(Sha256::digest(what)))
}
