//! Secrets: what goes in never comes out, but to runs; moved, flipped and rotated.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::ExposeSecret as _;
use sl_actors::{
    Code, KeyRing, Parts, SYSTEM,
    caller::Scope,
    page::PageRequest,
    sealed::check_keys,
    services::{
        accounts::{CreateToken, NewToken},
        secrets::{
            CreateSecret, DeleteSecret, DeleteVersion, FetchSecret, KEPT_VERSIONS, ListSecrets, ListVersions,
            NewSecret, NewValue, Pin, PinSecret, Purpose, PutSecret, RollBack, RollBackSecret, RotateSecrets,
            Secret, SecretVersion, SecretView, missing, progress, resolve,
        },
    },
};
use sl_store::{Batch, Entity as _, Query};
use uuid::Uuid;

use crate::{
    workshop::perform_keyed,
    world::{Ground, World, on_both, set, start, until},
};

on_both! {
    a_value_goes_in_and_comes_out_for_runs_only
    versions_are_made_pinned_rolled_back_and_destroyed
    every_change_gives_another_revision
    a_short_value_is_kept_and_told_as_not_redacted
    names_are_one_whatever_their_case
    bad_names_and_values_are_refused_without_being_told
    old_versions_go_and_the_one_in_force_stays
    a_resolution_is_told_by_names_and_versions
    a_ciphertext_opens_in_its_own_place_only
    the_root_key_rotates_under_reads_and_goes_on_after_a_crash
    stored_answers_are_sealed_again_with_the_root_key
    keys_that_open_nothing_are_refused_and_each_step_of_a_rotation_is_not
}

fn new(name: &str, value: &str) -> CreateSecret {
    CreateSecret(NewSecret { name: name.to_owned(), value: value.into() })
}

fn put(name: &str, value: &str) -> PutSecret {
    PutSecret { name: name.to_owned(), expected: None, new: NewValue { value: value.into() } }
}

fn purpose() -> Purpose {
    Purpose { subject: Uuid::from_u128(9), actor: "token:x".to_owned(), request_id: None, origin: None }
}

async fn values(
    world: &World,
    account: Uuid,
    names: &[&str],
) -> Result<BTreeMap<String, String>, sl_actors::Fault> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let resolved = resolve(world.core(), account, &names, &purpose()).await?;
    Ok(resolved.values.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect())
}

async fn value(world: &World, account: Uuid, name: &str) -> String {
    values(world, account, &[name]).await.expect("it resolves").remove(name).expect("a value")
}

fn told(view: &SecretView) -> (i64, i64, bool, Vec<i64>) {
    (view.version, view.latest_version, view.pinned, view.versions.clone())
}

async fn a_value_goes_in_and_comes_out_for_runs_only(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let canary = "canary-7f3a9";
    let made = world.act(account, new("API_KEY", canary)).await.expect("it is made");
    assert_eq!((made.name.as_str(), told(&made)), ("API_KEY", (1, 1, false, vec![1])));
    let fetch = FetchSecret { name: "API_KEY".to_owned() };
    let list = ListVersions { name: "API_KEY".to_owned(), page: PageRequest::default() };
    let mut answers = vec![
        serde_json::to_string(&made),
        serde_json::to_string(&world.act(account, fetch).await.expect("it can be read")),
        serde_json::to_string(
            &world.act(account, ListSecrets(PageRequest::default())).await.expect("a page"),
        ),
        serde_json::to_string(&world.act(account, list).await.expect("a page")),
    ];
    for event in world.events(account, "*").await {
        answers.push(serde_json::to_string(&event.data));
    }
    let rows: Vec<Secret> = world.core().store.list(Query::of(account)).await.expect("rows");
    answers.push(Ok(format!("{rows:?} {:?}", String::from_utf8_lossy(&rows[0].envelope))));
    for answer in answers {
        assert!(!answer.expect("json").contains(canary));
    }
    assert_eq!(value(&world, account, "API_KEY").await, canary);
    let foreign = world.account("Eve").await.id;
    assert_eq!(values(&world, foreign, &["API_KEY"]).await.unwrap_err().code, Code::NotFound);
    let theirs = world.act(foreign, FetchSecret { name: "API_KEY".to_owned() }).await.unwrap_err();
    let nobodys = world.act(foreign, FetchSecret { name: "NOTHING".to_owned() }).await.unwrap_err();
    assert_eq!(theirs.detail, nobodys.detail, "foreign is answered like missing");
    world
        .act(account, DeleteSecret { name: "API_KEY".to_owned(), expected: Some(1) })
        .await
        .expect("it goes");
    assert_eq!(missing(world.core(), account, &["API_KEY".to_owned()]).await.expect("a look"), ["API_KEY"]);
    let left = world.core().store.count::<SecretVersion>(Some(account), Vec::new()).await.expect("a count");
    assert_eq!(left, 0);
}

async fn versions_are_made_pinned_rolled_back_and_destroyed(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let name = || "key".to_owned();
    world.act(account, new("key", "value-1")).await.expect("made");
    let two = world.act(account, put("key", "value-2")).await.expect("changed");
    assert_eq!(told(&two), (2, 2, false, vec![1, 2]));
    assert_eq!((two.account_id, two.revision), (account, 2));
    let stale = PutSecret { expected: Some(1), ..put("key", "value-x") };
    assert_eq!(world.act(account, stale).await.unwrap_err().code, Code::VersionMismatch);

    let pin = |version| PinSecret { name: name(), expected: None, pin: Pin { version } };
    let pinned = world.act(account, pin(Some(1))).await.expect("pinned");
    assert_eq!(told(&pinned), (1, 2, true, vec![1, 2]));
    world.act(account, put("key", "value-3")).await.expect("changed");
    assert_eq!(value(&world, account, "key").await, "value-1", "the pin holds");
    world.act(account, pin(None)).await.expect("unpinned");
    assert_eq!(value(&world, account, "key").await, "value-3");

    let back = |version| RollBackSecret { name: name(), expected: None, to: RollBack { version } };
    let rolled = world.act(account, back(2)).await.expect("rolled back");
    assert_eq!(told(&rolled), (2, 3, false, vec![1, 2, 3]));
    assert_eq!(value(&world, account, "key").await, "value-2");
    assert_eq!(world.act(account, back(9)).await.unwrap_err().fields[0].pointer, "/version");
    let destroy = |number| DeleteVersion { name: name(), number, expected: None };
    assert_eq!(world.act(account, destroy(2)).await.unwrap_err().code, Code::InvalidState);
    assert_eq!(world.act(account, destroy(9)).await.unwrap_err().code, Code::NotFound);
    world.act(account, destroy(3)).await.expect("destroyed");
    assert_eq!(world.act(account, back(3)).await.unwrap_err().code, Code::Invalid);
    let four = world.act(account, put("key", "value-4")).await.expect("changed");
    assert_eq!(told(&four), (4, 4, false, vec![1, 2, 4]), "a number is not given twice");

    let mut page = PageRequest { limit: 2, ..PageRequest::default() };
    let mut numbers = Vec::new();
    loop {
        let list = ListVersions { name: name(), page: page.clone() };
        let answer = world.act(account, list).await.expect("a page");
        numbers.extend(answer.items.iter().map(|version| (version.version, version.active)));
        page.cursor = answer.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [(4, true), (2, false), (1, false)]);
}

async fn every_change_gives_another_revision(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let name = || "key".to_owned();
    world.act(account, new("key", "value-1")).await.expect("made");
    world.act(account, put("key", "value-2")).await.expect("changed");
    let pin = |version, expected| PinSecret { name: name(), expected, pin: Pin { version } };
    let pinned = world.act(account, pin(Some(2), Some(2))).await.expect("pinned");
    assert_eq!((pinned.version, pinned.revision), (2, 3));
    let put_at = |expected| PutSecret { expected, ..put("key", "value-x") };
    assert_eq!(world.act(account, put_at(Some(2))).await.unwrap_err().code, Code::VersionMismatch);
    let three = world.act(account, put_at(Some(3))).await.expect("it was seen as it is");
    assert_eq!((three.version, three.latest_version, three.revision), (2, 3, 4));
    assert_eq!(world.act(account, pin(None, Some(4))).await.expect("unpinned").revision, 5);
    let to = RollBack { version: 1 };
    let back = world.act(account, RollBackSecret { name: name(), expected: Some(5), to }).await;
    assert_eq!(back.map(|view| (view.version, view.revision)).expect("rolled back"), (1, 6));
    world.act(account, DeleteVersion { name: name(), number: 2, expected: None }).await.expect("destroyed");
    assert_eq!(world.act(account, FetchSecret { name: name() }).await.expect("read").revision, 7);
}

async fn a_short_value_is_kept_and_told_as_not_redacted(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    for (name, given, redacted) in [("one", "1", false), ("three", "abc", false), ("four", "abcd", true)] {
        let made = world.act(account, new(name, given)).await.expect("made");
        assert_eq!(made.redacted, redacted, "{name}");
        assert_eq!(value(&world, account, name).await, given);
    }
    let list = ListVersions { name: "one".to_owned(), page: PageRequest::default() };
    assert!(!world.act(account, list).await.expect("a page").items[0].redacted);
}

async fn names_are_one_whatever_their_case(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    world.act(account, new("My Schlüssel/1", "value-0")).await.expect("made");
    let twice = world.act(account, new("my SCHLÜSSEL/1", "value-0")).await.unwrap_err();
    assert_eq!((twice.code, twice.fields[0].pointer.as_str()), (Code::Conflict, "/name"));
    assert_eq!(value(&world, account, "MY schlüssel/1").await, "value-0");
    world.act(account, new("Api_Key", "value-1")).await.expect("made");
    assert_eq!(world.act(account, new("API_KEY", "value-2")).await.unwrap_err().code, Code::Conflict);
    world.act(account, put("api_key", "value-3")).await.expect("changed");
    let all = values(&world, account, &["API_key", "api_KEY"]).await.expect("resolved");
    assert_eq!(all.into_values().collect::<Vec<_>>(), ["value-3", "value-3"]);
}

async fn bad_names_and_values_are_refused_without_being_told(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let refused = world.act(account, new("a|b", "")).await.unwrap_err();
    let pointers: Vec<&str> = refused.fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!((refused.code, pointers), (Code::Invalid, vec!["/name", "/value"]));
    let large = "x".repeat(65_537);
    let refused = world.act(account, new("large", &large)).await.unwrap_err();
    assert!(refused.detail.contains("65536") && refused.detail.len() < 1_000);
    world.act(account, new("largest", &large[..65_536])).await.expect("the bound itself is fine");
    let nobody = world.act(account, put("a|b", "value")).await.unwrap_err();
    assert_eq!(nobody.code, Code::NotFound);
}

async fn old_versions_go_and_the_one_in_force_stays(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &KEPT_VERSIONS, 3);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    world.act(account, new("key", "value-1")).await.expect("made");
    let pin = PinSecret { name: "key".to_owned(), expected: None, pin: Pin { version: Some(1) } };
    world.act(account, pin).await.expect("pinned");
    let mut last = None;
    for number in 2..8 {
        last = Some(world.act(account, put("key", &format!("value-{number}"))).await.expect("changed"));
    }
    assert_eq!(told(&last.expect("a view")), (1, 7, true, vec![1, 6, 7]));
    let rows = world.core().store.count::<SecretVersion>(Some(account), Vec::new()).await.expect("a count");
    assert_eq!(rows, 3);
}

async fn a_resolution_is_told_by_names_and_versions(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    world.act(account, new("key", "value-1")).await.expect("made");
    let names = ["KEY".to_owned()];
    let resolved = resolve(world.core(), account, &names, &purpose()).await.expect("resolved");
    let event = resolved.event.expect("an event");
    assert_eq!((event.kind, event.subject, event.account), ("secret.resolved", Uuid::from_u128(9), account));
    assert_eq!(event.data, serde_json::json!({"secrets": [{"name": "key", "version": 1}]}));
    let asked = ["key".to_owned(), "gone".to_owned()];
    let refused = resolve(world.core(), account, &asked, &purpose()).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.detail.as_str()),
        (Code::NotFound, "there is no secret of the name gone")
    );
    let nothing = resolve(world.core(), account, &[], &purpose()).await.expect("nothing asked for");
    assert!(nothing.values.is_empty() && nothing.event.is_none());
}

/// Writes a secret's row with another sealed value, as somebody who can write to the database would.
async fn plant(world: &World, mut target: Secret, envelope: Vec<u8>) {
    target.envelope = envelope;
    let mut batch = Batch::new();
    batch.overwrite(&target);
    world.core().store.commit(batch).await.expect("planted");
}

async fn row(world: &World, account: Uuid, name: &str) -> Secret {
    let query = Query::of(account).equal("name_key", name);
    world.core().store.first(query).await.expect("a look").expect("a row")
}

async fn a_ciphertext_opens_in_its_own_place_only(ground: Ground) {
    let world = World::on(ground).await;
    let (ada, eve) = (world.account("Ada").await.id, world.account("Eve").await.id);
    world.act(ada, new("key", "value-1")).await.expect("made");
    world.act(ada, new("other", "value-o")).await.expect("made");
    world.act(eve, new("key", "value-e")).await.expect("made");
    let first = row(&world, ada, "key").await;
    world.act(ada, put("key", "value-2")).await.expect("changed");
    let (key, other, theirs) =
        (row(&world, ada, "key").await, row(&world, ada, "other").await, row(&world, eve, "key").await);
    let flipped = |position: usize| {
        let mut envelope = key.envelope.clone();
        envelope[position] ^= 1;
        envelope
    };
    let mut planted = vec![
        (ada, first.envelope.clone()),
        (ada, other.envelope.clone()),
        (ada, theirs.envelope.clone()),
        (ada, Vec::new()),
        (ada, key.envelope[..key.envelope.len() - 1].to_vec()),
    ];
    planted.extend((0..key.envelope.len()).map(|position| (ada, flipped(position))));
    let count = planted.len();
    for (account, envelope) in planted {
        plant(&world, key.clone(), envelope).await;
        assert_eq!(values(&world, account, &["key"]).await.unwrap_err().code, Code::Integrity);
    }
    plant(&world, key.clone(), key.envelope.clone()).await;
    assert_eq!(value(&world, ada, "key").await, "value-2", "and unharmed it opens");
    until("each failure is told", async || world.events(ada, "secret.integrity_failed").await.len() == count)
        .await;
}

fn ring(text: &str) -> Arc<KeyRing> {
    Arc::new(KeyRing::parse("SECRET_ENCRYPTION_KEY", text).expect("a ring"))
}

async fn the_root_key_rotates_under_reads_and_goes_on_after_a_crash(ground: Ground) {
    let (old, new_key) = (hex::encode(crate::world::random(32)), hex::encode(crate::world::random(32)));
    let parts = Parts { keys: ring(&old), ..ground.parts().await };
    let before = start(parts.clone(), None).await;
    let world = World { runtime: before, ground };
    let account = world.account("Ada").await.id;
    for number in 0..120 {
        world.act(account, new(&format!("key{number}"), &format!("value-{number}"))).await.expect("made");
    }
    world.runtime.drain(std::time::Duration::from_secs(1)).await;

    let mut parts =
        Parts { keys: ring(&format!("{new_key},{old}")), store: world.ground.other().await, ..parts };
    set(&mut parts, &sl_actors::services::secrets::ROTATION_BATCH, 7);
    // The first to rotate reads meanwhile, and dies on the way.
    let first = World { runtime: start(parts.clone(), None).await, ground: world.ground };
    let left = progress(first.core()).await.expect("a count");
    assert_eq!(left.total, 240);
    until("it begins by itself", async || progress(first.core()).await.expect("a count").remaining < 240)
        .await;
    for number in 0..120 {
        let name = format!("key{number}");
        assert_eq!(value(&first, account, &name).await, format!("value-{number}"), "no read fails");
    }
    first.runtime.drain(std::time::Duration::ZERO).await;

    let second = World { runtime: start(parts.clone(), None).await, ground: first.ground };
    second.act(SYSTEM, RotateSecrets).await.expect("it is asked for");
    let done = async || {
        let told = progress(second.core()).await.expect("a count");
        (told.remaining, told.unreadable) == (0, 0)
    };
    until("the rest is done", done).await;
    second.runtime.drain(std::time::Duration::from_secs(1)).await;

    let parts = Parts { keys: ring(&new_key), ..parts };
    let after = World { runtime: start(parts, Some(Vec::new())).await, ground: second.ground };
    for number in 0..120 {
        let name = format!("key{number}");
        assert_eq!(
            value(&after, account, &name).await,
            format!("value-{number}"),
            "the old key is not needed"
        );
    }
    let rows: Vec<Secret> = after.core().store.list(Query::of(account)).await.expect("rows");
    assert!(rows.iter().all(|row| row.head.updated_at == row.head.created_at), "nobody sees a change");
    assert_eq!(Secret::TABLE.name, "secrets");
}

async fn stored_answers_are_sealed_again_with_the_root_key(ground: Ground) {
    let (old, new_key) = (hex::encode(crate::world::random(32)), hex::encode(crate::world::random(32)));
    let parts = Parts { keys: ring(&old), ..ground.parts().await };
    let before = World { runtime: start(parts.clone(), Some(Vec::new())).await, ground };
    let account = before.account("Ada").await.id;
    let token =
        || CreateToken(NewToken { name: "ci".to_owned(), scopes: vec![Scope::Read], expires_at: None });
    let (replayed, _, first) = perform_keyed(&before.runtime, account, "k", token()).await.expect("a token");
    assert!(!replayed);
    before.runtime.drain(std::time::Duration::from_secs(1)).await;

    let parts =
        Parts { keys: ring(&format!("{new_key},{old}")), store: before.ground.other().await, ..parts };
    let between = start(parts.clone(), None).await;
    let done = async || {
        let told = progress(between.core()).await.expect("a count");
        (told.total, told.remaining) == (1, 0)
    };
    until("it is sealed again", done).await;
    between.drain(std::time::Duration::from_secs(1)).await;

    let after = start(Parts { keys: ring(&new_key), ..parts }, Some(Vec::new())).await;
    let (replayed, _, again) = perform_keyed(&after, account, "k", token()).await.expect("an answer");
    assert!(replayed);
    assert_eq!(again, first, "what is shown only once is shown to who repeats, without the old key");
}

async fn keys_that_open_nothing_are_refused_and_each_step_of_a_rotation_is_not(ground: Ground) {
    let [old, new_key, wrong] = [(); 3].map(|()| hex::encode(crate::world::random(32)));
    let (old_new, new_old) = (format!("{old},{new_key}"), format!("{new_key},{old}"));
    let parts = Parts { keys: ring(&old), ..ground.parts().await };
    let first = World { runtime: start(parts.clone(), Some(Vec::new())).await, ground };
    let account = first.account("Ada").await.id;
    let check = async |world: &World, keys: &str| check_keys(&world.core().store, &ring(keys)).await;
    check(&first, &wrong).await.expect("nothing is sealed yet");
    first.act(account, new("KEY", "value-1")).await.expect("made");
    for good in [&old, &old_new, &new_old] {
        check(&first, good).await.expect("it opens all");
    }
    for bad in [&new_key, &wrong] {
        let told = check(&first, bad).await.unwrap_err().to_string();
        let ids = [ring(&old).key_ids(), ring(bad).key_ids()].concat();
        assert!(ids.iter().all(|id| told.contains(id)), "{told}");
        assert!(!told.contains(bad) && !told.contains(&old), "{told}");
    }
    first.runtime.drain(std::time::Duration::from_secs(1)).await;

    let parts = Parts { keys: ring(&new_old), store: first.ground.other().await, ..parts };
    let second = World { runtime: start(parts.clone(), Some(Vec::new())).await, ground: first.ground };
    second.act(account, new("LATER", "value-2")).await.expect("made");
    for good in [&old, &old_new, &new_old, &new_key] {
        check(&second, good).await.expect("it opens a part");
    }
    assert_eq!(check(&second, &wrong).await.unwrap_err().code, Code::InvalidState);
    second.runtime.drain(std::time::Duration::from_secs(1)).await;

    let parts = Parts { keys: ring(&old), store: second.ground.other().await, ..parts };
    let third = World { runtime: start(parts, Some(Vec::new())).await, ground: second.ground };
    assert_eq!(value(&third, account, "KEY").await, "value-1");
    let fault = values(&third, account, &["LATER"]).await.unwrap_err();
    assert_eq!(fault.code, Code::Unavailable, "a daemon that has the key may take it: {fault}");
    assert!(third.events(account, "secret.integrity_failed").await.is_empty());
}
