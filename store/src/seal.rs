//! Sealing: what is secret is stored as AES-256-GCM (NIST SP 800-38D) under a key of its account.
//!
//! Envelope: `1` (format) | key id (8 bytes) | nonce (12) | ciphertext | tag (16). The account's key comes from the root
//! key by HKDF-SHA256 (RFC 5869). The associated data binds format, key id, account and the caller's context (kind,
//! name, version), so that a ciphertext moved to another place does not open there.

use std::{collections::VecDeque, fmt};

use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit, Payload},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Chance, Code, Fault, guess::is_placeholder};

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES;
const KEY_BYTES: usize = 32;

/// Root keys: the current one seals, all of them open.
pub struct KeyRing {
    current: RootKey,
    older: Vec<RootKey>,
}

struct RootKey {
    id: [u8; KEY_ID_BYTES],
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl KeyRing {
    /// The ring of a setting's text: one key of 32 bytes as 64 hex digits, base64, base64url or 32 raw characters, or a
    /// list `new,old` of them. `setting` is named in messages; the text never is.
    ///
    /// # Errors
    /// [`Code::Invalid`] where a key has another length, another form, or is a placeholder.
    pub fn parse(setting: &str, text: &str) -> Result<Self, Fault> {
        let mut keys = VecDeque::new();
        for (position, part) in text.trim().split(',').enumerate() {
            let bytes = key(part.trim()).map_err(|what| {
                let advice =
                    "give 32 random bytes as hex or base64, for example from `openssl rand -base64 32`";
                Fault::field(
                    setting,
                    "encryption_key",
                    format!("key {} of {setting} {what}; {advice}", position + 1),
                )
            })?;
            keys.push_back(RootKey::new(bytes));
        }
        let current = keys.pop_front().ok_or_else(|| Fault::internal("a list of keys has a first"))?;
        Ok(Self { current, older: keys.into() })
    }

    /// A ring of one key that nobody else knows and that is gone with the process.
    #[must_use]
    pub fn ephemeral(chance: &dyn Chance) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        chance.fill(bytes.as_mut());
        Self { current: RootKey::new(bytes), older: Vec::new() }
    }

    /// A key for another purpose than sealing, from the oldest root key so that it survives a rotation until that key is
    /// dropped from the list.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let oldest = self.older.last().unwrap_or(&self.current);
        oldest.subkey(&[b"service-layer/derived/1/", purpose.as_bytes()])
    }

    /// Seals `plain` for an account and a context (`secret/<name>/<version>`); the same must be given to open it.
    ///
    /// # Panics
    /// Over more than 64 GiB, which AES-GCM cannot take; every body is capped far below that.
    #[must_use]
    pub fn seal(&self, chance: &dyn Chance, account: Uuid, context: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        chance.fill(&mut nonce);
        let root = &self.current;
        let aad = associated(&root.id, account, context);
        let sealed = root
            .cipher(account)
            .encrypt(&nonce.into(), Payload { msg: plain, aad: &aad })
            .expect("what is sealed is far below the 64 GiB that AES-GCM can take");
        [&[FORMAT], root.id.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens what was sealed for this account and context.
    ///
    /// # Errors
    /// [`Code::Integrity`] where the envelope is damaged, was sealed for another place, or under a key that is not in
    /// the ring.
    pub fn open(&self, account: Uuid, context: &str, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let root = self.root_of(envelope)?;
        let (nonce, sealed) = envelope
            .get(HEADER_BYTES..)
            .and_then(|rest| rest.split_first_chunk::<NONCE_BYTES>())
            .filter(|(_, sealed)| sealed.len() >= TAG_BYTES)
            .ok_or_else(|| broken("the envelope is too short"))?;
        let aad = associated(&root.id, account, context);
        root.cipher(account)
            .decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| broken("the envelope does not verify"))
    }

    /// Opens what is kept as sealed under the key of this id.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where the envelope is under that key and the ring does not have it: another daemon may.
    /// Otherwise as [`KeyRing::open`].
    pub fn open_under(
        &self,
        key_id: &str,
        account: Uuid,
        context: &str,
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let said = envelope.get(1..HEADER_BYTES).map(hex::encode);
        if said.as_deref() == Some(key_id) && !self.key_ids().iter().any(|held| held == key_id) {
            let what = "the root key that a stored secret is sealed under is not at hand";
            return Err(Fault::new(Code::Unavailable, what).because(format!("key {key_id}")));
        }
        self.open(account, context, envelope)
    }

    /// How many bytes are sealed in an envelope, which need not be opened for that.
    #[must_use]
    pub const fn sealed_bytes(envelope: &[u8]) -> usize {
        envelope.len().saturating_sub(HEADER_BYTES + NONCE_BYTES + TAG_BYTES)
    }

    /// Whether an envelope is under the key that seals now; one that is not waits for rotation.
    #[must_use]
    pub fn is_current(&self, envelope: &[u8]) -> bool {
        envelope.first() == Some(&FORMAT) && envelope.get(1..HEADER_BYTES) == Some(&self.current.id)
    }

    /// The ids of the keys as hex, the sealing one first; they tell nothing about the keys.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().map(|root| hex::encode(root.id)).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    fn root_of(&self, envelope: &[u8]) -> Result<&RootKey, Fault> {
        if envelope.first() != Some(&FORMAT) {
            return Err(broken("the envelope is of an unknown format"));
        }
        let id = envelope.get(1..HEADER_BYTES).ok_or_else(|| broken("the envelope is too short"))?;
        self.keys().find(|root| root.id == *id).ok_or_else(|| {
            broken(&format!(
                "the envelope was sealed under key {}, which is not in the ring",
                hex::encode(id)
            ))
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyRing").field("key_ids", &self.key_ids()).finish()
    }
}

impl RootKey {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut root = Self { id: [0; KEY_ID_BYTES], bytes };
        let derived = root.subkey(&[b"service-layer/key-id/1"]);
        root.id.copy_from_slice(&derived[..KEY_ID_BYTES]);
        root
    }

    fn cipher(&self, account: Uuid) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.subkey(&[b"service-layer/seal/1/", account.as_bytes()])).into())
    }

    fn subkey(&self, info: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, self.bytes.as_ref())
            .expand_multi_info(info, key.as_mut())
            .expect("32 bytes are within the bound of HKDF");
        key
    }
}

/// Format, key id, account and context: what a ciphertext is bound to.
fn associated(key_id: &[u8], account: Uuid, context: &str) -> Vec<u8> {
    [&[FORMAT], key_id, account.as_bytes(), context.as_bytes()].concat()
}

fn broken(what: &str) -> Fault {
    Fault::new(Code::Integrity, "a stored secret does not decrypt").because(what)
}

/// The key a text means, or what is wrong with it.
fn key(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let bytes = Zeroizing::new(read(text)?);
    if is_placeholder(text.as_bytes()) || is_placeholder(&bytes) {
        return Err("is a placeholder, not a random key".to_owned());
    }
    let length = bytes.len();
    <[u8; KEY_BYTES]>::try_from(bytes.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| format!("has {length} bytes instead of {KEY_BYTES}"))
}

/// 32 characters are a key as it is, whatever they look like: as hex or base64 they would be too short.
fn read(text: &str) -> Result<Vec<u8>, String> {
    if text.len() == KEY_BYTES {
        return Ok(text.as_bytes().to_vec());
    }
    if text.len() >= 16
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && let Ok(bytes) = hex::decode(text)
    {
        return Ok(bytes);
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
        .ok_or_else(|| format!("is neither hex, base64, base64url nor {KEY_BYTES} raw characters"))
}

#[cfg(test)]
mod tests;
