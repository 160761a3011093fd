//! The event log as a live stream.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use sl_actors::{
    Code, Core, Fault, Position, Runtime,
    caller::Caller,
    services::control::{EventFilter, EventView, Events},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    input::Input,
    live::{News, Session, Source, frame},
    operation::Performer,
};

/// How many events are read and sent at once.
const PAGE: usize = 100;

/// What a stream of events is narrowed by.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventQuery {
    /// Only this service's.
    service: Option<String>,
    /// Only of this kind; a trailing `*` matches any ending.
    kind: Option<String>,
    /// Only about this.
    subject: Option<Uuid>,
    /// The id of the event after which to begin; `0-0` is before all of them.
    #[schema(pattern = "^[0-9]{1,19}-[0-9]{1,19}$")]
    after: Option<String>,
}

/// Opens the stream of an account's events, or of everybody's.
///
/// # Errors
/// [`Code::Malformed`] where the place to begin is none; as [`Session::open`].
pub async fn follow(performer: Performer, input: Input<EventQuery>) -> Result<Session, Fault> {
    let EventQuery { service, kind, subject, after } = input.query;
    let (from, named) = match (input.last_event_id, after) {
        (Some(id), _) => (Some(id), "Last-Event-ID"),
        (None, after) => (after, "?after"),
    };
    let after = from.map(|id| read(&id, named)).transpose()?;
    let mut log = Log {
        runtime: performer.front.runtime.clone(),
        account: performer.account,
        caller: performer.caller.clone(),
        events: Events { after: None, filter: EventFilter { service, kind, subject }, limit: PAGE },
    };
    // Where the stream begins is fixed before it is promised; and there must be such an account. A place beyond the end is
    // of a log that has begun anew since.
    let (end, _) = log.read().await?;
    log.events.after = Some(after.map_or(end, |after| after.min(end)));
    Session::open(&performer, log)
}

fn read(id: &str, named: &str) -> Result<Position, Fault> {
    id.parse()
        .map_err(|_| Fault::new(Code::Malformed, format!("{named}: must be the id of an event, like 12-34")))
}

/// The log, read on from a position.
struct Log {
    runtime: Runtime,
    account: Uuid,
    caller: Arc<Caller>,
    events: Events,
}

impl Log {
    async fn read(&self) -> Result<(Position, Vec<EventView>), Fault> {
        let page = self.runtime.perform(self.account, self.caller.clone(), None, self.events.clone()).await?;
        Ok((page.next, page.items.into_iter().map(EventView::from).collect()))
    }
}

impl Source for Log {
    fn next<'a>(&'a mut self, _core: &'a Arc<Core>) -> BoxFuture<'a, Result<News, Fault>> {
        Box::pin(async move {
            let (next, events) = self.read().await?;
            self.events.after = Some(next);
            let mut news = News { more: events.len() == PAGE, ..News::default() };
            for event in &events {
                let written = serde_json::to_string(event).map_err(Fault::internal)?;
                frame(&mut news.frames, Some(&event.id), &event.kind, &written);
            }
            Ok(news)
        })
    }
}
