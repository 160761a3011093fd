//! Rows, work and events in this process's memory, owned by one actor.
//!
//! One message after another is the whole of its concurrency control: a batch is applied between two messages, so
//! expectations, guards and fences need no locks. Nothing outlives the process; `sld dev` and tests use it.

mod index;
mod log;
mod queue;
mod rows;
mod state;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::{
    sync::{broadcast, oneshot},
    time::Instant,
};
use uuid::Uuid;

use self::state::State;
use crate::{
    Backend, Batch, BoxFuture, Claim, Clock, Event, EventQuery, Fault, Filter, Health, Hint, Key, Position,
    Query, Row, Table, Work, WorkCount, WorkQuery, check,
};

/// How many hints a slow watcher may fall behind before it loses some.
const HINTS: usize = 1024;

/// The in-memory backend. The actor stops when the last handle is dropped.
pub struct Memory {
    actor: ActorRef<Request>,
    hints: broadcast::Sender<Hint>,
}

impl Memory {
    /// Starts the actor; leases and events go by `clock`.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] where the actor does not start.
    pub async fn start(clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let hints = broadcast::Sender::new(HINTS);
        let state = State::new(clock, hints.clone());
        let (actor, _) = Actor::spawn(None, Owner, state).await.map_err(Fault::internal)?;
        Ok(Self { actor, hints })
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut State) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'_, T> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let request = Request(Box::new(move |state| {
                let result = catch_unwind(AssertUnwindSafe(|| question(state)));
                let result = result.unwrap_or_else(|_| {
                    state.step_back();
                    Err(Fault::internal("the memory backend met a defect while it answered"))
                });
                // Nobody waits any more: what was asked has happened all the same, as with a database.
                let _ = reply.send(result);
            }));
            self.actor.cast(request).map_err(Fault::internal)?;
            answer.await.map_err(|_| Fault::internal("the memory backend has stopped"))?
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.actor.stop(None);
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// Something to be done with the state, and to be answered.
struct Request(Box<dyn FnOnce(&mut State) + Send>);

struct Owner;

impl Actor for Owner {
    type Msg = Request;
    type State = State;
    type Arguments = State;

    async fn pre_start(&self, _myself: ActorRef<Request>, state: State) -> Result<State, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Request>,
        request: Request,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        (request.0)(state);
        Ok(())
    }
}

impl Backend for Memory {
    fn get(&self, table: &'static Table, key: Key) -> BoxFuture<'_, Option<Row>> {
        self.ask(move |state| Ok(state.rows(table).get(key).cloned()))
    }

    fn list(&self, table: &'static Table, query: Query) -> BoxFuture<'_, Vec<Row>> {
        self.ask(move |state| {
            check::filters(table, &query.filters)?;
            Ok(state.rows(table).list(&query))
        })
    }

    fn count(
        &self,
        table: &'static Table,
        account: Option<Uuid>,
        filters: Vec<Filter>,
    ) -> BoxFuture<'_, u64> {
        self.ask(move |state| {
            check::filters(table, &filters)?;
            Ok(state.rows(table).count(account, &filters))
        })
    }

    fn commit(&self, mut batch: Batch) -> BoxFuture<'_, ()> {
        if let Err(fault) = check::batch(&mut batch) {
            return Box::pin(std::future::ready(Err(fault)));
        }
        self.ask(move |state| state.commit(batch))
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Vec<Work>> {
        self.ask(move |state| Ok(state.queue.claim(&claim, state.clock.now())))
    }

    fn heartbeat(&self, holder: Uuid, held: Vec<(Key, i64)>, lease: Duration) -> BoxFuture<'_, Vec<Uuid>> {
        self.ask(move |state| Ok(state.queue.heartbeat(holder, held, state.clock.now() + lease)))
    }

    fn work(&self, query: WorkQuery) -> BoxFuture<'_, Vec<Work>> {
        self.ask(move |state| Ok(state.queue.list(&query, state.clock.now())))
    }

    fn work_count(&self, query: WorkQuery) -> BoxFuture<'_, WorkCount> {
        self.ask(move |state| Ok(state.queue.count(&query, state.clock.now())))
    }

    fn next_due(&self, duty: &'static str, after: DateTime<Utc>) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        self.ask(move |state| Ok(state.queue.next_due(duty, after)))
    }

    fn events(&self, query: EventQuery) -> BoxFuture<'_, Vec<Event>> {
        self.ask(move |state| Ok(state.log.list(&query)))
    }

    fn tail(&self) -> BoxFuture<'_, Position> {
        self.ask(move |state| Ok(state.log.tail()))
    }

    fn forget_events(
        &self,
        account: Option<Uuid>,
        before: DateTime<Utc>,
        limit: usize,
    ) -> BoxFuture<'_, u64> {
        self.ask(move |state| Ok(state.log.forget(account, before, limit)))
    }

    fn watch(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            let asked = Instant::now();
            self.ask(|_| Ok(())).await?;
            Ok(Health { backend: "memory", latency: asked.elapsed(), connections: (0, 0) })
        })
    }
}
