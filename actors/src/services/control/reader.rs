//! The reader of the event log: lets every service hear what happens, each event once with effect.
//!
//! One daemon at a time reads, under the lease of the duty's one item, for as long as it lives. What follows from a page
//! is committed together with the moved position, which is written at the version it was read: a second reader whose
//! lease ran out is refused, and a crash between two pages repeats nothing. Hints wake it; a slow poll makes up for lost
//! ones. While nothing listens it reads no events and only notes where the log ends.
//!
//! A page from which nothing can be made to follow is tried again, then event by event. The one event in the way is heard
//! without the services that cannot take it, and without no other: that is told as `event_reader.skipped`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{Batch, Code, Event, EventQuery, Fault, Head, NewEvent, Position, Query, RetryPolicy, SYSTEM};
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
#[derive(Clone, Debug)]
pub struct EventReader {
    /// The services that hear, by name.
    hearing: Vec<(&'static str, Hear)>,
}

impl Default for EventReader {
    /// For every service that hears.
    fn default() -> Self {
        Self::of(services::ALL.iter().filter_map(|service| Some((service.name, service.hear?))))
    }
}

impl EventReader {
    /// For these services and no others.
    pub fn of(hearing: impl IntoIterator<Item = (&'static str, Hear)>) -> Self {
        Self { hearing: hearing.into_iter().collect() }
    }
}

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
            let mut reading = Reading::new(core, &self.hearing);
            loop {
                if attempt.cancel.is_cancelled() {
                    return Outcome::Release;
                }
                let around = Around { duty: READER_DUTY, account: SYSTEM, gates: &[] };
                let held = core.mirror.is_held(around, core.clock.now());
                if held || core.bells.leaving.is_cancelled() {
                    return Outcome::Again(core.clock.now(), Batch::new());
                }
                match reading.step().await {
                    Ok(Step::More) => {}
                    Ok(Step::Rest(at_most)) => reading.rest(at_most, attempt).await,
                    Ok(Step::Doze(at_most)) => reading.doze(at_most, attempt).await,
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
    /// Nothing for so long, whatever happens: nobody listens.
    Doze(Duration),
    /// Another reader has moved the position.
    Overtaken,
}

struct Reading<'a> {
    core: &'a Arc<Core>,
    hearing: &'a [(&'static str, Hear)],
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
    fn new(core: &'a Arc<Core>, hearing: &'a [(&'static str, Hear)]) -> Self {
        let noted = Instant::now();
        Self { core, hearing, position: None, noted, unnoted: false, looks: 0, tries: 0, singly: 0 }
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

    /// Waits, but not through a pause.
    async fn doze(&self, at_least: Duration, attempt: &Attempt) {
        tokio::select! {
            () = attempt.cancel.cancelled() => {}
            () = self.core.bells.leaving.cancelled() => {}
            () = tokio::time::sleep(at_least) => {}
        }
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
            return Ok(match self.pass(current, tail).await? {
                Step::Rest(at_least) => Step::Doze(at_least),
                other => other,
            });
        }
        let whole = self.core.settings.size(&READER_PAGE);
        let limit = if self.singly > 0 { 1 } else { whole };
        let query = EventQuery { after: Some(current.position), limit, ..EventQuery::default() };
        let events = self.core.store.events(query).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            return self.pass(current, tail).await;
        };
        match self.hear(&current, last, &events, &BTreeMap::new()).await {
            Ok(()) => {
                self.singly = self.singly.saturating_sub(1);
                Ok(Step::More)
            }
            Err(fault) => self.failed(&current, &events, fault).await,
        }
    }

    /// The row, made where this is the first reader there is; it begins with the beginning. Whoever listens hears nothing that
    /// happened before it did.
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
        let made = ReaderPosition { head, position: Position::default() };
        let mut batch = Batch::new();
        batch.insert(&made);
        self.core.store.commit(batch).await?;
        Ok(made)
    }

    /// Passes over what nobody listens to; noted in the store now and then.
    async fn pass(&mut self, mut current: ReaderPosition, tail: Position) -> Result<Step, Fault> {
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

    /// Lets the services hear a page and commits what follows with the moved position; but for those that are stuck, each
    /// for its reason.
    async fn hear(
        &mut self,
        current: &ReaderPosition,
        last: Position,
        events: &[Event],
        stuck: &BTreeMap<&'static str, Fault>,
    ) -> Result<(), Fault> {
        let mut batch = Batch::new();
        for (name, hear) in self.hearing.iter().filter(|(name, _)| !stuck.contains_key(name)) {
            hear(self.core, events, &mut batch).await.map_err(|fault| fault.because(name))?;
        }
        if batch.writes.len() > WRITES && events.len() > 1 {
            // Many listen to what every account may hear: fewer events at a time.
            let half = &events[..events.len() / 2];
            let last = half.last().map_or(last, |event| event.position);
            return Box::pin(self.hear(current, last, half, stuck)).await;
        }
        if let (false, Some(event)) = (stuck.is_empty(), events.first()) {
            batch.event(skipped(stuck, event));
        }
        let mut moved = current.clone();
        moved.position = last;
        batch.replace(&mut moved, self.core.clock.now());
        self.core.commit(batch).await?;
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
        self.pass_over(current, event, fault).await
    }

    /// Lets an event be heard without the fewest services that it has to be heard without. Who cannot even hear it is known
    /// at once; whose part the store refuses shows when it is left out.
    async fn pass_over(
        &mut self,
        current: &ReaderPosition,
        event: &Event,
        fault: Fault,
    ) -> Result<Step, Fault> {
        let alone = std::slice::from_ref(event);
        let mut deaf = BTreeMap::new();
        for (name, hear) in self.hearing {
            match hear(self.core, alone, &mut Batch::new()).await {
                Ok(()) => {}
                Err(fault) if fault.code == Code::Unavailable => return Err(fault),
                Err(fault) => {
                    deaf.insert(*name, fault);
                }
            }
        }
        let others = self.hearing.iter().map(|(name, _)| *name).filter(|name| !deaf.contains_key(name));
        let mut refused = fault;
        for left_out in fewest_first(&others.collect::<Vec<_>>()) {
            let mut stuck = deaf.clone();
            stuck.extend(left_out.into_iter().map(|name| (name, refused.clone())));
            match self.hear(current, event.position, alone, &stuck).await {
                Ok(()) => return Ok(Step::More),
                Err(fault) if fault.code == Code::Unavailable => return Err(fault),
                Err(fault) => refused = fault,
            }
        }
        Err(refused)
    }
}

/// Every choice among a few, beginning with none of them, smaller ones before larger ones.
fn fewest_first(among: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut choices: Vec<Vec<&'static str>> = vec![Vec::new()];
    for one in among {
        choices.extend(choices.clone().into_iter().map(|mut choice| {
            choice.push(*one);
            choice
        }));
    }
    choices.sort_by_key(Vec::len);
    choices
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

fn skipped(stuck: &BTreeMap<&'static str, Fault>, event: &Event) -> NewEvent {
    let errors: BTreeMap<&str, String> =
        stuck.iter().map(|(name, fault)| (*name, fault.to_string())).collect();
    NewEvent {
        account: SYSTEM,
        service: "control",
        kind: "event_reader.skipped",
        subject: event.subject,
        actor: format!("duty:{READER_DUTY}"),
        request_id: None,
        origin: None,
        data: json!({
            "services": stuck.keys().collect::<Vec<_>>(), "event": event.position.to_string(), "kind": event.kind,
            "errors": errors,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_choices_come_first() {
        let choices = fewest_first(&["a", "b", "c"]);
        let lengths: Vec<usize> = choices.iter().map(Vec::len).collect();
        assert_eq!(lengths, [0, 1, 1, 1, 2, 2, 2, 3]);
        assert!(choices.contains(&vec!["a", "c"]), "{choices:?}");
    }
}
