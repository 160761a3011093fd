//! What can be done with requests.

use std::{collections::HashSet, time::Duration};

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sl_store::{Batch, Cell, Code, Entity as _, Fault, Filter, Head, NewWork};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ACCOUNT_RATE, DUTY, MAX_ASKED, MAX_OPEN, PAYLOAD, TTL, ask,
    ask::Said,
    ending::{self, TRIES},
    judge::{Answer, AnswerStatus, Method},
    rate::{self, Rate},
    request::{OracleRequest, Question, RequestStatus},
    source::{OracleSource, ResultType},
    text::JsonText,
    views::{NewOracleRequest, OracleRequestView, OracleUpdate, UpdateStatus},
};
use crate::{
    action::{Action, Order, Tenant},
    check::Check,
    page::{Page, PageRequest},
    resource,
    services::{count_at, functions::Function},
    settings::{Setting, read_duration, write_duration},
};

/// Asks one source or several.
#[derive(Debug)]
pub struct CreateRequest(pub NewOracleRequest);

impl Action for CreateRequest {
    type Output = OracleRequestView;

    async fn run(self, tenant: &Tenant) -> Result<OracleRequestView, Fault> {
        let mut batch = Batch::new();
        let view = create(tenant, self.0, &mut batch).await?;
        tenant.commit(batch, view).await
    }
}

/// What stands against the limits of an account's requests.
pub(super) fn uses(tenant: &Tenant) -> BoxFuture<'_, Result<Vec<(&'static Setting, u64)>, Fault>> {
    Box::pin(async move {
        let account = tenant.account_id;
        let rate = Rate::per_second(tenant.settings.count(&ACCOUNT_RATE));
        Ok(vec![
            (&MAX_OPEN, count_at::<OracleRequest>(tenant, OPEN.map(RequestStatus::as_str)).await?),
            (&ACCOUNT_RATE, rate::used(&tenant.core, account, account, rate).await?),
        ])
    })
}

/// The states in which a request is open.
const OPEN: [RequestStatus; 2] = [RequestStatus::Pending, RequestStatus::Running];

/// Adds a request with its items, its event and the guard of its quota to a batch.
pub(super) async fn create(
    tenant: &Tenant,
    new: NewOracleRequest,
    batch: &mut Batch,
) -> Result<OracleRequestView, Fault> {
    let request = admit(tenant, new).await?;
    batch.insert(&request);
    let (account, id) = (tenant.account_id, request.head.id);
    for source in &request.question.source_ids {
        batch.enqueue(NewWork::new(tenant.next_id(), DUTY, account, id, tenant.now()).gate(*source));
    }
    batch.enqueue(NewWork::new(tenant.next_id(), ending::DUTY, account, id, request.expires_at));
    let open = OPEN.map(|status| Cell::from(status.as_str()));
    let open = vec![Filter::In("status", open.to_vec())];
    batch.at_most::<OracleRequest>(account, open, tenant.settings.count(&MAX_OPEN), MAX_OPEN.name);
    batch.event(request.event(tenant.caller.actor.clone()));
    Ok(request.view())
}

async fn admit(tenant: &Tenant, new: NewOracleRequest) -> Result<OracleRequest, Fault> {
    let mut check = Check::new();
    let source_ids = sources(tenant, &new, &mut check).await?;
    aggregation(&new, source_ids.len(), &mut check);
    let payload = new.payload.as_ref().filter(|payload| payload.text() != "null").map(JsonText::plain);
    let most = tenant.settings.size(&PAYLOAD);
    if let Some(size) = payload.as_ref().map(String::len).filter(|size| *size > most) {
        let detail = format!("must have at most {most} bytes ({}), not {size}", PAYLOAD.name);
        check.broken("/payload", "length", detail);
    }
    let ttl = ttl(tenant, new.ttl.as_deref(), &mut check);
    if let Some(function) = new.callback_function_id
        && tenant.core.store.find::<Function>(tenant.key(function)).await?.is_none()
    {
        check.broken("/callback_function_id", "missing", "there is no such function");
    }
    check.finish()?;
    let now = tenant.now();
    Ok(OracleRequest {
        head: Head::new(tenant.account_id, tenant.next_id(), now),
        answers: source_ids.iter().copied().map(Answer::waiting).collect(),
        question: Question {
            source_ids,
            aggregation: new.aggregation,
            payload,
            actor: tenant.caller.actor.clone(),
            request_id: tenant.caller.request_id.clone(),
        },
        status: RequestStatus::Pending,
        result: None,
        error: None,
        attempts: Vec::new(),
        expires_at: now + TimeDelta::from_std(ttl).unwrap_or(TimeDelta::hours(1)),
        completed_at: None,
        callback_function_id: new.callback_function_id,
        callback_execution_id: None,
        callback_error: None,
    })
}

/// The sources that are asked, each of the account and enabled.
async fn sources(tenant: &Tenant, new: &NewOracleRequest, check: &mut Check) -> Result<Vec<Uuid>, Fault> {
    let (pointer, ids) = match (new.data_source_id, &new.data_source_ids) {
        (Some(id), None) => ("/data_source_id", vec![id]),
        (None, Some(ids)) => ("/data_source_ids", ids.clone()),
        (Some(_), Some(_)) => {
            check.broken("/data_source_ids", "exclusive", "give data_source_id or data_source_ids, not both");
            return Ok(Vec::new());
        }
        (None, None) => {
            check.broken("/data_source_id", "required", "is required, or data_source_ids");
            return Ok(Vec::new());
        }
    };
    let most = tenant.settings.size(&MAX_ASKED);
    if ids.is_empty() || ids.len() > most {
        let detail = format!("must name 1 to {most} sources ({}), not {}", MAX_ASKED.name, ids.len());
        check.broken(pointer, "entries", detail);
        return Ok(Vec::new());
    }
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        check.broken(pointer, "unique", "must name each source once");
    }
    for (index, id) in ids.iter().enumerate() {
        let at =
            if new.data_source_ids.is_some() { format!("{pointer}/{index}") } else { pointer.to_owned() };
        match tenant.core.store.find::<OracleSource>(tenant.key(*id)).await? {
            None => check.broken(at, "missing", "there is no such oracle source"),
            Some(source) if !source.enabled => check.broken(at, "disabled", "the oracle source is disabled"),
            Some(_) => continue,
        };
    }
    Ok(ids)
}

fn aggregation(new: &NewOracleRequest, sources: usize, check: &mut Check) {
    match new.aggregation {
        None if sources > 1 => {
            let detail = "is required with several sources: first, median, mode or quorum";
            check.broken("/aggregation", "required", detail);
        }
        Some(aggregation) if aggregation.method == Method::First && aggregation.n.is_some() => {
            check.broken("/aggregation/n", "exclusive", "has no meaning with first");
        }
        Some(aggregation) if !(1..=sources.max(1)).contains(&aggregation.needed(sources)) => {
            check.broken(
                "/aggregation/n",
                "bounds",
                format!("must be 1 to {sources}, the number of sources"),
            );
        }
        _ => {}
    }
}

fn ttl(tenant: &Tenant, text: Option<&str>, check: &mut Check) -> Duration {
    let usual = tenant.settings.duration(&TTL);
    let Some(text) = text else { return usual };
    let (least, most) = (Duration::from_millis(TTL.min), Duration::from_millis(TTL.max));
    if let Some(read) = read_duration(text).filter(|read| (least..=most).contains(read)) {
        read
    } else {
        let detail = format!("must be a duration of {} to {}", write_duration(least), write_duration(most));
        check.broken("/ttl", "bounds", detail);
        usual
    }
}

/// Reads one request.
#[derive(Clone, Copy, Debug)]
pub struct FetchRequest(pub Uuid);

impl Action for FetchRequest {
    type Output = OracleRequestView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<OracleRequestView, Fault> {
        tenant.core.store.get::<OracleRequest>(tenant.key(self.0)).await.map(|request| request.view())
    }
}

/// What a list of requests is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OracleRequestFilters)]
pub struct RequestFilters {
    /// Only those that stand here.
    pub status: Option<RequestStatus>,
}

/// A page of requests, newest first.
#[derive(Debug)]
pub struct ListRequests {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: RequestFilters,
}

impl Action for ListRequests {
    type Output = Page<OracleRequestView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let status = self.filters.status.map(|status| Filter::Equal("status", status.as_str().into()));
        resource::list(tenant, self.page, status.into_iter().collect(), OracleRequest::view).await
    }
}

/// Says where a request stands, as an external resolver knows it.
#[derive(Debug)]
pub struct UpdateRequest {
    /// The request.
    pub request_id: Uuid,
    /// What is said.
    pub update: OracleUpdate,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for UpdateRequest {
    type Output = OracleRequestView;

    async fn run(self, tenant: &Tenant) -> Result<OracleRequestView, Fault> {
        if self.expected.is_some() {
            let request: OracleRequest = tenant.core.store.get(tenant.key(self.request_id)).await?;
            resource::expect_version(&request, self.expected)?;
        }
        update(tenant, self.request_id, &self.update, self.update.data_source_id, OracleRequest::view).await
    }
}

/// Applies an update; a repeat of what is known is answered with what is stored. The view is what is answered, and kept as
/// the answer of an `Idempotency-Key`.
pub(super) async fn update<T: Serialize + Send>(
    tenant: &Tenant,
    id: Uuid,
    update: &OracleUpdate,
    source: Option<Uuid>,
    view: impl Fn(&OracleRequest) -> T,
) -> Result<T, Fault> {
    let told = update.error.as_deref().unwrap_or_default();
    Check::new().text("/error", told, 0..=2_000).finish()?;
    for _ in 0..TRIES {
        let mut request: OracleRequest = tenant.core.store.get(tenant.key(id)).await?;
        let source = source.or_else(|| match &request.question.source_ids[..] {
            [only] => Some(*only),
            _ => None,
        });
        let mut batch = Batch::new();
        if !apply(tenant, &mut request, update, source, &mut batch).await? {
            return tenant.commit(Batch::new(), view(&request)).await;
        }
        batch.event(request.event(tenant.caller.actor.clone()));
        batch.replace(&mut request, tenant.now());
        match tenant.commit(batch, view(&request)).await {
            Ok(told) => {
                return Ok(told);
            }
            Err(fault) if tenant.was_overtaken(&fault).await? => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Code::Conflict, "the request changes all the time; try again"))
}

/// Changes the request as the update says; false where it says what is known.
async fn apply(
    tenant: &Tenant,
    request: &mut OracleRequest,
    update: &OracleUpdate,
    source: Option<Uuid>,
    batch: &mut Batch,
) -> Result<bool, Fault> {
    let said = match (update.status, &update.result) {
        (UpdateStatus::Running, _) => return running(request),
        (UpdateStatus::Succeeded, Some(result)) => {
            let sources = source.map_or(1, |_| request.question.source_ids.len());
            let most = ask::share(&tenant.settings, sources);
            Ok(typed(tenant, (source, most), result).await?)
        }
        (UpdateStatus::Succeeded, None) => {
            return Err(Fault::field("/result", "required", "is required with succeeded"));
        }
        (UpdateStatus::Failed, _) => {
            Err(update.error.clone().unwrap_or_else(|| "the resolver failed".to_owned()))
        }
    };
    let Some(source) = source else { return whole(tenant, request, said, batch) };
    let status = request.status;
    let answer = request
        .answer_mut(source)
        .ok_or_else(|| Fault::field("/data_source_id", "missing", "the request does not ask this source"))?;
    if answer.status == AnswerStatus::Succeeded || answer.status == AnswerStatus::Failed || status.is_final()
    {
        let same = match &said {
            Ok(result) => answer.value.as_ref() == Some(result),
            Err(error) => answer.status == AnswerStatus::Failed && answer.error.as_ref() == Some(error),
        };
        return if same { Ok(false) } else { Err(ended(status)) };
    }
    answer.answered_at = Some(tenant.now());
    match said {
        Ok(result) => {
            (answer.status, answer.value, answer.error) = (AnswerStatus::Succeeded, Some(result), None);
        }
        Err(error) => (answer.status, answer.error) = (AnswerStatus::Failed, Some(error)),
    }
    request.status = RequestStatus::Running;
    ending::conclude(&tenant.core, request, false, batch);
    Ok(true)
}

fn running(request: &mut OracleRequest) -> Result<bool, Fault> {
    match request.status {
        RequestStatus::Pending => {
            request.status = RequestStatus::Running;
            Ok(true)
        }
        RequestStatus::Running => Ok(false),
        status => Err(ended(status)),
    }
}

/// Ends a request of several sources as a whole.
fn whole(
    tenant: &Tenant,
    request: &mut OracleRequest,
    said: Result<JsonText, String>,
    batch: &mut Batch,
) -> Result<bool, Fault> {
    if request.status.is_final() {
        let same = match &said {
            Ok(result) => request.result.as_ref() == Some(result),
            Err(error) => request.status == RequestStatus::Failed && request.error.as_ref() == Some(error),
        };
        return if same { Ok(false) } else { Err(ended(request.status)) };
    }
    let (status, result, error) = match said {
        Ok(result) => (RequestStatus::Succeeded, Some(result), None),
        Err(error) => (RequestStatus::Failed, None, Some(error)),
    };
    ending::end(&tenant.core, request, status, (result, error), batch);
    Ok(true)
}

fn ended(status: RequestStatus) -> Fault {
    Fault::new(Code::InvalidState, format!("the request was answered otherwise before: {}", status.as_str()))
}

/// A result as the source's type has it.
async fn typed(
    tenant: &Tenant,
    (source, most): (Option<Uuid>, u64),
    result: &JsonText,
) -> Result<JsonText, Fault> {
    let row: Option<OracleSource> = match source {
        Some(source) => tenant.core.store.find(tenant.key(source)).await?,
        None => None,
    };
    let kind = row.map_or(ResultType::Json, |source| source.result_type);
    match ask::typed(most, kind, result.clone()) {
        Said::Result(result) => Ok(result),
        Said::Never(why) | Said::Again(why, _) => Err(Fault::field("/result", "type", why)),
        Said::Later => Err(Fault::internal("a result is no promise")),
    }
}

/// Cancels a request that has not ended.
#[derive(Clone, Copy, Debug)]
pub struct CancelRequest(pub Uuid);

impl Action for CancelRequest {
    type Output = OracleRequestView;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<OracleRequestView, Fault> {
        for _ in 0..TRIES {
            let mut request: OracleRequest = tenant.core.store.get(tenant.key(self.0)).await?;
            if request.status.is_final() {
                let noun = OracleRequest::TABLE.noun;
                let told = format!("the {noun} has ended: {}", request.status.as_str());
                return Err(Fault::new(Code::InvalidState, told));
            }
            let mut batch = Batch::new();
            let why = format!("cancelled by {}", tenant.caller.actor);
            ending::end(&tenant.core, &mut request, RequestStatus::Cancelled, (None, Some(why)), &mut batch);
            batch.event(request.event(tenant.caller.actor.clone()));
            batch.replace(&mut request, tenant.now());
            match tenant.commit(batch, request.view()).await {
                Err(fault) if tenant.was_overtaken(&fault).await? => {}
                result => return result,
            }
        }
        Err(Fault::new(Code::Conflict, "the request changes all the time; try again"))
    }
}
