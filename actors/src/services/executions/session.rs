//! One attempt at an execution, from its start to what is recorded of it.
//!
//! A short run that came straight from a request is written once, at its end. One that goes on for longer than
//! [`super::PERSIST_AFTER`] is written as running, together with an item of the queue whose lease is held here: should
//! this daemon die, another performs it again. What runs from the queue has such an item from the beginning. Whoever
//! holds the item ends it in the batch that has the execution's end, under the fence; a session that lost it writes
//! nothing.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use sl_store::{Batch, Code, Fault, Key, Lease, NewEvent, Settle, Settlement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ACTIONS, bounds,
    entity::{Execution, Status},
    kinds,
    lanes::Place,
    live::Live,
    outcome,
    perform::{Item, Performer, Stand},
    record,
    view::{self, ExecutionView, Failure},
};
use crate::{
    Core,
    duty::{HEARTBEAT, LEASE},
    idempotency::Ticket,
    redact::Redactor,
    sandbox::{self, Ending, FetchRequest, FetchResponse, HostCalls, LogLine, Report, Run, RunContext},
    services::{
        functions::Ready,
        secrets::{self, Purpose},
    },
    settings::Settings,
};

/// One attempt at an execution.
pub(super) struct Session {
    pub core: Arc<Core>,
    pub settings: Settings,
    pub execution: Execution,
    pub ready: Arc<Ready>,
    pub live: Arc<Live>,
    /// The item that stands for the execution in the queue, where there is one.
    pub hold: Option<Hold>,
    /// Ends the run from outside.
    pub cancel: CancellationToken,
    /// Events of this attempt that are not in the store yet.
    pub untold: Vec<NewEvent>,
    /// Whether the row in the store says that it runs.
    pub marked: bool,
    #[expect(dead_code, reason = "held until the session is over")]
    pub place: Place,
}

/// An item of the queue that is held here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub id: Uuid,
    pub fence: i64,
    /// Whether this session prolongs the lease itself; otherwise the duty does.
    pub own: bool,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum End {
    /// The execution has ended, its end is in the store, and nothing that it queued is pending.
    Recorded(Box<ExecutionView>),
    /// The execution has ended, its end is in the store, and what it queued is performed elsewhere or later.
    Acting,
    /// It waits in the queue for another attempt.
    Queued,
    /// It is somebody else's now.
    Lost,
    /// It must be attempted again; the batch belongs to that. Only where the duty holds the item.
    Again(Fault, Batch),
    /// Nothing of it could be written.
    Unrecorded(Fault),
}

type Secrets = std::collections::BTreeMap<String, secrecy::SecretString>;

impl Session {
    /// Makes the attempt. The run is written as running when it has taken `persist_after`.
    pub(super) async fn run(mut self, persist_after: Duration) -> End {
        let _on_stage = self.live.begin(self.cancel.clone());
        let (secrets, redactor) = match self.resolve().await {
            Ok(resolved) => resolved,
            Err(fault) if fault.code.is_transient() => return self.again(fault).await,
            Err(fault) if fault.code == Code::NotFound => {
                return self.fail(outcome::plain("secret_missing", fault.detail)).await;
            }
            Err(fault) => return self.fail(outcome::fault(&fault)).await,
        };
        let calls = Arc::new(Calls {
            core: self.core.clone(),
            account: self.execution.head.account_id,
            live: self.live.clone(),
            redactor: redactor.clone(),
        });
        let (sandbox, run, cancel) = (self.core.sandbox.clone(), self.question(secrets), self.cancel.clone());
        let mut running = std::pin::pin!(sandbox.run(run, calls, cancel));
        match self.accompany(running.as_mut(), persist_after).await {
            Ok(report) if self.stopped(&report) => self.give_back(report.begun).await,
            Ok(report) => self.finish(report, &redactor).await,
            Err(fault) if fault.code == Code::TooLarge => self.fail(outcome::fault(&fault)).await,
            Err(fault) => self.again(fault).await,
        }
    }

    /// Resolves the secrets that the function names.
    async fn resolve(&mut self) -> Result<(Secrets, Redactor), Fault> {
        let names = &self.ready.definition.secrets;
        if names.is_empty() {
            return Ok((Secrets::new(), Redactor::new([""; 0])));
        }
        let account = self.execution.head.account_id;
        let purpose = Purpose {
            subject: self.execution.head.id,
            actor: self.execution.trigger.actor.clone(),
            request_id: self.execution.request_id.clone(),
            origin: self.execution.origin.clone(),
        };
        let resolved = secrets::resolve(&self.core, account, names, &purpose).await?;
        self.untold.extend(resolved.event);
        let redactor = Redactor::new(resolved.values.values().map(ExposeSecret::expose_secret));
        Ok((resolved.values, redactor))
    }

    fn question(&self, secrets: Secrets) -> Run {
        let execution = &self.execution;
        let (account, definition) = (execution.head.account_id, &self.ready.definition);
        Run {
            account,
            version_id: self.ready.version_id,
            source: self.ready.source.clone(),
            params_json: execution.input.get().to_owned(),
            secrets,
            context: RunContext {
                function_id: execution.function_id.to_string(),
                function_version: execution.function_version.unsigned_abs(),
                account_id: account.to_string(),
                execution_id: execution.head.id.to_string(),
                attempt: u32::try_from(execution.attempts).unwrap_or(u32::MAX),
                phase: None,
            },
            limits: bounds::limits(definition, &self.settings),
            options: bounds::options(definition, &self.settings),
        }
    }

    /// Waits for the report; meanwhile writes that the execution runs, and prolongs the lease.
    async fn accompany(
        &mut self,
        mut running: Pin<&mut impl Future<Output = Result<Report, Fault>>>,
        persist_after: Duration,
    ) -> Result<Report, Fault> {
        let core = self.core.clone();
        let (mut pause, mut is_first) = (persist_after, true);
        loop {
            tokio::select! {
                biased;
                report = &mut running => return report,
                () = core.clock.sleep(pause) => {}
                // Who waits for it is answered now, and with what is in the store.
                () = core.executions.closing.cancelled(), if is_first && self.hold.is_none() => {}
            }
            is_first = false;
            let mut beat = std::pin::pin!(self.beat());
            tokio::select! {
                biased;
                report = &mut running => {
                    beat.await;
                    return report;
                }
                () = &mut beat => {}
            }
            pause = core.settings.duration(&HEARTBEAT);
        }
    }

    async fn beat(&mut self) {
        let result = match self.hold {
            None => self.persist(None).await,
            Some(_) if !self.marked => self.mark().await,
            Some(hold) if hold.own => self.prolong(hold).await,
            Some(_) => Ok(()),
        };
        if let Err(fault) = result {
            let execution = &self.execution.head;
            tracing::warn!(
                account_id = %execution.account_id, execution_id = %execution.id, %fault,
                "A running execution could not be written; it goes on"
            );
        }
    }

    /// Writes the execution as running, with an item that is leased to this daemon; the request's idempotency key is
    /// promised an answer.
    pub(super) async fn persist(&mut self, ticket: Option<&Ticket>) -> Result<(), Fault> {
        let core = self.core.clone();
        let mut work = self.execution.work(core.ids.next(), core.clock.now());
        work.lease = Some(Lease { holder: core.daemon_id, duration: core.settings.duration(&LEASE) });
        let hold = Hold { id: work.id, fence: 1, own: true };
        let mut batch = Batch::new();
        batch.insert(&self.execution).enqueue(work).event(self.execution.event());
        batch.events.extend(self.untold.iter().cloned());
        if let Some(ticket) = ticket {
            ticket.promise(&core, self.execution.head.id, &mut batch);
        }
        core.store.commit(batch).await?;
        self.untold.clear();
        (self.hold, self.marked) = (Some(hold), true);
        self.live.stored();
        Ok(())
    }

    /// Writes that the execution, which is in the store as queued, runs.
    async fn mark(&mut self) -> Result<(), Fault> {
        let mut marked = self.execution.clone();
        let mut batch = Batch::new();
        batch.replace(&mut marked, self.core.clock.now()).event(marked.event());
        batch.events.extend(self.untold.iter().cloned());
        match self.core.store.commit(batch).await {
            Ok(()) => {
                self.untold.clear();
                (self.execution, self.marked) = (marked, true);
                self.live.stored();
                Ok(())
            }
            Err(fault) if fault.code == Code::Conflict => {
                self.cancel.cancel();
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    async fn prolong(&self, hold: Hold) -> Result<(), Fault> {
        let core = &self.core;
        let leases = vec![(Key::new(self.execution.head.account_id, hold.id), hold.fence)];
        let lease = core.settings.duration(&LEASE);
        let kept = core.store.heartbeat(core.daemon_id, leases, lease).await?;
        if kept.is_empty() || core.mirror.is_deleting(self.execution.head.account_id) {
            self.cancel.cancel();
        }
        Ok(())
    }

    /// Whether the run was ended though nobody cancelled the execution.
    fn stopped(&self, report: &Report) -> bool {
        let cancelled = matches!(&report.ending, Ending::Failed(failure) if failure.code == "cancelled");
        cancelled && self.live.cancelled_by().is_none()
    }

    async fn finish(mut self, report: Report, redactor: &Redactor) -> End {
        let now = self.core.clock.now();
        let queue = outcome::apply(&mut self.execution, report, self.live.logs(), redactor, now);
        if !queue.is_empty() {
            let records = kinds::records(queue, redactor, now);
            self.execution.actions = view::json(&records);
        }
        self.record().await
    }

    async fn fail(mut self, failure: Failure) -> End {
        let now = self.core.clock.now();
        outcome::end(&mut self.execution, Status::Failed, &failure);
        self.execution.completed_at = Some(now);
        self.record().await
    }

    /// Writes the end, and then performs what the run queued.
    async fn record(mut self) -> End {
        let item = self.execution.awaits_actions().then(|| self.core.ids.next());
        match self.write_end(item).await {
            Ok(view) => {
                self.count(&view);
                match item {
                    None => self.recorded(view),
                    Some(id) => self.act(Item { id, fence: 1 }).await,
                }
            }
            Err(fault) => self.unrecorded(fault),
        }
    }

    /// Performs what the run queued; what cannot be done now is left to the queue.
    async fn act(self, item: Item) -> End {
        self.live.ended();
        let core = self.core.clone();
        let (settings, execution) = (self.settings.clone(), self.execution.clone());
        let mut performer = Performer { core: core.clone(), settings, execution, item };
        let settlement = match performer.run(&self.cancel).await {
            Stand::Done => {
                return performer.execution.view().map_or_else(End::Unrecorded, |view| self.recorded(view));
            }
            Stand::Lost => return End::Acting,
            Stand::Held => Settlement::Release,
            Stand::Failed(fault) => {
                let due_at = core.clock.now() + core.settings.duration(&crate::duty::RETRY_BASE);
                Settlement::Retry { due_at, error: fault.detail }
            }
        };
        let mut batch = Batch::new();
        batch.settle(performer.settle(settlement));
        if let Err(fault) = core.store.commit(batch).await {
            let execution_id = self.execution.head.id;
            tracing::warn!(%execution_id, %fault, "Actions could not be handed over; their lease will run out");
        }
        core.bells.ring(ACTIONS);
        End::Acting
    }

    /// Writes the end; with it an item about the actions that are pending, where there are some.
    async fn write_end(&mut self, actions: Option<Uuid>) -> Result<ExecutionView, Fault> {
        let (core, mut batch) = (self.core.clone(), Batch::new());
        record::seal(&core, &mut self.execution)?;
        match self.hold {
            None => {
                self.execution.head.updated_at = core.clock.now();
                batch.insert(&self.execution)
            }
            Some(hold) => {
                batch.replace(&mut self.execution, core.clock.now());
                batch.settle(self.settle(hold, Settlement::Remove))
            }
        };
        batch.events.append(&mut self.untold);
        batch.event(self.execution.event());
        for refused in self.execution.action_records()?.iter().filter(|action| !action.is_pending()) {
            batch.event(self.execution.acted(refused));
        }
        self.execution.tell(&core, &mut batch)?;
        if let Some(id) = actions {
            let mut work = self.execution.actions_work(id, core.clock.now());
            work.lease = Some(Lease { holder: core.daemon_id, duration: core.settings.duration(&LEASE) });
            batch.enqueue(work);
        }
        self.commit(batch).await?;
        self.execution.clone().view()
    }

    /// Commits; where the item is held and the store does not answer, again for as long as the lease would last.
    async fn commit(&self, batch: Batch) -> Result<(), Fault> {
        let core = &self.core;
        if self.hold.is_none() {
            return core.commit(batch).await;
        }
        let give_up = tokio::time::Instant::now() + self.core.settings.duration(&LEASE);
        loop {
            match core.commit(batch.clone()).await {
                Err(fault) if fault.code == Code::Unavailable && tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                result => return result,
            }
        }
    }

    pub(super) fn settle(&self, hold: Hold, settlement: Settlement) -> Settle {
        let (account, holder) = (self.execution.head.account_id, Some(self.core.daemon_id));
        Settle { id: hold.id, account, fence: hold.fence, holder, settlement }
    }

    fn count(&self, view: &ExecutionView) {
        let took = view.started_at.zip(view.completed_at).map(|(from, to)| (to - from).to_std());
        let status = [view.status.as_str()];
        let metrics = &self.core.metrics;
        metrics.executions.with_label_values(&status).inc();
        let seconds = took.map_or(0.0, |took| took.unwrap_or_default().as_secs_f64());
        metrics.execution_seconds.with_label_values(&status).observe(seconds);
    }

    fn recorded(&self, view: ExecutionView) -> End {
        self.live.over();
        End::Recorded(Box::new(view))
    }

    pub(super) fn unrecorded(&self, fault: Fault) -> End {
        let head = &self.execution.head;
        if self.hold.is_some() && matches!(fault.code, Code::FenceLost | Code::Conflict) {
            self.core.metrics.executions_lost.with_label_values(&["run"]).inc();
            tracing::warn!(
                account_id = %head.account_id, execution_id = %head.id, %fault,
                "A stale outcome was refused: the run was somebody else's by then"
            );
            return End::Lost;
        }
        tracing::error!(
            account_id = %head.account_id, execution_id = %head.id, %fault,
            "The end of an execution could not be written"
        );
        End::Unrecorded(fault)
    }
}

/// What a run asks of the daemon.
struct Calls {
    core: Arc<Core>,
    account: Uuid,
    live: Arc<Live>,
    redactor: Redactor,
}

impl HostCalls for Calls {
    fn log(&self, line: &LogLine) {
        self.live.log(outcome::entry(line, &self.redactor));
    }

    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, Fault>> {
        sandbox::fetch(&self.core.egress, self.account, request)
    }
}
