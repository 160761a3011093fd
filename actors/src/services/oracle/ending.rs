//! How a request ends: by its answers, by its time, by somebody.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Fault, Key, NewWork, Settlement};

use super::{
    DEADLINES, delivery,
    judge::{AnswerStatus, Verdict, judge},
    request::{OracleRequest, RequestStatus},
    text::JsonText,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    settings::Setting,
};

/// The duty that lets requests expire.
pub(super) const DUTY: &str = "oracle-expiry";
/// How often a change is tried while the request changes otherwise.
pub(super) const TRIES: usize = 20;

/// Ends a request where its answers decide it; adds what follows to the batch. With `closed`, no further answer comes.
pub(super) fn conclude(core: &Core, request: &mut OracleRequest, closed: bool, batch: &mut Batch) {
    match judge(request.question.aggregation, &request.answers, closed) {
        Verdict::Open => {}
        Verdict::Result(result) => end(core, request, RequestStatus::Succeeded, (Some(result), None), batch),
        Verdict::Failed(_) if closed => {
            let error = "its time passed without a result".to_owned();
            end(core, request, RequestStatus::Expired, (None, Some(error)), batch);
        }
        Verdict::Failed(error) => end(core, request, RequestStatus::Failed, (None, Some(error)), batch),
    }
}

/// Ends a request: what else was to be done for it goes, and its function is to be run. The caller writes the row and
/// tells the event.
pub(super) fn end(
    core: &Core,
    request: &mut OracleRequest,
    status: RequestStatus,
    (result, error): (Option<JsonText>, Option<String>),
    batch: &mut Batch,
) {
    let now = core.clock.now();
    (request.status, request.result, request.error) = (status, result, error);
    request.completed_at = Some(now);
    for answer in &mut request.answers {
        if matches!(answer.status, AnswerStatus::Waiting | AnswerStatus::Pending) {
            answer.status = AnswerStatus::Failed;
            answer.error.get_or_insert_with(|| "the request ended before it answered".to_owned());
        }
    }
    let (account, id) = (request.head.account_id, request.head.id);
    batch.withdraw(account, id);
    if let Some(function) = request.callback_function_id.filter(|_| status != RequestStatus::Cancelled) {
        batch.enqueue(NewWork::new(core.ids.next(), delivery::DUTY, account, id, now).gate(function));
    }
}

/// Lets requests expire.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines;

impl Duty for Deadlines {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Lets oracle requests expire whose time has passed."
    }

    fn concurrency(&self) -> &'static Setting {
        &DEADLINES
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            expire(core, attempt).await.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
        })
    }
}

async fn expire(core: &Arc<Core>, attempt: &Attempt) -> Result<Outcome, Fault> {
    let work = &attempt.work;
    for _ in 0..TRIES {
        let found: Option<OracleRequest> = core.store.find(Key::new(work.account, work.subject)).await?;
        let Some(mut request) = found.filter(|request| !request.status.is_final()) else {
            return Ok(Outcome::Done(Batch::new()));
        };
        let mut batch = Batch::new();
        batch.settle(work.settle(Settlement::Remove));
        conclude(core, &mut request, true, &mut batch);
        batch.event(request.event(format!("duty:{DUTY}")));
        batch.replace(&mut request, core.clock.now());
        match core.commit(batch).await {
            Ok(()) => {
                return Ok(Outcome::Settled);
            }
            Err(fault) if fault.code == Code::FenceLost => return Ok(Outcome::Lost),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Code::Conflict, "the request changed at every try"))
}
