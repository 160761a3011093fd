//! The daemon's signing key (`RANDOM_SIGNING_KEY`): Ed25519 over executions and what else must be provable.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

/// Signs with Ed25519 (RFC 8032).
#[derive(Clone)]
pub struct Signer(SigningKey);

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
        if key.to_bytes().windows(2).all(|pair| pair[0] == pair[1]) {
            return Err("the signing key is a placeholder: its bytes are all alike".to_owned());
        }
        Ok(Self(key))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The signature over a message, 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Hex wins where a text could be both: a key in base64 that is also valid hex of 32 or 64 bytes does not occur.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let hex = hex::decode(text).ok().filter(|bytes| matches!(bytes.len(), 32 | 64));
    hex.or_else(|| BASE64_STANDARD.decode(text).ok()).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNED: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                          085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    #[test]
    fn a_seed_and_a_pair_are_the_same_key_in_hex_and_in_base64() {
        let pair = hex::decode(format!("{SEED}{PUBLIC}")).unwrap();
        let seed = &pair[..32];
        for text in
            [SEED.to_owned(), hex::encode(&pair), BASE64_STANDARD.encode(seed), BASE64_STANDARD.encode(&pair)]
        {
            let signer = Signer::parse(&text).unwrap();
            assert_eq!(hex::encode(signer.public_key()), PUBLIC);
            assert_eq!(hex::encode(signer.sign(&[0x72])), SIGNED);
            assert!(!format!("{signer:?}").contains("4ccd"));
        }
    }

    #[test]
    fn a_bad_key_is_refused_with_what_is_wrong() {
        let refused = |text: &str| Signer::parse(text).unwrap_err();
        assert!(refused("not a key").contains("neither base64 nor hex"));
        assert!(refused(&hex::encode([1, 2, 3])).contains("bytes"));
        assert!(refused(&format!("{SEED}{SEED}")).contains("second half"));
        assert!(refused(&"00".repeat(32)).contains("placeholder"));
        assert!(!refused(&format!("{SEED}{SEED}")).contains("4ccd"));
    }
}
