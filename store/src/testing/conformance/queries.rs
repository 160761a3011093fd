//! Pages, filters, counts and sweeps.

use std::time::Duration;

use uuid::Uuid;

use super::{Subject, Thing};
use crate::{Cell, Chance, Expect, Filter, Order, Query, SeededChance};

async fn many(subject: &Subject, account: Uuid, count: usize) -> Vec<Thing> {
    let mut things = Vec::new();
    let start = subject.now();
    for number in 0..count {
        let color = ["red", "green"].get(number % 3).map(|color| (*color).to_owned());
        let mut thing = subject.thing(account, &format!("thing {number}"));
        thing.head.created_at = start + Duration::from_secs(number as u64);
        thing.size = (number % 5).try_into().unwrap();
        thing.group = (number % 4 == 0).then_some(account);
        thing.ready = number % 2 == 0;
        thing.done_at = (number % 3 == 1).then_some(thing.head.created_at);
        things.push(Thing { color, ..thing });
    }
    subject
        .commit(|batch| {
            for thing in &things {
                batch.insert(thing);
            }
        })
        .await;
    things
}

/// Pages in both directions give every row once.
pub async fn pages_follow_ids_both_ways(subject: &Subject) {
    let account = subject.id();
    let things = many(subject, account, 25).await;
    many(subject, subject.id(), 5).await;
    for order in [Order::Oldest, Order::Newest] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let query = Query { order, ..Query::of(account).limit(7).after(after) };
            let page: Vec<Thing> = subject.store.list(query).await.unwrap();
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            after = Some(last.head.id);
            seen.extend(page);
        }
        if order == Order::Newest {
            seen.reverse();
        }
        assert_eq!(seen, things);
    }
    assert!(subject.store.list::<Thing>(Query::of(account).limit(0)).await.unwrap().is_empty());
    assert_eq!(subject.store.first::<Thing>(Query::of(account)).await.unwrap(), things.last().cloned());
}

/// Which things a filter should give.
type Wanted = Box<dyn Fn(&Thing) -> bool>;

/// Each filter alone and together.
pub async fn filters_mean_what_they_say(subject: &Subject) {
    let account = subject.id();
    let things = many(subject, account, 30).await;
    let sixth = things[5].head.created_at;
    let cases: Vec<(Vec<Filter>, Wanted)> = vec![
        (vec![Filter::Equal("color", "red".into())], Box::new(|t| t.color.as_deref() == Some("red"))),
        (vec![Filter::Equal("color", Cell::Null)], Box::new(|t| t.color.is_none())),
        (
            vec![Filter::In("color", vec!["red".into(), Cell::Null, "blue".into()])],
            Box::new(|t| t.color.as_deref() == Some("red")),
        ),
        (vec![Filter::In("color", vec![])], Box::new(|_| false)),
        (
            vec![Filter::In("size", vec![Cell::Int(1), Cell::Int(3), Cell::Int(1)])],
            Box::new(|t| t.size == 1 || t.size == 3),
        ),
        (vec![Filter::Equal("ready", true.into())], Box::new(|t| t.ready)),
        (vec![Filter::Equal("group", account.into())], Box::new(|t| t.group.is_some())),
        (vec![Filter::In("group", vec![account.into()])], Box::new(|t| t.group.is_some())),
        (vec![Filter::Equal("id", things[3].head.id.into())], {
            let id = things[3].head.id;
            Box::new(move |t| t.head.id == id)
        }),
        (vec![Filter::Before("created_at", sixth)], Box::new(move |t| t.head.created_at < sixth)),
        (vec![Filter::Since("created_at", sixth)], Box::new(move |t| t.head.created_at >= sixth)),
        (vec![Filter::Since("done_at", sixth)], Box::new(move |t| t.done_at.is_some_and(|at| at >= sixth))),
        (
            vec![Filter::Equal("ready", true.into()), Filter::In("size", vec![Cell::Int(2), Cell::Int(4)])],
            Box::new(|t| t.ready && (t.size == 2 || t.size == 4)),
        ),
        (vec![Filter::In("known", vec![true.into(), false.into()])], Box::new(|_| false)),
        (vec![Filter::In("done_at", vec![sixth.into()])], Box::new(move |t| t.done_at == Some(sixth))),
        (vec![Filter::In("raw", vec![Vec::<u8>::new().into()])], Box::new(|_| true)),
    ];
    for (filters, wanted) in cases {
        let query = Query { filters: filters.clone(), ..Query::of(account).oldest_first() };
        let found: Vec<Thing> = subject.store.list(query).await.unwrap();
        let expected: Vec<Thing> = things.iter().filter(|thing| wanted(thing)).cloned().collect();
        assert_eq!(found, expected, "{filters:?}");
    }
}

/// Counts, with and without filters and account.
pub async fn counting_agrees_with_listing(subject: &Subject) {
    let (account, other) = (subject.id(), subject.id());
    many(subject, account, 11).await;
    many(subject, other, 4).await;
    let count = |account, filters| subject.store.count::<Thing>(account, filters);
    assert_eq!(count(Some(account), vec![]).await.unwrap(), 11);
    assert_eq!(count(None, vec![]).await.unwrap(), 15);
    assert_eq!(count(Some(subject.id()), vec![]).await.unwrap(), 0);
    let ready = || vec![Filter::Equal("ready", true.into())];
    assert_eq!(count(Some(account), ready()).await.unwrap(), 6);
    assert_eq!(count(None, ready()).await.unwrap(), 8);
}

/// The runtime's own pages go by id over all accounts.
pub async fn pages_over_all_accounts(subject: &Subject) {
    let mut things = many(subject, subject.id(), 6).await;
    things.extend(many(subject, subject.id(), 6).await);
    let page: Vec<Thing> = subject.store.list(Query::of_all_accounts()).await.unwrap();
    assert_eq!(page, things);
    let query = Query::of_all_accounts().equal("ready", true).after(Some(things[3].head.id)).limit(3);
    let page: Vec<Thing> = subject.store.list(query).await.unwrap();
    assert_eq!(page, [things[4].clone(), things[6].clone(), things[8].clone()]);
}

/// A sweep is bounded, oldest first, of one account.
pub async fn sweeps_take_the_oldest_that_match(subject: &Subject) {
    let account = subject.id();
    let things = many(subject, account, 10).await;
    many(subject, subject.id(), 10).await;
    let ready = || vec![Filter::Equal("ready", true.into())];
    let sweep = |limit| {
        subject.try_commit(move |batch| {
            batch.sweep::<Thing>(account, ready(), limit);
        })
    };
    sweep(2).await.unwrap();
    let left: Vec<Thing> = subject.store.list(Query::of(account).oldest_first()).await.unwrap();
    let expected: Vec<Thing> =
        things.iter().enumerate().filter(|(n, _)| *n != 0 && *n != 2).map(|(_, t)| t.clone()).collect();
    assert_eq!(left, expected);
    sweep(100).await.unwrap();
    sweep(100).await.unwrap();
    assert_eq!(subject.store.count::<Thing>(Some(account), vec![]).await.unwrap(), 5);
    assert_eq!(subject.store.count::<Thing>(None, vec![]).await.unwrap(), 15);
}

/// Random filters and pages against the plainest way to compute them.
pub async fn any_filter_agrees_with_a_plain_scan(subject: &Subject) {
    let account = subject.id();
    let mut things = many(subject, account, 40).await;
    let chance = SeededChance::new(41);
    for round in 0..60 {
        let [kind, first, second, limit, place, way, victim] = chance.bytes();
        let color =
            |byte: u8| [Cell::from("red"), "green".into(), "blue".into()][usize::from(byte % 3)].clone();
        let filters = match kind % 5 {
            0 => vec![Filter::In("color", vec![color(first), color(second)])],
            1 => vec![
                Filter::Equal("size", i64::from(first % 5).into()),
                Filter::Equal("color", color(second)),
            ],
            2 => vec![Filter::In("size", vec![i64::from(first % 5).into(), i64::from(second % 5).into()])],
            3 => vec![Filter::Since("created_at", things[usize::from(first) % 40].head.created_at)],
            _ => vec![],
        };
        let order = if way % 2 == 0 { Order::Oldest } else { Order::Newest };
        let after = (place % 2 == 0).then(|| things[usize::from(place) % 40].head.id);
        let limit = usize::from(limit % 10);
        let query = Query { account: Some(account), filters: filters.clone(), order, after, limit };
        let found: Vec<Thing> = subject.store.list(query).await.unwrap();
        let mut expected: Vec<Thing> = things.clone();
        if order == Order::Newest {
            expected.reverse();
        }
        expected.retain(|thing| {
            let reached = after.is_none_or(|after| match order {
                Order::Oldest => thing.head.id > after,
                Order::Newest => thing.head.id < after,
            });
            reached && filters.iter().all(|filter| plain(filter, thing))
        });
        expected.truncate(limit);
        assert_eq!(found, expected, "round {round}: {filters:?} {order:?} after {after:?} limit {limit}");
        let changed = &mut things[usize::from(victim) % 40];
        changed.color = (second % 4 != 0).then(|| ["red", "green"][usize::from(first % 2)].to_owned());
        changed.size = i64::from(second % 5);
        subject.put(changed, Expect::Present).await.unwrap();
    }
}

fn plain(filter: &Filter, thing: &Thing) -> bool {
    let cell = |name: &str| match name {
        "color" => Cell::from(thing.color.clone()),
        _ => Cell::Int(thing.size),
    };
    match filter {
        Filter::Equal(name, wanted) => cell(name) == *wanted,
        Filter::In(name, wanted) => wanted.contains(&cell(name)),
        Filter::Before(_, instant) => thing.head.created_at < *instant,
        Filter::Since(_, instant) => thing.head.created_at >= *instant,
    }
}
