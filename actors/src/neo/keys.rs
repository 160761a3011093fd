//! Keys and signatures on secp256r1 (P-256).

use std::{cmp::Ordering, fmt};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use p256::ecdsa::{self, VerifyingKey, signature::Verifier as _};

/// How many bytes a signature has: r, then s, each 32 bytes big-endian.
pub const SIGNATURE_BYTES: usize = 64;
/// How many bytes a compressed key has.
const COMPRESSED: usize = 33;

/// A public key on secp256r1, ordered as Neo orders keys: by X, then by Y, both as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    compressed: [u8; COMPRESSED],
    y: [u8; 32],
}

impl PublicKey {
    /// Reads the compressed form, 66 hexadecimal digits; none where it is no point of the curve.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let compressed: [u8; COMPRESSED] = hex::decode(text).ok()?.try_into().ok()?;
        // SEC 1 has a compact form of the same length, which says nothing of Y.
        if !matches!(compressed[0], 2 | 3) {
            return None;
        }
        let point = VerifyingKey::from_sec1_bytes(&compressed).ok()?.to_sec1_point(false);
        let y = <[u8; 32]>::try_from(point.as_bytes().get(COMPRESSED..)?).ok()?;
        Some(Self { compressed, y })
    }

    /// The compressed form (SEC 1).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; COMPRESSED] {
        &self.compressed
    }

    /// Whether a signature is this key's over a message, which is hashed with SHA-256. A high s is well: Neo does not
    /// ask for the lower one.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        VerifyingKey::from_sec1_bytes(&self.compressed)
            .is_ok_and(|key| key.verify(message, &signature.0).is_ok())
    }
}

impl Ord for PublicKey {
    /// A plain order of the bytes would put every even Y before every odd one.
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.compressed[1..], &self.y).cmp(&(&other.compressed[1..], &other.y))
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for PublicKey {
    /// The compressed form in lower-case hexadecimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.compressed))
    }
}

/// An ECDSA signature on P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(ecdsa::Signature);

impl Signature {
    /// Reads r and s, as base64, base64url or 128 hexadecimal digits; none where either is out of range.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = if text.len() == 2 * SIGNATURE_BYTES {
            hex::decode(text).ok()?
        } else {
            let ways = [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD];
            ways.iter().find_map(|way| way.decode(text).ok())?
        };
        let bytes: [u8; SIGNATURE_BYTES] = bytes.try_into().ok()?;
        ecdsa::Signature::from_slice(&bytes).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_points_of_the_curve_are_keys() {
        let well = "02028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef";
        assert_eq!(PublicKey::from_hex(well).map(|key| key.to_string()).as_deref(), Some(well));
        let uncompressed = format!("04{}{}", &well[2..], &well[2..]);
        for text in ["", "00", &well[2..], &format!("05{}", &well[2..]), &uncompressed, &format!("{well}00")]
        {
            assert_eq!(PublicKey::from_hex(text), None, "{text}");
        }
        assert_eq!(PublicKey::from_hex(&format!("02{}", "ff".repeat(32))), None, "X is beyond the field");
    }

    #[test]
    fn keys_of_one_x_are_ordered_by_y() {
        let even = PublicKey::from_hex("02028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef");
        let odd = PublicKey::from_hex("03028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef");
        let (even, odd) = (even.unwrap(), odd.unwrap());
        assert_eq!(even.cmp(&odd), even.y.cmp(&odd.y));
        assert_ne!(even.cmp(&odd), Ordering::Equal);
    }

    #[test]
    fn a_signature_has_two_numbers_in_range() {
        for text in [&"00".repeat(64), &"ff".repeat(64), &"11".repeat(63), &"11".repeat(65), "zz"] {
            assert_eq!(Signature::parse(text), None, "{text}");
        }
        let bytes = [0x7f; SIGNATURE_BYTES];
        let well = Signature::parse(&hex::encode(bytes));
        assert!(well.is_some());
        for text in [BASE64_STANDARD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(bytes)] {
            assert_eq!(Signature::parse(&text), well);
        }
        assert_eq!(Signature::parse(&BASE64_STANDARD.encode([0x7f; 63])), None);
    }
}
