//! Triggers that wait for events.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use sl_store::{Batch, Event, Fault, Query, SYSTEM};
use uuid::Uuid;

use super::{delivery::Delivery, named::Cause, trigger::Trigger};
use crate::{Core, resource, services::LISTENER};

/// So many triggers are read at a time.
const PAGE: usize = 500;

/// Adds to the batch a delivery of each trigger for each event it waits for. What follows from an event that was heard is
/// passed over, and so is what happened before a trigger was made.
pub(super) fn hear<'a>(
    core: &'a Arc<Core>,
    events: &'a [Event],
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let mut by_account: BTreeMap<Uuid, Vec<&Event>> = BTreeMap::new();
        let heard = |event: &&Event| event.account != SYSTEM && !event.actor.starts_with(LISTENER);
        for event in events.iter().filter(heard) {
            by_account.entry(event.account).or_default().push(event);
        }
        for (account, events) in by_account {
            for trigger in listening(core, account).await? {
                let wanted: Vec<&&Event> = events.iter().filter(|event| is_wanted(&trigger, event)).collect();
                let Some(first) = wanted.first() else { continue };
                let made = resource::made(core, &trigger, first.at).await?;
                for event in wanted.into_iter().filter(|event| event.position > made) {
                    fire(core, &trigger, event, batch);
                }
            }
        }
        Ok(())
    })
}

async fn listening(core: &Core, account: Uuid) -> Result<Vec<Trigger>, Fault> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let query = Query::of(account).equal("listens", true).oldest_first().after(after).limit(PAGE);
        let page: Vec<Trigger> = core.store.list(query).await?;
        let full = page.len() == PAGE;
        after = page.last().map(|last| last.head.id);
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

fn is_wanted(trigger: &Trigger, event: &Event) -> bool {
    let kind = match trigger.rule.strip_suffix('*') {
        Some(start) => event.kind.starts_with(start),
        None => event.kind == trigger.rule,
    };
    let filter = trigger.config.get("filter").and_then(Value::as_object);
    // That it was made is not for itself.
    kind && event.subject != trigger.head.id
        && filter.into_iter().flatten().all(|(name, wanted)| match name.as_str() {
            "subject" => {
                wanted.as_str().is_some_and(|id| id.eq_ignore_ascii_case(&event.subject.to_string()))
            }
            "service" => wanted == event.service.as_str(),
            "actor" => wanted == event.actor.as_str(),
            pointer => event.data.pointer(pointer).unwrap_or(&Value::Null) == wanted,
        })
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
