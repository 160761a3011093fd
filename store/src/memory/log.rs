//! The event log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Event, EventQuery, NewEvent, Position};

/// All events, in order, and which of them are whose.
#[derive(Debug, Default)]
pub struct Log {
    events: BTreeMap<Position, Event>,
    accounts: HashMap<Uuid, BTreeSet<Position>>,
    last: Position,
}

impl Log {
    /// Appends the events of one batch.
    pub fn append(&mut self, events: Vec<NewEvent>, at: DateTime<Utc>) {
        if events.is_empty() {
            return;
        }
        self.last.transaction += 1;
        for new in events {
            self.last.sequence += 1;
            self.accounts.entry(new.account).or_default().insert(self.last);
            let event = Event {
                position: self.last,
                account: new.account,
                service: new.service.to_owned(),
                kind: new.kind.to_owned(),
                subject: new.subject,
                actor: new.actor,
                request_id: new.request_id,
                origin: new.origin,
                data: new.data,
                at,
            };
            self.events.insert(self.last, event);
        }
    }

    /// The newest position.
    pub const fn tail(&self) -> Position {
        self.last
    }

    /// A page of the log.
    pub fn list(&self, query: &EventQuery) -> Vec<Event> {
        let positions = self.positions(query);
        let events = positions.filter_map(|position| self.events.get(&position));
        events.filter(|event| accepts(query, event)).take(query.limit).cloned().collect()
    }

    /// Forgets those of the `limit` oldest that are from before an instant.
    pub fn forget(&mut self, account: Option<Uuid>, before: DateTime<Utc>, limit: usize) -> u64 {
        let oldest = self.positions(&EventQuery { account, ..EventQuery::default() }).take(limit);
        let gone: Vec<Position> = oldest
            .filter(|position| self.events.get(position).is_some_and(|event| event.at < before))
            .collect();
        for position in &gone {
            if let Some(event) = self.events.remove(position)
                && let Some(own) = self.accounts.get_mut(&event.account)
            {
                own.remove(position);
                if own.is_empty() {
                    self.accounts.remove(&event.account);
                }
            }
        }
        gone.len() as u64
    }

    fn positions<'a>(&'a self, query: &EventQuery) -> Box<dyn Iterator<Item = Position> + 'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let bounds = match query.after {
            None => (Unbounded, Unbounded),
            Some(after) if query.newest_first => (Unbounded, Excluded(after)),
            Some(after) => (Excluded(after), Unbounded),
        };
        match query.account {
            None => {
                let all = self.events.range(bounds).map(|(position, _)| *position);
                if query.newest_first { Box::new(all.rev()) } else { Box::new(all) }
            }
            Some(account) => {
                let Some(own) = self.accounts.get(&account) else { return Box::new(std::iter::empty()) };
                let own = own.range(bounds).copied();
                if query.newest_first { Box::new(own.rev()) } else { Box::new(own) }
            }
        }
    }
}

fn accepts(query: &EventQuery, event: &Event) -> bool {
    let kind = query.kind.as_deref().is_none_or(|kind| {
        kind.strip_suffix('*').map_or(event.kind == kind, |prefix| event.kind.starts_with(prefix))
    });
    kind && query.service.as_ref().is_none_or(|service| event.service == *service)
        && query.subject.is_none_or(|subject| event.subject == subject)
        && query.since.is_none_or(|since| event.at >= since)
        && query.until.is_none_or(|until| event.at < until)
}
