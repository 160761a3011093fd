//! What a secret's name and value may be, and which versions are kept.

use secrecy::{ExposeSecret as _, SecretString};

use super::VALUE_SIZE;
use crate::check::Check;

/// The longest name, in characters.
pub(super) const NAME: usize = 128;

/// Whether a text can be a secret's name.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |letter: char| letter != '|' && !letter.is_control();
    name.chars().count() <= NAME && !name.trim().is_empty() && name.chars().all(plain)
}

/// What names are one by, whatever their case.
pub(super) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

pub(super) fn check_name(check: &mut Check, name: &str) {
    if !is_name(name) {
        check.broken(
            "/name",
            "pattern",
            format!("must be 1 to {NAME} characters, not all blank, without | and control characters"),
        );
    }
}

/// The value's length is told, never the value.
pub(super) fn check_value(check: &mut Check, value: &SecretString, most: usize) {
    let found = value.expose_secret().len();
    if found == 0 {
        check.broken("/value", "length", "must not be empty");
    }
    check.bytes("/value", found, &VALUE_SIZE, most);
}

/// Adds a version to those kept; answers which go, so that at most `most` stay. The one in force stays whatever its age.
pub(super) fn keep(kept: &mut Vec<i64>, new: i64, active: i64, most: usize) -> Vec<i64> {
    kept.push(new);
    let surplus = kept.len().saturating_sub(most);
    let gone: Vec<i64> =
        kept.iter().copied().filter(|number| *number != active && *number != new).take(surplus).collect();
    kept.retain(|number| !gone.contains(number));
    gone
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_bounded_and_print() {
        assert!(["API_KEY", "a.b-c", "a b", "a/b", "ä", &"ß".repeat(128)].into_iter().all(is_name));
        assert!(!["", " ", "a|b", "a\0", "\u{85}", &"x".repeat(129)].into_iter().any(is_name));
    }

    proptest! {
        #[test]
        fn as_many_as_allowed_are_kept_and_always_the_active_one(count in 1_i64..60, most in 2_usize..20, active in 1_i64..60) {
            let active = active.min(count);
            let mut kept = Vec::new();
            for number in 1..=count {
                keep(&mut kept, number, active, most);
            }
            prop_assert_eq!(kept.len(), most.min(usize::try_from(count).unwrap_or(0)));
            prop_assert!(kept.contains(&active) && kept.contains(&count) && kept.is_sorted());
        }
    }
}
