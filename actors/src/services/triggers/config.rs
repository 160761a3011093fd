//! What a trigger's `config` may say, by type.

use serde_json::{Map, Value};
use sl_store::{Fault, FieldError};

use super::{
    named::{Scheme, TriggerType},
    trigger::Trigger,
};
use crate::{
    check::Check,
    schedule::{Fold, Gap, Schedule, Timetable, read_zone},
};

const FILTERS: usize = 16;
const MEMBERS: usize = 32;
const TEXT: usize = 2_048;
const SCHEMA: usize = 32 << 10;

/// The member of a webhook's config that is sealed and never kept there.
pub(super) const SECRET: &str = "secret";

/// The config with its keys in lower case, as clients expect.
fn lower_case(config: Map<String, Value>) -> Map<String, Value> {
    config.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect()
}

/// Takes over what a change says, one level deep: members that are given replace those of that name, a `null` takes one
/// away, the others stay. Nothing stays where the whole is taken away.
pub(super) fn merge(config: &mut Map<String, Value>, change: Option<Map<String, Value>>) {
    let Some(change) = change else { return config.clear() };
    for (name, value) in lower_case(change) {
        if value.is_null() {
            config.remove(&name);
        } else {
            config.insert(name, value);
        }
    }
}

/// Writes the method that goes with the URL of a webhook as it is written everywhere: in upper case, `POST` where there
/// is none.
pub(super) fn settle(kind: TriggerType, config: &mut Map<String, Value>) {
    if kind != TriggerType::Webhook || !config.contains_key("url") {
        return;
    }
    let method = config.entry("method").or_insert(Value::Null);
    match method {
        Value::String(text) if !text.trim().is_empty() => *text = text.trim().to_uppercase(),
        Value::String(_) | Value::Null => *method = Value::from("POST"),
        _ => {}
    }
}

/// A text of the config.
fn text<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    config.get(name).and_then(Value::as_str)
}

/// The scheme of a webhook.
pub(super) fn scheme(config: &Map<String, Value>) -> Option<Scheme> {
    match config.get("scheme") {
        None => Some(Scheme::Standard),
        Some(named) => named.as_str().and_then(Scheme::read),
    }
}

/// The schema that a webhook's payload must satisfy, read.
pub(super) fn validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Holds a payload that stands at `place` against the webhook's schema.
pub(super) fn conform(config: &Map<String, Value>, payload: &Value, place: &str) -> Result<(), Fault> {
    let Some(schema) = config.get("schema") else { return Ok(()) };
    let validator = validator(schema).map_err(Fault::internal)?;
    let broken = validator.iter_errors(payload).take(8).map(|error| FieldError {
        pointer: format!("{place}{}", error.instance_path()),
        rule: "schema",
        detail: error.to_string().chars().take(300).collect(),
    });
    let broken: Vec<_> = broken.collect();
    if broken.is_empty() { Ok(()) } else { Err(Fault::fields(broken)) }
}

/// The timetable of a trigger with a schedule.
///
/// # Errors
/// Names the member that is wrong.
pub(super) fn timetable(trigger: &Trigger) -> Result<Timetable, Fault> {
    let config = &trigger.config;
    let zone = text(config, "timezone").unwrap_or("UTC");
    let refused = |name, all| Fault::field(format!("/config/{name}"), "one_of", format!("must be {all}"));
    Ok(Timetable {
        schedule: Schedule::read(&trigger.rule).map_err(|refused| refused.at("/rule"))?,
        zone: read_zone(zone).map_err(|refused| refused.at("/config/timezone"))?,
        gap: match text(config, "dst_gap") {
            None => Gap::default(),
            Some(name) => Gap::read(name).ok_or_else(|| refused("dst_gap", "skip or shift"))?,
        },
        fold: match text(config, "dst_fold") {
            None => Fold::default(),
            Some(name) => Fold::read(name).ok_or_else(|| refused("dst_fold", "first or both"))?,
        },
        anchor: trigger.head.created_at,
    })
}

/// Checks rule and config. Members that the type does not know are kept as labels; they are texts.
pub(super) fn check(trigger: &Trigger) -> Result<(), Fault> {
    let mut check = Check::new();
    let rule = usize::from(trigger.kind != TriggerType::Webhook);
    check.text("/rule", &trigger.rule, rule..=512);
    if trigger.config.len() > MEMBERS {
        let detail = format!("must have at most {MEMBERS} members, not {}", trigger.config.len());
        check.broken("/config", "entries", detail);
    }
    for (name, value) in &trigger.config {
        let pointer = format!("/config/{}", name.replace('~', "~0").replace('/', "~1"));
        check.text(&pointer, name, 1..=64);
        match (trigger.kind, name.as_str(), value) {
            (TriggerType::Event, "filter", Value::Object(filter)) => check_filter(filter, &mut check),
            (TriggerType::Webhook, "schema", schema @ (Value::Object(_) | Value::Bool(_))) => {
                check_schema(schema, &mut check);
            }
            (_, _, Value::String(text)) if name != "filter" && name != "schema" => {
                check.text(&pointer, text, 0..=TEXT);
            }
            (_, "filter", _) => {
                check.broken(&pointer, "type", "must be an object, of a trigger that waits for events");
            }
            (_, "schema", _) => {
                let detail = "must be a JSON Schema (an object, true or false), of a webhook";
                check.broken(&pointer, "type", detail);
            }
            _ => {
                check.broken(&pointer, "type", "must be a text");
            }
        }
    }
    check_by_type(trigger, &mut check);
    check.finish()?;
    if trigger.kind == TriggerType::Cron { timetable(trigger).map(|_| ()) } else { Ok(()) }
}

fn check_by_type(trigger: &Trigger, check: &mut Check) {
    match trigger.kind {
        TriggerType::Cron => {}
        TriggerType::Event => {
            let star = trigger.rule.trim_end_matches('*').contains('*');
            if star || trigger.rule.chars().any(char::is_whitespace) {
                let detail = "must be a kind of event such as function.created; a * stands at the end only";
                check.broken("/rule", "pattern", detail);
            }
        }
        TriggerType::Webhook => {
            if scheme(&trigger.config).is_none() {
                let all: Vec<&str> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
                check.broken("/config/scheme", "one_of", format!("must be one of {}", all.join(", ")));
            }
        }
    }
}

fn check_filter(filter: &Map<String, Value>, check: &mut Check) {
    if filter.len() > FILTERS {
        let detail = format!("must have at most {FILTERS} members, not {}", filter.len());
        check.broken("/config/filter", "entries", detail);
    }
    for name in filter.keys() {
        if !name.starts_with('/') && !["subject", "service", "actor"].contains(&name.as_str()) {
            let detail = format!("{name:?} is neither subject, service, actor nor a JSON Pointer like /name");
            check.broken("/config/filter", "name", detail);
        }
    }
}

fn check_schema(schema: &Value, check: &mut Check) {
    let size = schema.to_string().len();
    if size > SCHEMA {
        check.broken("/config/schema", "length", format!("must be at most {SCHEMA} bytes, not {size}"));
    } else if let Err(refused) = validator(schema) {
        let detail = format!("is no JSON Schema that stands for itself: {refused}");
        check.broken("/config/schema", "schema", detail);
    }
}

/// Checks a secret that the caller brings along.
pub(super) fn check_secret(scheme: Scheme, secret: &str, pointer: &str) -> Result<(), Fault> {
    let mut check = Check::new();
    check.text(pointer, secret, 8..=256);
    if scheme == Scheme::Standard && super::verify::standard_key(secret.as_bytes()).is_none() {
        check.broken(pointer, "format", "must be whsec_ and the base64 of 16 to 64 bytes");
    }
    check.finish()
}
