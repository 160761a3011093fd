//! The reader of the event log: lets every service hear what happens, each event once with effect.
//!
//! One daemon at a time reads, under the lease of the duty's one item, for as long as it lives. What follows from a page
//! is committed together with the moved position, which is written at the version it was read: a second reader whose
//! lease ran out is refused, and a crash between two pages repeats nothing. Hints wake it; a slow poll makes up for lost
//! ones. While nothing listens it reads no events and only notes where the log ends.
//!
//! A page from which nothing can be made to follow is tried again, then event by event; the services that cannot take
//! the one event in the way are passed over for it, and that is told as `event_reader.skipped`.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{Batch, Code, Event, EventQuery, Fault, Head, NewEvent, Query, RetryPolicy, SYSTEM};
use tokio::time::Instant;

use super::{READER_PAGE, READER_POLL, TIDYINGS, position::ReaderPosition};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome, RETRY_BASE},
    mirror::Around,
    services::{self, Hear},
    settings::Setting,
};

/// The duty's name.
pub const READER_DUTY: &str = "event-reader";

/// While nothing listens, it is looked so often at most whether somebody does.
const IDLE: Duration = Duration::from_millis(100);
/// While nothing listens, the end of the log is noted so often.
const NOTE: Duration = Duration::from_secs(1);
/// After a hint it is looked again so often, so long after each other: a transaction that began earlier may hide what the
/// hint was about.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);
/// A page from which more follows is heard in halves.
const WRITES: usize = 2_000;
/// So often a page is tried before it is taken apart.
const TRIES: u32 = 3;

/// It stands still for no longer than this after the store failed.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Lets services hear events.
#[derive(Clone, Copy, Debug)]
pub struct EventReader;

impl Duty for EventReader {
    fn name(&self) -> &'static str {
        READER_DUTY
    }

    fn doc(&self) -> &'static str {
        "Reads the event log for whatever waits for events: jobs, triggers, webhooks."
    }

    fn concurrency(&self) -> &'static Setting {
        &TIDYINGS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&READER_POLL)
    }

    fn retry(&self, core: &Core) -> RetryPolicy {
        let base = core.settings.duration(&RETRY_BASE);
        RetryPolicy { base, cap: base.max(LONGEST_RETRY), max_attempts: u32::MAX, max_age: Duration::MAX }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut reading = Reading::new(core);
            loop {
                if attempt.cancel.is_cancelled() {
                    return Outcome::Release;
                }
                let around = Around { duty: READER_DUTY, account: SYSTEM, gates: &[] };
                let held = !core.mirror.holding(around, core.clock.now()).is_empty();
                if held || core.bells.leaving.is_cancelled() {
                    return Outcome::Again(core.clock.now(), Batch::new());
                }
                match reading.step().await {
                    Ok(Step::More) => {}
                    Ok(Step::Rest(at_most)) => reading.rest(at_most, attempt).await,
                    Ok(Step::Overtaken) => return Outcome::Release,
                    Err(fault) => return Outcome::Retry(fault, Batch::new()),
                }
            }
        })
    }
}

/// What comes after a step.
enum Step {
    /// The next one, at once.
    More,
    /// Nothing, until a hint or for so long.
    Rest(Duration),
    /// Another reader has moved the position.
    Overtaken,
}

struct Reading<'a> {
    core: &'a Arc<Core>,
    position: Option<ReaderPosition>,
    noted: Instant,
    /// Whether the position has moved on since it was written.
    unnoted: bool,
    looks: u32,
    tries: u32,
    /// How many events are read one by one yet, because one of them may be in the way.
    singly: usize,
}

impl<'a> Reading<'a> {
    fn new(core: &'a Arc<Core>) -> Self {
        Self { core, position: None, noted: Instant::now(), unnoted: false, looks: 0, tries: 0, singly: 0 }
    }

    /// Waits for a hint, but not through a pause.
    async fn rest(&mut self, at_most: Duration, attempt: &Attempt) {
        let bells = &self.core.bells;
        let hinted = async {
            bells.appended.notified().await;
            true
        };
        self.looks = tokio::select! {
            () = attempt.cancel.cancelled() => 0,
            () = bells.leaving.cancelled() => 0,
            () = tokio::time::sleep(at_most) => self.looks.saturating_sub(1),
            _ = hinted => LOOKS,
        };
    }

    fn patience(&self) -> Duration {
        if self.looks > 0 { LOOK } else { self.core.settings.duration(&READER_POLL) }
    }

    async fn step(&mut self) -> Result<Step, Fault> {
        let current = match self.position.clone() {
            Some(current) => current,
            None => self.begin().await?,
        };
        // In this order: whoever began to listen before something happened is seen to listen.
        let tail = self.core.store.tail().await?;
        if current.position >= tail {
            if self.unnoted {
                return self.pass(current, tail).await;
            }
            return Ok(Step::Rest(self.patience()));
        }
        if !anybody_listens(self.core).await? {
            return self.pass(current, tail).await;
        }
        let whole = self.core.settings.size(&READER_PAGE);
        let limit = if self.singly > 0 { 1 } else { whole };
        let query = EventQuery { after: Some(current.position), limit, ..EventQuery::default() };
        let events = self.core.store.events(query).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            return self.pass(current, tail).await;
        };
        match self.hear(&current, last, &events, None).await {
            Ok(()) => {
                self.singly = self.singly.saturating_sub(1);
                Ok(Step::More)
            }
            Err(fault) => self.failed(&current, &events, fault).await,
        }
    }

    /// The row, made where this is the first reader there is; it begins with what comes from now on.
    async fn begin(&mut self) -> Result<ReaderPosition, Fault> {
        let found = self.core.store.find::<ReaderPosition>(ReaderPosition::KEY).await?;
        let position = match found {
            Some(found) => found,
            None => self.make().await?,
        };
        self.position = Some(position.clone());
        Ok(position)
    }

    async fn make(&self) -> Result<ReaderPosition, Fault> {
        let head = Head::new(SYSTEM, ReaderPosition::KEY.id, self.core.clock.now());
        let made = ReaderPosition { head, position: self.core.store.tail().await? };
        let mut batch = Batch::new();
        batch.insert(&made);
        self.core.store.commit(batch).await?;
        Ok(made)
    }

    /// Passes over what nobody listens to; noted in the store now and then.
    async fn pass(&mut self, mut current: ReaderPosition, tail: sl_store::Position) -> Result<Step, Fault> {
        current.position = current.position.max(tail);
        if self.noted.elapsed() < NOTE {
            self.unnoted = true;
            self.position = Some(current);
            return Ok(Step::Rest(IDLE));
        }
        let mut batch = Batch::new();
        batch.replace(&mut current, self.core.clock.now());
        match self.core.store.commit(batch).await {
            Ok(()) => {
                self.noted = Instant::now();
                self.unnoted = false;
                self.position = Some(current);
                Ok(Step::Rest(IDLE))
            }
            Err(fault) if fault.code == Code::Conflict => Ok(Step::Overtaken),
            Err(fault) => Err(fault),
        }
    }

    /// Lets the services hear a page and commits what follows with the moved position; without some of the services where
    /// they are told.
    async fn hear(
        &mut self,
        current: &ReaderPosition,
        last: sl_store::Position,
        events: &[Event],
        without: Option<(&[&'static str], &Fault)>,
    ) -> Result<(), Fault> {
        let mut batch = Batch::new();
        let passed_over = without.map(|(names, _)| names).unwrap_or_default();
        for (name, hear) in hearing().filter(|(name, _)| !passed_over.contains(name)) {
            hear(self.core, events, &mut batch).await.map_err(|fault| fault.because(name))?;
        }
        if batch.writes.len() > WRITES && events.len() > 1 {
            // Many listen to what every account may hear: fewer events at a time.
            let half = &events[..events.len() / 2];
            let last = half.last().map_or(last, |event| event.position);
            return Box::pin(self.hear(current, last, half, without)).await;
        }
        if let (Some((names, fault)), Some(event)) = (without, events.first()) {
            batch.event(skipped(names, event, fault));
        }
        let mut moved = current.clone();
        moved.position = last;
        batch.replace(&mut moved, self.core.clock.now());
        let mut duties: Vec<&'static str> = batch.work.iter().map(|work| work.duty).collect();
        duties.dedup();
        self.core.store.commit(batch).await?;
        duties.into_iter().for_each(|duty| self.core.bells.ring(duty));
        self.position = Some(moved);
        self.tries = 0;
        self.unnoted = false;
        Ok(())
    }

    /// What is done about a page that could not be heard.
    async fn failed(
        &mut self,
        current: &ReaderPosition,
        events: &[Event],
        fault: Fault,
    ) -> Result<Step, Fault> {
        if fault.code == Code::Unavailable {
            return Err(fault);
        }
        let stored = self.core.store.find::<ReaderPosition>(ReaderPosition::KEY).await?;
        if stored.is_none_or(|stored| stored.head.version != current.head.version) {
            return Ok(Step::Overtaken);
        }
        self.tries += 1;
        if self.tries < TRIES {
            return Ok(Step::Rest(LOOK));
        }
        let [event] = events else {
            tracing::warn!(%fault, "A page of events could not be heard; it is heard event by event");
            self.singly = events.len();
            self.tries = 0;
            return Ok(Step::More);
        };
        tracing::error!(position = %event.position, kind = event.kind, %fault, "An event could not be heard by every service");
        let names: Vec<&'static str> = hearing().map(|(name, _)| name).collect();
        for name in &names {
            let without = Some((std::slice::from_ref(name), &fault));
            if self.hear(current, event.position, events, without).await.is_ok() {
                return Ok(Step::More);
            }
        }
        self.hear(current, event.position, events, Some((&names, &fault))).await?;
        Ok(Step::More)
    }
}

/// The services that hear, by name.
fn hearing() -> impl Iterator<Item = (&'static str, Hear)> {
    services::ALL.iter().filter_map(|service| Some((service.name, service.hear?)))
}

/// Whether any row of any service waits for events.
async fn anybody_listens(core: &Core) -> Result<bool, Fault> {
    for table in services::ALL.iter().filter_map(|service| service.listening) {
        let query = Query::of_all_accounts().equal("listens", true).limit(1);
        if !core.store.list_rows(table, query).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn skipped(services: &[&'static str], event: &Event, fault: &Fault) -> NewEvent {
    NewEvent {
        account: SYSTEM,
        service: "control",
        kind: "event_reader.skipped",
        subject: event.subject,
        actor: format!("duty:{READER_DUTY}"),
        request_id: None,
        origin: None,
        data: json!({
            "services": services, "event": event.position.to_string(), "kind": event.kind, "error": fault.to_string(),
        }),
    }
}
