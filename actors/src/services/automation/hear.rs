//! Jobs that wait for events.
//!
//! A job does not hear what follows from an event that was heard ([`LISTENER`]): two of them would call each other for ever.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use sl_store::{Batch, Event, Fault, Head};

use super::{job::Job, named::RunKind, run::Run};
use crate::{
    Core,
    services::{LISTENER, hearing},
};

/// Adds to the batch a run of each job for each event it waits for, from the job's creation on.
pub(super) fn hear<'a>(
    core: &'a Arc<Core>,
    events: &'a [Event],
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let heard = |event: &Event| !event.actor.starts_with(LISTENER);
        for (job, events) in hearing::listeners(core, events, heard, is_wanted).await? {
            for event in events {
                begin(core, &job, event, batch);
            }
        }
        Ok(())
    })
}

fn is_wanted(job: &Job, event: &Event) -> bool {
    job.on.as_ref().is_some_and(|on| hearing::is_named(&on.kind, event) && hearing::fits(&on.filter, event))
}

fn begin(core: &Core, job: &Job, event: &Event, batch: &mut Batch) {
    let now = core.clock.now();
    let head = Head::new(job.head.account_id, core.ids.next(), now);
    let mut run = Run::new(head, job.head.id, RunKind::Event, format!("{LISTENER}{}", job.head.id));
    run.event = Some(event.position.to_string());
    run.params = Map::from_iter([("event".to_owned(), told(event))]);
    batch.insert(&run).event(run.told()).enqueue(run.work(core.ids.next(), now));
}

/// The event as the function is given it.
fn told(event: &Event) -> Value {
    json!({
        "id": event.position.to_string(),
        "kind": event.kind,
        "service": event.service,
        "subject": event.subject,
        "actor": event.actor,
        "at": event.at,
        "data": event.data,
    })
}
