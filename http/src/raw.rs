//! Bodies that are passed on as the text they came in.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type},
    },
};

/// The params of an execution: an object of any members, as text; `null` where there is no body.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Params(Box<RawValue>);

impl Params {
    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        Box::<str>::from(self.0).into_string()
    }
}

impl PartialSchema for Params {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::Array(vec![Type::Object, Type::Null]);
        let anything = AdditionalProperties::FreeForm(true);
        ObjectBuilder::new()
            .schema_type(types)
            .additional_properties(Some(anything))
            .description(Some("The params; an object of any members."))
            .into()
    }
}

impl ToSchema for Params {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Params")
    }
}
