//! Values of JSON by their own text: what serde makes of numbers would have passed through floating point.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use serde_json_path::JsonPath;

/// How many parentheses a path may open.
const PARENTHESES: usize = 8;

/// Reads a JSONPath (RFC 9535) that is followed in time that grows with the text alone. Left out is what lets the nodes
/// or the reading itself grow exponentially with the path: descendants, unions, functions, filters within filters, and
/// the root within a filter.
///
/// # Errors
/// A sentence where the text is none of these.
pub(crate) fn path(text: &str) -> Result<JsonPath, String> {
    bounded(text)?;
    JsonPath::parse(text).map_err(|error| error.to_string())
}

/// Checks a path by its characters outside of quotes, before it is read: reading takes time as well.
fn bounded(text: &str) -> Result<(), String> {
    let (mut filters, mut opened, mut before) = (0, 0, None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, before) {
            ('\'' | '"', _) => skip_quoted(&mut rest, c),
            ('.', Some('.')) => return Err("descendants (..) are not taken".to_owned()),
            (',', _) => return Err("several selectors in one pair of brackets are not taken".to_owned()),
            ('$', Some(_)) => return Err("the root ($) stands at the beginning alone".to_owned()),
            ('(', Some(before)) if before.is_alphanumeric() || before == '_' => {
                return Err("functions are not taken".to_owned());
            }
            ('(', _) => opened += 1,
            ('?', _) => filters += 1,
            _ => {}
        }
        before = Some(c);
    }
    if filters > 1 {
        return Err("one filter is taken, not several".to_owned());
    }
    if opened > PARENTHESES {
        return Err(format!("it opens more than {PARENTHESES} parentheses"));
    }
    Ok(())
}

fn skip_quoted(rest: &mut std::str::Chars<'_>, quote: char) {
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            _ if c == quote => return,
            _ => {}
        }
    }
}

/// The one value at a JSONPath (RFC 9535).
///
/// # Errors
/// A sentence where the text is no JSON, the path none, or names no value or several.
pub(crate) fn at<'a>(text: &'a str, path: &str) -> Result<&'a RawValue, String> {
    let path = self::path(path).map_err(|error| format!("the path cannot be read: {error}"))?;
    let value: Value = serde_json::from_str(text).map_err(|_| "the answer is not JSON".to_owned())?;
    let found = path.query_located(&value);
    let [located] = found.iter().collect::<Vec<_>>()[..] else {
        return Err(format!("the path names {} values of the answer, not one", found.len()));
    };
    let mut raw: &RawValue = serde_json::from_str(text).map_err(|_| "the answer is not JSON".to_owned())?;
    for step in located.location().iter() {
        let lost = || "the answer cannot be followed along the path".to_owned();
        raw = match (step.as_name(), step.as_index()) {
            (Some(name), _) => serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get())
                .ok()
                .and_then(|members| members.get(name).copied())
                .ok_or_else(lost)?,
            (None, Some(index)) => serde_json::from_str::<Vec<&RawValue>>(raw.get())
                .ok()
                .and_then(|items| items.get(index).copied())
                .ok_or_else(lost)?,
            (None, None) => return Err(lost()),
        };
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn paths_that_would_blow_up_are_not_even_read() {
        let began = Instant::now();
        for bomb in [
            format!("${}", "..*".repeat(80)),
            format!("${}", "[0,0]".repeat(50)),
            format!("$[?{}@.a{}]", "@[?".repeat(60), "]".repeat(60)),
            format!("$[?{}1==1{}]", "(".repeat(100), ")".repeat(100)),
            "$[?$[?@.a]]".to_owned(),
            "$[?search(@.a, '(x{1000}){1000}')]".to_owned(),
            "$[?@ == $]".to_owned(),
            "$[?@.a][?@.b]".to_owned(),
        ] {
            assert!(path(&bomb).is_err(), "{bomb}");
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[test]
    fn paths_that_name_a_value_are_read_by_its_own_text() {
        let text = r#"{"data":[{"pair":"NEO,(..$?)","price":12345678901234567890.125},{"pair":"GAS","price":1}],"a'b":2}"#;
        for (path, found) in [
            ("$.data[0].price", "12345678901234567890.125"),
            ("$.data[?@.pair=='GAS'].price", "1"),
            ("$['data'][-1]['price']", "1"),
            ("$.data[?(@.pair == 'NEO,(..$?)' && @.price)].price", "12345678901234567890.125"),
            (r"$['a\'b']", "2"),
            ("$.data[1:2].price", "1"),
        ] {
            assert_eq!(at(text, path).map(RawValue::get), Ok(found), "{path}");
        }
        assert!(at(text, "$.data[*].price").is_err_and(|why| why.contains("names 2 values")));
    }
}
