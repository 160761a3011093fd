//! JSON texts as V8 writes them, made fit for readers that are stricter.

use std::borrow::Cow;

/// So deep may a text be nested; what reads JSON in this system and most others refuses more.
pub(super) const DEPTH: usize = 127;

/// How deep the arrays and objects of a JSON text are nested.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Puts U+FFFD in the place of each escape of half a surrogate pair, as `String.prototype.toWellFormed` does: a
/// JavaScript text may hold one, Unicode text may not.
pub(super) fn well_formed(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text[at..].find('\\').map(|offset| at + offset) {
        let pair = text.get(found..found + 6).and_then(unit);
        at = match pair {
            None => text.ceil_char_boundary(found + 2),
            Some(Half::None) => found + 6,
            Some(Half::High) if text.get(found + 6..found + 12).and_then(unit) == Some(Half::Low) => {
                found + 12
            }
            Some(Half::High | Half::Low) => {
                clean.push_str(&text[copied..found]);
                clean.push_str("\\ufffd");
                copied = found + 6;
                copied
            }
        };
        if at >= text.len() {
            break;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    None,
    High,
    Low,
}

/// Which half of a pair an escape `\uXXXX` stands for; none where it is no such escape.
fn unit(escape: &str) -> Option<Half> {
    let digits = escape.strip_prefix("\\u")?;
    Some(match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Half::High,
        0xdc00..=0xdfff => Half::Low,
        _ => Half::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_stands_outside_of_strings() {
        for (text, deep) in [("1", 0), ("{}", 1), (r#"{"a":[[]],"b":{}}"#, 3), (r#"["[[[","\"[["]"#, 1)] {
            assert_eq!(depth(text), deep, "{text}");
        }
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_nothing_else() {
        for whole in
            ["", "{}", r#""\ud83d\ude00""#, r#""\\ud800 \" \u00e9 é""#, r#""\\\\ud800""#, "\\é\\u12é", "\\"]
        {
            assert!(matches!(well_formed(whole), Cow::Borrowed(_)), "{whole}");
        }
        for (text, clean) in [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""a\udc00\ud83d\ude00\ud800é""#, r#""a\ufffd\ud83d\ude00\ufffdé""#),
            (r#""\ud800\ud800\udc00""#, r#""\ufffd\ud800\udc00""#),
            (r#""\ud800\n""#, r#""\ufffd\n""#),
            (r#""\\\ud800""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(well_formed(text), clean);
            assert!(serde_json::from_str::<serde_json::Value>(clean).is_ok());
        }
    }
}
