//! The signing key, as operators give it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sl_actors::signing::Signer;

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
fn a_key_of_equal_bytes_is_known_as_a_placeholder() {
    assert!(Signer::parse(&"11".repeat(32)).unwrap().is_placeholder());
    assert!(!Signer::parse(SEED).unwrap().is_placeholder());
}

#[test]
fn a_bad_key_is_refused_with_what_is_wrong() {
    let refused = |text: &str| Signer::parse(text).unwrap_err();
    assert!(refused("not a key").contains("neither base64 nor hex"));
    assert!(refused(&hex::encode([1, 2, 3])).contains("bytes"));
    assert!(refused(&format!("{SEED}{SEED}")).contains("second half"));
    assert!(!refused(&format!("{SEED}{SEED}")).contains("4ccd"));
}
