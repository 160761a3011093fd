//! Conditions on rows that a batch does not write.

use super::{Part, Subject, Thing};
use crate::{Code, Entity, Expect, Filter, Guard, Head, Query, Store};

/// A limit is checked after the batch, and what it refuses leaves nothing.
pub async fn at_most_counts_after_the_batch(subject: &Subject) {
    let account = subject.id();
    let ready = || vec![Filter::Equal("ready", true.into())];
    let add = |ready_now: bool, name: &'static str| {
        let thing = Thing { ready: ready_now, ..subject.thing(account, name) };
        subject.try_commit(move |batch| {
            batch.insert(&thing).at_most::<Thing>(account, ready(), 2, "things.ready.max");
        })
    };
    add(true, "one").await.unwrap();
    add(true, "two").await.unwrap();
    add(false, "three").await.unwrap();
    let fault = add(true, "four").await.unwrap_err();
    assert_eq!(fault.code, Code::QuotaExceeded);
    let limit = fault.limit.expect("the limit is named");
    assert_eq!((limit.setting, limit.limit, limit.current), ("things.ready.max", 2.into(), 2.into()));
    let things: Vec<Thing> = subject.store.list(Query::of(account).oldest_first()).await.unwrap();
    assert_eq!(things.len(), 3);
    let swapped = Thing { ready: true, ..subject.thing(account, "five") };
    subject
        .commit(|batch| {
            batch.insert(&swapped).remove(&things[0]).at_most::<Thing>(
                account,
                ready(),
                2,
                "things.ready.max",
            );
        })
        .await;
    let fault = subject
        .try_commit(|batch| {
            batch.insert(&subject.thing(account, "six")).at_most::<Thing>(account, vec![], 3, "things.max");
        })
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::QuotaExceeded);
}

/// A guard on another row.
pub async fn holds_needs_the_version(subject: &Subject) {
    let account = subject.id();
    let mut thing = subject.stored(account, "whole").await;
    let part = || Part { head: Head::new(account, subject.id(), subject.now()), thing: thing.head.id };
    let stale = thing.clone();
    let first = part();
    subject
        .commit(|batch| {
            batch.insert(&first).holds(&stale);
        })
        .await;
    let (second, third) = (part(), part());
    let now = subject.now();
    subject
        .commit(|batch| {
            batch.replace(&mut thing, now);
        })
        .await;
    let fault = subject
        .try_commit(|batch| {
            batch.insert(&second).holds(&stale);
        })
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::Conflict);
    assert_eq!(parts(&subject.store).await, 1);
    let guarded = |expect, key| {
        let third = third.clone();
        subject.try_commit(move |batch| {
            batch.guards.push(Guard::Holds { table: Thing::TABLE, key, expect });
            batch.overwrite(&third);
        })
    };
    let nowhere = crate::Key::new(account, subject.id());
    for (expect, key, holds) in [
        (Expect::Present, stale.head.key(), true),
        (Expect::Absent, stale.head.key(), false),
        (Expect::Any, stale.head.key(), true),
        (Expect::Version(2), stale.head.key(), true),
        (Expect::Present, nowhere, false),
        (Expect::Version(1), nowhere, false),
        (Expect::Absent, nowhere, true),
        (Expect::Any, nowhere, true),
    ] {
        let result = guarded(expect, key).await;
        assert_eq!(result.as_ref().err().map(|fault| fault.code), (!holds).then_some(Code::Conflict));
    }
}

async fn parts(store: &Store) -> u64 {
    store.count::<Part>(None, vec![]).await.unwrap()
}
