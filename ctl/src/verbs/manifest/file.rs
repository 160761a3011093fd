//! Manifests as they stand in files.

use std::{fs, path::Path};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    document::Document,
    failure::{Failure, Outcome},
    schema::Kind,
    session::Session,
    text, value,
};

/// The endings of files that a folder is searched for.
const ENDINGS: [&str; 4] = ["yaml", "yml", "json", "toml"];

/// The only kind of thing that has manifests so far.
pub const FUNCTION: &str = "function";

/// The path under which the functions of an account are listed and created.
pub const FUNCTIONS: &str = "/accounts/{account}/functions";

/// What a thing should be.
#[derive(Debug)]
pub struct Manifest {
    /// Where it stands, for people.
    pub origin: String,
    /// The kind of thing: `function`.
    pub kind: String,
    /// The name by which it is found.
    pub name: String,
    /// What its fields should be, as the server knows them.
    pub fields: Map<String, Value>,
}

/// The fields that a manifest can have: those with which a function is created.
pub fn known_fields(document: &Document) -> Vec<String> {
    let create = document
        .operations
        .iter()
        .find(|found| found.path == FUNCTIONS && found.method == Method::POST.as_str());
    match create.and_then(|operation| operation.body.as_ref()).map(|body| &body.kind) {
        Some(Kind::Object(properties)) => properties.iter().map(|property| property.name.clone()).collect(),
        _ => Vec::new(),
    }
}

/// Reads all manifests in files and folders. Two of the same name are refused.
pub fn read_all<'a>(session: &Session, paths: impl Iterator<Item = &'a String>) -> Outcome<Vec<Manifest>> {
    let known = known_fields(&session.document);
    let mut manifests: Vec<Manifest> = Vec::new();
    for path in paths {
        for file in files(path)? {
            for (origin, value) in documents(&file)? {
                let manifest = manifest(origin, value, &file, &known)?;
                if let Some(twin) = manifests.iter().find(|other| other.name == manifest.name) {
                    let both = format!("{} and {}", twin.origin, manifest.origin);
                    return Err(Failure::usage(format!("function {} stands twice: {both}", manifest.name)));
                }
                manifests.push(manifest);
            }
        }
    }
    if manifests.is_empty() {
        Err(Failure::usage("there is no manifest in these files"))
    } else {
        Ok(manifests)
    }
}

/// The file itself, or the manifests in a folder by their names.
fn files(path: &str) -> Outcome<Vec<String>> {
    if !Path::new(path).is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let about = |error: std::io::Error| Failure::usage(format!("{path}: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(about)? {
        let file = entry.map_err(about)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ENDINGS.contains(&ending) && file.is_file() {
            found.push(file.to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// The documents of a file, each with where it stands. One with `items` holds several.
fn documents(file: &str) -> Outcome<Vec<(String, Value)>> {
    let text = value::file(file)?;
    let about = |error: &dyn std::fmt::Display| Failure::usage(format!("{file}: {error}"));
    let ending = Path::new(file).extension().and_then(|ending| ending.to_str()).unwrap_or("yaml");
    let parsed = match ending {
        "json" => vec![serde_json::from_str(&text).map_err(|error| about(&error))?],
        "toml" => vec![toml::from_str(&text).map_err(|error| about(&error))?],
        _ => serde_norway::Deserializer::from_str(&text)
            .map(|document| Value::deserialize(document).map_err(|error| about(&error)))
            .collect::<Outcome<Vec<Value>>>()?,
    };
    let each = parsed.into_iter().flat_map(|value| match value {
        Value::Array(items) => items,
        Value::Object(mut members) if members.get("items").is_some_and(Value::is_array) => {
            members.remove("items").and_then(|items| items.as_array().cloned()).unwrap_or_default()
        }
        other => vec![other],
    });
    let each: Vec<Value> = each.filter(|value| !value.is_null()).collect();
    let only = each.len() == 1;
    let origin =
        |place: usize| if only { file.to_owned() } else { format!("{file}, manifest {}", place + 1) };
    Ok(each.into_iter().enumerate().map(|(place, value)| (origin(place), value)).collect())
}

fn manifest(origin: String, value: Value, file: &str, known: &[String]) -> Outcome<Manifest> {
    let wrong = |why: String| Failure::usage(format!("{origin}: {why}"));
    let Value::Object(mut fields) = value else { return Err(wrong("a manifest is an object".to_owned())) };
    let kind =
        fields.remove("kind").ok_or_else(|| wrong(format!("kind is missing; known is: {FUNCTION}")))?;
    if kind != FUNCTION {
        return Err(wrong(format!(
            "kind `{}` is not known; known is: {FUNCTION}",
            text::one_line(&text::plain(&kind))
        )));
    }
    if let Some(path) = fields.remove("source_file") {
        let path = path.as_str().ok_or_else(|| wrong("source_file is no text".to_owned()))?;
        let source = source(file, path).map_err(|failure| wrong(failure.message))?;
        if fields.insert("source".to_owned(), Value::String(source)).is_some() {
            return Err(wrong("source and source_file exclude each other".to_owned()));
        }
    }
    if let Some(unknown) = fields.keys().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(wrong(format!(
            "unknown field `{}`; known are: kind, source_file, {known}",
            text::one_line(unknown)
        )));
    }
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong("name is missing".to_owned()))?.to_owned();
    Ok(Manifest { kind: FUNCTION.to_owned(), name, fields, origin })
}

/// The text of a source beside the manifest.
fn source(manifest: &str, path: &str) -> Outcome<String> {
    let folder = Path::new(manifest).parent().unwrap_or(Path::new(""));
    value::file(&folder.join(path).to_string_lossy())
}
