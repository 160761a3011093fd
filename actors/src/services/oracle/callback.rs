//! Answers that resolvers bring themselves, signed with the source's secret (Standard Webhooks).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use sl_store::{Code, Fault};
use uuid::Uuid;

use super::{
    CALLBACK_WINDOW,
    judge::Answer,
    request::OracleRequest,
    requests,
    source::OracleSource,
    views::{OracleCallbackView, OracleUpdate},
};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    settings::write_duration,
};

/// What a callback is signed by: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, over
/// `<id>.<timestamp>.<body>`. The id is that of the request, so that what was signed for one request answers no other.
#[derive(Clone, Debug, Default)]
pub struct SignedCallback {
    /// The message's id: the request's.
    pub id: String,
    /// When it was signed, in seconds since 1970.
    pub timestamp: String,
    /// `v1,<base64>`, several of them separated by blanks.
    pub signature: String,
    /// The body as it came.
    pub body: Bytes,
}

/// Sees which source's resolver has signed a callback, before anything of it is read or told.
#[derive(Debug)]
pub struct ProveCallback {
    /// The request.
    pub request_id: Uuid,
    /// How it is signed.
    pub signed: SignedCallback,
}

/// Whose resolver a genuine callback comes from, and about which request.
#[derive(Clone, Copy, Debug)]
pub struct ProvenCallback {
    request_id: Uuid,
    source_id: Uuid,
}

impl Action for ProveCallback {
    type Output = ProvenCallback;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<ProvenCallback, Fault> {
        self.signed.check_time(&tenant.core)?;
        // Whoever cannot sign is told nothing of what there is.
        let refused = || {
            let told =
                "the signature is none of a source that the request asks, over webhook-id, the request's id";
            Fault::new(Code::Unauthorized, told)
        };
        let request_id = self.request_id;
        if self.signed.id.parse() != Ok(request_id) {
            return Err(refused());
        }
        let found: Option<OracleRequest> = tenant.core.store.find(tenant.key(request_id)).await?;
        for source_id in found.ok_or_else(refused)?.question.source_ids {
            let row: Option<OracleSource> = tenant.core.store.find(tenant.key(source_id)).await?;
            let Some(row) = row else { continue };
            if self.signed.is_signed_with(&row.open(&tenant.core)?.secret) {
                return Ok(ProvenCallback { request_id, source_id });
            }
        }
        Err(refused())
    }
}

/// Takes an answer that a source's resolver signed. A replay says what is known, and has no further effect.
#[derive(Debug)]
pub struct Callback {
    /// Whose answer it is.
    pub proven: ProvenCallback,
    /// What is said.
    pub update: OracleUpdate,
}

impl Action for Callback {
    type Output = OracleCallbackView;

    /// Answers for one source. Its resolver is told of that source alone: what others answered could be copied.
    async fn run(self, tenant: &Tenant) -> Result<OracleCallbackView, Fault> {
        let ProvenCallback { request_id, source_id } = self.proven;
        if self.update.data_source_id.is_some_and(|named| named != source_id) {
            let told = "the signature is that of another source that the request asks";
            return Err(Fault::field("/data_source_id", "signature", told));
        }
        let view = |request: &OracleRequest| {
            let answer = request.answers.iter().find(|answer| answer.source_id == source_id);
            let answer = answer.cloned().unwrap_or_else(|| Answer::waiting(source_id));
            OracleCallbackView { id: request.head.id, status: request.status, answer }
        };
        requests::update(tenant, request_id, &self.update, Some(source_id), view).await
    }
}

impl SignedCallback {
    /// Refuses what was signed too long ago, or will be.
    fn check_time(&self, core: &Core) -> Result<(), Fault> {
        let refused = |why: String| Fault::new(Code::Unauthorized, why);
        let signed: i64 = self
            .timestamp
            .parse()
            .map_err(|_| refused("webhook-timestamp must be a number of seconds since 1970".to_owned()))?;
        let window = core.settings.duration(&CALLBACK_WINDOW);
        let apart = core.clock.now().timestamp().abs_diff(signed);
        if apart > window.as_secs() {
            let (window, name) = (write_duration(window), CALLBACK_WINDOW.name);
            return Err(refused(format!(
                "webhook-timestamp lies {apart} s apart; the limit is {window} ({name})"
            )));
        }
        Ok(())
    }

    /// Whether one of the signatures is made with this secret; compared in constant time.
    fn is_signed_with(&self, secret: &str) -> bool {
        let Ok(key) = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
        for part in [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", &self.body] {
            mac.update(part);
        }
        self.signature
            .split(' ')
            .filter_map(|signature| BASE64_STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|signature| mac.clone().verify_slice(&signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_published_vector_verifies_and_nothing_near_it() {
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let signed = SignedCallback {
            id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk".to_owned(),
            timestamp: "1649367553".to_owned(),
            signature: "v1,AAAA v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=".to_owned(),
            body: Bytes::from_static(br#"{"email":"test@example.com","username":"test_user"}"#),
        };
        assert!(signed.is_signed_with(secret));
        assert!(!signed.is_signed_with("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oE"));
        assert!(
            !SignedCallback { timestamp: "1649367554".to_owned(), ..signed.clone() }.is_signed_with(secret)
        );
        assert!(!SignedCallback { body: Bytes::from_static(b"{}"), ..signed.clone() }.is_signed_with(secret));
        assert!(!SignedCallback { signature: String::new(), ..signed }.is_signed_with(secret));
    }
}
