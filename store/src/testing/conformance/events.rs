//! The event log and the hints.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use super::{Subject, Thing, subject::DUTY};
use crate::{Entity, Event, EventQuery, Hint, NewEvent, Position};

async fn said(subject: &Subject, account: Uuid, kinds: &[&'static str]) -> Vec<NewEvent> {
    let events: Vec<NewEvent> = kinds.iter().map(|kind| subject.event(account, kind, subject.id())).collect();
    for event in &events {
        subject
            .commit(|batch| {
                batch.event(event.clone());
            })
            .await;
    }
    events
}

async fn found(subject: &Subject, query: EventQuery) -> Vec<Event> {
    subject.store.events(EventQuery { limit: query.limit.max(1), ..query }).await.unwrap()
}

/// In the order of their commits, and within a batch in the order given.
pub async fn events_come_in_order_and_page_both_ways(subject: &Subject) {
    let account = subject.id();
    assert!(subject.events(account, 0).await.is_empty());
    let first = said(subject, account, &["a.made"]).await.remove(0);
    let both =
        [subject.event(account, "b.made", subject.id()), subject.event(account, "c.made", subject.id())];
    subject
        .commit(|batch| {
            batch.event(both[0].clone()).event(both[1].clone());
        })
        .await;
    said(subject, subject.id(), &["foreign"]).await;
    let events = subject.events(account, 3).await;
    assert_eq!(
        events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(),
        ["a.made", "b.made", "c.made"]
    );
    assert!(events.windows(2).all(|pair| pair[0].position < pair[1].position));
    let event = &events[0];
    assert_eq!((event.account, event.service.as_str(), event.subject), (account, "things", first.subject));
    assert_eq!((event.actor.as_str(), event.request_id.as_deref()), ("tester", Some("request-1")));
    assert_eq!((&event.origin, &event.data), (&None, &json!({"kind": "a.made"})));
    let drift = (event.at - subject.now()).abs();
    assert!(drift < chrono::TimeDelta::minutes(1), "{drift}");
    let page = EventQuery { account: Some(account), limit: 2, ..EventQuery::default() };
    let after = |position| EventQuery { after: Some(position), ..page.clone() };
    assert_eq!(found(subject, page.clone()).await, events[..2]);
    assert_eq!(found(subject, after(events[1].position)).await, events[2..]);
    let newest = EventQuery { newest_first: true, ..page.clone() };
    let backwards = found(subject, newest.clone()).await;
    assert_eq!(backwards, [events[2].clone(), events[1].clone()]);
    let rest = EventQuery { after: Some(events[1].position), ..newest };
    assert_eq!(found(subject, rest).await, events[..1]);
    assert!(subject.store.tail().await.unwrap() >= events[2].position);
    assert!(found(subject, after(subject.store.tail().await.unwrap())).await.is_empty());
}

/// By service, kind, prefix of a kind, subject, time and over all accounts.
pub async fn events_can_be_filtered(subject: &Subject) {
    let account = subject.id();
    said(subject, account, &["job.made", "job.done", "jobs", "job%"]).await;
    let other = NewEvent { service: "other", ..subject.event(account, "job.made", subject.id()) };
    subject
        .commit(|batch| {
            batch.event(other);
        })
        .await;
    let events = subject.events(account, 5).await;
    let kinds = |events: Vec<Event>| -> Vec<String> { events.into_iter().map(|event| event.kind).collect() };
    let all = EventQuery { account: Some(account), limit: 10, ..EventQuery::default() };
    let kind = |kind: &str| EventQuery { kind: Some(kind.to_owned()), ..all.clone() };
    assert_eq!(kinds(found(subject, kind("job.made")).await), ["job.made", "job.made"]);
    assert_eq!(kinds(found(subject, kind("job.*")).await), ["job.made", "job.done", "job.made"]);
    assert_eq!(kinds(found(subject, kind("job%")).await), ["job%"]);
    assert_eq!(kinds(found(subject, kind("job%*")).await), ["job%"]);
    assert_eq!(found(subject, kind("*")).await.len(), 5);
    let service = EventQuery { service: Some("other".to_owned()), ..all.clone() };
    assert_eq!(found(subject, service).await, events[4..]);
    let about = EventQuery { subject: Some(events[1].subject), ..all.clone() };
    assert_eq!(found(subject, about).await, events[1..2]);
    let since = EventQuery { since: Some(events[0].at), ..all.clone() };
    assert_eq!(found(subject, since).await, events);
    let until = EventQuery { until: Some(events[0].at), ..all.clone() };
    assert!(found(subject, until).await.is_empty());
    let hour = Duration::from_hours(1);
    let both = EventQuery { since: Some(events[0].at - hour), until: Some(events[4].at + hour), ..all };
    assert_eq!(found(subject, both).await, events);
    let everywhere = EventQuery { limit: 100, ..EventQuery::default() };
    assert_eq!(found(subject, everywhere).await, events);
}

/// The oldest first, no more than asked for, none that is too young.
pub async fn forgetting_takes_the_oldest(subject: &Subject) {
    let (account, other) = (subject.id(), subject.id());
    said(subject, other, &["x"]).await;
    said(subject, account, &["a", "b", "c"]).await;
    let events = subject.events(account, 3).await;
    let forget = |account, before, limit| subject.store.forget_events(account, before, limit);
    let late = subject.now() + Duration::from_hours(1);
    assert_eq!(forget(Some(account), events[0].at - Duration::from_mins(1), 10).await.unwrap(), 0);
    assert_eq!(forget(Some(account), late, 2).await.unwrap(), 2);
    assert_eq!(subject.events(account, 1).await, events[2..]);
    assert_eq!(subject.events(other, 1).await.len(), 1);
    assert_eq!(forget(None, late, 10).await.unwrap(), 2);
    assert_eq!(forget(None, late, 10).await.unwrap(), 0);
    said(subject, account, &["d"]).await;
    let after =
        EventQuery { account: Some(account), after: Some(events[2].position), ..EventQuery::default() };
    subject.events(account, 1).await;
    assert_eq!(found(subject, after).await[0].kind, "d", "positions go on");
}

/// No event without its change.
pub async fn a_failed_batch_says_nothing(subject: &Subject) {
    let account = subject.id();
    let thing = subject.stored(account, "one").await;
    let result = subject.try_commit(|batch| {
        batch.event(subject.event(account, "never", thing.head.id)).insert(&thing);
    });
    result.await.unwrap_err();
    said(subject, account, &["said"]).await;
    let events = subject.events(account, 1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, "said");
    assert_ne!(events[0].position, Position::default());
}

/// Whoever watches is told what may have changed.
pub async fn hints_follow_commits(subject: &Subject) {
    let account = subject.id();
    let mut hints = subject.store.watch();
    let thing = subject.thing(account, "one");
    subject
        .commit(|batch| {
            batch.insert(&thing).withdraw(account, thing.head.id).enqueue(subject.item(account));
            batch.event(subject.event(account, "made", thing.head.id));
        })
        .await;
    let mut wanted = vec![
        Hint::Events,
        Hint::Rows(Thing::TABLE.name.to_owned()),
        Hint::Work(DUTY.to_owned()),
        Hint::Withdrawn(account),
    ];
    while !wanted.is_empty() {
        let hint = timeout(Duration::from_secs(5), hints.recv()).await;
        let hint = hint.unwrap_or_else(|_| panic!("no hint of {wanted:?}")).unwrap();
        wanted.retain(|wanted| *wanted != hint);
    }
    let item = subject.claimed(1).await.remove(0);
    let mut hints = subject.store.watch();
    subject
        .commit(|batch| {
            batch.settle(item.settle(crate::Settlement::Release));
        })
        .await;
    let told = async { while hints.recv().await.unwrap() != Hint::Work(DUTY.to_owned()) {} };
    timeout(Duration::from_secs(5), told).await.expect("a release wakes the duty");
}
