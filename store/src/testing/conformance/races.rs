//! What must hold when many do the same at once.

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Subject, Thing};
use crate::{Batch, Code, EventQuery, Fault, Filter, Position, Query, Settlement, Store};

const TASKS: usize = 64;

/// Runs all at once, and answers how each ended.
async fn all<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.map(spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no task panics"));
    }
    results
}

#[allow(clippy::disallowed_methods, reason = "a test's tasks end with the test")]
fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

fn commit(store: &Store, batch: Batch) -> impl Future<Output = Result<(), Fault>> + Send + 'static {
    let store = store.clone();
    async move { store.commit(batch).await }
}

/// Exactly one succeeded, and every other was refused with this code.
fn one_won(results: &[Result<(), Fault>], code: Code) {
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(|fault| fault.code == code));
}

/// The same row inserted by many.
pub async fn one_of_many_inserts_wins(subject: &Subject) {
    let thing = subject.thing(subject.id(), "raced");
    let results = all((0..TASKS).map(|_| {
        let mut batch = Batch::new();
        batch.insert(&thing);
        commit(&subject.store, batch)
    }))
    .await;
    one_won(&results, Code::Conflict);
}

/// The same version replaced by many.
pub async fn one_of_many_replacements_wins(subject: &Subject) {
    let thing = subject.stored(subject.id(), "raced").await;
    let results = all((0..TASKS).map(|size| {
        let mut mine = Thing { size: size.try_into().unwrap(), ..thing.clone() };
        let mut batch = Batch::new();
        batch.replace(&mut mine, thing.head.updated_at);
        commit(&subject.store, batch)
    }))
    .await;
    one_won(&results, Code::Conflict);
    assert_eq!(subject.store.get::<Thing>(thing.head.key()).await.unwrap().head.version, 2);
}

/// Optimistic writers that try again lose no step.
pub async fn a_counter_raced_loses_nothing(subject: &Subject) {
    let counter = subject.stored(subject.id(), "counter").await;
    let key = counter.head.key();
    all((0..16).map(|_| {
        let store = subject.store.clone();
        async move {
            let mut done = 0;
            while done < 10 {
                let mut thing: Thing = store.get(key).await.unwrap();
                thing.size += 1;
                let now = thing.head.updated_at;
                let mut batch = Batch::new();
                batch.replace(&mut thing, now);
                match store.commit(batch).await {
                    Ok(()) => done += 1,
                    Err(fault) => assert_eq!(fault.code, Code::Conflict, "{fault}"),
                }
            }
        }
    }))
    .await;
    let found: Thing = subject.store.get(key).await.unwrap();
    assert_eq!((found.size, found.head.version), (160, 161));
}

/// A limit of 10, and 64 who want to add one.
pub async fn at_most_holds_under_a_race(subject: &Subject) {
    let account = subject.id();
    let results = all((0..TASKS).map(|number| {
        let mut batch = Batch::new();
        batch.insert(&subject.thing(account, &format!("thing {number}")));
        let all_of_them = vec![Filter::Equal("ready", false.into())];
        batch.at_most::<Thing>(account, all_of_them, 10, "things.max");
        commit(&subject.store, batch)
    }))
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(|f| f.code == Code::QuotaExceeded));
    assert_eq!(subject.store.count::<Thing>(Some(account), vec![]).await.unwrap(), 10);
}

/// Many workers, many items: each item once.
pub async fn every_item_is_claimed_once(subject: &Subject) {
    let accounts = [subject.id(), subject.id(), subject.id(), subject.id(), subject.id()];
    let mut batch = Batch::new();
    for number in 0..500 {
        batch.enqueue(subject.item(accounts[number % accounts.len()]));
    }
    subject.store.commit(batch).await.unwrap();
    let claims: Vec<_> = (0..16).map(|_| subject.claim_of(7)).collect();
    let claimed = all(claims.into_iter().map(|claim| {
        let store = subject.store.clone();
        async move {
            let mut ids = Vec::new();
            let mut empty = 0;
            while empty < 3 {
                let items = store.claim(claim.clone()).await.unwrap();
                empty = if items.is_empty() { empty + 1 } else { 0 };
                let mut batch = Batch::new();
                for item in &items {
                    assert_eq!(item.fence, 1);
                    batch.settle(item.settle(Settlement::Remove));
                }
                store.commit(batch).await.unwrap();
                ids.extend(items.into_iter().map(|item| item.id));
            }
            ids
        }
    }))
    .await;
    let ids: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(ids.len(), 500);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 500);
}

/// The same fence settled by many.
pub async fn one_of_many_settlements_wins(subject: &Subject) {
    subject.enqueued(subject.id()).await;
    let item = subject.claimed(1).await.remove(0);
    let results = all((0..TASKS).map(|_| {
        let mut batch = Batch::new();
        batch.settle(item.settle(Settlement::Remove));
        batch.event(subject.event(item.account, "settled", item.id));
        commit(&subject.store, batch)
    }))
    .await;
    one_won(&results, Code::FenceLost);
    assert_eq!(subject.events(item.account, 1).await.len(), 1);
}

/// The same name wanted by many different rows.
pub async fn a_name_raced_is_given_once(subject: &Subject) {
    let account = subject.id();
    let results = all((0..TASKS).map(|_| {
        let mut batch = Batch::new();
        batch.insert(&subject.thing(account, "the name"));
        commit(&subject.store, batch)
    }))
    .await;
    one_won(&results, Code::Conflict);
    assert_eq!(subject.store.list::<Thing>(Query::of(account)).await.unwrap().len(), 1);
}

/// A reader that follows the log while many write sees each event once and in order.
pub async fn readers_of_the_log_miss_nothing(subject: &Subject) {
    const EVENTS: usize = 16 * 30;
    let written = Arc::new(AtomicBool::new(false));
    let store = subject.store.clone();
    let done = written.clone();
    let reader = spawn(async move {
        let mut seen: Vec<Position> = Vec::new();
        let mut idle = 0;
        while seen.len() < EVENTS && idle < 1_000 {
            let query = EventQuery { after: seen.last().copied(), limit: 50, ..EventQuery::default() };
            let page = store.events(query).await.unwrap();
            if page.is_empty() {
                idle += usize::from(done.load(Ordering::Relaxed));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            seen.extend(page.iter().map(|event| event.position));
        }
        seen
    });
    let events: Vec<_> = (0..16)
        .map(|_| (0..30).map(|_| subject.event(subject.id(), "written", subject.id())).collect::<Vec<_>>())
        .collect();
    all(events.into_iter().map(|events| {
        let store = subject.store.clone();
        async move {
            for event in events {
                let mut batch = Batch::new();
                batch.event(event);
                store.commit(batch).await.unwrap();
            }
        }
    }))
    .await;
    written.store(true, Ordering::Relaxed);
    let seen = reader.await.expect("the reader ends");
    assert_eq!(seen.len(), EVENTS);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
}

/// Batches that fail do not take others with them, however they are gathered.
pub async fn good_batches_survive_bad_neighbours(subject: &Subject) {
    let account = subject.id();
    let taken = subject.stored(account, "taken").await;
    let results = all((0..TASKS * 4).map(|number| {
        let mut batch = Batch::new();
        let thing = subject.thing(account, &format!("thing {number}"));
        batch.insert(&thing).event(subject.event(account, "made", thing.head.id));
        spoil(&mut batch, number % 8, subject, &taken);
        commit(&subject.store, batch)
    }))
    .await;
    for (number, result) in results.iter().enumerate() {
        let code = result.as_ref().err().map(|fault| fault.code);
        let expected = match number % 8 {
            1 | 2 | 5 => Some(Code::Conflict),
            3 => Some(Code::QuotaExceeded),
            4 => Some(Code::FenceLost),
            _ => None,
        };
        assert_eq!(code, expected, "batch {number}: {result:?}");
    }
    let good = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(good, TASKS * 4 * 3 / 8);
    assert_eq!(subject.store.count::<Thing>(Some(account), vec![]).await.unwrap(), good as u64 + 1);
    assert_eq!(subject.events(account, good).await.len(), good);
    assert!(subject.claimed(10).await.is_empty());
}

/// Adds what must make a batch fail, in one of five ways; leaves three of eight as they are.
fn spoil(batch: &mut Batch, way: usize, subject: &Subject, taken: &Thing) {
    let account = taken.head.account_id;
    let (id, settlement) = (subject.id(), Settlement::Remove);
    let changed = Thing { head: crate::Head { version: 9, ..taken.head }, ..taken.clone() };
    let _ = match way {
        1 => batch.insert(taken).enqueue(subject.item(account)),
        2 => batch.insert(&subject.thing(account, "taken")),
        3 => batch.at_most::<Thing>(account, vec![], 0, "things.max"),
        4 => batch.settle(crate::Settle { id, account, fence: 1, holder: None, settlement }),
        5 => batch.remove(&changed),
        _ => batch,
    };
}

/// A caller that goes away leaves its batch done or undone, never half.
pub async fn dropped_commits_happen_whole_or_not_at_all(subject: &Subject) {
    let account = subject.id();
    let dropped = Arc::new(AtomicUsize::new(0));
    all((0..200).map(|number: u32| {
        let thing = subject.thing(account, &format!("thing {number}"));
        let mut batch = Batch::new();
        batch.insert(&thing).event(subject.event(account, "made", thing.head.id));
        let store = subject.store.clone();
        let dropped = dropped.clone();
        async move {
            let patience = Duration::from_micros(u64::from(number) * 20);
            if tokio::time::timeout(patience, store.commit(batch)).await.is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }))
    .await;
    subject.stored(account, "the last").await;
    let things: Vec<Thing> = subject.store.list(Query::of(account).limit(1_000)).await.unwrap();
    let made: BTreeSet<_> =
        things.iter().filter(|thing| thing.name != "the last").map(|thing| thing.head.id).collect();
    let told: BTreeSet<_> =
        subject.events(account, made.len()).await.iter().map(|event| event.subject).collect();
    assert_eq!(made, told);
    assert!(made.len() >= 200 - dropped.load(Ordering::Relaxed));
}
