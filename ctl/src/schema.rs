//! JSON Schema, as far as a command line needs it: which kind of value a flag takes.

use serde_json::Value;

/// How deep a schema is followed; below that anything is taken as JSON.
const DEPTH: usize = 6;

/// The kind of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string, one of a list where the list is not empty.
    Text(Vec<String>),
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list of one kind.
    List(Box<Kind>),
    /// An object with names of the caller's choice.
    Map(Box<Kind>),
    /// An object with known names.
    Object(Vec<Property>),
    /// Any JSON.
    Any,
}

/// A named value: a parameter, or a property of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The name, as the server knows it.
    pub name: String,
    /// The kind of its value.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Which care it needs.
    pub role: Role,
    /// One line about it.
    pub description: String,
}

/// Which care a value needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// None.
    Plain,
    /// It must not be seen: it is read from a file too.
    Secret,
    /// It is an id: a name will do where a list tells the id.
    Id,
    /// It is a time: how long from now will do.
    Time,
}

impl Role {
    fn of(resolved: &Value, schema: &Value) -> Self {
        match resolved["format"].as_str() {
            Some("password") => Self::Secret,
            _ if resolved["writeOnly"] == true || schema["writeOnly"] == true => Self::Secret,
            Some("uuid") => Self::Id,
            Some("date-time") => Self::Time,
            _ => Self::Plain,
        }
    }
}

impl Property {
    /// A required string that nothing more is known of.
    pub fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: Kind::Text(Vec::new()),
            required: true,
            nullable: false,
            role: Role::Plain,
            description: String::new(),
        }
    }

    /// The name as a flag: with dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// Follows `$ref` within the document.
pub fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..DEPTH {
        let Some(pointer) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) else {
            break;
        };
        value = root.pointer(pointer).unwrap_or(&Value::Null);
    }
    value
}

/// The property of this name and schema.
pub fn property(root: &Value, name: &str, schema: &Value, required: bool) -> Property {
    at_depth(root, name, schema, required, DEPTH)
}

/// The kind of value a schema describes.
pub fn kind(root: &Value, schema: &Value) -> Kind {
    kind_at(root, schema, DEPTH)
}

fn at_depth(root: &Value, name: &str, schema: &Value, required: bool, depth: usize) -> Property {
    let resolved = only_choice(root, schema);
    let described = [schema, resolved].into_iter().find_map(|schema| schema["description"].as_str());
    Property {
        name: name.to_owned(),
        kind: kind_at(root, schema, depth),
        required,
        nullable: is_nullable(root, schema),
        role: Role::of(resolved, schema),
        description: described.unwrap_or_default().to_owned(),
    }
}

/// The schema itself, or the only one of its choices that is not null.
fn only_choice<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(root, schema);
    let mut rest = choices(root, schema).filter(|choice| choice["type"] != "null");
    match (rest.next(), rest.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

fn choices<'a>(root: &'a Value, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
    let lists = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|name| schema[name].as_array());
    lists.flatten().map(|choice| resolve(root, choice))
}

fn is_nullable(root: &Value, schema: &Value) -> bool {
    let schema = resolve(root, schema);
    let listed = schema["type"].as_array().is_some_and(|types| types.iter().any(|name| name == "null"));
    listed || choices(root, schema).any(|choice| choice["type"] == "null")
}

fn kind_at(root: &Value, schema: &Value, depth: usize) -> Kind {
    let schema = only_choice(root, schema);
    if depth == 0 {
        return Kind::Any;
    }
    match type_name(schema) {
        Some("string") => Kind::Text(words(&schema["enum"])),
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some("array") => Kind::List(Box::new(kind_at(root, &schema["items"], depth - 1))),
        Some("object") => object(root, schema, depth - 1),
        _ => Kind::Any,
    }
}

/// The only type that is not null; several types are no kind of their own.
fn type_name(schema: &Value) -> Option<&str> {
    let names = match &schema["type"] {
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        Value::String(name) => vec![name.as_str()],
        _ if schema["properties"].is_object() => vec!["object"],
        _ if schema["enum"].is_array() => vec!["string"],
        _ => Vec::new(),
    };
    names.first().copied().filter(|_| names.len() == 1)
}

fn object(root: &Value, schema: &Value, depth: usize) -> Kind {
    let required: Vec<String> = words(&schema["required"]);
    let named =
        |(name, value): (&String, &Value)| at_depth(root, name, value, required.contains(name), depth);
    match schema["properties"].as_object() {
        Some(properties) if !properties.is_empty() => Kind::Object(properties.iter().map(named).collect()),
        _ if schema["additionalProperties"].is_object() => {
            Kind::Map(Box::new(kind_at(root, &schema["additionalProperties"], depth)))
        }
        _ => Kind::Any,
    }
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_beside_a_type_makes_it_nullable() {
        let root = json!({});
        for schema in
            [json!({"type": ["string", "null"]}), json!({"anyOf": [{"type": "string"}, {"type": "null"}]})]
        {
            let property = property(&root, "until", &schema, false);
            assert_eq!((property.kind, property.nullable), (Kind::Text(Vec::new()), true));
        }
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let root = json!({"components": {"schemas": {"Tree": {
            "type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}
        }}}});
        let kind = kind(&root, &json!({"$ref": "#/components/schemas/Tree"}));
        assert!(matches!(kind, Kind::Object(_)));
    }

    #[test]
    fn a_loop_of_references_ends_as_anything() {
        let root = json!({"a": {"$ref": "#/a"}});
        assert_eq!(kind(&root, &json!({"$ref": "#/a"})), Kind::Any);
    }
}
