//! Script hashes and addresses: two spellings of an account on the chain.

use std::fmt;

use ripemd::Ripemd160;
use sha2::{Digest as _, Sha256};

/// The version byte of Neo N3's addresses; it makes them begin with `N`.
pub const ADDRESS_VERSION: u8 = 0x35;
/// How many bytes a script hash has.
const BYTES: usize = 20;

/// The hash of a script, in the order of bytes that an address carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptHash([u8; BYTES]);

/// Why a text is neither an address nor a script hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFlaw {
    /// It is not `0x` and 40 hexadecimal digits.
    Hash,
    /// A character is not of the Base58 alphabet.
    Alphabet,
    /// The checksum does not match: something is mistyped.
    Checksum,
    /// It is the address of another network, or of Neo Legacy.
    Version,
    /// It has another length.
    Length,
}

impl AddressFlaw {
    /// The rule, in `snake_case`.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Hash => "script_hash",
            Self::Alphabet => "base58",
            Self::Checksum => "checksum",
            Self::Version => "address_version",
            Self::Length => "length",
        }
    }

    /// The rule in words.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Hash => "a script hash is 0x followed by 40 hexadecimal digits",
            Self::Alphabet => "an address consists of the characters of Base58",
            Self::Checksum => "the checksum of the address does not match; something is mistyped",
            Self::Version => "a Neo N3 address has the version 0x35 and begins with N",
            Self::Length => "a Neo N3 address has 34 characters",
        }
    }
}

impl From<[u8; BYTES]> for ScriptHash {
    /// Of the bytes in the order that an address carries.
    fn from(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }
}

impl ScriptHash {
    /// The hash of a script.
    #[must_use]
    pub fn of(script: &[u8]) -> Self {
        Self(Ripemd160::digest(Sha256::digest(script)).into())
    }

    /// Reads an address (`N…`), or a script hash as nodes display it (`0x…`, reversed).
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, AddressFlaw> {
        text.strip_prefix("0x").map_or_else(|| Self::from_address(text), Self::from_displayed)
    }

    fn from_displayed(digits: &str) -> Result<Self, AddressFlaw> {
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressFlaw::Hash)?;
        bytes.reverse();
        Ok(Self(bytes))
    }

    fn from_address(text: &str) -> Result<Self, AddressFlaw> {
        // Longer texts are not decoded: that takes time by the square of their length.
        if text.len() > 64 {
            return Err(AddressFlaw::Length);
        }
        let payload = bs58::decode(text).with_check(None).into_vec().map_err(|error| match error {
            bs58::decode::Error::InvalidCharacter { .. } | bs58::decode::Error::NonAsciiCharacter { .. } => {
                AddressFlaw::Alphabet
            }
            bs58::decode::Error::InvalidChecksum { .. } => AddressFlaw::Checksum,
            _ => AddressFlaw::Length,
        })?;
        match payload.split_first() {
            Some((&ADDRESS_VERSION, hash)) => hash.try_into().map(Self).map_err(|_| AddressFlaw::Length),
            Some(_) => Err(AddressFlaw::Version),
            None => Err(AddressFlaw::Length),
        }
    }

    /// The address: `Base58Check` of the version and the hash.
    #[must_use]
    pub fn address(&self) -> String {
        bs58::encode(self.0).with_check_version(ADDRESS_VERSION).into_string()
    }

    /// The bytes, in the order that an address carries.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Display for ScriptHash {
    /// As nodes display it: reversed, with `0x`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0;
        bytes.reverse();
        write!(formatter, "0x{}", hex::encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_one_account() {
        let address = ScriptHash::parse("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRS7").unwrap();
        assert_eq!(address.to_string(), "0xb28427088a3729b2536d10122960394e8be6721f");
        assert_eq!(ScriptHash::parse(&address.to_string()), Ok(address));
        assert_eq!(ScriptHash::parse("0xB28427088A3729B2536D10122960394E8BE6721F"), Ok(address));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, flaw) in [
            ("", AddressFlaw::Length),
            ("0x", AddressFlaw::Hash),
            ("0xb28427088a3729b2536d10122960394e8be6721", AddressFlaw::Hash),
            ("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRS8", AddressFlaw::Checksum),
            ("NNnFn8iHWWnJe9QYoN1r4PeXMuVpfLVRSé", AddressFlaw::Alphabet),
            (&"N".repeat(10_000), AddressFlaw::Length),
        ] {
            assert_eq!(ScriptHash::parse(text), Err(flaw), "{text}");
        }
    }
}
