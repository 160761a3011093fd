//! The operation document (`OpenAPI` 3.1) as this program needs it: every operation with its path, parameters and body.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    failure::{Failure, Outcome},
    schema::{self, Kind, Property},
    surroundings,
};

/// The document this program was built with.
const EMBEDDED: &str = include_str!("../../sdk/openapi.json");

/// The methods an operation can have, as the document spells them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// All operations of a server.
#[derive(Debug)]
pub struct Document {
    /// The version of the server it was made from.
    pub version: String,
    /// The operations, ordered by id.
    pub operations: Vec<Operation>,
    /// What a group of operations is about, by the group's name.
    pub groups: BTreeMap<String, String>,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// The dotted id: `functions.versions.list`.
    pub id: String,
    /// The HTTP method in capitals.
    pub method: String,
    /// The path with its parameters in braces.
    pub path: String,
    /// One line about it.
    pub summary: String,
    /// More about it, or nothing.
    pub description: String,
    /// The scope a token needs: `open`, `read`, `run`, `write`, `admin`, `operator`.
    pub scope: String,
    /// Whether the answer is a stream of server-sent events.
    pub streams: bool,
    /// The columns of a table of its items, where the answer is a list.
    pub columns: Vec<String>,
    /// Whether it takes an `Idempotency-Key`.
    pub idempotent: bool,
    /// The parameters in the path, in the order of the path.
    pub path_parameters: Vec<Property>,
    /// The parameters in the query.
    pub query: Vec<Property>,
    /// The body, where there is one.
    pub body: Option<Body>,
}

/// The body of a request.
#[derive(Debug)]
pub struct Body {
    /// Whether a request without one is refused.
    pub required: bool,
    /// Its shape; an object without properties of its own is [`Kind::Any`].
    pub kind: Kind,
}

impl Operation {
    /// The words of the command: the id split at its dots, with dashes.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.id.split('.').map(|word| word.replace('_', "-"))
    }

    /// Whether the answer is a page of a list.
    pub fn is_list(&self) -> bool {
        self.query.iter().any(|property| property.name == "cursor")
    }

    /// Whether it is about an account as such, and not about something in it.
    pub fn is_about_account(&self) -> bool {
        let only = self.path_parameters.len() == 1 && self.path_parameters[0].name == "account";
        only && (self.path.ends_with("/{account}") || self.id.starts_with("accounts."))
    }

    /// Whether it only reads.
    pub fn is_read(&self) -> bool {
        self.method == "GET"
    }
}

impl Document {
    /// The document built in, or the one that `SERVICE_LAYER_OPENAPI` names: a server newer than this program.
    pub fn load() -> Outcome<Self> {
        let Some(path) = surroundings::variable("SERVICE_LAYER_OPENAPI") else {
            return Self::parse(EMBEDDED);
        };
        let about =
            |error: &dyn std::fmt::Display| Failure::usage(format!("SERVICE_LAYER_OPENAPI: {path}: {error}"));
        let text = std::fs::read_to_string(&path).map_err(|error| about(&error))?;
        Self::parse(&text).map_err(|failure| about(&failure))
    }

    /// Reads a document.
    pub fn parse(text: &str) -> Outcome<Self> {
        let root: Value = serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("the operation document is no JSON: {error}")))?;
        let mut operations: Vec<Operation> = Vec::new();
        for (path, item) in root["paths"].as_object().into_iter().flatten() {
            let found = METHODS.iter().filter(|method| item[**method].is_object());
            operations.extend(found.filter_map(|method| operation(&root, path, method, item)));
        }
        operations.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(Self { version: string(&root["info"], "version"), operations, groups: groups(&root) })
    }

    /// The operation of this id.
    pub fn find(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }
}

fn groups(root: &Value) -> BTreeMap<String, String> {
    let tags = root["tags"].as_array().into_iter().flatten();
    tags.map(|tag| (string(tag, "name").replace('_', "-").to_lowercase(), string(tag, "description")))
        .collect()
}

fn operation(root: &Value, path: &str, method: &str, item: &Value) -> Option<Operation> {
    let value = &item[method];
    let own = value["parameters"].as_array().into_iter().flatten();
    let shared = item["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<(String, Property)> =
        shared.chain(own).map(|parameter| self::parameter(root, parameter)).collect();
    let within = |place: &str| -> Vec<Property> {
        parameters.iter().filter(|(found, _)| found == place).map(|(_, property)| property.clone()).collect()
    };
    Some(Operation {
        id: value["operationId"].as_str()?.to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: string(value, "summary"),
        description: string(value, "description"),
        scope: string(value, "x-scope"),
        streams: value["x-stream"] == "sse",
        columns: strings(&value["x-columns"]),
        idempotent: value["x-idempotent"] == true,
        path_parameters: in_path(path, &within("path")),
        query: within("query"),
        body: body(root, &value["requestBody"]),
    })
}

fn parameter(root: &Value, value: &Value) -> (String, Property) {
    let value = schema::resolve(root, value);
    let description = value["description"].as_str();
    let mut property =
        schema::property(root, &string(value, "name"), &value["schema"], value["required"] == true);
    if let Some(description) = description {
        description.clone_into(&mut property.description);
    }
    (string(value, "in"), property)
}

/// The parameters that the path names, described where the document describes them.
fn in_path(path: &str, described: &[Property]) -> Vec<Property> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let known = described.iter().find(|property| property.name == name);
            known.cloned().unwrap_or_else(|| Property::text(name))
        })
        .collect()
}

fn body(root: &Value, value: &Value) -> Option<Body> {
    let value = schema::resolve(root, value);
    let content = value["content"].as_object()?;
    let media = content.get("application/json").or_else(|| content.values().next())?;
    Some(Body { required: value["required"] == true, kind: schema::kind(root, &media["schema"]) })
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
