//! Random values as they are answered, each with the recipe that checks it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sl_store::Fault;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    derive::{self, Encoding, Signed},
    entity::RandomValue,
};

/// A random value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RandomView {
    /// Its id.
    pub id: Uuid,
    /// The account it was made for.
    pub account_id: Uuid,
    /// What a repeat of the request names.
    pub request_id: String,
    /// How many bytes it has.
    pub length: i64,
    /// How `value` is written.
    pub encoding: Encoding,
    /// The bytes.
    pub value: String,
    /// Which value of the key it is; no two have the same.
    pub counter: i64,
    /// When it was made; signed.
    pub created_at: DateTime<Utc>,
    /// The Ed25519 signature from which the bytes follow, base64.
    pub signature: String,
    /// The key that made it, base64.
    pub public_key: String,
    /// How to check it.
    pub verification: Verification,
}

/// How a random value is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RandomVerification)]
pub struct Verification {
    /// `ed25519+sha512`.
    pub algorithm: &'static str,
    /// `configured`: the operator's. `ephemeral`: made by a daemon for development when it started, and gone with it.
    pub key: &'static str,
    /// The message that was signed.
    pub message: String,
    /// What to do, step by step; `slctl verify random` does it.
    pub steps: Vec<&'static str>,
}

const STEPS: [&str; 4] = [
    "Build the message: the text `service-layer/random/v1`, a line feed, and the canonical JSON (RFC 8785) of the \
     members account_id, counter, created_at, length and request_id of this answer. It is verification.message.",
    "Check the Ed25519 signature (base64 in `signature`) over the message in UTF-8 with the operator's public key, \
     which you know from elsewhere than this answer.",
    "Concatenate SHA-512(`service-layer/random/v1/value`, a line feed, the 64 bytes of the signature, n as 4 bytes \
     big-endian) for n = 1, 2, ... and take the first `length` bytes.",
    "Write them in `encoding` (decimal: the unsigned big-endian number that they are) and compare with `value`.",
];

const EPHEMERAL: &str = "The key of this answer was made when a daemon for development started, and is gone with it: \
                         the answer proves nothing to others.";

impl RandomValue {
    /// What is signed of it.
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed {
            account_id: self.head.account_id,
            counter: self.counter,
            created_at: self.head.created_at,
            length: self.length,
            request_id: &self.request_id,
        }
    }

    /// The public face.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where its message cannot be written.
    pub fn view(&self) -> Result<RandomView, Fault> {
        let verification = Verification {
            algorithm: "ed25519+sha512",
            key: if self.ephemeral { "ephemeral" } else { "configured" },
            message: self.signed().message()?,
            steps: STEPS.into_iter().chain(self.ephemeral.then_some(EPHEMERAL)).collect(),
        };
        Ok(RandomView {
            id: self.head.id,
            account_id: self.head.account_id,
            request_id: self.request_id.clone(),
            length: self.length,
            encoding: self.encoding,
            value: self.encoding.write(&derive::bytes(&self.signature, self.length)),
            counter: self.counter,
            created_at: self.head.created_at,
            signature: BASE64_STANDARD.encode(&self.signature),
            public_key: BASE64_STANDARD.encode(&self.public_key),
            verification,
        })
    }
}
