//! `export`: functions as manifests.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser};
use serde_json::{Map, Value, json};

use super::{
    file::{self, FUNCTION},
    plan,
};
use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    output,
    session::{Session, flag},
    text,
};

/// The fields that stand first, for the reader; the source stands last.
const FIRST: [&str; 3] = ["kind", "name", "description"];

/// The command.
pub fn command() -> Command {
    Command::new("export")
        .about("Write functions as manifests that apply takes")
        .arg(Arg::new("name").value_name("NAME").num_args(0..).help("The functions; all if left out"))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["yaml", "json", "toml"]))
                .default_value("yaml")
                .help("yaml, json or toml"),
        )
        .arg(
            Arg::new("dir")
                .long("dir")
                .short('d')
                .value_name("FOLDER")
                .help("Write a manifest and a source for each function into this folder"),
        )
}

/// Runs it.
pub async fn export(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let ids = plan::ids(session).await?;
    let asked: BTreeSet<&String> = matches.get_many::<String>("name").into_iter().flatten().collect();
    if let Some(missing) = asked.iter().find(|name| !ids.contains_key(**name)) {
        return Err(Failure::new(Exit::NotFound, format!("no function `{}`", text::one_line(missing))));
    }
    let fields = file::known_fields(&session.document);
    let mut manifests = Vec::new();
    for (_, id) in ids.iter().filter(|(name, _)| asked.is_empty() || asked.contains(name)) {
        manifests.push(manifest(&plan::fetch(session, id).await?.value()?, &fields));
    }
    let format = flag(matches, "format").unwrap_or_default();
    match flag(matches, "dir") {
        Some(folder) => write_all(&manifests, Path::new(&folder), &format),
        None => output::write(&together(&manifests, &format)?),
    }
}

/// What is told of a function that a manifest can say; what is unset or empty is left out.
fn manifest(function: &Value, fields: &[String]) -> Map<String, Value> {
    let told = fields.iter().filter_map(|name| Some((name.clone(), without_nulls(function.get(name)?)?)));
    let mut manifest: Map<String, Value> = told.collect();
    manifest.insert("kind".to_owned(), json!(FUNCTION));
    manifest
}

fn without_nulls(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(members) => {
            let members =
                members.iter().filter_map(|(name, value)| Some((name.clone(), without_nulls(value)?)));
            Some(members.collect::<Map<_, _>>()).filter(|members| !members.is_empty()).map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

fn together(manifests: &[Map<String, Value>], format: &str) -> Outcome<String> {
    match format {
        "json" => Ok(format!("{:#}\n", json!({"items": manifests}))),
        "toml" => toml_text(&json!({"items": manifests})),
        _ => manifests.iter().map(|manifest| Ok(format!("---\n{}", ordered_yaml(manifest)?))).collect(),
    }
}

fn toml_text(value: &Value) -> Outcome<String> {
    toml::to_string_pretty(value).map_err(|error| Failure::new(Exit::Other, format!("no TOML: {error}")))
}

/// A manifest as YAML in the order that reads well.
pub fn ordered_yaml(manifest: &Map<String, Value>) -> Outcome<String> {
    let place = |name: &str| match FIRST.iter().position(|first| *first == name) {
        Some(place) => place,
        None if name == "source" => FIRST.len() + 1,
        None => FIRST.len(),
    };
    let mut members: Vec<(&String, &Value)> = manifest.iter().collect();
    members.sort_by_key(|(name, _)| (place(name), (*name).clone()));
    let one = |(name, value): (&String, &Value)| output::yaml(&json!({name: value}));
    members.into_iter().map(one).collect()
}

fn write_all(manifests: &[Map<String, Value>], folder: &Path, format: &str) -> Outcome<()> {
    let about = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(about)?;
    let mut taken = BTreeSet::new();
    for manifest in manifests {
        let name = file_name(manifest["name"].as_str().unwrap_or_default(), &mut taken);
        let mut manifest = manifest.clone();
        if let Some(Value::String(source)) = manifest.remove("source") {
            fs::write(folder.join(format!("{name}.js")), source).map_err(about)?;
            manifest.insert("source_file".to_owned(), json!(format!("{name}.js")));
        }
        let text = match format {
            "json" => format!("{:#}\n", Value::Object(manifest)),
            "toml" => toml_text(&Value::Object(manifest))?,
            _ => ordered_yaml(&manifest)?,
        };
        fs::write(folder.join(format!("{name}.{format}")), text).map_err(about)?;
    }
    Ok(())
}

/// A file name for a function: a name of its own can be any text.
fn file_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let plain: String = name.chars().map(safe).collect();
    let mut found = plain.clone();
    let mut number = 2;
    while !taken.insert(found.to_lowercase()) {
        found = format!("{plain}-{number}");
        number += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe_and_differ() {
        let mut taken = BTreeSet::new();
        assert_eq!(file_name("../../etc/passwd", &mut taken), "------etc-passwd");
        assert_eq!(file_name("a.b", &mut taken), "a-b");
        assert_eq!(file_name("A b", &mut taken), "A-b-2");
    }
}
