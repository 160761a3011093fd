//! Bodies: bounded in size and time, of one media type, never encoded.

use std::time::Duration;

use actix_web::{
    http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt as _;
use sl_actors::{Code, Fault, settings::Settings};

use crate::{operation::Operation, settings::BODY_DEADLINE};

/// The bounds of a body.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The largest, in bytes.
    pub limit: usize,
    /// The setting that says so.
    pub setting: &'static str,
    /// How long it may take.
    pub deadline: Duration,
    /// Whether one that is signed may be of any media type.
    pub signed: bool,
}

impl Bounds {
    /// The bounds of an operation's bodies.
    pub fn of(self, operation: &Operation, settings: &Settings) -> Self {
        let signed = operation.signed_body;
        match operation.body_limit {
            Some(setting) => Self { limit: settings.size(setting), setting: setting.name, signed, ..self },
            None => Self { signed, ..self },
        }
    }
}

/// Reads a body; empty where there is none.
///
/// # Errors
/// [`Code::UnsupportedMediaType`], [`Code::TooLarge`], [`Code::Malformed`]; [`Code::TimedOut`] past the deadline.
pub async fn read(headers: &HeaderMap, payload: Payload, bounds: Bounds) -> Result<Bytes, Fault> {
    let announced = announced(headers)?;
    if announced > bounds.limit as u64 {
        return Err(too_large(bounds, announced));
    }
    if announced > 0 || headers.contains_key(TRANSFER_ENCODING) {
        check_media_type(headers, bounds.signed)?;
    }
    tokio::time::timeout(bounds.deadline, gather(payload, bounds)).await.map_err(|_| too_slow(bounds))?
}

async fn gather(mut payload: Payload, bounds: Bounds) -> Result<Bytes, Fault> {
    let mut whole = BytesMut::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|error| {
            Fault::new(Code::Malformed, "the body broke off or is not framed as HTTP demands").because(error)
        })?;
        if whole.len() + part.len() > bounds.limit {
            return Err(too_large(bounds, (whole.len() + part.len()) as u64));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

fn announced(headers: &HeaderMap) -> Result<u64, Fault> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(0) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    length.ok_or_else(|| Fault::new(Code::Malformed, "Content-Length: not a whole number"))
}

/// By these a request proves itself over the bytes of its body, whose media type is its sender's to choose: who reads it
/// says what it takes.
const PROOFS: [&str; 4] =
    ["stripe-signature", "webhook-signature", "x-hub-signature-256", "x-webhook-secret"];

fn check_media_type(headers: &HeaderMap, signed: bool) -> Result<(), Fault> {
    let refused = |why| Fault::new(Code::UnsupportedMediaType, why);
    if headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(refused("Content-Encoding: bodies are taken as they are, without an encoding"));
    }
    if signed && PROOFS.iter().any(|proof| headers.contains_key(*proof)) {
        return Ok(());
    }
    let wanted = "Content-Type: bodies are application/json";
    let value =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(|| refused(wanted))?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let charset = parameters.trim().to_ascii_lowercase().replace('"', "");
    let is_json = essence.trim().eq_ignore_ascii_case("application/json");
    if is_json && (charset.is_empty() || charset == "charset=utf-8") { Ok(()) } else { Err(refused(wanted)) }
}

fn too_large(bounds: Bounds, found: u64) -> Fault {
    let limit = bounds.limit as u64;
    Fault::new(Code::TooLarge, format!("the body has {found} bytes or more; the limit is {limit}")).limited(
        bounds.setting,
        limit,
        found,
    )
}

fn too_slow(bounds: Bounds) -> Fault {
    let limit = u64::try_from(bounds.deadline.as_millis()).unwrap_or(u64::MAX);
    Fault::new(Code::TimedOut, "the body did not arrive in time").limited(BODY_DEADLINE.name, limit, limit)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn with(pairs: &[(actix_web::http::header::HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(name.clone(), HeaderValue::from_str(value).expect("a header value"));
        }
        headers
    }

    #[test]
    fn bodies_are_plain_json() {
        for value in
            ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""]
        {
            assert!(check_media_type(&with(&[(CONTENT_TYPE, value)]), true).is_ok(), "{value}");
        }
        for value in
            ["text/plain", "application/json; charset=latin1", "application/jsonp", "application/xml", ""]
        {
            assert!(check_media_type(&with(&[(CONTENT_TYPE, value)]), true).is_err(), "{value}");
        }
        assert!(check_media_type(&HeaderMap::new(), true).is_err());
        let proof = actix_web::http::header::HeaderName::from_static("x-hub-signature-256");
        let form = (CONTENT_TYPE, "application/x-www-form-urlencoded");
        let proved = with(&[form.clone(), (proof, "sha256=00")]);
        assert!(check_media_type(&proved, true).is_ok());
        assert!(check_media_type(&proved, false).is_err());
        assert!(check_media_type(&with(&[form]), true).is_err());
        let zipped = with(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")]);
        assert_eq!(check_media_type(&zipped, true).expect_err("encoded").code, Code::UnsupportedMediaType);
    }
}
