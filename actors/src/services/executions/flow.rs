//! How an execution begins: straight away, or in the queue.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use sl_store::{Batch, Fault, Head, Key};
use tokio_util::sync::CancellationToken;

use super::{
    ACCOUNT_CONCURRENCY, DUTY, PERSIST_AFTER,
    entity::{Execution, Json, Trigger},
    lanes::{Ask, Place},
    live::Live,
    room,
    session::{End, Session},
    view::ExecutionView,
};
use crate::{
    Core,
    action::Tenant,
    mirror::Around,
    services::functions::{Ready, limits},
    settings::Settings,
    supervisor::spawn_task,
};

/// How soon the row of an execution that runs elsewhere is looked at, and how late.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is to be run.
#[derive(Debug)]
pub(super) struct Beginning {
    pub ready: Arc<Ready>,
    pub input: Json,
    pub trigger: Trigger,
    /// How long its end is waited for.
    pub wait: Duration,
}

/// The places that a run of this version takes.
pub(super) fn ask(account: uuid::Uuid, ready: &Ready, settings: &Settings) -> Ask {
    let concurrency = ready.definition.limits.in_force(&limits::CONCURRENCY, settings);
    Ask {
        account,
        account_limit: settings.size(&ACCOUNT_CONCURRENCY),
        function: ready.function_id,
        function_limit: usize::try_from(concurrency).unwrap_or(usize::MAX),
    }
}

/// Begins an execution and waits for its end as long as the beginning says. What a key promised is kept with what is
/// answered.
pub(super) async fn begin(tenant: &Tenant, beginning: Beginning) -> Result<ExecutionView, Fault> {
    let Beginning { ready, input, trigger, wait } = beginning;
    let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
    let mut execution = Execution::new(head, &ready, input, trigger);
    execution.request_id.clone_from(&tenant.caller.request_id);
    execution.origin.clone_from(&tenant.caller.origin);
    let core = &tenant.core;
    let wait = if core.executions.closing.is_cancelled() { Duration::ZERO } else { wait };
    let around = Around { duty: DUTY, account: tenant.account_id, gates: &[ready.function_id] };
    let free = !wait.is_zero() && !core.mirror.is_held(around, tenant.now());
    let ask = ask(tenant.account_id, &ready, &tenant.settings);
    let view = match free.then(|| core.executions.lanes.try_enter(ask)).flatten() {
        Some(place) => run_now(tenant, execution, ready, place, wait).await?,
        None if wait.is_zero() => return queue(tenant, execution).await,
        None => queue_and_wait(tenant, execution, wait).await?,
    };
    if let Some(ticket) = &tenant.ticket {
        ticket.keep(&tenant.core, (view.answered_as(), &view)).await?;
    }
    Ok(view)
}

/// Runs it in the task of the request. What outlasts the wait goes on in a task of its own.
async fn run_now(
    tenant: &Tenant,
    mut execution: Execution,
    ready: Arc<Ready>,
    place: Place,
    wait: Duration,
) -> Result<ExecutionView, Fault> {
    let core = &tenant.core;
    execution.start(1, tenant.now());
    let key = execution.head.key();
    let live = core.executions.stage.meet(key);
    let mut session = Session {
        core: core.clone(),
        settings: tenant.settings.clone(),
        execution,
        ready,
        live: live.clone(),
        hold: None,
        cancel: CancellationToken::new(),
        untold: Vec::new(),
        marked: false,
        place,
    };
    if let Some(ticket) = &tenant.ticket {
        session.persist(Some(ticket)).await?;
    }
    let began = core.clock.now();
    let mut running = Box::pin(session.run(core.settings.duration(&PERSIST_AFTER).min(wait)));
    tokio::select! {
        biased;
        end = &mut running => return answer(core, end, key, &live, remaining(core, began, wait)).await,
        () = core.clock.sleep(wait) => {}
        () = core.executions.closing.cancelled() => {}
    }
    tokio::select! {
        biased;
        end = &mut running => return answer(core, end, key, &live, Duration::ZERO).await,
        () = live.until(|progress| progress.stored) => {}
    }
    spawn_task("execution", async move {
        let _written_or_logged = running.await;
    });
    core.store.get::<Execution>(key).await?.view()
}

fn remaining(core: &Core, since: chrono::DateTime<chrono::Utc>, wait: Duration) -> Duration {
    wait.saturating_sub((core.clock.now() - since).to_std().unwrap_or_default())
}

async fn answer(
    core: &Core,
    end: End,
    key: Key,
    live: &Live,
    wait: Duration,
) -> Result<ExecutionView, Fault> {
    match end {
        End::Recorded(view) => Ok(*view),
        End::Unrecorded(fault) => Err(fault),
        End::Queued | End::Acting | End::Lost | End::Again(..) => wait_for_end(core, key, live, wait).await,
    }
}

/// Puts it into the queue; that is the answer.
async fn queue(tenant: &Tenant, execution: Execution) -> Result<ExecutionView, Fault> {
    let mut batch = Batch::new();
    let view = execution.clone().view()?;
    if let Some(ticket) = &tenant.ticket {
        ticket.record_as(&tenant.core, (view.answered_as(), &view), &mut batch)?;
    }
    enqueue(tenant, &execution, batch).await?;
    Ok(view)
}

async fn queue_and_wait(
    tenant: &Tenant,
    execution: Execution,
    wait: Duration,
) -> Result<ExecutionView, Fault> {
    let (core, key, mut batch) = (&tenant.core, execution.head.key(), Batch::new());
    if let Some(ticket) = &tenant.ticket {
        ticket.promise(core, key.id, &mut batch);
    }
    let live = enqueue(tenant, &execution, batch).await?;
    wait_for_end(core, key, &live, wait).await
}

async fn enqueue(tenant: &Tenant, execution: &Execution, mut batch: Batch) -> Result<Arc<Live>, Fault> {
    let (core, key) = (&tenant.core, execution.head.key());
    batch.insert(execution).enqueue(execution.work(tenant.next_id(), tenant.now()));
    room::take(core, &tenant.settings, key.account, &mut batch).await?;
    batch.event(execution.event());
    let live = core.executions.stage.meet(key);
    core.commit(batch).await?;
    live.stored();
    Ok(live)
}

/// The execution when it is over, or as it stands when the wait runs out or the daemon is about to go. An end in this
/// daemon is told at once; of one elsewhere only the row tells.
pub(super) async fn wait_for_end(
    core: &Core,
    key: Key,
    live: &Live,
    wait: Duration,
) -> Result<ExecutionView, Fault> {
    let until = core.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX / 2);
    let (mut pause, closing) = (LOOK.0, &core.executions.closing);
    loop {
        let left = (until - core.clock.now()).to_std().unwrap_or_default();
        tokio::select! {
            biased;
            () = live.until(|progress| progress.over) => {}
            () = core.clock.sleep(pause.min(left)) => {}
            () = closing.cancelled() => {}
        }
        let execution: Execution = core.store.get(key).await?;
        if execution.is_over() || core.clock.now() >= until || closing.is_cancelled() {
            return execution.view();
        }
        pause = (pause * 2).min(LOOK.1);
    }
}
