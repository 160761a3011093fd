//! The schemas of the document, gathered from the types of the operations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// The schemas by name.
#[derive(Debug, Default)]
pub struct Schemas {
    known: BTreeMap<String, Value>,
    clashes: Vec<String>,
}

impl Schemas {
    /// Adds a type with all it is made of, and answers how to refer to it.
    pub fn reference<T: ToSchema>(&mut self) -> Value {
        let mut within = Vec::new();
        T::schemas(&mut within);
        for (name, schema) in within {
            self.add(name, &schema);
        }
        let Some(name) = name::<T>() else { return written(&T::schema()) };
        self.add(name.clone(), &T::schema());
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// The properties of an object type, each with its schema and whether it is required.
    pub fn parameters<T: ToSchema>(&mut self) -> BTreeMap<String, (Value, bool)> {
        let schema = written(&T::schema());
        let mut within = Vec::new();
        T::schemas(&mut within);
        for (name, schema) in within {
            self.add(name, &schema);
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        properties
            .into_iter()
            .map(|(name, schema)| {
                let required = required.contains(&Value::String(name.clone()));
                (name, (schema, required))
            })
            .collect()
    }

    /// Whether a type is an object of named members.
    #[must_use]
    pub fn is_object<T: ToSchema>() -> bool {
        written(&T::schema())["properties"].is_object()
    }

    /// The names that two different types share.
    #[must_use]
    pub fn clashes(&self) -> &[String] {
        &self.clashes
    }

    /// All of them, as the document holds them.
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.known.into_iter().collect::<Map<_, _>>())
    }

    fn add(&mut self, name: String, schema: &RefOr<Schema>) {
        let schema = written(schema);
        match self.known.get(&name) {
            Some(known) if *known != schema => self.clashes.push(name),
            Some(_) => {}
            None => {
                self.known.insert(name, schema);
            }
        }
    }
}

/// The name of a type; of a page of accounts, `AccountPage`. Lists and optional types have none.
fn name<T: ToSchema>() -> Option<String> {
    let own = T::name().into_owned();
    let Some((_, parameter)) = std::any::type_name::<T>().split_once('<') else { return Some(own) };
    if parameter.starts_with('\'') {
        return Some(own);
    }
    let parameter = parameter.trim_end_matches('>').rsplit("::").next().unwrap_or_default();
    (own == "Page").then(|| format!("{}Page", parameter.trim_end_matches("View")))
}

fn written(schema: &RefOr<Schema>) -> Value {
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    let_null_be(&mut schema);
    schema
}

/// What may be null is told as one of null and its type, of which exactly one must hold: none does where the type is any
/// JSON, null among it. One of the two at least is what is meant.
fn let_null_be(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let or_null = |choices: &Value| {
                choices.as_array().is_some_and(|all| all.iter().any(|choice| choice["type"] == "null"))
            };
            if members.get("oneOf").is_some_and(or_null)
                && let Some(choices) = members.remove("oneOf")
            {
                members.insert("anyOf".to_owned(), choices);
            }
            members.values_mut().for_each(let_null_be);
        }
        Value::Array(items) => items.iter_mut().for_each(let_null_be),
        _ => {}
    }
}
