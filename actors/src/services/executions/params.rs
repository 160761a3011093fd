//! The params of actions: read into types, and what is wrong with them told by the names that the function wrote.

use serde::de::DeserializeOwned;
use serde_json::Value;
use sl_store::{Fault, FieldError};

/// What functions call otherwise than the fields do that it becomes.
const OTHERWISE: [(&str, &str); 2] = [("to_address", "to"), ("wallet_address", "wallet")];

/// Reads the params of an action.
///
/// # Errors
/// [`sl_store::Code::Invalid`] naming the param that is missing, unknown or of another type.
pub fn read<T: DeserializeOwned>(params: &Value) -> Result<T, Fault> {
    serde_json::from_value(params.clone()).map_err(|error| misfit::<T>(params, &error.to_string()))
}

fn misfit<T: DeserializeOwned>(params: &Value, told: &str) -> Fault {
    let quoted = |start: &str| told.strip_prefix(start).and_then(|rest| rest.split('`').nth(1));
    if let Some(name) = quoted("missing field") {
        return Fault::field(format!("/{name}"), "required", "is required");
    }
    if let Some(name) = quoted("unknown field") {
        return Fault::field(format!("/{name}"), "unknown_field", "is not a known param");
    }
    let Some(given) = params.as_object() else { return Fault::field("", "type", "must be an object") };
    // The one without which the complaint is another, or none.
    let at_fault = given.keys().find(|name| {
        let mut others = given.clone();
        others.remove(*name);
        let read = serde_json::from_value::<T>(Value::Object(others));
        read.err().is_none_or(|error| error.to_string() != told)
    });
    let pointer = at_fault.map_or_else(String::new, |name| format!("/{name}"));
    Fault::field(pointer, "type", format!("cannot be read: {told}"))
}

/// A fault of an action, its pointers naming the params as the function wrote them.
#[must_use]
pub(super) fn named(fault: Fault, params: &Value) -> Fault {
    if fault.fields.is_empty() {
        return fault;
    }
    let fields = fault.fields.iter();
    let fields = fields.map(|field| FieldError { pointer: rename(&field.pointer, params), ..field.clone() });
    let told = Fault::fields(fields.collect());
    Fault { detail: told.detail, fields: told.fields, ..fault }
}

fn rename(pointer: &str, params: &Value) -> String {
    let Some(rest) = pointer.strip_prefix('/') else { return pointer.to_owned() };
    let (name, below) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    format!("/{}{below}", written(name, params))
}

/// The name of a param as the function wrote it, or would have.
fn written(name: &str, params: &Value) -> String {
    let given = params.as_object();
    if let Some(found) = given.and_then(|given| given.keys().find(|key| snake_case(key) == snake_case(name)))
    {
        return found.clone();
    }
    let other = OTHERWISE.iter().find(|(field, _)| *field == name).map(|(_, param)| *param);
    other.map_or_else(|| camel_case(name), str::to_owned)
}

/// `functionId` as `function_id`.
pub fn snake_case(name: &str) -> String {
    let mut written = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            written.push('_');
        }
        written.push(letter.to_ascii_lowercase());
    }
    written
}

/// `function_id` as `functionId`.
fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        written.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        written.push_str(letters.as_str());
    }
    written
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params {
        #[serde(alias = "feedId")]
        _feed_id: Uuid,
        #[serde(default)]
        _note: Option<String>,
    }

    fn told(params: &Value) -> (String, &'static str) {
        let fault = named(read::<Params>(params).expect_err("a misfit"), params);
        (fault.fields[0].pointer.clone(), fault.fields[0].rule)
    }

    #[test]
    fn a_misfit_names_its_param() {
        assert_eq!(told(&json!({"feedId": "x"})), ("/feedId".to_owned(), "type"));
        let id = Uuid::nil();
        assert_eq!(told(&json!({"feedId": id, "_note": 7})), ("/_note".to_owned(), "type"));
        assert_eq!(told(&json!({"feedId": id, "more": 7})), ("/more".to_owned(), "unknown_field"));
        assert_eq!(told(&json!([])).0, "");
    }

    #[test]
    fn pointers_are_what_the_function_wrote() {
        let params = json!({"dataSourceId": 1, "to": "x", "config": {}});
        let renamed = |pointer: &str| rename(pointer, &params);
        assert_eq!(renamed("/data_source_id"), "/dataSourceId");
        assert_eq!(renamed("/to_address"), "/to");
        assert_eq!(renamed("/config/timezone"), "/config/timezone");
        assert_eq!(renamed("/gas_account_id"), "/gasAccountId");
        assert_eq!(renamed("/wallet_address/0"), "/wallet/0");
        assert_eq!(renamed(""), "");
    }
}
