//! A bearer token: it is sent and kept, never shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A bearer token.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The token in a text; blanks around it are not part of it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The token itself, for whoever sends or keeps it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_debug_form_does_not_hold_it() {
        assert!(!format!("{:?}", Token::new("slk_secret")).contains("secret"));
    }
}
