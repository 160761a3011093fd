//! Values of JSON by their own text: what serde makes of numbers would have passed through floating point.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use serde_json_path::JsonPath;

/// The one value at a JSONPath (RFC 9535).
///
/// # Errors
/// A sentence where the text is no JSON, the path none, or names no value or several.
pub(crate) fn at<'a>(text: &'a str, path: &str) -> Result<&'a RawValue, String> {
    let path = JsonPath::parse(path).map_err(|error| format!("the path cannot be read: {error}"))?;
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
