//! Hands the end of a request to the function that waits for it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, Key, SYSTEM, Settlement, Work};

use super::{DELIVERIES, NAME, request::OracleRequest};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    services::{
        accounts::Account,
        executions::{self, Start, Trigger},
    },
    settings::Setting,
};

/// The duty that delivers.
pub(super) const DUTY: &str = "oracle-delivery";

/// Runs functions with the ends of requests.
#[derive(Clone, Copy, Debug)]
pub struct Delivery;

impl Duty for Delivery {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Runs the functions that wait for oracle requests with their ends."
    }

    fn concurrency(&self) -> &'static Setting {
        &DELIVERIES
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            deliver(core, attempt).await.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
        })
    }

    fn bury<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        why: &'a Fault,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(note(core, work, &why.detail, batch))
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(note(core, work, "it came due during a pause, and the resume dropped it", batch))
    }
}

/// Notes on the request why its function was not run.
async fn note(core: &Core, work: &Work, why: &str, batch: &mut Batch) -> Result<(), Fault> {
    let found: Option<OracleRequest> = core.store.find(Key::new(work.account, work.subject)).await?;
    if let Some(mut request) = found {
        request.callback_error = Some(why.to_owned());
        batch.replace(&mut request, core.clock.now());
    }
    Ok(())
}

async fn deliver(core: &Arc<Core>, attempt: &Attempt) -> Result<Outcome, Fault> {
    let mut batch = plan(core, &attempt.work).await?;
    batch.settle(attempt.work.settle(Settlement::Remove));
    match core.commit(batch).await {
        Ok(()) => Ok(Outcome::Settled),
        Err(fault) if fault.code == Code::FenceLost => Ok(Outcome::Lost),
        Err(fault) => Err(fault),
    }
}

async fn plan(core: &Arc<Core>, work: &Work) -> Result<Batch, Fault> {
    let mut batch = Batch::new();
    let found: Option<OracleRequest> = core.store.find(Key::new(work.account, work.subject)).await?;
    let Some(mut request) = found else { return Ok(batch) };
    let Some(function_id) = request.callback_function_id else { return Ok(batch) };
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, work.account)).await?;
    let settings = account.map_or_else(|| core.settings.clone(), |account| account.settings(&core.settings));
    let start = Start {
        account_id: work.account,
        function_id,
        input: input(&request),
        trigger: Trigger {
            kind: NAME.to_owned(),
            id: Some(request.head.id),
            actor: request.question.actor.clone(),
        },
        request_id: request.question.request_id.clone(),
        sequel: None,
    };
    match executions::start(core, &settings, start, &mut batch).await {
        Ok(execution) => {
            (request.callback_execution_id, request.callback_error) = (Some(execution), None);
        }
        Err(fault) if fault.code == Code::NotFound => request.callback_error = Some(fault.detail),
        Err(fault) => return Err(fault),
    }
    batch.replace(&mut request, core.clock.now());
    Ok(batch)
}

/// What the function is given.
fn input(request: &OracleRequest) -> Value {
    let view = request.view();
    json!({"oracle_request": {
        "id": view.id,
        "status": view.status,
        "result": view.result.map(|result| result.value()),
        "error": view.error,
        "data_source_id": view.data_source_id,
        "data_source_ids": view.data_source_ids,
        "payload": view.payload,
        "answers": view.answers.iter().map(|answer| json!({
            "source_id": answer.source_id,
            "status": answer.status,
            "value": answer.value.as_ref().map(super::JsonText::value),
            "error": answer.error,
        })).collect::<Vec<_>>(),
    }})
}
