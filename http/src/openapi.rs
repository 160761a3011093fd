//! The document of the API (OpenAPI 3.1), built from the table of operations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    input::{self, Holds},
    operation::{Form, Needs, Operation},
    problem::Problem,
    query,
    routes::GROUPS,
    schemas::Schemas,
};

/// The document of these operations.
#[must_use]
pub fn document(table: &[Operation]) -> Value {
    let mut schemas = Schemas::default();
    schemas.reference::<Problem>();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in table {
        let written = self::operation(operation, table, &mut schemas);
        paths.entry(operation.path).or_default().insert(operation.method.as_str().to_lowercase(), written);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Neo N3 Service Layer",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": GROUPS.iter().map(|(name, about, _)| json!({"name": name, "description": about})).collect::<Vec<_>>(),
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description":
                "An operator's token, or a token of the account (`slk_…`) whose scopes cover the operation's `x-scope`."}},
            "schemas": schemas.into_value(),
            "parameters": parameters(),
            "responses": PROBLEMS.iter().map(|(status, about)| (name(*status), problem(about))).collect::<Map<_, _>>(),
        },
    })
}

/// The names that two types of the API share; none, or the document would be wrong about one of them.
#[must_use]
pub fn clashes(table: &[Operation]) -> Vec<String> {
    let mut schemas = Schemas::default();
    for operation in table {
        (operation.query_parameters)(&mut schemas);
        for shape in [operation.body, operation.answer].iter().chain(&operation.within) {
            shape(&mut schemas);
        }
    }
    schemas.clashes().to_vec()
}

const DESCRIPTION: &str = "Tenants bring functions, schedules, data and money; the service layer runs them. \
Every failure is `application/problem+json` with one of a closed set of codes. Every operation with `x-idempotent` takes \
an `Idempotency-Key`. Lists are pages: `limit` items, continued by `next_cursor`.";

/// What may be answered besides success, and why.
const PROBLEMS: [(u16, &str); 13] = [
    (400, "The request could not be read."),
    (401, "There is no valid token."),
    (403, "The token's scopes do not cover this."),
    (404, "There is no such thing, or it belongs to another account."),
    (408, "The body did not arrive in time."),
    (409, "It exists already, was changed meanwhile, or its state does not allow this."),
    (412, "It is at another version than If-Match names."),
    (413, "The body is too large."),
    (415, "The body's media type or encoding is not accepted."),
    (422, "Fields break a rule, or the idempotency key was used for another request."),
    (429, "A rate, quota or queue is used up; Retry-After says when to try again."),
    (503, "Not available at the moment; Retry-After says when to try again."),
    (504, "The time limit passed."),
];

fn name(status: u16) -> String {
    format!("Problem{status}")
}

fn problem(about: &str) -> Value {
    json!({
        "description": about,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

/// The parameters that many operations share.
fn parameters() -> Value {
    let header = |name: &str, pattern: &str, about: &str| {
        json!({"name": name, "in": "header", "required": false, "description": about,
            "schema": {"type": "string", "pattern": pattern}})
    };
    let any = |name: &str, about: &str| json!({"name": name, "in": "header", "required": false, "description": about, "schema": {"type": "string"}});
    let query = |name: &str, schema: Value, about: &str| json!({"name": name, "in": "query", "required": false, "description": about, "schema": schema});
    let time = || json!({"type": "string", "format": "date-time"});
    json!({
        "IdempotencyKey": header("Idempotency-Key", "^[!-~]{1,255}$",
            "Makes the request repeatable for 24 hours: a repeat gets the stored answer and has no further effect."),
        "IfMatch": header("If-Match", "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\"){0,15})$",
            "The version that is to be changed, like \"3\", or a list of which one may be; a weak tag matches none."),
        "IfNoneMatch": any("If-None-Match", "The version that is known already, like \"3\"."),
        "LastEventId": header("Last-Event-ID", "^[0-9]{1,19}-[0-9]{1,19}$", "The id of the event after which to go on."),
        "limit": query("limit", json!({"type": "integer", "minimum": 1, "default": 25}),
            "How many items; more than 500 is taken as 500."),
        "short_limit": query("limit", json!({"type": "integer", "minimum": 1, "default": 500}),
            "How many items; more than 500 is taken as 500."),
        "cursor": query("cursor", json!({"type": "string", "format": "cursor"}),
            "Where the page begins: next_cursor of the page before."),
        "since": query("since", time(), "Only what was created at or after this time."),
        "until": query("until", time(), "Only what was created before this time."),
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn operation(operation: &Operation, table: &[Operation], schemas: &mut Schemas) -> Value {
    let mut written = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.group()],
        "parameters": operation_parameters(operation, schemas),
        "responses": responses(operation, table, schemas),
        "x-scope": operation.needs.as_str(),
    });
    if !operation.description.is_empty() {
        written["description"] = operation.description.into();
    }
    if operation.needs == Needs::Open {
        written["security"] = json!([]);
    }
    if operation.mutates() {
        written["x-idempotent"] = true.into();
    }
    if operation.form == Form::Events {
        written["x-stream"] = "sse".into();
    }
    if !operation.columns.is_empty() {
        written["x-columns"] = operation.columns.into();
    }
    for shape in &operation.within {
        shape(schemas);
    }
    if let Some(schema) = (operation.body)(schemas) {
        written["requestBody"] =
            json!({"required": operation.body_required, "content": {"application/json": {"schema": schema}}});
    }
    written
}

fn operation_parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut all: Vec<Value> = operation.path_parameters().map(path_parameter).collect();
    for (name, (schema, required)) in (operation.query_parameters)(schemas) {
        let about = schema["description"].clone();
        let mut parameter =
            json!({"name": name, "in": "query", "required": required, "schema": not_null(schema)});
        if about.is_string() {
            parameter["description"] = about;
        }
        all.push(parameter);
    }
    if operation.lists {
        let reference =
            |name: &&str| reference(if operation.short && *name == "limit" { "short_limit" } else { name });
        all.extend(query::page_parameters(operation.short).iter().map(reference));
    }
    if operation.mutates() {
        all.push(reference("IdempotencyKey"));
    }
    if operation.takes_version() {
        all.push(reference("IfMatch"));
    }
    if !operation.mutates() && operation.tells_facts {
        all.push(reference("IfNoneMatch"));
    }
    if operation.form == Form::Events {
        all.push(reference("LastEventId"));
    }
    all
}

fn path_parameter(name: &'static str) -> Value {
    let thing = if name == "name" { "thing".to_owned() } else { name.replace('_', " ") };
    let schema = match input::holds(name) {
        Holds::Name => json!({"type": "string", "minLength": 1}),
        Holds::Number => json!({"type": "integer", "minimum": 1}),
        Holds::Id => json!({"type": "string", "format": "uuid"}),
    };
    let about = match input::holds(name) {
        Holds::Name => format!("Name of the {thing}."),
        Holds::Number => format!("Number of the {thing}."),
        Holds::Id if name == "id" => "The id.".to_owned(),
        Holds::Id => format!("Id of the {thing}."),
    };
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
}

/// A parameter of a query is there or absent; it is never null.
fn not_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array() {
        let rest: Vec<Value> = types.iter().filter(|name| *name != "null").cloned().collect();
        schema["type"] = if let [only] = rest.as_slice() { only.clone() } else { rest.into() };
    }
    for choice in ["oneOf", "anyOf"] {
        let rest: Option<Vec<Value>> = schema[choice]
            .as_array()
            .map(|choices| choices.iter().filter(|schema| schema["type"] != "null").cloned().collect());
        if let Some([only]) = rest.as_deref() {
            return only.clone();
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    schema
}

fn responses(operation: &Operation, table: &[Operation], schemas: &mut Schemas) -> Map<String, Value> {
    let mut all = Map::new();
    let content = match operation.form {
        Form::Json => {
            (operation.answer)(schemas).map(|schema| json!({"application/json": {"schema": schema}}))
        }
        Form::Nothing => None,
        Form::Text(media_type @ "application/json") => {
            Some(json!({media_type: {"schema": {"type": "object"}}}))
        }
        Form::Text(media_type) => Some(json!({media_type: {"schema": {"type": "string"}}})),
        Form::Events => Some(json!({"text/event-stream": {"schema": {"type": "string"}}})),
    };
    let mut success = |status: u16, about: &str| {
        let mut response = json!({"description": about});
        if let Some(content) = &content {
            response["content"] = content.clone();
        }
        let links = links(operation, table);
        if status == 201 && !links.is_empty() {
            response["links"] = links.into();
        }
        all.insert(status.to_string(), response);
    };
    success(operation.status, "Done.");
    for (status, about) in &operation.also {
        success(*status, about);
    }
    if !operation.mutates() && operation.tells_facts {
        all.insert(
            "304".to_owned(),
            json!({"description": "It is at the version that If-None-Match names."}),
        );
    }
    for status in problems(operation) {
        let reference = json!({"$ref": format!("#/components/responses/{}", name(status))});
        all.insert(status.to_string(), reference);
    }
    all
}

/// The failures an operation can answer.
fn problems(operation: &Operation) -> Vec<u16> {
    let mut all = vec![400, 503];
    // What is open and changes something carries a signature instead of a token.
    if operation.needs != Needs::Open || operation.mutates() {
        all.extend([401, 403, 429, 504]);
    }
    if operation.path_parameters().next().is_some() {
        all.push(404);
    }
    if operation.mutates() {
        all.extend([408, 409, 413, 415]);
    }
    if operation.mutates() || !(operation.query_parameters)(&mut Schemas::default()).is_empty() {
        all.push(422);
    }
    if operation.takes_version() {
        all.push(412);
    }
    all.sort_unstable();
    all
}

/// From what creates a thing to what can be done with it.
fn links(operation: &Operation, table: &[Operation]) -> Map<String, Value> {
    let mut all = Map::new();
    for other in table {
        let Some(rest) = other.path.strip_prefix(operation.path).and_then(|rest| rest.strip_prefix("/{"))
        else {
            continue;
        };
        let Some((parameter, _)) = rest.split_once('}') else { continue };
        let mut parameters: Map<String, Value> = operation
            .path_parameters()
            .map(|name| (name.to_owned(), format!("$request.path.{name}").into()))
            .collect();
        let end = match input::holds(parameter) {
            Holds::Name => "name",
            Holds::Number => "version",
            Holds::Id => "id",
        };
        parameters.insert(parameter.to_owned(), format!("$response.body#/{end}").into());
        let complete = other.path_parameters().all(|name| parameters.contains_key(name));
        if complete {
            all.insert(other.id.clone(), json!({"operationId": other.id, "parameters": parameters}));
        }
    }
    all
}
