//! Sealing: AES-256-GCM under a ring of root keys.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Chance, Code, Fault};

const KEY_ID: usize = 8;
const NONCE: usize = 12;

/// Root keys, the first of which seals; the others only open what was sealed before.
pub struct KeyRing(Vec<Root>);

struct Root {
    id: [u8; KEY_ID],
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyRing").field("keys", &self.0.len()).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring of one random key, for a store that forgets.
    #[must_use]
    pub fn ephemeral(chance: &dyn Chance) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        chance.fill(&mut *key);
        Self(vec![Root::new(key)])
    }

    /// A key for another purpose than sealing, from the oldest root key so that it survives a rotation.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        self.0.last().map_or_else(|| Zeroizing::new([0; 32]), |root| root.subkey(purpose.as_bytes()))
    }

    /// Seals for an account and a context (`secret/<name>/<version>`), both bound into the envelope.
    #[must_use]
    pub fn seal(&self, chance: &dyn Chance, account: Uuid, context: &str, plain: &[u8]) -> Vec<u8> {
        let Some(root) = self.0.first() else { return Vec::new() };
        let mut nonce = [0; NONCE];
        chance.fill(&mut nonce);
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = root.cipher(account).encrypt(&nonce.into(), payload).unwrap_or_default();
        [root.id.as_slice(), nonce.as_slice(), sealed.as_slice()].concat()
    }

    /// Opens what was sealed for the same account and context.
    ///
    /// # Errors
    /// [`Code::Integrity`] where anything differs.
    pub fn open(&self, account: Uuid, context: &str, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let refused = || Fault::new(Code::Integrity, "stored data does not verify");
        let (id, rest) = envelope.split_at_checked(KEY_ID).ok_or_else(refused)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or_else(refused)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| refused())?;
        let root = self.0.iter().find(|root| root.id == id).ok_or_else(refused)?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        root.cipher(account).decrypt(&nonce.into(), payload).map(Zeroizing::new).map_err(|_| refused())
    }

    /// Whether an envelope is under the key that seals now.
    #[must_use]
    pub fn is_current(&self, envelope: &[u8]) -> bool {
        self.0.first().is_some_and(|root| envelope.starts_with(&root.id))
    }
}

impl Root {
    fn new(key: Zeroizing<[u8; 32]>) -> Self {
        let digest = Sha256::new().chain_update("service-layer/key-id").chain_update(*key).finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { id, key }
    }

    fn subkey(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, &*self.key).expand(info, &mut *key);
        debug_assert!(expanded.is_ok(), "32 bytes are always within the bound of HKDF");
        key
    }

    fn cipher(&self, account: Uuid) -> Aes256Gcm {
        let key = self.subkey(&[b"account/".as_slice(), account.as_bytes()].concat());
        Aes256Gcm::new(&(*key).into())
    }
}
