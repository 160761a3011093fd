//! Checks of what callers send: every rule that is broken is told, with its bound and what was found.

use std::{collections::BTreeMap, ops::RangeInclusive};

use sl_store::{Fault, FieldError};

use crate::settings::Setting;

/// Collects broken rules.
#[derive(Debug, Default)]
pub struct Check {
    broken: Vec<FieldError>,
    /// The setting whose limit was hit first, the limit, and what was found.
    limit: Option<(&'static Setting, u64, u64)>,
}

impl Check {
    /// Nothing is broken yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells a broken rule.
    pub fn broken(
        &mut self,
        pointer: impl Into<String>,
        rule: &'static str,
        detail: impl Into<String>,
    ) -> &mut Self {
        self.broken.push(FieldError { pointer: pointer.into(), rule, detail: detail.into() });
        self
    }

    /// No more bytes than a setting allows.
    pub fn bytes(
        &mut self,
        pointer: &str,
        found: usize,
        setting: &'static Setting,
        most: usize,
    ) -> &mut Self {
        if found > most {
            self.limit.get_or_insert((setting, most as u64, found as u64));
            let detail = format!("must have at most {most} bytes ({}), not {found}", setting.name);
            self.broken(pointer, "length", detail);
        }
        self
    }

    /// Text of so many characters, not blank, without control characters.
    pub fn text(&mut self, pointer: &str, text: &str, length: RangeInclusive<usize>) -> &mut Self {
        let found = text.chars().count();
        if !length.contains(&found) {
            let (least, most) = (length.start(), length.end());
            self.broken(pointer, "length", format!("must have {least} to {most} characters, not {found}"));
        } else if *length.start() > 0 && text.trim().is_empty() {
            self.broken(pointer, "blank", "must not be blank");
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.broken(pointer, "characters", "must not contain control characters");
        }
        self
    }

    /// A map of at most `entries` labels: keys of 1 to 64 characters, values of up to 1,024.
    pub fn labels(&mut self, pointer: &str, labels: &BTreeMap<String, String>, entries: usize) -> &mut Self {
        if labels.len() > entries {
            self.broken(
                pointer,
                "entries",
                format!("must have at most {entries} entries, not {}", labels.len()),
            );
        }
        for (key, value) in labels {
            let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.text(&pointer, key, 1..=64).text(&pointer, value, 0..=1_024);
        }
        self
    }

    /// All broken rules as one fault.
    ///
    /// # Errors
    /// [`sl_store::Code::Invalid`] where any rule is broken.
    pub fn finish(&mut self) -> Result<(), Fault> {
        if self.broken.is_empty() {
            return Ok(());
        }
        let fault = Fault::fields(std::mem::take(&mut self.broken));
        Err(match self.limit.take() {
            Some((setting, most, found)) => fault.limited(setting.name, most, found),
            None => fault,
        })
    }
}
