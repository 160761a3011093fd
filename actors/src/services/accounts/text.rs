//! How a token is written: `slk_` and the base64url of secret, account id and checksum.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use sl_store::Chance;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What every token begins with, so that scanners for leaked secrets can know it.
const PREFIX: &str = "slk_";

const SECRET: usize = 24;
const BODY: usize = SECRET + 16;
const CHECKSUM: usize = 4;
/// How many characters of a token are shown in lists; 48 of its 192 random bits.
const SHOWN: usize = PREFIX.len() + 8;

/// A new token of the account: 192 random bits.
pub(super) fn make(chance: &dyn Chance, account: Uuid) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; BODY + CHECKSUM]);
    chance.fill(&mut bytes[..SECRET]);
    bytes[SECRET..BODY].copy_from_slice(account.as_bytes());
    let sum = checksum(&bytes[..BODY]);
    bytes[BODY..].copy_from_slice(&sum);
    Zeroizing::new(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(*bytes)))
}

/// The account a token names, where it is whole.
pub(super) fn account_of(token: &str) -> Option<Uuid> {
    let text = token.strip_prefix(PREFIX)?;
    let mut bytes = Zeroizing::new([0; BODY + CHECKSUM]);
    let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut *bytes).ok()?;
    let (body, sum) = bytes[..length].split_at_checked(BODY)?;
    (sum == checksum(body)).then(|| Uuid::from_slice(&body[SECRET..]).ok()).flatten()
}

/// What is stored of it.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// What is shown of it.
pub(super) fn shown(token: &str) -> &str {
    token.get(..SHOWN).unwrap_or(PREFIX)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(PREFIX).chain_update(body).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sl_store::SeededChance;

    use super::*;

    proptest! {
        #[test]
        fn a_token_names_its_account_and_any_change_of_a_character_is_noticed(
            seed: u64, account: u128, position in 4_usize..63, other in "[A-Za-z0-9_-]",
        ) {
            let account = Uuid::from_u128(account);
            let token = make(&SeededChance::new(seed), account);
            prop_assert_eq!((token.len(), account_of(&token)), (63, Some(account)));
            let changed = [&token[..position], other.as_str(), &token[position + 1..]].concat();
            prop_assert_eq!(account_of(&changed).is_some(), changed == *token);
        }

        #[test]
        fn text_that_is_no_token_is_refused(text in ".*") {
            prop_assert_eq!((account_of(&text), account_of(&format!("slk_{text}"))), (None, None));
        }
    }
}
