//! The audit: the event log, newest first, told as who did what, when, from where and with what outcome.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sl_store::{Event, EventQuery, Fault, Position, SYSTEM};
use utoipa::ToSchema;
use uuid::Uuid;

use super::REFUSED;
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
};

/// How many events are looked at for one page before it is answered as it stands.
const LOOKED_AT: usize = 10_000;
/// How many events are read in one round trip.
const STEP: usize = 500;

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditView {
    /// Where it stands in the event log.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `operator:<name>`, `token:<id>`, `duty:<name>`.
    pub actor: String,
    /// What was done: `function.created`.
    pub action: String,
    /// In which service.
    pub service: String,
    /// To what.
    pub subject: Uuid,
    /// From where the request came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// In which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `succeeded`, `failed` or, of a request that was, `refused`.
    pub outcome: &'static str,
    /// What else there is to say.
    pub data: Value,
}

impl From<Event> for AuditView {
    fn from(event: Event) -> Self {
        let failed = ["failed", "timed_out", "dead_letter.created"];
        let outcome = match event.kind.as_str() {
            REFUSED => "refused",
            kind if failed.iter().any(|ending| kind.ends_with(ending)) => "failed",
            _ => "succeeded",
        };
        Self {
            id: event.position.to_string(),
            at: event.at,
            actor: event.actor,
            action: event.kind,
            service: event.service,
            subject: event.subject,
            origin: event.origin,
            request_id: event.request_id,
            outcome,
            data: event.data,
        }
    }
}

/// What the audit is narrowed by, besides the times of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only by this actor.
    pub actor: Option<String>,
    /// Only this; a trailing `*` matches any ending.
    pub action: Option<String>,
    /// Only in this service.
    pub service: Option<String>,
    /// Only to this.
    pub subject: Option<Uuid>,
    /// Only in this request.
    pub request_id: Option<String>,
}

impl AuditFilter {
    fn holds(&self, event: &Event) -> bool {
        self.actor.as_ref().is_none_or(|actor| event.actor == *actor)
            && self.request_id.as_ref().is_none_or(|id| event.request_id.as_ref() == Some(id))
    }
}

/// A page of the audit of the account it is run for, newest first.
#[derive(Clone, Debug)]
pub struct ListAudit {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filter: AuditFilter,
}

impl Action for ListAudit {
    type Output = Page<AuditView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let mut query = EventQuery {
            account: (tenant.account_id != SYSTEM).then_some(tenant.account_id),
            service: self.filter.service.clone(),
            kind: self.filter.action.clone(),
            subject: self.filter.subject,
            after: self.page.place::<16>(tenant, "audit")?.map(read),
            newest_first: true,
            since: self.page.since,
            until: self.page.until,
            limit: STEP.max(self.page.limit + 1),
        };
        tenant.core.refusals.settled().await;
        let (mut items, mut looked_at) = (Vec::new(), 0);
        let next = loop {
            let events = tenant.core.store.events(query.clone()).await?;
            let more = events.len() == query.limit;
            looked_at += events.len();
            let mut last = query.after;
            for event in events {
                if items.len() == self.page.limit {
                    return Ok(page(tenant, items, last));
                }
                last = Some(event.position);
                if self.filter.holds(&event) {
                    items.push(AuditView::from(event));
                }
            }
            query.after = last;
            if !more {
                break None;
            }
            if looked_at >= LOOKED_AT {
                break last;
            }
        };
        Ok(page(tenant, items, next))
    }
}

fn page(tenant: &Tenant, items: Vec<AuditView>, next: Option<Position>) -> Page<AuditView> {
    Page { items, next_cursor: next.map(|next| PageRequest::mark(tenant, "audit", &write(next))) }
}

fn write(position: Position) -> [u8; 16] {
    (u128::from(position.transaction) << 64 | u128::from(position.sequence)).to_be_bytes()
}

fn read(place: [u8; 16]) -> Position {
    let place = u128::from_be_bytes(place);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(u64::MAX);
    Position { transaction: half(place >> 64), sequence: half(place) }
}
