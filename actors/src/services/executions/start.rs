//! Executions that the service's own duties begin: of jobs, triggers, answers that functions wait for.

use serde_json::{Value, value::RawValue};
use sl_store::{Batch, Code, Fault, Head, Key, NewWork};
use uuid::Uuid;

use super::{
    entity::{Execution, Json, Status, Trigger},
    outcome, record, room,
};
use crate::{Core, services::functions::Ready, settings::Settings};

/// Who is told of an execution's end: the batch that has the end adds an item of this duty about this subject, whose
/// payload is `{"execution_id"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequel {
    /// The duty.
    pub duty: String,
    /// What the item is about: the run of a job, the delivery of a trigger.
    pub subject: Uuid,
}

/// An execution that a duty begins.
#[derive(Debug)]
pub struct Start {
    /// The account.
    pub account_id: Uuid,
    /// The function; its current version runs.
    pub function_id: Uuid,
    /// The params, an object.
    pub input: Value,
    /// What made it.
    pub trigger: Trigger,
    /// The request behind it, where there was one.
    pub request_id: Option<String>,
    /// Who is told of its end.
    pub sequel: Option<Sequel>,
}

/// Adds a queued execution to the batch and answers its id; whoever commits the batch rings [`super::DUTY`] afterwards.
/// `settings` are the account's.
///
/// # Errors
/// [`Code::NotFound`] where the account has no such function; on commit [`Code::QuotaExceeded`] where too many wait.
pub async fn start(core: &Core, settings: &Settings, start: Start, batch: &mut Batch) -> Result<Uuid, Fault> {
    let key = Key::new(start.account_id, start.function_id);
    let ready = core.functions.current(core, key).await?;
    let head = Head::new(start.account_id, core.ids.next(), core.clock.now());
    let input = RawValue::from_string(start.input.to_string()).map_err(Fault::internal)?;
    let mut execution = Execution::new(head, &ready, input, start.trigger);
    execution.request_id = start.request_id;
    execution.sequel = start.sequel;
    batch.insert(&execution).enqueue(execution.work(core.ids.next(), head.created_at));
    room::take(core, settings, start.account_id, batch).await?;
    batch.event(execution.event());
    Ok(head.id)
}

/// Adds to the batch that an execution is cancelled, wherever it waits or runs; a run that goes on can write nothing any
/// more. Answers whether there was one that had not ended.
///
/// # Errors
/// What the store answers; on commit [`Code::Conflict`] where it ends at the same moment.
pub async fn stop(core: &Core, key: Key, why: &str, batch: &mut Batch) -> Result<bool, Fault> {
    let Some(mut execution) = core.store.find::<Execution>(key).await? else { return Ok(false) };
    if execution.status.is_final() {
        return Ok(false);
    }
    record::end(core, &mut execution, (Status::Cancelled, outcome::plain("cancelled", why)), batch)?;
    batch.withdraw(key.account, key.id);
    Ok(true)
}

impl Execution {
    /// An execution of a version that has not begun.
    pub(super) fn new(head: Head, ready: &Ready, input: Json, trigger: Trigger) -> Self {
        Self {
            head,
            function_id: ready.function_id,
            function_version: ready.number,
            version_id: ready.version_id,
            trigger,
            request_id: None,
            origin: None,
            sequel: None,
            status: Status::Queued,
            input,
            output: None,
            logs: super::view::empty_list(),
            error: None,
            actions: super::view::empty_list(),
            attempts: 0,
            cpu_micros: 0,
            heap_peak: 0,
            started_at: None,
            completed_at: None,
            signature: None,
        }
    }

    /// Adds to the batch that has the end what tells of it, where somebody is to be told.
    pub(super) fn tell(&self, core: &Core, batch: &mut Batch) -> Result<(), Fault> {
        let Some(Sequel { duty, subject }) = &self.sequel else { return Ok(()) };
        let Some(duty) = core.duty(duty) else {
            return Err(Fault::new(Code::Internal, format!("there is no duty {duty:?} to be told")));
        };
        let (account, now) = (self.head.account_id, core.clock.now());
        let mut work = NewWork::new(core.ids.next(), duty.name(), account, *subject, now);
        work.payload = serde_json::json!({"execution_id": self.head.id});
        batch.enqueue(work);
        Ok(())
    }
}
