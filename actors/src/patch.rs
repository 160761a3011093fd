//! Changes as callers send them: what is absent stays, and `null` clears.

use serde::{Deserialize, Deserializer};

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
