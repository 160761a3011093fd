//! Triggers that wait for events.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sl_store::{Batch, Event, Fault};

use super::{delivery::Delivery, named::Cause, trigger::Trigger};
use crate::{
    Core,
    services::{LISTENER, hearing},
};

/// Adds to the batch a delivery of each trigger for each event it waits for. What follows from an event that was heard is
/// passed over, and so is what happened before a trigger was made.
pub(super) fn hear<'a>(
    core: &'a Arc<Core>,
    events: &'a [Event],
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let heard = |event: &Event| !event.actor.starts_with(LISTENER);
        for (trigger, events) in hearing::listeners(core, events, heard, is_wanted).await? {
            for event in events {
                fire(core, &trigger, event, batch);
            }
        }
        Ok(())
    })
}

fn is_wanted(trigger: &Trigger, event: &Event) -> bool {
    let filter = trigger.config.get("filter").and_then(Value::as_object);
    // That it was made is not for itself.
    hearing::is_named(&trigger.rule, event)
        && event.subject != trigger.head.id
        && hearing::fits(filter.into_iter().flatten(), event)
}

fn fire(core: &Core, trigger: &Trigger, event: &Event, batch: &mut Batch) {
    let mut delivery = Delivery::new(core, trigger, Cause::Event, vec![("event", told(event))]);
    delivery.source = Some(format!("event/{}", event.position));
    delivery.actor = format!("{LISTENER}{}", trigger.head.id);
    delivery.queue(core, batch);
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
