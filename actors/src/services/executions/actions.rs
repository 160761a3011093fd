//! What can be done with executions.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use sl_store::{Batch, Cell, Code, Entity as _, Fault, Filter, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_WAIT, WAIT,
    entity::{Execution, Json, Status, Trigger},
    flow::{self, Beginning},
    outcome, record,
    view::ExecutionView,
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    services::functions::{Function, FunctionVersion},
    settings::write_duration,
};

/// How long a cancelled run may take to end before its execution is answered as it stands.
const CANCEL_WAIT: Duration = Duration::from_secs(5);

/// How often an execution that changes meanwhile is looked at again.
const CANCEL_ATTEMPTS: usize = 5;

/// So many bytes of executions make a page, whatever its limit: it ends early, with a cursor.
const PAGE_BYTES: usize = 8 << 20;
/// So many rows are read at a time.
const PAGE_ROWS: usize = 25;

/// Runs a function. The answer's status says whether it has ended.
#[derive(Debug)]
pub struct Execute {
    /// The function.
    pub function_id: Uuid,
    /// The params, the JSON text of an object; empty or `null` is an object without members.
    pub params: String,
    /// How long its end is waited for; the setting where absent.
    pub wait: Option<Duration>,
}

impl Action for Execute {
    type Output = ExecutionView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<ExecutionView, Fault> {
        let wait = checked_wait(tenant, self.wait)?;
        let input = params(self.params)?;
        let ready = tenant.core.functions.current(&tenant.core, tenant.key(self.function_id)).await?;
        let trigger = Trigger { kind: "api".to_owned(), id: None, actor: tenant.caller.actor.clone() };
        flow::begin(tenant, Beginning { ready, input, trigger, wait }).await
    }
}

/// Runs the version of an earlier execution again, with its input.
#[derive(Debug)]
pub struct Replay {
    /// The earlier execution.
    pub execution_id: Uuid,
    /// How long its end is waited for; the setting where absent.
    pub wait: Option<Duration>,
}

impl Action for Replay {
    type Output = ExecutionView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<ExecutionView, Fault> {
        let wait = checked_wait(tenant, self.wait)?;
        let earlier: Execution = tenant.core.store.get(tenant.key(self.execution_id)).await?;
        let version = tenant.core.functions.version(&tenant.core, tenant.key(earlier.version_id)).await?;
        let ready = version.ok_or_else(|| {
            let noun = FunctionVersion::TABLE.noun;
            Fault::new(Code::InvalidState, format!("the {noun} it ran is not kept any more"))
        })?;
        let trigger = Trigger {
            kind: "replay".to_owned(),
            id: Some(self.execution_id),
            actor: tenant.caller.actor.clone(),
        };
        flow::begin(tenant, Beginning { ready, input: earlier.input, trigger, wait }).await
    }
}

fn checked_wait(tenant: &Tenant, wait: Option<Duration>) -> Result<Duration, Fault> {
    let most = tenant.settings.duration(&MAX_WAIT);
    let wait = wait.unwrap_or_else(|| tenant.settings.duration(&WAIT).min(most));
    if wait <= most {
        return Ok(wait);
    }
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (bound, asked) = (write_duration(most), write_duration(wait));
    let detail = format!("must be at most {bound} ({}), not {asked}", MAX_WAIT.name);
    Err(Fault::field("?wait", "bounds", detail).limited(MAX_WAIT.name, millis(most), millis(wait)))
}

fn params(text: String) -> Result<Json, Fault> {
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() || trimmed == "null" {
        return Ok(RawValue::from_string("{}".to_owned()).unwrap_or_default());
    }
    let read = if trimmed.len() == text.len() { text } else { trimmed.to_owned() };
    let read = RawValue::from_string(read)
        .map_err(|error| Fault::new(Code::Malformed, format!("the body is not JSON: {error}")))?;
    if read.get().starts_with('{') {
        return Ok(read);
    }
    Err(Fault::field("", "type", "the params must be an object"))
}

/// Reads one execution.
#[derive(Debug)]
pub struct FetchExecution(pub Uuid);

impl Action for FetchExecution {
    type Output = ExecutionView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<ExecutionView, Fault> {
        tenant.core.store.get::<Execution>(tenant.key(self.0)).await?.view()
    }
}

/// Reads one execution of a function.
#[derive(Debug)]
pub struct FetchExecutionOf {
    /// The function.
    pub function_id: Uuid,
    /// The execution; one of another function is told as a missing one.
    pub execution_id: Uuid,
}

impl Action for FetchExecutionOf {
    type Output = ExecutionView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<ExecutionView, Fault> {
        let execution: Execution = tenant.core.store.get(tenant.key(self.execution_id)).await?;
        if execution.function_id == self.function_id {
            execution.view()
        } else {
            Err(Fault::not_found(Execution::TABLE.noun))
        }
    }
}

/// What a list of executions is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionFilters {
    /// Only those that stand here.
    pub status: Option<Status>,
}

/// A page of executions, newest first. It ends early where its items are large.
#[derive(Debug)]
pub struct ListExecutions {
    /// Only those of this function, which must exist.
    pub function_id: Option<Uuid>,
    /// Narrowed by.
    pub filters: ExecutionFilters,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListExecutions {
    type Output = Page<ExecutionView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let mut query = Query::of(tenant.account_id);
        if let Some(function) = self.function_id {
            tenant.core.store.get::<Function>(tenant.key(function)).await?;
            query = query.equal("function_id", function);
        }
        if let Some(status) = self.filters.status {
            query.filters.push(Filter::Equal("status", Cell::from(status.as_str())));
        }
        query.filters.extend(self.page.times());
        query.after = self.page.position(tenant, Execution::TABLE.name)?;
        page(tenant, &self.page, query).await
    }
}

async fn page(
    tenant: &Tenant,
    request: &PageRequest,
    mut query: Query,
) -> Result<Page<ExecutionView>, Fault> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        // One row more than is wanted tells whether there is a next page.
        query.limit = PAGE_ROWS.min(request.limit - items.len()) + 1;
        let mut rows: Vec<Execution> = tenant.core.store.list(query.clone()).await?;
        let more = rows.len() == query.limit;
        rows.truncate(query.limit - 1);
        query.after = rows.last().map(|last| last.head.id).or(query.after);
        for row in rows {
            bytes += row.bytes();
            items.push(row.view()?);
        }
        if !more || items.len() >= request.limit || bytes >= PAGE_BYTES {
            let last = items.last().map(|last: &ExecutionView| last.id).filter(|_| more);
            let next_cursor = last.map(|id| PageRequest::mark(tenant, Execution::TABLE.name, id.as_bytes()));
            return Ok(Page { items, next_cursor });
        }
    }
}

/// Cancels an execution that has not ended.
#[derive(Debug)]
pub struct Cancel(pub Uuid);

impl Action for Cancel {
    type Output = ExecutionView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<ExecutionView, Fault> {
        let key = tenant.key(self.0);
        for _ in 0..CANCEL_ATTEMPTS {
            let mut execution: Execution = tenant.core.store.get(key).await?;
            if execution.status.is_final() {
                let status = execution.status.as_str();
                return Err(Fault::new(Code::InvalidState, format!("the execution has ended: {status}")));
            }
            let here = tenant.core.executions.stage.running(key);
            if let Some(live) = here {
                live.cancel(&tenant.caller.actor);
                // The run ends in its own time, with what it logged; only where it does not, its end is written here.
                if tokio::time::timeout(CANCEL_WAIT, live.left()).await.is_ok() {
                    execution = tenant.core.store.get(key).await?;
                    if execution.status == Status::Cancelled {
                        return tenant.commit(Batch::new(), execution.view()?).await;
                    }
                    if execution.status.is_final() {
                        continue;
                    }
                }
            }
            match withdraw(tenant, execution).await {
                Err(fault) if fault.code == Code::Conflict => {}
                result => return result,
            }
        }
        Err(Fault::new(Code::Conflict, "the execution changes all the time; try again"))
    }
}

/// Takes it out of the queue. Another daemon that runs it loses the item and can write nothing more; it stops when it
/// hears of that, or when it next prolongs its lease.
async fn withdraw(tenant: &Tenant, mut execution: Execution) -> Result<ExecutionView, Fault> {
    let mut batch = Batch::new();
    let cancelled = outcome::plain("cancelled", format!("cancelled by {}", tenant.caller.actor));
    record::end(&tenant.core, &mut execution, (Status::Cancelled, cancelled), &mut batch)?;
    batch.withdraw(tenant.account_id, execution.head.id);
    let key = execution.head.key();
    let view = tenant.commit(batch, execution.view()?).await?;
    tenant.core.metrics.executions.with_label_values(&[view.status.as_str()]).inc();
    let live = tenant.core.executions.stage.meet(key);
    live.cancel(&tenant.caller.actor);
    live.over();
    Ok(view)
}
