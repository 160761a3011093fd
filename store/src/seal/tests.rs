use proptest::prelude::*;

use super::*;
use crate::SeededChance;

const ACCOUNT: Uuid = Uuid::from_u128(7);
const NEW: &str = "c2VydmljZSBsYXllciB0ZXN0IGtleSBudW1iZXIgMSE=";
const OLD: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const CONTEXT: &str = "secret/api-key/3";

fn ring(text: &str) -> KeyRing {
    KeyRing::parse("SECRET_ENCRYPTION_KEY", text).expect("a good key")
}

fn sealed() -> Vec<u8> {
    ring(OLD).seal(&SeededChance::new(1), ACCOUNT, CONTEXT, b"hunter2")
}

fn refusal(result: Result<Zeroizing<Vec<u8>>, Fault>) -> Code {
    result.expect_err("must not open").code
}

#[test]
fn what_was_sealed_opens_in_its_place() {
    let opened = ring(OLD).open(ACCOUNT, CONTEXT, &sealed()).expect("opened");
    assert_eq!(opened.as_slice(), b"hunter2");
    assert_eq!(KeyRing::sealed_bytes(&sealed()), b"hunter2".len());
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let envelope = sealed();
    for bit in 0..envelope.len() * 8 {
        let mut damaged = envelope.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refusal(ring(OLD).open(ACCOUNT, CONTEXT, &damaged)), Code::Integrity, "bit {bit}");
    }
    for length in 0..envelope.len() {
        assert_eq!(refusal(ring(OLD).open(ACCOUNT, CONTEXT, &envelope[..length])), Code::Integrity);
    }
}

#[test]
fn a_ciphertext_does_not_open_in_another_place() {
    let ring = ring(OLD);
    let envelope = sealed();
    let other = Uuid::from_u128(8);
    assert_eq!(refusal(ring.open(other, CONTEXT, &envelope)), Code::Integrity);
    for context in ["secret/api-key/4", "secret/api-kez/3", "header/api-key/3", "secret/api-key/3/", ""] {
        assert_eq!(refusal(ring.open(ACCOUNT, context, &envelope)), Code::Integrity, "{context:?}");
    }
}

#[test]
fn an_unknown_key_is_named_by_its_id_only() {
    let fault = ring(NEW).open(ACCOUNT, CONTEXT, &sealed()).expect_err("another key");
    assert_eq!(fault.code, Code::Integrity);
    assert!(fault.to_string().contains(&ring(OLD).key_ids()[0]));
    assert!(!fault.detail.contains(OLD));
}

#[test]
fn what_is_under_a_key_that_is_not_at_hand_is_not_broken() {
    let (id, envelope) = (ring(OLD).key_ids().remove(0), sealed());
    let open = |ring: &KeyRing, id: &str, envelope: &[u8]| ring.open_under(id, ACCOUNT, CONTEXT, envelope);
    assert_eq!(open(&ring(OLD), &id, &envelope).expect("opened").as_slice(), b"hunter2");
    let fault = open(&ring(NEW), &id, &envelope).expect_err("another key");
    assert_eq!(fault.code, Code::Unavailable);
    assert!(fault.to_string().contains(&id) && !fault.to_string().contains(OLD));
    for bit in 0..envelope.len() * 8 {
        let mut damaged = envelope.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refusal(open(&ring(OLD), &id, &damaged)), Code::Integrity, "bit {bit}");
    }
}

#[test]
fn rotation_reads_the_old_and_seals_under_the_new() {
    let both = ring(&format!("{NEW}, {OLD}"));
    let before = sealed();
    assert!(!both.is_current(&before));
    assert!(ring(OLD).is_current(&before));
    let plain = both.open(ACCOUNT, CONTEXT, &before).expect("the old key still opens");
    let after = both.seal(&SeededChance::new(2), ACCOUNT, CONTEXT, &plain);
    assert!(both.is_current(&after));
    assert_eq!(ring(NEW).open(ACCOUNT, CONTEXT, &after).expect("the new key alone").as_slice(), b"hunter2");
}

#[test]
fn derived_keys_differ_by_purpose_and_survive_a_rotation() {
    let old = ring(OLD);
    let both = ring(&format!("{NEW},{OLD}"));
    assert_eq!(old.derive("cursors"), both.derive("cursors"));
    assert_ne!(old.derive("cursors"), old.derive("other"));
    assert_ne!(old.derive("cursors"), ring(NEW).derive("cursors"));
}

#[test]
fn a_key_is_the_same_in_every_form() {
    let bytes: [u8; 32] = SeededChance::new(9).bytes();
    let hexadecimal = hex::encode(bytes);
    let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let ids: Vec<_> = [&hexadecimal, &standard, &url].map(|text| ring(text).key_ids()).into();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(ring("k3$Kx9!vQ2m#Zp7&Lw5*Rt8@Yb4^Nc6%").key_ids().len(), 1, "raw characters");
}

#[test]
fn thirty_two_characters_are_a_key_as_they_are() {
    for text in ["9f86d081884c7d659a2feaa0c55ad015", "a3bf4f1b2b0b822cd15d6c15b0f00a08"] {
        assert_eq!(ring(text).key_ids(), ring(&hex::encode(text)).key_ids());
    }
}

#[test]
fn bad_keys_are_refused_with_advice_and_never_printed() {
    let equal = "00".repeat(32);
    let steps = hex::encode((0..32).collect::<Vec<u8>>());
    for bad in [
        "",
        "short",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        &equal,
        &steps,
        "changemechangemechangemechangeme",
        "Y2hhbmdlbWVjaGFuZ2VtZWNoYW5nZW1lY2hhbmdlbWU=",
        "12345678901234567890123456789012",
        &"0123456789abcdef".repeat(4),
        "your-32-byte-encryption-key-here",
        "your-secret-key-here-32-bytes!!!",
        "abcdefghijklmnopqrstuvwxyz012345",
        "this is not a key in any of the forms that are known!",
        &OLD[..62],
        &format!("{OLD},"),
        &format!("{OLD}aa"),
    ] {
        let fault = KeyRing::parse("SECRET_ENCRYPTION_KEY", bad).expect_err(bad);
        assert_eq!(fault.code, Code::Invalid);
        assert!(fault.detail.contains("SECRET_ENCRYPTION_KEY") && fault.detail.contains("openssl rand"));
        assert!(bad.is_empty() || !fault.to_string().contains(bad), "{fault}");
    }
}

#[test]
fn debug_output_shows_ids_only() {
    let shown = format!("{:?}", ring(OLD));
    assert!(shown.contains(&ring(OLD).key_ids()[0]) && !shown.contains(&OLD[..16]));
}

proptest! {
    #[test]
    fn any_bytes_come_back(plain in prop::collection::vec(any::<u8>(), 0..2_000), seed in any::<u64>()) {
        let chance = SeededChance::new(seed);
        let ring = KeyRing::ephemeral(&chance);
        let envelope = ring.seal(&chance, ACCOUNT, CONTEXT, &plain);
        prop_assert_eq!(ring.open(ACCOUNT, CONTEXT, &envelope).expect("opened").to_vec(), plain);
    }
}
