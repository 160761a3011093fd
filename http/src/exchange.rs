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
    idempotency::{self, Admission, Keyed, Stored, Ticket},
    services::control::Refused,
};
use tokio::time::Instant;
use tokio_util::context::TokioContext;
use uuid::Uuid;

use crate::{
    auth, body, dress,
    etag::{self, Wanted},
    facts::Facts,
    front::Front,
    input::{self, Path, Received, Unproven},
    limiter::Standing,
    operation::{Answer, Body, Form, Needs, Operation, Performer, Prepared},
    pages, problem, request_id,
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

/// Versions begin with 1.
const NO_VERSION: i64 = 0;

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
        Found::Nothing => return Ok(pages::answer(request)?),
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
        let known = auth::caller(core, &front.config.operators, token);
        TokioContext::new(known, front.threads.clone()).await?
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

/// The request as its idempotency key stands for it; an empty key is none.
fn keyed<'a>(request: &'a HttpRequest, operation: &Operation) -> Result<Keyed<'a>, Fault> {
    let mut told = request.headers().get_all("idempotency-key");
    let value = told.next().filter(|_| operation.mutates());
    let refused = || Fault::new(Code::Malformed, "Idempotency-Key: 1 to 255 visible ASCII characters, once");
    let key = match value.map(|value| value.to_str()) {
        None => "",
        Some(Ok(key)) if (1..=255).contains(&key.len()) && told.next().is_none() => key,
        Some(_) => return Err(refused()),
    };
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    Ok(Keyed { route: request.path(), key, body: &[], status: operation.status })
}

struct Performance<'a> {
    front: &'a Arc<Front>,
    operation: &'a Operation,
    account: Uuid,
    caller: Arc<Caller>,
    token: String,
}

enum Once {
    Answered(Answer),
    Replayed(Stored),
}

impl Performance<'_> {
    fn performer(&self, ticket: Option<Arc<Ticket>>) -> Performer {
        Performer {
            front: self.front.clone(),
            account: self.account,
            caller: self.caller.clone(),
            ticket,
            token: self.token.clone(),
        }
    }

    /// Reads the request; where it carries its own proof, after that was seen and before any stored answer is told.
    async fn prepare(&self, received: Received) -> Result<Prepared, Fault> {
        let reading = self.operation.prepare(received, self.front.bounds.depth, self.performer(None));
        TokioContext::new(reading, self.front.threads.clone()).await
    }

    async fn perform(&self, prepared: Prepared, ticket: Option<Arc<Ticket>>) -> Result<Answer, Fault> {
        TokioContext::new(prepared(self.performer(ticket)), self.front.threads.clone()).await
    }

    async fn admit(&self, keyed: Keyed<'_>) -> Result<Admission, Fault> {
        let route = format!("{} {}", self.operation.method, keyed.route);
        let keyed = Keyed { route: &route, ..keyed };
        let admitted = idempotency::admit(self.front.runtime.core(), self.account, keyed);
        TokioContext::new(admitted, self.front.threads.clone()).await
    }

    /// Performs a request for the version that it wants. Of several one may match: which, only the attempt tells.
    async fn perform_wanted(
        &self,
        received: Received,
        wanted: &Wanted,
        keyed: Keyed<'_>,
    ) -> Result<Once, Fault> {
        let (first, others) = match wanted {
            Wanted::Anything => (None, &[][..]),
            Wanted::Versions(versions) => match versions.split_first() {
                Some((first, others)) => (Some(*first), others),
                None => (Some(NO_VERSION), &[][..]),
            },
        };
        let mut outcome = self.perform_for(received.clone(), first, keyed).await;
        for version in others {
            match outcome {
                Err(fault) if fault.code == Code::VersionMismatch => {
                    outcome = self.perform_for(received.clone(), Some(*version), keyed).await;
                }
                _ => break,
            }
        }
        let alone = matches!(wanted, Wanted::Versions(versions) if versions.len() == 1);
        outcome.map_err(|fault| match fault.code {
            Code::VersionMismatch if !alone => {
                Fault::new(Code::VersionMismatch, "none of the tags of If-Match is that of its version")
            }
            _ => fault,
        })
    }

    async fn perform_for(
        &self,
        received: Received,
        expected: Option<i64>,
        keyed: Keyed<'_>,
    ) -> Result<Once, Fault> {
        let prepared = self.prepare(Received { expected, ..received }).await?;
        match keyed.key {
            "" => Ok(Once::Answered(self.perform(prepared, None).await?)),
            _ => self.perform_once(prepared, keyed).await,
        }
    }

    /// Performs a request at most once. Where another daemon was quicker, its answer is ours.
    async fn perform_once(&self, prepared: Prepared, keyed: Keyed<'_>) -> Result<Once, Fault> {
        let ticket = match self.admit(keyed).await? {
            Admission::Replay(stored) => return Ok(Once::Replayed(stored)),
            Admission::Fresh(ticket) => ticket,
        };
        let fault = match self.perform(prepared, Some(ticket)).await {
            Ok(answer) => return Ok(Once::Answered(answer)),
            Err(fault) => fault,
        };
        if fault.code == Code::Conflict
            && let Admission::Replay(stored) = self.admit(keyed).await?
        {
            return Ok(Once::Replayed(stored));
        }
        Err(fault)
    }
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
    answer.insert_header((header::CONTENT_TYPE, "application/json"));
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
