//! Rows, expectations and unique sets.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

use super::{Part, Subject, Thing, round_trip};
use crate::{Cell, Chance as _, Code, Entity, Expect, Head, Key, Query, Row, SeededChance, Write};

/// Every kind of cell, filled and null.
pub async fn a_row_comes_back_as_it_went(subject: &Subject) {
    round_trip::<Thing>(&subject.store).await;
    round_trip::<Part>(&subject.store).await;
}

/// The four expectations, for puts and removals.
pub async fn absent_present_version_and_any_mean_what_they_say(subject: &Subject) {
    let mut thing = subject.thing(subject.id(), "one");
    let refused = |result: Result<(), crate::Fault>| assert_eq!(result.unwrap_err().code, Code::Conflict);
    refused(subject.put(&thing, Expect::Present).await);
    refused(subject.put(&thing, Expect::Version(1)).await);
    subject.put(&thing, Expect::Absent).await.unwrap();
    refused(subject.put(&thing, Expect::Absent).await);
    thing.head.version = 7;
    thing.size = 7;
    subject.put(&thing, Expect::Version(1)).await.unwrap();
    refused(subject.put(&thing, Expect::Version(1)).await);
    thing.size = 8;
    subject.put(&thing, Expect::Present).await.unwrap();
    thing.size = 9;
    subject.put(&thing, Expect::Any).await.unwrap();
    assert_eq!(subject.store.get::<Thing>(thing.head.key()).await.unwrap(), thing);
    let remove = |expect| {
        subject.try_commit(move |batch| {
            batch.writes.push(Write::Remove { table: Thing::TABLE, key: thing.head.key(), expect });
        })
    };
    refused(remove(Expect::Absent).await);
    refused(remove(Expect::Version(6)).await);
    remove(Expect::Version(7)).await.unwrap();
    refused(remove(Expect::Version(7)).await);
    refused(remove(Expect::Present).await);
    remove(Expect::Absent).await.unwrap();
    remove(Expect::Any).await.unwrap();
    subject.put(&thing, Expect::Any).await.unwrap();
    remove(Expect::Any).await.unwrap();
    let missing = subject.store.get::<Thing>(thing.head.key()).await.unwrap_err();
    assert_eq!((missing.code, missing.detail.as_str()), (Code::NotFound, "no such thing"));
}

/// A batch whose last write fails leaves no trace of its first.
pub async fn a_failed_batch_leaves_nothing(subject: &Subject) {
    let account = subject.id();
    let kept = subject.stored(account, "kept").await;
    let fresh = subject.thing(account, "fresh");
    let item = subject.item(account);
    let result = subject
        .try_commit(|batch| {
            batch.insert(&fresh).remove(&kept).enqueue(item.clone());
            batch.insert(&fresh);
        })
        .await;
    assert_eq!(result.unwrap_err().code, Code::Conflict);
    assert_eq!(subject.store.list::<Thing>(Query::of(account)).await.unwrap(), [kept]);
    assert!(subject.claimed(10).await.is_empty());
}

/// A row cannot be read or written under another account.
pub async fn a_row_belongs_to_its_account(subject: &Subject) {
    let (mine, yours) = (subject.id(), subject.id());
    let thing = subject.stored(mine, "mine").await;
    let foreign = Key::new(yours, thing.head.id);
    assert_eq!(subject.store.find::<Thing>(foreign).await.unwrap(), None);
    let twin = Thing { head: Head { account_id: yours, ..thing.head }, ..thing.clone() };
    assert_eq!(subject.put(&twin, Expect::Version(1)).await.unwrap_err().code, Code::Conflict);
    subject.put(&twin, Expect::Absent).await.unwrap();
    assert_eq!(subject.store.list::<Thing>(Query::of(mine)).await.unwrap(), [thing]);
    assert_eq!(subject.store.list::<Thing>(Query::of(yours)).await.unwrap(), [twin]);
}

/// Names are unique by exact text; sets with a null never collide.
pub async fn unique_sets_hold_within_an_account(subject: &Subject) {
    let (account, other) = (subject.id(), subject.id());
    let mut first = subject.stored(account, "name").await;
    let fault = subject.put(&subject.thing(account, "name"), Expect::Absent).await.unwrap_err();
    assert_eq!((fault.code, fault.detail.as_str()), (Code::Conflict, "a thing of this name exists already"));
    assert_eq!(fault.fields.len(), 1);
    assert_eq!((fault.fields[0].pointer.as_str(), fault.fields[0].rule), ("/name", "taken"));
    subject.stored(account, "Name").await;
    subject.stored(account, "name ").await;
    subject.stored(other, "name").await;
    first.color = Some("red".to_owned());
    subject.put(&first, Expect::Present).await.expect("a row does not collide with itself");
    let group = Some(subject.id());
    for (name, group, slot) in
        [("a", group, None), ("b", group, None), ("c", None, Some(1)), ("d", None, Some(1))]
    {
        let thing = Thing { group, slot, ..subject.thing(account, name) };
        subject.put(&thing, Expect::Absent).await.expect("a null never collides");
    }
    subject
        .put(&Thing { group, slot: Some(1), ..subject.thing(account, "e") }, Expect::Absent)
        .await
        .unwrap();
    let taken = Thing { group, slot: Some(1), ..subject.thing(account, "f") };
    let fault = subject.put(&taken, Expect::Any).await.unwrap_err();
    assert_eq!((fault.code, fault.detail.as_str()), (Code::Conflict, "this slot of the group is taken"));
    let moved = Thing { name: "Name".to_owned(), ..first };
    assert_eq!(subject.put(&moved, Expect::Present).await.unwrap_err().code, Code::Conflict);
}

/// A batch may free a name and give it away again.
pub async fn unique_values_move_within_one_batch(subject: &Subject) {
    let account = subject.id();
    let old = subject.stored(account, "name").await;
    let new = subject.thing(account, "name");
    subject
        .commit(|batch| {
            batch.remove(&old).insert(&new);
        })
        .await;
    let mut renamed = Thing { name: "other".to_owned(), ..new };
    let third = subject.thing(account, "name");
    let now = subject.now();
    subject
        .commit(|batch| {
            batch.replace(&mut renamed, now).insert(&third);
        })
        .await;
    let found = subject.store.list::<Thing>(Query::of(account).oldest_first()).await.unwrap();
    assert_eq!(found, [renamed.clone(), third.clone()]);
    let (before, after) = (subject.thing(account, "before"), subject.thing(account, "name"));
    subject
        .commit(|batch| {
            batch.insert(&before).remove(&third).insert(&after);
        })
        .await;
    let found = subject.store.list::<Thing>(Query::of(account).oldest_first()).await.unwrap();
    assert_eq!(found, [renamed, before, after]);
}

/// What a batch does to one row happens in its order, whatever else it does in between.
pub async fn a_batch_does_things_in_order(subject: &Subject) {
    let account = subject.id();
    let part = || Part { head: Head::new(account, subject.id(), subject.now()), thing: Uuid::from_u128(1) };
    let (mut changed, gone, kept) = (part(), part(), part());
    let now = subject.now();
    subject
        .commit(|batch| {
            batch.insert(&changed).insert(&gone).remove(&gone).insert(&kept);
            for thing in [2, 3] {
                changed.thing = Uuid::from_u128(thing);
                batch.replace(&mut changed, now);
            }
            batch.insert(&gone).remove(&gone);
        })
        .await;
    let found = subject.store.list::<Part>(Query::of(account).oldest_first()).await.unwrap();
    assert_eq!(found, [changed, kept]);
}

/// `PostgreSQL` text cannot hold U+0000, so neither backend does.
pub async fn nul_characters_in_text_are_refused_and_in_json_kept(subject: &Subject) {
    let account = subject.id();
    let fault = subject.put(&subject.thing(account, "a\0b"), Expect::Absent).await.unwrap_err();
    assert_eq!((fault.code, fault.fields[0].pointer.as_str()), (Code::Invalid, "/name"));
    let thing = Thing { data: Subject::payload(1), ..subject.thing(account, "ab") };
    subject.put(&thing, Expect::Absent).await.unwrap();
    assert_eq!(subject.store.get::<Thing>(thing.head.key()).await.unwrap(), thing);
}

/// Cells of another number or type, nulls where none may be, filters on columns that are not there.
pub async fn what_is_not_a_row_of_the_table_is_refused(subject: &Subject) {
    let head = Head::new(subject.id(), subject.id(), subject.now());
    for cells in [vec![], vec![Cell::Null], vec![Cell::Int(1)], vec![Cell::Uuid(head.id), Cell::Null]] {
        let row = Row { head, cells };
        let result = subject
            .try_commit(|batch| {
                batch.writes.push(Write::Put { table: Part::TABLE, row, expect: Expect::Any });
            })
            .await;
        assert_eq!(result.unwrap_err().code, Code::Internal);
    }
    for query in [
        Query::of(head.account_id).equal("nothing", 1_i64),
        Query::of(head.account_id).equal("size", "text"),
        Query::of(head.account_id).equal("data", serde_json::json!({})),
        Query::of(head.account_id).filter(crate::Filter::Before("size", head.created_at)),
    ] {
        assert_eq!(subject.store.list::<Thing>(query).await.unwrap_err().code, Code::Internal);
    }
}

/// Finer parts of an instant are cut off, not rounded.
pub async fn times_are_kept_to_the_microsecond(subject: &Subject) {
    let fine: DateTime<Utc> = DateTime::UNIX_EPOCH + Duration::from_nanos(1_999_999_999);
    let thing = Thing { seen_at: fine, done_at: Some(fine), ..subject.thing(subject.id(), "fine") };
    subject.put(&thing, Expect::Absent).await.unwrap();
    let found = subject.store.get::<Thing>(thing.head.key()).await.unwrap();
    assert_eq!((found.seen_at, found.done_at), (fine.trunc_subsecs(6), Some(fine.trunc_subsecs(6))));
}

/// What is signed over its JSON must verify after it was stored.
pub async fn numbers_in_json_come_back_to_the_last_bit(subject: &Subject) {
    let chance = SeededChance::new(7);
    let numbers: Vec<f64> = std::iter::repeat_with(|| f64::from_le_bytes(chance.bytes()))
        .filter(|n| n.is_finite())
        .take(2_000)
        .collect();
    let thing = Thing { data: serde_json::json!(numbers), ..subject.thing(subject.id(), "numbers") };
    subject.put(&thing, Expect::Absent).await.unwrap();
    let found = subject.store.get::<Thing>(thing.head.key()).await.unwrap();
    assert_eq!(found.data.to_string(), thing.data.to_string());
}
