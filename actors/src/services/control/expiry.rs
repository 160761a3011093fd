//! What removes what is over.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{Batch, Code, Entity, EventQuery, Expect, Fault, Filter, NewEvent, Query, SYSTEM, Write};

use super::{EVENTS_KEPT_FOR, ReaderPosition, TIDY_BATCH, TIDY_EVERY, TIDYINGS};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    idempotency::IdempotencyRecord,
    pause::Pause,
    retention,
    services::automation,
    settings::Setting,
    together,
};

/// The log's order is not exactly that of time.
const UNREAD_MARGIN: TimeDelta = TimeDelta::minutes(1);

/// Forgets events that are older than they are kept for.
#[derive(Clone, Copy, Debug)]
pub struct EventRetention;

/// Removes stored answers and pauses whose time is over.
#[derive(Clone, Copy, Debug)]
pub struct RecordExpiry;

impl Duty for EventRetention {
    fn name(&self) -> &'static str {
        "event-retention"
    }

    fn doc(&self) -> &'static str {
        "Forgets events that are older than events.kept_for."
    }

    fn concurrency(&self) -> &'static Setting {
        &TIDYINGS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&TIDY_EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(retention::round(core, attempt, &TIDY_EVERY, forget(core)))
    }
}

impl Duty for RecordExpiry {
    fn name(&self) -> &'static str {
        "record-expiry"
    }

    fn doc(&self) -> &'static str {
        "Removes stored answers of repeatable requests and pauses whose time is over."
    }

    fn concurrency(&self) -> &'static Setting {
        &TIDYINGS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&TIDY_EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(retention::round(core, attempt, &TIDY_EVERY, async move {
            let now = core.clock.now();
            remove::<IdempotencyRecord>(core, Filter::Before("expires_at", now), |_| None).await?;
            // What it held back is late by its age from then on, whether or not the pause is known.
            let grace = TimeDelta::from_std(core.settings.duration(&automation::GRACE));
            let over = now - grace.unwrap_or(TimeDelta::zero());
            remove::<Pause>(core, Filter::Before("until", over), |pause| Some(ended(pause, now))).await
        }))
    }
}

async fn forget(core: &Core) -> Result<(), Fault> {
    let kept: Duration = core.settings.duration(&EVENTS_KEPT_FOR);
    let before = core.clock.now() - TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX);
    let before = match unread(core).await? {
        Some(at) => before.min(at - UNREAD_MARGIN),
        None => before,
    };
    let limit = core.settings.size(&TIDY_BATCH);
    while core.store.forget_events(None, before, limit).await? > 0 {}
    Ok(())
}

/// When the oldest event happened that services have not heard yet; it stays until they have.
async fn unread(core: &Core) -> Result<Option<DateTime<Utc>>, Fault> {
    let Some(reader) = core.store.find::<ReaderPosition>(ReaderPosition::KEY).await? else { return Ok(None) };
    let query = EventQuery { after: Some(reader.position), limit: 1, ..EventQuery::default() };
    Ok(core.store.events(query).await?.first().map(|event| event.at))
}

/// Removes what matches, unless it was changed meanwhile.
async fn remove<E: Entity>(
    core: &Core,
    over: Filter,
    told: impl Fn(&E) -> Option<NewEvent>,
) -> Result<(), Fault> {
    let limit = core.settings.size(&TIDY_BATCH);
    let mut after = None;
    loop {
        let query = Query::of_all_accounts().filter(over.clone()).after(after).limit(limit);
        let rows: Vec<E> = core.store.list(query).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.head().id);
        let changes = rows.iter().map(|row| {
            let expect = Expect::Version(row.head().version);
            let write = Write::Remove { table: E::TABLE, key: row.head().key(), expect };
            Batch { writes: vec![write], events: told(row).into_iter().collect(), ..Batch::new() }
        });
        together::commit(&core.store, changes.collect(), &[Code::Conflict]).await?;
    }
}

/// That a pause ran out; told where whoever is concerned sees it.
fn ended(pause: &Pause, now: DateTime<Utc>) -> NewEvent {
    let owner = pause.target.split('/').next().and_then(|owner| owner.parse().ok());
    let account = owner.unwrap_or(SYSTEM);
    NewEvent {
        account,
        service: "pauses",
        kind: "pause.ended",
        subject: pause.gate().or(owner).unwrap_or(pause.head.id),
        actor: "duty:record-expiry".to_owned(),
        request_id: None,
        origin: None,
        data: json!({"scope": pause.scope, "target": pause.target, "until": pause.until, "removed_at": now}),
    }
}
