//! Oracle: sources, and requests to them.

use actix_web::http::Method;
use sl_actors::{
    Fault,
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::oracle::{
        CALLBACK_RATE, Callback, CancelRequest, CreateRequest, FetchRequest, ListRequests, NewOracleRequest,
        OracleRequestView, OracleSource, OracleUpdate, ProveCallback, RequestFilters, RotateSourceSecret,
        SignedCallback, UpdateRequest,
    },
};

use crate::{
    input::{Input, Unproven},
    json,
    operation::{Operation, operation},
    resource::{Place, resource},
    routes::system::{pause, resume},
};

const SOURCE: &str = "/accounts/{account}/oracle/sources/{source}";
const ROTATE: &str = "/accounts/{account}/oracle/sources/{source}/rotate-secret";
const PAUSE: &str = "/accounts/{account}/oracle/sources/{source}/pause";
const RESUME: &str = "/accounts/{account}/oracle/sources/{source}/resume";
const REQUESTS: &str = "/accounts/{account}/oracle/requests";
const REQUEST: &str = "/accounts/{account}/oracle/requests/{request}";
const CANCEL: &str = "/accounts/{account}/oracle/requests/{request}/cancel";
const CALLBACK: &str = "/accounts/{account}/oracle/requests/{request}/callback";

const PLACE: Place = Place {
    id: "oracle.sources",
    one: "an oracle source",
    path: SOURCE,
    columns: &["id", "name", "kind", "status", "method", "url", "rate_limit"],
};

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<OracleSource>(PLACE);
    all.extend([
        operation(
            Method::POST,
            ROTATE,
            "oracle.sources.rotate_secret",
            "Make a new secret for a source's callbacks",
        )
        .told("The old one is void at once. The secret is shown here and never again.")
        .scope(Scope::Write)
        .action(|input: Input| Ok(RotateSourceSecret(input.id("source")?))),
        operation(Method::POST, PAUSE, "oracle.sources.pause", "Pause the asking of an oracle source")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<OracleSource>(input.id("source")?), input.body))
            }),
        operation(Method::POST, RESUME, "oracle.sources.resume", "Resume the asking of an oracle source")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<OracleSource>(input.id("source")?), input.body))
            }),
    ]);
    all.extend(requests());
    all
}

fn requests() -> Vec<Operation> {
    vec![
        operation(Method::POST, REQUESTS, "oracle.requests.create", "Ask oracle sources")
            .scope(Scope::Run)
            .status(201)
            .action(|input: Input<(), NewOracleRequest>| Ok(CreateRequest(input.body))),
        operation(Method::GET, REQUESTS, "oracle.requests.list", "List the oracle requests")
            .pages(&["id", "status", "result", "error", "created_at", "completed_at"])
            .with::<OracleRequestView>()
            .action(|input: Input<RequestFilters>| {
                Ok(ListRequests { page: input.page, filters: input.query })
            }),
        operation(Method::GET, REQUEST, "oracle.requests.get", "Read an oracle request")
            .action(|input: Input| Ok(FetchRequest(input.id("request")?))),
        operation(Method::PATCH, REQUEST, "oracle.requests.update", "Say where an oracle request stands")
            .told("For external resolvers. What is known already is answered as it is stored; anything else is a conflict.")
            .scope(Scope::Run)
            .action(|input: Input<(), OracleUpdate>| {
                Ok(UpdateRequest {
                    request_id: input.id("request")?,
                    update: input.body,
                    expected: input.expected,
                })
            }),
        operation(Method::POST, CANCEL, "oracle.requests.cancel", "Cancel an oracle request")
            .scope(Scope::Run)
            .action(|input: Input| Ok(CancelRequest(input.id("request")?))),
        operation(Method::POST, CALLBACK, "oracle.requests.callback", "Answer an oracle request, signed")
            .told(
                "Needs no token: the body is signed with the secret of a source that the request asks, by the headers \
                 webhook-id (the request's id), webhook-timestamp and webhook-signature (Standard Webhooks).",
            )
            .proven(&CALLBACK_RATE)
            .proven_action(
                |path, unproven| Ok(ProveCallback { request_id: path.id("request")?, signed: signed(&unproven)? }),
                |_, body, reading| json::read(body, reading),
                |proven, update| Ok(Callback { proven, update }),
            ),
    ]
}

fn signed(unproven: &Unproven) -> Result<SignedCallback, Fault> {
    let header = |name| unproven.header(name);
    Ok(SignedCallback {
        id: header("webhook-id")?,
        timestamp: header("webhook-timestamp")?,
        signature: header("webhook-signature")?,
        body: unproven.body.clone(),
    })
}
