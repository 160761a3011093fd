//! Text that is safe to show: what a tenant wrote must not steer the terminal of an operator.

use serde_json::Value;

/// The text on one line, with control characters shown instead of obeyed.
pub fn one_line(text: &str) -> String {
    text.chars().flat_map(shown).collect()
}

/// The text on its own lines, with every control character but the line feed and the tab shown instead of obeyed.
pub fn lines(text: &str) -> String {
    text.chars()
        .flat_map(|letter| if matches!(letter, '\n' | '\t') { vec![letter] } else { shown(letter) })
        .collect()
}

fn shown(letter: char) -> Vec<char> {
    if letter.is_control() || is_bidi(letter) { letter.escape_default().collect() } else { vec![letter] }
}

/// Letters that reorder the text around them, with which a name can pose as another.
const fn is_bidi(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A JSON value as a person writes it: strings without quotes, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(lines("a\r\nb\tc"), "a\\r\nb\tc");
        assert_eq!(one_line("\u{202e}txt"), "\\u{202e}txt");
    }
}
