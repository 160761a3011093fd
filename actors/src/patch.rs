//! What callers send and leave out: in what is created `null` is as absent; in a change what is absent stays, and `null`
//! clears.

use serde::{Deserialize, Deserializer};

/// Reads a field of what is created that may be absent: `null` is as absent.
///
/// # Errors
/// As the field's own type.
pub(crate) fn or_usual<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Tells a `null`, which clears, from an absent field, which leaves alone.
///
/// # Errors
/// As the field's own type.
#[expect(clippy::option_option, reason = "that is the difference")]
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What a field is after a change: as before where nothing was said of it, as it is usually where it was cleared.
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
pub(crate) fn changed<T>(given: Option<Option<T>>, before: T, usual: T) -> T {
    match given {
        None => before,
        Some(None) => usual,
        Some(Some(value)) => value,
    }
}
