//! Who hears what: the events of an account, and those of the system that every account may hear.
//!
//! An event of the system is public where its service says so ([`super::Service::public`]): what happens on a chain, and
//! nothing else. Whoever waits for such events names them, by a kind that begins with the service's name and a dot
//! (`neo.notification`, `neo.*`); `*` alone stands for what happens in the account. That is a column of whatever listens
//! ([`LISTENS_PUBLIC`]), so that nobody is looked at who does not.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sl_store::{Entity, Event, EventQuery, Fault, Position, Query, SYSTEM};
use uuid::Uuid;

use super::{
    ALL, Service,
    control::{REFUSED, REQUEST},
};
use crate::{Core, resource::Resource};

/// The column that is true where something listens and names public kinds.
pub(crate) const LISTENS_PUBLIC: &str = "listens_public";
/// So many of what listens are read at a time.
const PAGE: usize = 500;

fn publishers() -> impl Iterator<Item = &'static Service> {
    ALL.iter().copied().filter(|service| !service.public.is_empty())
}

/// Whether an event of the system is one that every account may hear.
pub(crate) fn is_public(event: &Event) -> bool {
    event.account == SYSTEM
        && publishers()
            .any(|service| service.name == event.service && service.public.contains(&event.kind.as_str()))
}

/// The service whose public events a kind or a pattern names.
pub(crate) fn publisher(pattern: &str) -> Option<&'static str> {
    let names =
        |service: &&Service| pattern.strip_prefix(service.name).is_some_and(|rest| rest.starts_with('.'));
    publishers().find(names).map(|service| service.name)
}

/// Whether a pattern names an event: its kind, or a start of it where a `*` ends the pattern. A public event is named by
/// patterns that begin with its service's name only, and that a request was refused by those that begin with `request.`.
pub(crate) fn is_named(pattern: &str, event: &Event) -> bool {
    let kind = match pattern.strip_suffix('*') {
        Some(start) => event.kind.starts_with(start),
        None => event.kind == pattern,
    };
    let asked_for = event.kind != REFUSED || pattern.starts_with(REQUEST);
    kind && asked_for && (event.account != SYSTEM || publisher(pattern).is_some())
}

/// Whether an event has what a filter demands: `subject`, `service` or `actor`, or, by JSON Pointer, a part of its data.
pub(crate) fn fits<'a>(filter: impl IntoIterator<Item = (&'a String, &'a Value)>, event: &Event) -> bool {
    filter.into_iter().all(|(name, wanted)| match name.as_str() {
        "subject" => wanted.as_str().is_some_and(|id| id.eq_ignore_ascii_case(&event.subject.to_string())),
        "service" => wanted == event.service.as_str(),
        "actor" => wanted == event.actor.as_str(),
        pointer => event.data.pointer(pointer).unwrap_or(&Value::Null) == wanted,
    })
}

/// Everything that hears one of the events, each with those that it wants, in their order: events of its account and,
/// where it names public kinds, of the system, that happened since it was made. `passes` leaves events out.
///
/// # Errors
/// As [`sl_store::Store::list`].
pub(crate) async fn listeners<'a, R: Resource>(
    core: &Core,
    events: &'a [Event],
    passes: impl Fn(&Event) -> bool,
    wants: impl Fn(&R, &Event) -> bool,
) -> Result<Vec<(R, Vec<&'a Event>)>, Fault> {
    let mut listeners = Vec::new();
    for (one, mut events) in in_reach::<R>(core, events, passes).await? {
        events.retain(|event| wants(&one, event));
        let Some(first) = events.first() else { continue };
        let made = made(core, &one, first.at).await?;
        events.retain(|event| event.position > made);
        if !events.is_empty() {
            listeners.push((one, events));
        }
    }
    Ok(listeners)
}

/// What was made so long before an event came before it in the log, whatever the clocks of daemons say.
const LONG: TimeDelta = TimeDelta::hours(1);

/// Where in the log one was made; the beginning where that was long before `at`.
async fn made<R: Resource>(core: &Core, one: &R, at: DateTime<Utc>) -> Result<Position, Fault> {
    let head = one.head();
    if at - head.created_at > LONG {
        return Ok(Position::default());
    }
    let query = EventQuery {
        account: Some(head.account_id),
        kind: Some(R::LIFE.created.to_owned()),
        subject: Some(head.id),
        limit: 1,
        ..EventQuery::default()
    };
    Ok(core.store.events(query).await?.first().map(|event| event.position).unwrap_or_default())
}

/// Everything that listens and may hear one of the events, each with those that it may.
async fn in_reach<'a, E: Entity>(
    core: &Core,
    events: &'a [Event],
    passes: impl Fn(&Event) -> bool,
) -> Result<Vec<(E, Vec<&'a Event>)>, Fault> {
    let mut own: BTreeMap<Uuid, Vec<&Event>> = BTreeMap::new();
    let mut public: Vec<&Event> = Vec::new();
    for event in events.iter().filter(|event| passes(event)) {
        if event.account != SYSTEM {
            own.entry(event.account).or_default().push(event);
        } else if is_public(event) {
            public.push(event);
        }
    }
    let mut listeners: BTreeMap<(Uuid, Uuid), (E, Vec<&Event>)> = BTreeMap::new();
    for (account, events) in own {
        for row in all::<E>(core, &Query::of(account).equal("listens", true)).await? {
            listeners.insert((account, row.head().id), (row, events.clone()));
        }
    }
    if !public.is_empty() {
        let stopped = core.mirror.stopped();
        let those = Query::of_all_accounts().equal(LISTENS_PUBLIC, true);
        let rows = all::<E>(core, &those).await?.into_iter();
        for row in rows.filter(|row| !stopped.contains_key(&row.head().account_id)) {
            let key = (row.head().account_id, row.head().id);
            let (_, heard) = listeners.entry(key).or_insert_with(|| (row, Vec::new()));
            heard.extend(&public);
            heard.sort_by_key(|event| event.position);
        }
    }
    Ok(listeners.into_values().collect())
}

/// Every row of a query, page after page.
async fn all<E: Entity>(core: &Core, query: &Query) -> Result<Vec<E>, Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page: Vec<E> = core.store.list(query.clone().oldest_first().after(after).limit(PAGE)).await?;
        let full = page.len() == PAGE;
        after = page.last().map(|last| last.head().id);
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests;
