//! Logged lines.

use std::fmt::Write;

/// A text in which nothing ends the line, moves a terminal's cursor or turns its reading direction. A host logs lines in
/// this form, and a daemon looks for secrets in it.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push('\t'),
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => {
                escape(&mut line, letter);
            }
            letter if letter.is_control() => escape(&mut line, letter),
            letter => line.push(letter),
        }
    }
    line
}

fn escape(line: &mut String, letter: char) {
    // Writing to a text cannot fail.
    let _ = write!(line, "\\u{:04x}", u32::from(letter));
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn nothing_breaks_out_of_a_line() {
        assert_eq!(one_line("a\nb\r\n{\"level\":\"error\"}"), "a\\nb\\r\\n{\"level\":\"error\"}");
        assert_eq!(one_line("\u{1b}[2J\u{0}\u{7f}\u{85}"), "\\u001b[2J\\u0000\\u007f\\u0085");
        assert_eq!(one_line("\u{202e}txt\u{2028}"), "\\u202etxt\\u2028");
        assert_eq!(one_line("na\u{ef}ve\t\u{1F980}"), "na\u{ef}ve\t\u{1F980}");
    }
}
