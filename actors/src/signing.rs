//! The daemon's signing key (`RANDOM_SIGNING_KEY`): Ed25519 over executions and what else must be provable.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use sl_store::Chance;
use zeroize::Zeroizing;

/// Signs with Ed25519 (RFC 8032).
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    ephemeral: bool,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Signer").field(&hex::encode(self.public_key())).finish()
    }
}

impl Signer {
    /// Reads a key: the 64 bytes of seed and public key, or the 32 bytes of the seed alone, in base64 or hex.
    ///
    /// # Errors
    /// A sentence for the operator that does not repeat the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = decode(text.trim()).ok_or(
            "the signing key is neither base64 nor hex of 32 bytes (a seed) or 64 bytes (seed and public key)",
        )?;
        let key = match (<[u8; 32]>::try_from(&bytes[..]), <[u8; 64]>::try_from(&bytes[..])) {
            (Ok(seed), _) => SigningKey::from_bytes(&seed),
            (_, Ok(pair)) => SigningKey::from_keypair_bytes(&pair)
                .map_err(|_| "the signing key's second half is not the public key of its first")?,
            _ => {
                return Err(format!("the signing key has {} bytes where 32 or 64 are expected", bytes.len()));
            }
        };
        Ok(Self { key, ephemeral: false })
    }

    /// A key made here and now, for development: it signs random values, which say so, and nothing else.
    #[must_use]
    pub fn ephemeral(chance: &dyn Chance) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        chance.fill(&mut *seed);
        Self { key: SigningKey::from_bytes(&seed), ephemeral: true }
    }

    /// Whether its bytes are all alike, so that anybody can guess it.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.key.to_bytes().windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Whether it goes with the daemon.
    #[must_use]
    pub const fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The signature over a message, 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// Hex wins where a text could be both: a key in base64 that is also valid hex of 32 or 64 bytes does not occur.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let hex = hex::decode(text).ok().filter(|bytes| matches!(bytes.len(), 32 | 64));
    hex.or_else(|| BASE64_STANDARD.decode(text).ok()).map(Zeroizing::new)
}
