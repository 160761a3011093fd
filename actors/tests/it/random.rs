//! Random values: derived, repeated, counted, kept.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha512};
use sl_actors::{
    Code, Fault, Parts,
    page::PageRequest,
    services::random::{
        COUNTER_BLOCK, Encoding, FetchRandom, Generate, KEPT, ListRandom, NewRandom, RETENTION_EVERY,
        RandomCounter, RandomFilters, RandomView,
    },
    signing::Signer,
};
use sl_store::{OsChance, Query, SYSTEM};
use uuid::Uuid;

use crate::world::{Ground, World, on_both, set, start, until};

on_both! {
    a_value_follows_from_its_signature
    a_request_id_is_answered_once
    none_and_nothing_are_what_is_absent
    what_breaks_a_rule_is_refused_with_its_field
    counters_are_never_given_twice
    without_a_key_nothing_is_drawn_and_history_stays
    a_key_of_development_says_so
    only_so_many_are_kept
}

const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

async fn parts(ground: &Ground) -> Parts {
    Parts { signer: Signer::parse(SEED).ok(), ..ground.parts().await }
}

async fn world(ground: Ground) -> World {
    let parts = parts(&ground).await;
    World::of(ground, parts, None).await
}

fn new(length: i64, request_id: Option<&str>) -> NewRandom {
    NewRandom { length: Some(length), request_id: request_id.map(ToOwned::to_owned), encoding: None }
}

async fn generate(world: &World, account: Uuid, new: NewRandom) -> Result<RandomView, Fault> {
    world.act(account, Generate(new)).await
}

/// Follows the recipe of the answer, with nothing of ours.
fn bytes_of(view: &RandomView) -> Vec<u8> {
    let key: [u8; 32] = BASE64_STANDARD.decode(&view.public_key).unwrap().try_into().unwrap();
    let signature = BASE64_STANDARD.decode(&view.signature).unwrap();
    let told = serde_json::to_value(view).unwrap();
    let message = format!(
        "service-layer/random/v1\n{{\"account_id\":{},\"counter\":{},\"created_at\":{},\"length\":{},\"request_id\":{}}}",
        told["account_id"], told["counter"], told["created_at"], told["length"], told["request_id"]
    );
    assert_eq!(message, view.verification.message);
    let key = VerifyingKey::from_bytes(&key).unwrap();
    key.verify_strict(message.as_bytes(), &Signature::from_slice(&signature).unwrap()).unwrap();
    let block = |n: u32| {
        Sha512::digest([b"service-layer/random/v1/value\n", &signature[..], &n.to_be_bytes()].concat())
    };
    (1..).flat_map(block).take(usize::try_from(view.length).unwrap()).collect()
}

async fn a_value_follows_from_its_signature(ground: Ground) {
    let world = world(ground).await;
    let account = world.account("Ada").await.id;
    let mut seen = BTreeSet::new();
    for length in [1, 32, 64, 65, 1_024] {
        let view = generate(&world, account, new(length, None)).await.unwrap();
        let bytes = bytes_of(&view);
        assert_eq!(
            (view.value.as_str(), view.verification.key),
            (&*BASE64_STANDARD.encode(&bytes), "configured")
        );
        assert_eq!(view, world.act(account, FetchRandom(view.id)).await.unwrap());
        assert!(seen.insert(view.counter));
        for encoding in Encoding::ALL {
            let other = NewRandom { encoding: Some(encoding), ..new(length, None) };
            let other = generate(&world, account, other).await.unwrap();
            let bytes = bytes_of(&other);
            match encoding {
                Encoding::Hex => assert_eq!(other.value, hex::encode(bytes)),
                Encoding::Base64 => assert_eq!(other.value, BASE64_STANDARD.encode(bytes)),
                Encoding::Base64url => assert!(!other.value.contains(['+', '/', '='])),
                Encoding::Decimal => assert!(other.value.bytes().all(|digit| digit.is_ascii_digit())),
            }
        }
    }
    let plain = generate(&world, account, NewRandom::default()).await.unwrap();
    assert_eq!(
        (plain.length, plain.encoding, plain.request_id),
        (32, Encoding::Base64, plain.id.to_string())
    );
}

async fn a_request_id_is_answered_once(ground: Ground) {
    let world = world(ground).await;
    let (account, other) = (world.account("Ada").await.id, world.account("Eve").await.id);
    let all = (0..20).map(|_| generate(&world, account, new(16, Some("draw 1"))));
    let answers: Vec<RandomView> = futures_util::future::try_join_all(all).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one value for equal requests at once");
    for different in [
        new(17, Some("draw 1")),
        NewRandom { encoding: Some(Encoding::Hex), ..new(16, Some("draw 1")) },
        new(32, Some("draw 1")),
    ] {
        let refused = generate(&world, account, different).await.unwrap_err();
        assert_eq!(refused.code, Code::Conflict);
        assert!(refused.detail.contains("16 bytes in base64"), "{refused}");
    }
    let theirs = generate(&world, other, new(16, Some("draw 1"))).await.unwrap();
    assert_ne!(theirs.value, answers[0].value, "an account's request ids are its own");
    let foreign = world.act(other, FetchRandom(answers[0].id)).await.unwrap_err();
    assert_eq!((foreign.code, foreign.detail.as_str()), (Code::NotFound, "no such random value"));
    for _ in 0..3 {
        generate(&world, account, new(8, None)).await.unwrap();
    }
    let list = |request_id: Option<&str>, cursor| ListRandom {
        filters: RandomFilters { request_id: request_id.map(ToOwned::to_owned) },
        page: PageRequest { limit: 3, cursor, ..PageRequest::default() },
    };
    let first = world.act(account, list(None, None)).await.unwrap();
    let second = world.act(account, list(None, first.next_cursor.clone())).await.unwrap();
    assert_eq!((first.items.len(), second.items, second.next_cursor), (3, vec![answers[0].clone()], None));
    let named = world.act(account, list(Some("draw 1"), None)).await.unwrap();
    assert_eq!(named.items, [answers[0].clone()]);
    until("it is told once", async || world.events(account, "random.generated").await.len() == 4).await;
}

async fn none_and_nothing_are_what_is_absent(ground: Ground) {
    let world = world(ground).await;
    let account = world.account("Ada").await.id;
    let first = generate(&world, account, new(0, Some(""))).await.unwrap();
    assert_eq!((first.length, first.request_id.clone()), (32, first.id.to_string()));
    let second = generate(&world, account, new(0, Some(""))).await.unwrap();
    assert_ne!(first.value, second.value, "an empty request id repeats nothing");
}

async fn what_breaks_a_rule_is_refused_with_its_field(ground: Ground) {
    let world = world(ground).await;
    let account = world.account("Ada").await.id;
    let long = "x".repeat(201);
    for (refused, pointer) in [
        (new(-1, None), "/length"),
        (new(1_025, None), "/length"),
        (new(i64::MAX, None), "/length"),
        (new(1, Some(&long)), "/request_id"),
        (new(1, Some("a\u{0}b")), "/request_id"),
    ] {
        let fault = generate(&world, account, refused).await.unwrap_err();
        assert_eq!((fault.code, fault.fields[0].pointer.as_str()), (Code::Invalid, pointer));
    }
    assert!(generate(&world, account, new(1, Some(&long[1..]))).await.is_ok());
}

async fn counters_are_never_given_twice(ground: Ground) {
    let mut parts = parts(&ground).await;
    set(&mut parts, &COUNTER_BLOCK, 7);
    let mut daemons = Vec::new();
    for _ in 0..3 {
        let parts = Parts { store: ground.other().await, ..parts.clone() };
        daemons.push(World { runtime: start(parts, Some(Vec::new())).await, ground: Ground::lively().await });
    }
    let world = World::of(ground, parts.clone(), None).await;
    let account = world.account("Ada").await.id;
    daemons.push(world);
    let all = (0..200).map(|n| generate(&daemons[n % daemons.len()], account, new(1, None)));
    let counters: Vec<i64> =
        futures_util::future::try_join_all(all).await.unwrap().iter().map(|view| view.counter).collect();
    assert_eq!(counters.iter().collect::<BTreeSet<_>>().len(), 200, "{counters:?}");
    let kept: Vec<RandomCounter> = daemons[0].core().store.list(Query::of(SYSTEM)).await.unwrap();
    assert_eq!(kept.len(), 1, "one row for the key");
    assert!(counters.iter().all(|counter| (1..=kept[0].reserved).contains(counter)));
    // Whoever starts again begins a block of its own.
    let again = Parts { store: daemons[3].ground.other().await, ..parts };
    let again = World { runtime: start(again, Some(Vec::new())).await, ground: Ground::lively().await };
    let after = generate(&again, account, new(1, None)).await.unwrap();
    assert_eq!(after.counter, kept[0].reserved + 1);
}

async fn without_a_key_nothing_is_drawn_and_history_stays(ground: Ground) {
    let with = parts(&ground).await;
    let without = Parts { signer: None, store: ground.other().await, ..with.clone() };
    let world = World::of(ground, with, None).await;
    let account = world.account("Ada").await.id;
    let made = generate(&world, account, new(8, Some("draw"))).await.unwrap();
    let other = World { runtime: start(without, Some(Vec::new())).await, ground: Ground::lively().await };
    let refused = generate(&other, account, new(8, None)).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);
    assert!(refused.detail.contains("RANDOM_SIGNING_KEY"));
    assert_eq!(generate(&other, account, new(8, Some("draw"))).await.unwrap(), made);
    assert_eq!(other.act(account, FetchRandom(made.id)).await.unwrap(), made);
}

async fn a_key_of_development_says_so(ground: Ground) {
    let parts = Parts { signer: Some(Signer::ephemeral(&OsChance)), ..ground.parts().await };
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let view = generate(&world, account, new(8, None)).await.unwrap();
    bytes_of(&view);
    assert_eq!(view.verification.key, "ephemeral");
    assert!(view.verification.steps.last().unwrap().contains("proves nothing"));
}

async fn only_so_many_are_kept(ground: Ground) {
    let mut parts = parts(&ground).await;
    set(&mut parts, &KEPT, 2);
    set(&mut parts, &RETENTION_EVERY, 1_000);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    for _ in 0..5 {
        generate(&world, account, new(8, None)).await.unwrap();
    }
    let page = || PageRequest { limit: 10, ..PageRequest::default() };
    until("the oldest go", async || {
        let list = ListRandom { filters: RandomFilters::default(), page: page() };
        let kept = world.act(account, list).await.unwrap().items;
        kept.iter().map(|view| view.counter).collect::<Vec<_>>() == [5, 4]
    })
    .await;
    world.runtime.drain(Duration::from_secs(1)).await;
}
