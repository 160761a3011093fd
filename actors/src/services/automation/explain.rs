//! Why a job or a run waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Cell, Fault, Filter, Key, Query};
use uuid::Uuid;

use super::{DUTY, job::Job, named::RunStatus, run::Run};
use crate::{
    Core,
    services::executions::Execution,
    why::{Cause, Explained, missing_function},
};

/// So many runs ahead are counted.
const AHEAD: usize = 1_000;

/// Tells of the job or run of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        if let Some(job) = core.store.find::<Job>(key).await? {
            return explain_job(core, key, job).await.map(Some);
        }
        match core.store.find::<Run>(key).await? {
            Some(run) => explain_run(core, key, &run).await.map(Some),
            None => Ok(None),
        }
    })
}

async fn explain_job(core: &Core, key: Key, mut job: Job) -> Result<Explained, Fault> {
    job.state = core.store.find(key).await?;
    let next = job.state.as_ref().and_then(|state| state.next_slot);
    let missing = missing_function(core, Key::new(key.account, job.function_id)).await?;
    let mut causes: Vec<Cause> = missing.into_iter().collect();
    causes.push(match (job.enabled, &job.on, next) {
        (false, ..) => Cause::new("disabled", "the job is disabled; PATCH enabled to let it run by itself"),
        (true, Some(on), _) => {
            Cause::new("listening", format!("it waits for events of the kind {:?}", on.kind))
        }
        (true, None, None) => Cause::new("ended", "no slot of its schedule will come any more"),
        (true, None, Some(slot)) => Cause::new("next_slot", "its next slot comes at that time").until(slot),
    });
    let status = core.standing(DUTY, &job.head, job.status());
    let failures = job.state.as_ref().map_or(0, |state| job.failures(state, core));
    if failures > 0 {
        let detail = format!("its last {failures} runs have failed");
        let cause = Cause::new("failing", detail).with("failures", failures);
        causes.push(cause.with("max_failures", job.max_failures));
    }
    Ok(Explained { kind: "job", status: status.to_owned(), gates: Vec::new(), causes })
}

async fn explain_run(core: &Core, key: Key, run: &Run) -> Result<Explained, Fault> {
    let mut causes = Vec::new();
    match run.status {
        RunStatus::Queued => causes.extend(ahead(core, key, run).await?),
        RunStatus::Running => causes.extend(execution(core, key, run).await?),
        _ => {}
    }
    let job: Option<Job> = core.store.find(Key::new(key.account, run.job_id)).await?;
    let function = job.map(|job| job.function_id);
    let gates = std::iter::once(run.job_id).chain(function).collect();
    Ok(Explained { kind: "run", status: run.status.as_str().to_owned(), gates, causes })
}

async fn ahead(core: &Core, key: Key, run: &Run) -> Result<Option<Cause>, Fault> {
    let open = [RunStatus::Queued, RunStatus::Running].map(|status| Cell::from(status.as_str()));
    let query = Query::of(key.account)
        .equal("job_id", run.job_id)
        .filter(Filter::In("status", open.to_vec()))
        .oldest_first()
        .limit(AHEAD);
    let open: Vec<Run> = core.store.list(query).await?;
    let before = |other: &&Run| {
        other.head.id != key.id && (other.status == RunStatus::Running || other.head.id < key.id)
    };
    let ahead: Vec<&Run> = open.iter().filter(before).collect();
    Ok(ahead.first().map(|first| {
        let detail = format!("{} runs of the job come first", ahead.len());
        Cause::new("behind_run", detail).with("behind", ahead.len()).with("run_id", first.head.id.to_string())
    }))
}

async fn execution(core: &Core, key: Key, run: &Run) -> Result<Option<Cause>, Fault> {
    let Some(id) = run.current_execution() else { return Ok(None) };
    let execution: Option<Execution> = core.store.find(Key::new(key.account, id)).await?;
    let status = execution.map_or("not kept", |execution| execution.status.as_str());
    let detail = format!("its execution is {status}; ask why of it");
    Ok(Some(Cause::new("execution", detail).since(run.started_at).with("execution_id", id.to_string())))
}
