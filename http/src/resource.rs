//! The five operations of every resource, from one function.

use actix_web::http::Method;
use serde::de::DeserializeOwned;
use sl_actors::{
    caller::Scope,
    resource::{Amend, Create, Fetch, List, Remove, Resource},
};
use utoipa::ToSchema;

use crate::{
    input::Input,
    operation::{Draft, Operation, operation},
};

/// The public places of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What its operations are called: `functions`.
    pub id: &'static str,
    /// What one is called in sentences, with its article: `a function`.
    pub one: &'static str,
    /// The path of one: `/accounts/{account}/functions/{function}`.
    pub path: &'static str,
    /// The columns of a table of them.
    pub columns: &'static [&'static str],
}

impl Place {
    /// The path of all, and the parameter that holds one's id.
    fn parts(self) -> (&'static str, &'static str) {
        let (collection, item) = self.path.rsplit_once('/').unwrap_or((self.path, ""));
        (collection, item.trim_start_matches('{').trim_end_matches('}'))
    }

    fn draft(self, method: Method, path: &'static str, verb: &str, summary: String) -> Draft {
        operation(method, path, format!("{}.{verb}", self.id), summary)
    }
}

/// Create, list, get, update and delete.
#[must_use]
pub fn resource<R: Resource>(place: Place) -> Vec<Operation>
where
    R::New: DeserializeOwned + ToSchema,
    R::Patch: DeserializeOwned + ToSchema,
    R::View: ToSchema,
    R::Filters: DeserializeOwned + ToSchema,
{
    let (collection, item) = place.parts();
    let (one, all) = (place.one, place.id.replace(['.', '_'], " "));
    vec![
        place
            .draft(Method::POST, collection, "create", format!("Create {one}"))
            .scope(Scope::Write)
            .status(201)
            .action(|input: Input<(), R::New>| Ok(Create::<R>(input.body))),
        place
            .draft(Method::GET, collection, "list", format!("List the {all}"))
            .pages(place.columns)
            .with::<R::View>()
            .action(|input: Input<R::Filters>| Ok(List::<R> { page: input.page, filters: input.query })),
        place
            .draft(Method::GET, place.path, "get", format!("Read {one}"))
            .action(move |input: Input| Ok(Fetch::<R>::new(input.id(item)?))),
        place.draft(Method::PATCH, place.path, "update", format!("Change {one}")).scope(Scope::Write).action(
            move |input: Input<(), R::Patch>| {
                Ok(Amend::<R> { id: input.id(item)?, expected: input.expected, patch: input.body })
            },
        ),
        place
            .draft(Method::DELETE, place.path, "delete", format!("Remove {one}"))
            .scope(Scope::Write)
            .status(204)
            .action(move |input: Input| Ok(Remove::<R>::new(input.id(item)?, input.expected))),
    ]
}
