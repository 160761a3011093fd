//! What stands where a secret should: words of templates, and patterns that a hand types.

use std::collections::BTreeSet;

/// What placeholders are made of, in lower case.
const WORDS: [&str; 20] = [
    "changeme",
    "change-me",
    "change_me",
    "change this",
    "changethis",
    "placeholder",
    "example",
    "password",
    "your-",
    "your_",
    "yourkey",
    "encryption-key",
    "encryption_key",
    "encryptionkey",
    "secret-key",
    "secret_key",
    "secretkey",
    "replace",
    "insecure",
    "letmein",
];

/// Nothing random of sixteen bytes or more has fewer different ones.
const DIFFERENT: usize = 8;

/// Whether this is a placeholder, not something random: it holds a word of templates, hardly any two of its bytes differ,
/// it repeats a block, its bytes are equally far apart, or most of them follow the one before as in the alphabet.
#[must_use]
pub fn is_placeholder(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let has = |word: &str| lower.windows(word.len()).any(|window| window == word.as_bytes());
    WORDS.iter().any(|word| has(word)) || is_pattern(bytes)
}

fn is_pattern(bytes: &[u8]) -> bool {
    let different: BTreeSet<u8> = bytes.iter().copied().collect();
    let steps: Vec<u8> = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let small = steps.iter().filter(|step| matches!(**step, 0 | 1 | u8::MAX)).count();
    different.len() < DIFFERENT
        || (1..=bytes.len() / 2).any(|block| bytes[block..] == bytes[..bytes.len() - block])
        || steps.windows(2).all(|pair| pair[0] == pair[1])
        || small * 4 >= steps.len() * 3
}
