//! The duty that asks sources: one item for each source of each request, behind the source as its gate.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Fault, Key, NewWork, RetryPolicy, SYSTEM, Settle, Settlement, Work};
use uuid::Uuid;

use super::{
    ACCOUNT_RATE, ATTEMPTS, DUTY, WORKERS,
    ask::{self, Asked, Said},
    ending::{self, TRIES},
    judge::AnswerStatus,
    rate::{self, Rate, Turn},
    removal,
    request::{AttemptRecord, AttemptStatus, OracleRequest, RequestStatus},
    source::OracleSource,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome, RETRY_BASE, RETRY_CAP},
    services::accounts::Account,
    settings::{Setting, Settings},
};

/// Asks sources.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch;

impl Duty for Dispatch {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Asks the sources of oracle requests, within their rates, again where a failure may pass."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    /// How often a source is asked is counted on the request, where waiting for a turn does not count; what fails here
    /// is of our own making, and the request's time bounds it.
    fn retry(&self, core: &Core) -> RetryPolicy {
        RetryPolicy { max_attempts: u32::MAX, max_age: Duration::MAX, ..asking(core, u32::MAX) }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                done = perform(core, &attempt.work) => {
                    done.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
                }
            }
        })
    }

    /// Dropped by a resume: the source does not answer this request.
    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let found: Option<OracleRequest> = core.store.find(Key::new(work.account, work.subject)).await?;
            if let Some(mut request) = found.filter(|request| !request.status.is_final()) {
                let why = "it came due during a pause, and the resume dropped it";
                fail(core, &mut request, source_of(work), why);
                finish(core, &mut request, batch);
            }
            Ok(())
        })
    }
}

/// How a source's failures that may pass are tried again.
fn asking(core: &Core, attempts: u32) -> RetryPolicy {
    RetryPolicy {
        base: core.settings.duration(&RETRY_BASE),
        cap: core.settings.duration(&RETRY_CAP).min(Duration::from_mins(1)),
        max_attempts: attempts,
        max_age: Duration::MAX,
    }
}

/// The source that an item is to ask, or that it is about.
fn source_of(work: &Work) -> Uuid {
    work.gate.unwrap_or(work.subject)
}

async fn perform(core: &Arc<Core>, work: &Work) -> Result<Outcome, Fault> {
    let key = Key::new(work.account, work.subject);
    let source_id = source_of(work);
    if work.subject == source_id {
        rate::wake(core, work.account, source_id).await?;
        removal::forsake(core, Key::new(work.account, source_id)).await?;
        return Ok(Outcome::Done(Batch::new()));
    }
    let waits = |request: &OracleRequest| {
        let waiting =
            |answer: &super::Answer| answer.source_id == source_id && answer.status == AnswerStatus::Waiting;
        !request.status.is_final() && request.answers.iter().any(waiting)
    };
    let found: Option<OracleRequest> = core.store.find(key).await?;
    let Some(request) = found.filter(waits) else { return Ok(Outcome::Done(Batch::new())) };
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, work.account)).await?;
    let settings = account.map_or_else(|| core.settings.clone(), |account| account.settings(&core.settings));
    let source: Option<OracleSource> = core.store.find(Key::new(work.account, source_id)).await?;
    let usable = source.filter(|source| source.enabled);
    let (asked, number, began) = match &usable {
        None => (None, 0, core.clock.now()),
        Some(source) => {
            match rate::take(core, work, &gates(&settings, work.account, source)).await? {
                Turn::Taken => {}
                Turn::Waits => return Ok(Outcome::Settled),
                Turn::Crowded(until) => return Ok(Outcome::Again(until, Batch::new())),
                Turn::Lost => return Ok(Outcome::Lost),
            }
            let began = core.clock.now();
            (Some(ask::ask(core, &settings, source, &request).await), request.asked(source_id) + 1, began)
        }
    };
    let heard = Heard { source_id, number, began, asked };
    for _ in 0..TRIES {
        let found: Option<OracleRequest> = core.store.find(key).await?;
        let Some(mut request) = found.filter(waits) else { return Ok(Outcome::Done(Batch::new())) };
        let mut batch = Batch::new();
        let settlement = heard.note(core, &settings, &mut request);
        batch.settle(Settle { settlement, ..work.settle(Settlement::Remove) });
        finish(core, &mut request, &mut batch);
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

/// Adds that a source's line is woken: what waits there is to be asked otherwise, or not at all.
pub(super) fn rouse(core: &Core, source: &OracleSource, batch: &mut Batch) {
    let (account, id) = (source.head.account_id, source.head.id);
    batch.enqueue(NewWork::new(core.ids.next(), DUTY, account, id, core.clock.now()).gate(id));
}

/// Where a turn is needed to ask a source.
pub(super) fn gates(settings: &Settings, account: Uuid, source: &OracleSource) -> Vec<(Uuid, Rate)> {
    let own = source.rate_limit.map(|rate| (source.head.id, rate));
    let all = (account, Rate::per_second(settings.count(&ACCOUNT_RATE)));
    std::iter::once(all).chain(own).collect()
}

/// Writes the request with what its answers come to now, and tells where it stands.
pub(super) fn finish(core: &Core, request: &mut OracleRequest, batch: &mut Batch) {
    let before = request.status;
    if before == RequestStatus::Pending {
        request.status = RequestStatus::Running;
        batch.event(request.event(format!("duty:{DUTY}")));
    }
    ending::conclude(core, request, false, batch);
    if request.status.is_final() {
        batch.event(request.event(format!("duty:{DUTY}")));
    }
    batch.replace(request, core.clock.now());
}

pub(super) fn fail(core: &Core, request: &mut OracleRequest, source: Uuid, why: &str) {
    if let Some(answer) = request.answer_mut(source) {
        answer.status = AnswerStatus::Failed;
        answer.error = Some(why.to_owned());
        answer.answered_at = Some(core.clock.now());
    }
}

/// What an attempt at a source came to.
struct Heard {
    source_id: Uuid,
    number: u32,
    began: DateTime<Utc>,
    /// None where the source cannot be asked any more.
    asked: Option<Asked>,
}

impl Heard {
    /// Notes it on the request; answers what becomes of the item.
    fn note(&self, core: &Core, settings: &Settings, request: &mut OracleRequest) -> Settlement {
        let Some(asked) = &self.asked else {
            fail(core, request, self.source_id, "the source was removed or disabled");
            return Settlement::Remove;
        };
        let (status, error) = match &asked.said {
            Said::Result(_) => (AttemptStatus::Succeeded, None),
            Said::Later => (AttemptStatus::Pending, None),
            Said::Again(why, _) | Said::Never(why) => (AttemptStatus::Failed, Some(why.clone())),
        };
        request.attempts.push(AttemptRecord {
            source_id: self.source_id,
            number: self.number,
            status: Some(status),
            at: self.began,
            latency_ms: u64::try_from(asked.latency.as_millis()).unwrap_or(u64::MAX),
            http_status: asked.http_status,
            size: asked.size,
            error,
        });
        match &asked.said {
            Said::Result(value) => {
                if let Some(answer) = request.answer_mut(self.source_id) {
                    (answer.status, answer.value) = (AnswerStatus::Succeeded, Some(value.clone()));
                    (answer.error, answer.answered_at) = (None, Some(core.clock.now()));
                }
            }
            Said::Later => {
                if let Some(answer) = request.answer_mut(self.source_id) {
                    (answer.status, answer.error) = (AnswerStatus::Pending, None);
                }
            }
            Said::Never(why) => fail(core, request, self.source_id, why),
            Said::Again(why, asked) => return self.again(core, settings, request, (why, *asked)),
        }
        Settlement::Remove
    }

    fn again(
        &self,
        core: &Core,
        settings: &Settings,
        request: &mut OracleRequest,
        (why, asked): (&str, Option<Duration>),
    ) -> Settlement {
        let attempts = u32::try_from(settings.count(&ATTEMPTS)).unwrap_or(u32::MAX);
        let next = asking(core, attempts).next(self.number, Duration::ZERO, asked, core.chance.fraction());
        if let Some(delay) = next.and_then(|delay| TimeDelta::from_std(delay).ok()) {
            if let Some(answer) = request.answer_mut(self.source_id) {
                answer.error = Some(why.to_owned());
            }
            if let Some(attempt) = request.attempts.last_mut() {
                attempt.status = Some(AttemptStatus::Retried);
            }
            Settlement::Retry { due_at: core.clock.now() + delay, error: why.to_owned() }
        } else {
            fail(core, request, self.source_id, &format!("{why}; it was asked {} times", self.number));
            Settlement::Remove
        }
    }
}
