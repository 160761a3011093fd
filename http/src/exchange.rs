//! One request, from head to answer: the same steps for every operation.

use std::{panic::AssertUnwindSafe, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::{Bytes, Payload},
};
use futures_util::{FutureExt as _, StreamExt as _};
use sl_actors::{
    Code, Fault, SYSTEM,
    caller::Caller,
    idempotency::{Keyed, Stored},
    services::control::Refused,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    auth, body, dress,
    etag::{self, Wanted},
    facts::Facts,
    front::Front,
    input::{self, Path, Received, Unproven},
    limiter::Standing,
    operation::{Answer, Body, Form, Needs, Operation},
    pages,
    performance::{Once, Performance, keyed},
    problem, request_id,
    router::{Found, Values},
};

/// What is known of a request by the time it is answered; for headers, metrics and the log.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub request_id: String,
    pub operation: Option<usize>,
    pub actor: Option<String>,
    pub account: Option<Uuid>,
    /// What the path names last by an id.
    pub subject: Option<Uuid>,
    /// Who asks, where a token says so.
    pub caller: Option<Arc<Caller>>,
    pub standing: Option<Standing>,
}

/// A refusal: a fault, and what its status and headers are where the code does not say.
struct Refusal {
    fault: Box<Fault>,
    status: Option<StatusCode>,
    allow: Option<String>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), status: None, allow: None }
    }
}

/// Answers a request.
pub(crate) async fn answer(front: Arc<Front>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let began = Instant::now();
    let mut seen = Seen {
        request_id: request_id::told(request.headers())
            .unwrap_or_else(|| front.runtime.core().ids.next().to_string()),
        ..Seen::default()
    };
    let handled = AssertUnwindSafe(handle(&front, &request, payload, &mut seen)).catch_unwind().await;
    let handled = handled.unwrap_or_else(|_| Err(Fault::internal("the front end panicked").into()));
    let mut fault = None;
    let mut response = match handled {
        Ok(response) => response,
        Err(refusal) => fault.insert(refusal).respond(&seen.request_id),
    };
    dress::dress(&front, &request, &seen, &mut response);
    let took = began.elapsed();
    if let Some(meter) = front.meter(seen.operation) {
        meter.count(response.status().as_u16(), took);
    }
    let operation = seen.operation.and_then(|position| front.table.get(position));
    if let (Some(refusal), Some(operation)) = (&fault, operation) {
        note(&front, operation, &seen, response.status(), &refusal.fault);
    }
    dress::record(
        &request,
        operation,
        &seen,
        response.status(),
        took,
        fault.as_ref().map(|refusal| &*refusal.fault),
    );
    response
}

/// The refusals of changes that the audit tells.
const NOTED: [StatusCode; 5] = [
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::CONFLICT,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// Notes for the audit that somebody known was refused a change.
fn note(front: &Front, operation: &Operation, seen: &Seen, status: StatusCode, fault: &Fault) {
    let Some(caller) = seen.caller.clone() else { return };
    if !operation.mutates() || !NOTED.contains(&status) {
        return;
    }
    front.runtime.core().refused(Refused {
        caller,
        account: seen.account,
        subject: seen.subject,
        operation: operation.id.clone(),
        status: status.as_u16(),
        code: fault.code.as_str(),
    });
}

impl Refusal {
    fn respond(&mut self, request_id: &str) -> HttpResponse {
        let mut response = match self.status {
            Some(status) => problem::response_with(status, &self.fault, request_id),
            None => problem::response(&self.fault, request_id),
        };
        if let Some(allow) = self.allow.take().and_then(|allow| header::HeaderValue::try_from(allow).ok()) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

async fn handle(
    front: &Arc<Front>,
    request: &HttpRequest,
    payload: Payload,
    seen: &mut Seen,
) -> Result<HttpResponse, Refusal> {
    check_head(front, request)?;
    if let Some(response) = dress::preflight(front, request) {
        return Ok(response);
    }
    let (position, values) = match front.router.find(request.method(), request.path()) {
        Found::Operation(position, values) => (position, values),
        Found::Path(methods) => return Err(not_allowed(methods.iter().map(|(method, _)| method))),
        Found::Nothing => return page(request),
    };
    seen.operation = Some(position);
    let operation = &front.table[position];
    let caller = identify(front, request, operation, &values, seen).await?;
    let (received, wanted) = receive(front, request, payload, operation, &values, caller).await?;
    let account = received.path.account().unwrap_or(SYSTEM);
    let caller = received.caller.clone();
    let body = received.body.clone();
    let keyed = Keyed { body: &body, ..keyed(request, operation)? };
    let token = match operation.form {
        Form::Events => auth::bearer(request.headers())?.to_owned(),
        Form::Json | Form::Nothing | Form::Text(_) => String::new(),
    };
    let performance = Performance { front, operation, account, caller, token };
    match performance.perform_wanted(received, &wanted, keyed).await? {
        Once::Answered(answer) => Ok(respond(request, operation, answer)),
        Once::Replayed(stored) => Ok(replayed(request, stored)),
    }
}

/// What holds of every request, whatever it asks for.
fn check_head(front: &Front, request: &HttpRequest) -> Result<(), Refusal> {
    let headers = request.headers();
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let most = front.bounds.headers;
    if size > most {
        let told = format!("the header fields have {size} bytes; the limit is {most}");
        let fault = Fault::new(Code::TooLarge, told).limited(
            crate::settings::HEADER_LIMIT.name,
            most as u64,
            size as u64,
        );
        return Err(Refusal { status: Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), ..fault.into() });
    }
    // Two framings of one body are how a request is smuggled past whoever stands before us (RFC 9112, section 6.1).
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        let told = "the body is framed twice: Transfer-Encoding and Content-Length exclude each other";
        return Err(Fault::new(Code::Malformed, told).into());
    }
    Ok(())
}

fn not_allowed<'a>(methods: impl Iterator<Item = &'a Method>) -> Refusal {
    let mut allowed: Vec<&str> = methods.map(Method::as_str).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allow = allowed.join(", ");
    let fault = Fault::new(Code::MethodNotAllowed, format!("the path takes {allow}"));
    Refusal { allow: Some(allow), ..fault.into() }
}

/// Answers what is no operation.
fn page(request: &HttpRequest) -> Result<HttpResponse, Refusal> {
    let page = pages::find(request).ok_or_else(|| Fault::not_found("path"))?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(pages::show(request, page));
    }
    Err(not_allowed([Method::GET].iter()))
}

/// Who asks, whether they may, and whether they ask too often.
async fn identify(
    front: &Front,
    request: &HttpRequest,
    operation: &Operation,
    values: &Values<'_>,
    seen: &mut Seen,
) -> Result<Arc<Caller>, Fault> {
    let mut caller = if operation.needs == Needs::Open {
        Caller { actor: "anonymous".to_owned(), ..Caller::duty("") }
    } else {
        let core = front.runtime.core();
        let token = auth::bearer(request.headers())?;
        auth::caller(core, &front.config.operators, token).await?
    };
    caller.request_id = Some(seen.request_id.clone());
    caller.origin = request.peer_addr().map(|peer| peer.ip().to_string());
    seen.actor = Some(caller.actor.clone());
    if operation.needs == Needs::Open {
        if let Some(rate) = operation.rate {
            front.limiter.check_open(request.peer_addr().map(|peer| peer.ip()), rate, request.path())?;
        }
        return Ok(Arc::new(caller));
    }
    let caller = Arc::new(caller);
    seen.caller = Some(caller.clone());
    let (standing, checked) = front.limiter.check(&caller);
    seen.standing = Some(standing);
    checked?;
    seen.subject = values.iter().rev().find_map(|(_, value)| input::id(value));
    let account = values.iter().find(|(name, _)| *name == "account");
    let account = Path::read(account.map(|(name, value)| (*name, value.as_ref())))?.account();
    seen.account = account.or(caller.account);
    auth::permit(&caller, operation.needs, account)?;
    Ok(caller)
}

async fn receive(
    front: &Front,
    request: &HttpRequest,
    payload: Payload,
    operation: &Operation,
    values: &Values<'_>,
    caller: Arc<Caller>,
) -> Result<(Received, Wanted), Refusal> {
    let path = Path::read(values.iter().map(|(name, value)| (*name, value.as_ref())))?;
    let wanted = etag::expected(request.headers())?;
    let body = if operation.mutates() {
        let bounds = front.bounds.body.of(operation, &front.runtime.core().settings);
        body::read(request.headers(), payload, bounds).await.map_err(|fault| Refusal {
            status: (fault.code == Code::TimedOut).then_some(StatusCode::REQUEST_TIMEOUT),
            ..fault.into()
        })?
    } else {
        Bytes::new()
    };
    let last_event_id = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let unproven = match operation.needs {
        Needs::Open => Unproven::new(request.headers().clone(), body.clone()),
        Needs::Scope(_) | Needs::Operator => Unproven::default(),
    };
    let received = Received {
        caller,
        path,
        query: request.query_string().to_owned(),
        body,
        expected: None,
        last_event_id: last_event_id.map(str::to_owned),
        unproven,
    };
    Ok((received, wanted))
}

fn replayed(request: &HttpRequest, stored: Stored) -> HttpResponse {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::build(status);
    answer.insert_header(("idempotency-replayed", "true"));
    let facts = Facts::of(&stored.body);
    if let Some(tag) = facts.tag() {
        answer.insert_header((header::ETAG, tag));
    }
    if let Some(place) = place(request, status, &facts) {
        answer.insert_header((header::LOCATION, place));
    }
    if stored.body.is_empty() {
        return answer.finish();
    }
    let failed = status.is_client_error() || status.is_server_error();
    let media_type = if failed { problem::MEDIA_TYPE } else { "application/json" };
    answer.insert_header((header::CONTENT_TYPE, media_type));
    answer.body(stored.body)
}

/// Where the thing is that was made.
fn place(request: &HttpRequest, status: StatusCode, facts: &Facts) -> Option<String> {
    let end = facts.path_end().filter(|_| status == StatusCode::CREATED)?;
    Some(format!("{}/{end}", request.path()))
}

fn respond(request: &HttpRequest, operation: &Operation, answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status.unwrap_or(operation.status)).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    match answer.body {
        Body::Nothing => response.finish(),
        Body::Text(media_type, text) => {
            response.insert_header((header::CONTENT_TYPE, media_type));
            response.body(text)
        }
        Body::Events(session) => {
            debug_assert_eq!(operation.form, Form::Events, "only streams stream");
            response.insert_header((header::CONTENT_TYPE, "text/event-stream"));
            response.insert_header(("x-accel-buffering", "no"));
            if request.method() == Method::HEAD {
                return response.finish();
            }
            response.streaming(session.begin().map(Ok::<_, std::convert::Infallible>))
        }
        Body::Json(written) => {
            response.insert_header((header::CONTENT_TYPE, "application/json"));
            if !operation.tells_facts {
                return response.body(written);
            }
            let facts = Facts::of(&written);
            if let Some(tag) = facts.tag() {
                if !operation.mutates() && etag::is_known(request.headers(), &tag) {
                    return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
                }
                response.insert_header((header::ETAG, tag));
            }
            if let Some(place) = place(request, status, &facts) {
                response.insert_header((header::LOCATION, place));
            }
            response.body(written)
        }
    }
}
