//! Pages of the event log, for live streams and for whoever reads it bit by bit.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sl_store::{Code, Event, EventQuery, Fault, Position, SYSTEM};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    action::{Action, Order, Tenant},
    services::hearing,
};

/// An event as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventView {
    /// Where it stands in the log; the id of a stream's message, and what `Last-Event-ID` names.
    pub id: String,
    /// Whose it is; the nil id for the system's own.
    pub account_id: Uuid,
    /// The service that speaks.
    pub service: String,
    /// What happened: `function.created`.
    pub kind: String,
    /// To what.
    pub subject: Uuid,
    /// Who did it.
    pub actor: String,
    /// The request behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What else there is to say.
    pub data: Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.position.to_string(),
            account_id: event.account,
            service: event.service,
            kind: event.kind,
            subject: event.subject,
            actor: event.actor,
            request_id: event.request_id,
            data: event.data,
            at: event.at,
        }
    }
}

/// What events are narrowed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this service's.
    pub service: Option<String>,
    /// Only of this kind; a trailing `*` matches any ending.
    pub kind: Option<String>,
    /// Only about this.
    pub subject: Option<Uuid>,
}

/// A page of the log, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// The events.
    pub items: Vec<Event>,
    /// After which the next page begins; it moves on even where nothing matched, so that a stream does not look at the
    /// same events again.
    pub next: Position,
}

/// Reads the log on from a position: the account's events, or everybody's where it is run for the system by an operator.
/// Narrowed by a kind of events that every account may hear (`neo.notification`, `neo.*`), an account is shown those.
#[derive(Clone, Debug)]
pub struct Events {
    /// After this; absent: only what comes from now on.
    pub after: Option<Position>,
    /// Narrowed by.
    pub filter: EventFilter,
    /// How many at most.
    pub limit: usize,
}

impl Action for Events {
    type Output = EventPage;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<EventPage, Fault> {
        if tenant.account_id == SYSTEM && !tenant.caller.is_operator() {
            return Err(Fault::new(Code::Forbidden, "only an operator may read everybody's events"));
        }
        // Read before the page: what is appended in between is shown by the next one.
        let tail = tenant.core.store.tail().await?;
        let Some(after) = self.after else { return Ok(EventPage { items: Vec::new(), next: tail }) };
        let mut query = EventQuery {
            account: (tenant.account_id != SYSTEM).then_some(tenant.account_id),
            service: self.filter.service,
            kind: self.filter.kind,
            subject: self.filter.subject,
            after: Some(after),
            limit: self.limit,
            ..EventQuery::default()
        };
        // No account has events of such a kind of its own.
        let public = query.kind.as_deref().is_some_and(|kind| hearing::publisher(kind).is_some());
        let of_system = public && query.account.is_some();
        if of_system {
            query.account = Some(SYSTEM);
        }
        let mut items = tenant.core.store.events(query).await?;
        let last = items.last().map(|event| event.position);
        let whole = items.len() < self.limit;
        items.retain(|event| !of_system || hearing::is_public(event));
        let next = last.max(Some(tail).filter(|_| whole)).unwrap_or(after).max(after);
        Ok(EventPage { items, next })
    }
}
