//! Secrets are redacted from everything that a run leaves behind.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::services::secrets::Redactor;

/// What is redacted from a run: nothing where its function has no secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Redaction(Option<Redactor>);

impl Redaction {
    /// Redacts with this.
    pub(super) const fn new(redactor: Redactor) -> Self {
        Self(Some(redactor))
    }

    /// A text without secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.as_ref().map_or(Cow::Borrowed(text), |redactor| redactor.redact(text))
    }

    /// A value without secrets: in texts, in names of members, and in numbers that spell one.
    pub(super) fn value(&self, value: Value) -> Value {
        match &self.0 {
            Some(redactor) => redacted(redactor, value),
            None => value,
        }
    }
}

fn redacted(redactor: &Redactor, value: Value) -> Value {
    match value {
        Value::String(text) => match redactor.redact(&text) {
            Cow::Borrowed(_) => Value::String(text),
            Cow::Owned(clean) => Value::String(clean),
        },
        Value::Number(number) => match redactor.redact(&number.to_string()) {
            Cow::Borrowed(_) => Value::Number(number),
            Cow::Owned(clean) => Value::String(clean),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(|item| redacted(redactor, item)).collect()),
        Value::Object(members) => {
            let clean = |(name, member): (String, Value)| {
                (redactor.redact(&name).into_owned(), redacted(redactor, member))
            };
            Value::Object(members.into_iter().map(clean).collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) => value,
    }
}
