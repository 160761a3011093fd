//! The verification scripts of keys.

use super::keys::PublicKey;

/// How many keys a contract may have.
pub const MAX_KEYS: usize = 1_024;

/// `PUSHDATA1`, with the length of a compressed key.
const PUSH_KEY: [u8; 2] = [0x0c, 33];
/// `SYSCALL System.Crypto.CheckSig`.
const CHECK_SIG: [u8; 5] = [0x41, 0x56, 0xe7, 0xb3, 0x27];
/// `SYSCALL System.Crypto.CheckMultisig`.
const CHECK_MULTISIG: [u8; 5] = [0x41, 0x9e, 0xd0, 0xdc, 0x3a];
/// `PUSH0`; those up to `PUSH16` follow.
const PUSH_0: u8 = 0x10;
/// `PUSHINT8`.
const PUSH_INT_8: u8 = 0x00;
/// `PUSHINT16`.
const PUSH_INT_16: u8 = 0x01;

/// The script that one key opens.
#[must_use]
pub fn single_signature(key: &PublicKey) -> Vec<u8> {
    [&PUSH_KEY[..], key.as_bytes(), &CHECK_SIG].concat()
}

/// The script that `threshold` of the keys open, in whatever order they are given; none where the numbers are not those
/// of a contract (1 ≤ threshold ≤ keys ≤ [`MAX_KEYS`]) or a key is given twice.
#[must_use]
pub fn multi_signature(keys: &[PublicKey], threshold: usize) -> Option<Vec<u8>> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != keys.len() || keys.len() > MAX_KEYS || !(1..=keys.len()).contains(&threshold) {
        return None;
    }
    let mut script = push(threshold)?;
    for key in &sorted {
        script.extend(PUSH_KEY);
        script.extend(key.as_bytes());
    }
    script.extend(push(sorted.len())?);
    script.extend(CHECK_MULTISIG);
    Some(script)
}

/// Pushes a small number.
fn push(number: usize) -> Option<Vec<u8>> {
    let number = i16::try_from(number).ok()?;
    let [low, high] = number.to_le_bytes();
    Some(match number {
        0..=16 => vec![PUSH_0 + low],
        17..=127 => vec![PUSH_INT_8, low],
        _ => vec![PUSH_INT_16, low, high],
    })
}

#[cfg(test)]
mod tests {
    use super::push;

    #[test]
    fn numbers_are_pushed_in_their_shortest_form() {
        for (number, pushed) in [
            (1, vec![0x11]),
            (16, vec![0x20]),
            (17, vec![0, 17]),
            (127, vec![0, 127]),
            (128, vec![1, 128, 0]),
            (1_024, vec![1, 0, 4]),
        ] {
            assert_eq!(push(number), Some(pushed), "{number}");
        }
    }
}
