//! Randomness: made, repeated, looked up.

use actix_web::http::Method;
use sl_actors::{
    Fault,
    caller::Scope,
    services::random::{FetchRandom, Generate, ListRandom, NewRandom, RandomFilters, RandomView},
};

use crate::{
    input::Input,
    operation::{Operation, operation},
};

const ALL: &str = "/accounts/{account}/random";
const ONE: &str = "/accounts/{account}/random/{random}";

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::POST, ALL, "random.generate", "Make random bytes that anybody can check")
            .told("The same request_id is answered with the same value.")
            .with::<NewRandom>()
            .scope(Scope::Run)
            .action(|input: Input<(), Option<NewRandom>>| {
                Ok::<_, Fault>(Generate(input.body.unwrap_or_default()))
            }),
        operation(Method::GET, ALL, "random.list", "List the random values")
            .with::<RandomView>()
            .pages(&["id", "request_id", "length", "counter", "created_at"])
            .action(|input: Input<RandomFilters>| {
                Ok::<_, Fault>(ListRandom { filters: input.query, page: input.page })
            }),
        operation(Method::GET, ONE, "random.get", "Read a random value")
            .action(|input: Input| Ok(FetchRandom(input.id("random")?))),
    ]
}
