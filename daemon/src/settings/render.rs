//! Settings as people and programs read them: `sld print-config`, and the sample file made from the same words.

use serde_json::{Value, json};
use sl_actors::settings::{Scope, Setting, Settings, Unit};

use super::{
    Layers, catalogue,
    named::{self, Kind, Named},
};

/// What a setting is and what it stands at.
struct Shown {
    group: String,
    key: String,
    value: Option<String>,
    is_text: bool,
    origin: String,
    about: Value,
}

/// All settings as a configuration file that would bring about what is in force; secrets only as `set` or `unset`.
#[must_use]
pub fn toml(layers: &Layers) -> String {
    write(&shown(layers), false)
}

/// All settings at their defaults, commented out: the sample file.
#[must_use]
pub fn sample() -> String {
    let head = "# Every setting of sld with its default. Uncomment what should differ; `sld check-config --config FILE` checks it.\n\
                # The environment speaks louder than this file, flags louder than the environment.\n\n";
    format!("{head}{}", write(&shown(&Layers::default()), true))
}

/// All settings as JSON: name, value, unit, bounds, source, documentation.
#[must_use]
pub fn json(layers: &Layers) -> String {
    let all: Vec<Value> = shown(layers).into_iter().map(|shown| shown.about).collect();
    format!("{:#}\n", Value::Array(all))
}

/// The secrets as an environment file, commented out.
#[must_use]
pub fn sample_environment() -> String {
    let mut text = String::from(
        "# Secrets of sld. Each can also stand in a file that NAME_FILE points to, or be a systemd credential of the name in\n\
         # parentheses, which is better than an environment variable.\n",
    );
    let secrets = named::ALL.iter().filter(|setting| setting.is_secret());
    text.extend(
        secrets.map(|setting| format!("\n# {} ({})\n#{}=\n", setting.doc, setting.name, setting.environment)),
    );
    text
}

fn shown(layers: &Layers) -> Vec<Shown> {
    // Problems do not matter here: what cannot be read is shown as it would be without it; check-config tells them.
    let mut problems = Vec::new();
    let limits = layers.numbers(&mut problems);
    let mut numbers: Vec<Shown> =
        catalogue().into_iter().map(|setting| show_number(&limits, setting)).collect();
    // A table of TOML is written once, so what belongs to it stands together.
    numbers.sort_by(|one, other| (&one.group, &one.key).cmp(&(&other.group, &other.key)));
    named::ALL.iter().map(|setting| show_named(layers, setting)).chain(numbers).collect()
}

fn show_named(layers: &Layers, setting: &Named) -> Shown {
    let (value, origin) = layers.named(setting, &mut Vec::new());
    let value = if setting.is_secret() {
        Some(if value.is_some() { "set" } else { "unset" }.to_owned())
    } else {
        value
    };
    let kind = match setting.kind {
        Kind::Text => "text",
        Kind::Switch => "switch",
        Kind::Secret => "secret",
    };
    let about = json!({
        "name": setting.name, "value": value, "unit": kind, "default": setting.default, "source": origin.to_string(),
        "environment": setting.environment, "doc": setting.doc,
    });
    let is_text = setting.kind != Kind::Switch;
    Shown {
        group: String::new(),
        key: setting.name.to_owned(),
        value,
        is_text,
        origin: origin.to_string(),
        about,
    }
}

fn show_number(limits: &Settings, setting: &'static Setting) -> Shown {
    let (value, source) = limits.value(setting);
    let (group, key) = setting.name.rsplit_once('.').unwrap_or(("", setting.name));
    let (unit, is_text) = match setting.unit {
        Unit::Count => ("count", false),
        Unit::Bytes => ("bytes", true),
        Unit::Duration => ("duration", true),
        Unit::PerSecond => ("per second", true),
        Unit::Flag => ("switch", false),
    };
    let about = json!({
        "name": setting.name, "value": setting.format(value), "unit": unit, "default": setting.format(setting.default),
        "min": setting.format(setting.min), "max": setting.format(setting.max), "source": source.as_str(),
        "per_account": setting.scope == Scope::Account, "environment": setting.environment(), "doc": setting.doc,
    });
    Shown {
        group: group.to_owned(),
        key: key.to_owned(),
        value: Some(setting.format(value)),
        is_text,
        origin: source.as_str().to_owned(),
        about,
    }
}

fn write(all: &[Shown], commented: bool) -> String {
    let mut text = String::new();
    let mut group = "";
    for shown in all {
        if shown.group != group {
            group = &shown.group;
            text.extend(["[", group, "]\n\n"]);
        }
        text.push_str(&comment(shown, commented));
        text.push_str(&line(shown, commented));
        text.push('\n');
    }
    text
}

fn comment(shown: &Shown, is_sample: bool) -> String {
    let word = |name: &str| shown.about[name].as_str().unwrap_or_default().to_owned();
    let bounds = if shown.about["min"].is_null() || word("unit") == "switch" {
        String::new()
    } else {
        format!(" from {} to {}", word("min"), word("max"))
    };
    let account = if shown.about["per_account"] == true { "; per account" } else { "" };
    let origin = if is_sample { String::new() } else { format!("; from {}", shown.origin) };
    format!("# {}\n# {}{bounds}{account}; {}{origin}\n", word("doc"), word("unit"), word("environment"))
}

fn line(shown: &Shown, commented: bool) -> String {
    let is_secret = shown.about["unit"] == "secret";
    let key = &shown.key;
    if is_secret {
        let state = if commented {
            String::new()
        } else {
            format!(" # {}", shown.value.as_deref().unwrap_or("unset"))
        };
        return format!("#{key}_file = \"/path\"{state}\n");
    }
    let mark = if commented || shown.value.is_none() { "#" } else { "" };
    let value = shown.value.clone().unwrap_or_default();
    if shown.is_text {
        format!("{mark}{key} = {}\n", Value::from(value))
    } else {
        format!("{mark}{key} = {value}\n")
    }
}
