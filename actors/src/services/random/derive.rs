//! From a request to its message, from a signature to its bytes, from bytes to text. Nothing here knows a key.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha512};
use sl_store::Fault;
use utoipa::ToSchema;
use uuid::Uuid;

/// What every message begins with, so that a signature for another purpose is none for this one.
pub(super) const PURPOSE: &str = "service-layer/random/v1";

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RandomEncoding)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with padding.
    #[default]
    Base64,
    /// Base64 for URLs, without padding.
    Base64url,
    /// The unsigned number that the bytes are, the first one being the highest; without leading zeros.
    Decimal,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 4] = [Self::Hex, Self::Base64, Self::Base64url, Self::Decimal];

    /// As it stands in rows and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64url => "base64url",
            Self::Decimal => "decimal",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == text)
    }

    /// The bytes as text.
    pub(super) fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => BASE64_STANDARD.encode(bytes),
            Self::Base64url => BASE64_URL_SAFE_NO_PAD.encode(bytes),
            Self::Decimal => decimal(bytes),
        }
    }
}

/// What is signed of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub account_id: Uuid,
    pub counter: i64,
    pub created_at: DateTime<Utc>,
    pub length: i64,
    pub request_id: &'a str,
}

impl Signed<'_> {
    /// The message that is signed.
    pub(super) fn message(&self) -> Result<String, Fault> {
        let members = json!({
            "account_id": self.account_id,
            "counter": self.counter,
            "created_at": self.created_at,
            "length": self.length,
            "request_id": self.request_id,
        });
        let canonical = serde_json_canonicalizer::to_string(&members).map_err(Fault::internal)?;
        Ok(format!("{PURPOSE}\n{canonical}"))
    }
}

/// The bytes that follow from a signature.
pub(super) fn bytes(signature: &[u8], length: i64) -> Vec<u8> {
    let length = usize::try_from(length).unwrap_or_default();
    let mut bytes = Vec::with_capacity(length + 64);
    for block in 1_u32.. {
        if bytes.len() >= length {
            break;
        }
        let digest = Sha512::new()
            .chain_update(PURPOSE)
            .chain_update("/value\n")
            .chain_update(signature)
            .chain_update(block.to_be_bytes())
            .finalize();
        bytes.extend_from_slice(&digest);
    }
    bytes.truncate(length);
    bytes
}

/// Nine digits at a time.
const LIMB: u64 = 1_000_000_000;

fn decimal(bytes: &[u8]) -> String {
    // The lowest nine digits first.
    let mut limbs: Vec<u64> = vec![0];
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let value = *limb * 256 + carry;
            (*limb, carry) = (value % LIMB, value / LIMB);
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let padded = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect::<Vec<_>>().concat();
    let digits = padded.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_written_in_each_encoding() {
        let written = |bytes: &[u8]| Encoding::ALL.map(|encoding| encoding.write(bytes));
        assert_eq!(written(&[0, 1, 255]), ["0001ff", "AAH/", "AAH_", "511"]);
        assert_eq!(decimal(&[0, 0]), "0");
        assert_eq!(decimal(&[255; 16]), u128::MAX.to_string());
    }

    #[test]
    fn a_message_says_everything_that_is_bound() {
        let signed = Signed {
            account_id: Uuid::from_u128(7),
            counter: 12,
            created_at: DateTime::UNIX_EPOCH,
            length: 32,
            request_id: "a \"b\"",
        };
        let expected = concat!(
            "service-layer/random/v1\n",
            r#"{"account_id":"00000000-0000-0000-0000-000000000007","counter":12,"#,
            r#""created_at":"1970-01-01T00:00:00Z","length":32,"request_id":"a \"b\""}"#
        );
        assert_eq!(signed.message().unwrap_or_default(), expected);
    }

    proptest! {
        #[test]
        fn decimals_are_the_number_that_the_bytes_are(number in any::<u128>()) {
            prop_assert_eq!(decimal(&number.to_be_bytes()), number.to_string());
        }

        #[test]
        fn a_longer_value_begins_like_a_shorter_one(signature in any::<[u8; 64]>(), short in 1_i64..1_024, long in 1_i64..1_024) {
            let (short, long) = (short.min(long), short.max(long));
            let (of_short, of_long) = (bytes(&signature, short), bytes(&signature, long));
            prop_assert_eq!(i64::try_from(of_long.len()), Ok(long));
            prop_assert!(of_long.starts_with(&of_short));
        }
    }
}
