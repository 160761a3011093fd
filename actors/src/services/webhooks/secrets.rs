//! The secrets of a webhook, and what is signed with them (Standard Webhooks 1.0).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sl_store::{Entity as _, Fault, Key};
use zeroize::Zeroizing;

use super::webhook::Webhook;
use crate::{Core, sealed::Sealed};

/// How the text of a secret begins.
const PREFIX: &str = "whsec_";

/// So many earlier secrets sign besides the current one at most; the oldest go first.
const EARLIER: usize = 3;

/// The secrets of a webhook: the current one, and those it replaced whose grace has not ended, newest first.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    current: String,
    #[serde(default)]
    earlier: Vec<Earlier>,
}

#[derive(Serialize, Deserialize)]
struct Earlier {
    secret: String,
    until: DateTime<Utc>,
}

impl Secrets {
    /// A first secret.
    pub fn new(core: &Core) -> Self {
        Self { current: make(core), earlier: Vec::new() }
    }

    /// Another secret. Those there were sign as well until then, or for what is left of their own grace: who rotates twice
    /// takes nothing from a receiver that has learned of neither.
    pub fn rotated(self, core: &Core, until: DateTime<Utc>) -> Self {
        let mut earlier = vec![Earlier { secret: self.current, until }];
        earlier.extend(self.earlier);
        for one in &mut earlier {
            one.until = one.until.min(until);
        }
        earlier.retain(|one| core.clock.now() < one.until);
        earlier.truncate(EARLIER);
        Self { current: make(core), earlier }
    }

    /// The current secret, to be shown once.
    pub fn shown(&self) -> String {
        self.current.clone()
    }

    /// Seals them for the row of a key.
    pub fn seal(&self, core: &Core, key: Key) -> Sealed {
        let written = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Sealed::new(core, Webhook::TABLE, key, &written)
    }

    /// Opens those of a webhook.
    pub fn open(core: &Core, webhook: &Webhook) -> Result<Self, Fault> {
        let written = webhook.sealed.open(core, Webhook::TABLE, webhook.head.key())?;
        serde_json::from_slice(&written).map_err(Fault::internal)
    }

    /// The value of `webhook-signature`: one signature for each secret that holds now.
    pub fn sign(&self, id: &str, now: DateTime<Utc>, body: &[u8]) -> String {
        let earlier = self.earlier.iter().filter(|one| now < one.until).map(|one| &one.secret);
        let secrets = std::iter::once(&self.current).chain(earlier);
        let signed: Vec<String> = secrets.filter_map(|secret| sign(secret, id, now, body)).collect();
        signed.join(" ")
    }
}

fn make(core: &Core) -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    core.chance.fill(&mut *bytes);
    format!("{PREFIX}{}", STANDARD.encode(*bytes))
}

/// One signature; none where the secret is not one of ours.
fn sign(secret: &str, id: &str, now: DateTime<Utc>, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let head = format!("{id}.{}.", now.timestamp());
    let mac = mac.chain_update(head).chain_update(body).finalize().into_bytes();
    Some(format!("v1,{}", STANDARD.encode(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("an instant")
    }

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const AT: i64 = 1_649_367_553;
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;

    #[test]
    fn the_published_vector_is_signed_alike() {
        assert_eq!(sign(SECRET, ID, at(AT), BODY.as_bytes()).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn both_secrets_sign_until_the_grace_ends() {
        let earlier = vec![Earlier { secret: SECRET.to_owned(), until: at(AT + 60) }];
        let current = format!("{PREFIX}{}", STANDARD.encode([7; 32]));
        let secrets = Secrets { current, earlier };
        let both = secrets.sign(ID, at(AT), BODY.as_bytes());
        assert_eq!(both.split(' ').count(), 2, "{both}");
        assert!(both.ends_with(SIGNATURE), "{both}");
        assert_eq!(secrets.sign(ID, at(AT + 60), BODY.as_bytes()).split(' ').count(), 1);
    }
}
