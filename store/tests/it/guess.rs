//! What is taken for a placeholder, and what is not.

use proptest::prelude::*;
use sl_store::guess::is_placeholder;

#[test]
fn what_hands_type_is_a_placeholder() {
    for text in [
        "12345678901234567890123456789012",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "your-32-byte-encryption-key-here",
        "your-secret-key-here-32-bytes!!!",
        "abcdefghijklmnopqrstuvwxyz012345",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQ=",
        "zyxwvutsrqponmlkjihgfedcba987654",
        "qwertyuiqwertyuiqwertyuiqwertyui",
        "xxxxxxxxxxxxxxxxxxxx",
        "0123456789abcdef",
        "REPLACE-with-32-random-bytes-now",
    ] {
        assert!(is_placeholder(text.as_bytes()), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_random_is_none(bytes in any::<[u8; 32]>(), token in "[a-f0-9]{48}", word in "[A-Za-z0-9_-]{32}") {
        prop_assert!(!is_placeholder(&bytes));
        prop_assert!(!is_placeholder(token.as_bytes()), "{token}");
        prop_assert!(!is_placeholder(word.as_bytes()), "{word}");
    }
}
