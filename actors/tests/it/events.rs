//! The reader of the event log: who hears what, and who is passed over.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde_json::json;
use sl_actors::{
    Code, Core, Fault, SYSTEM,
    resource::Create,
    services::{
        automation::{Job, Run},
        control::{EventReader, ReaderPosition},
        webhooks::{ListWebhookDeliveries, NewWebhook, Webhook, WebhookDeliveryFilters},
    },
};
use sl_store::{Batch, Entity as _, Event, NewEvent, Query};
use uuid::Uuid;

use crate::{
    automation::stand::function,
    world::{self, Ground, World, on_both, until},
};

on_both! {
    an_event_is_passed_over_by_those_alone_who_cannot_take_it
}

const POISON: &str = "probe.poison";

fn event(account: Uuid, kind: &'static str, actor: &str) -> NewEvent {
    NewEvent {
        account,
        service: "probe",
        kind,
        subject: Uuid::nil(),
        actor: actor.to_owned(),
        request_id: None,
        origin: None,
        data: json!({}),
    }
}

/// Notes each probe that it hears, as the doing of whoever heard it.
fn note(who: &'static str, events: &[Event], batch: &mut Batch) {
    for heard in events.iter().filter(|event| event.service == "probe" && event.kind != "probe.heard") {
        let told = NewEvent {
            data: json!({"of": heard.position.to_string()}),
            ..event(heard.account, "probe.heard", who)
        };
        batch.event(told);
    }
}

fn is_poison(events: &[Event]) -> bool {
    events.iter().any(|event| event.kind == POISON)
}

type Heard<'a> = BoxFuture<'a, Result<(), Fault>>;

fn first<'a>(_: &'a Arc<Core>, events: &'a [Event], batch: &'a mut Batch) -> Heard<'a> {
    note("first", events, batch);
    Box::pin(async { Ok(()) })
}

fn last<'a>(_: &'a Arc<Core>, events: &'a [Event], batch: &'a mut Batch) -> Heard<'a> {
    note("last", events, batch);
    Box::pin(async { Ok(()) })
}

/// Cannot hear it.
fn deaf<'a>(_: &'a Arc<Core>, events: &'a [Event], batch: &'a mut Batch) -> Heard<'a> {
    note("deaf", events, batch);
    let poison = is_poison(events);
    Box::pin(async move { if poison { Err(Fault::new(Code::Invalid, "cannot hear it")) } else { Ok(()) } })
}

/// Makes of it what no store takes.
fn clumsy<'a>(_: &'a Arc<Core>, events: &'a [Event], batch: &'a mut Batch) -> Heard<'a> {
    note("clumsy", events, batch);
    if is_poison(events) {
        batch.insert(&ReaderPosition::samples().remove(0));
    }
    Box::pin(async { Ok(()) })
}

fn listener() -> NewWebhook {
    serde_json::from_value(json!({"url": "https://receiver.example/x", "kinds": ["secret.*"]})).unwrap()
}

async fn append(world: &World, account: Uuid, kind: &'static str) {
    let mut batch = Batch::new();
    batch.event(event(account, kind, "somebody"));
    world.core().store.commit(batch).await.unwrap();
}

/// Who has heard probes, each once for each.
async fn hearers(world: &World, account: Uuid) -> Vec<String> {
    let mut heard: Vec<String> =
        world.events(account, "probe.heard").await.into_iter().map(|event| event.actor).collect();
    heard.sort();
    heard
}

async fn an_event_is_passed_over_by_those_alone_who_cannot_take_it(ground: Ground) {
    let reader = EventReader::of([
        ("first", first as _),
        ("deaf", deaf as _),
        ("clumsy", clumsy as _),
        ("last", last as _),
    ]);
    let world = World::with(ground, vec![Arc::new(reader)]).await;
    let account = world.account("a tenant").await.id;
    world.act(account, Create::<Webhook>(listener())).await.unwrap();
    for kind in ["probe.well", POISON, "probe.well"] {
        append(&world, account, kind).await;
    }
    let expected = ["clumsy", "clumsy", "deaf", "deaf", "first", "first", "first", "last", "last", "last"];
    until("everybody has heard what they can", async || hearers(&world, account).await.len() >= 10).await;
    assert_eq!(hearers(&world, account).await, expected);
    let skipped = world.events(SYSTEM, "event_reader.skipped").await;
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    let told = &skipped[0].data;
    assert_eq!((&told["services"], &told["kind"]), (&json!(["clumsy", "deaf"]), &json!(POISON)));
    assert!(told["errors"]["deaf"].as_str().unwrap().contains("cannot hear it"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_before_it_was_made_is_not_told_however_late_it_is_read() {
    let world = World::with(Ground::memory().await, Vec::new()).await;
    let account = world.account("a tenant").await.id;
    // A reader that reads nothing yet: it only makes its position.
    let reader = || EventReader::default();
    let early = world::start(world.ground.parts().await, Some(vec![Arc::new(reader())])).await;
    until("the reader has begun", async || {
        world.core().store.find::<ReaderPosition>(ReaderPosition::KEY).await.unwrap().is_some()
    })
    .await;
    early.drain(Duration::from_secs(5)).await;
    append(&world, account, "probe.before").await;
    world.pass(Duration::from_secs(1));
    let new = serde_json::from_value(json!({"url": "https://receiver.example/x", "kinds": ["probe.*"]}));
    let webhook = world.act(account, Create::<Webhook>(new.unwrap())).await.unwrap().id;
    let function = function(world.core(), account).await;
    let new = json!({"name": "hears", "function_id": function, "on": {"kind": "probe.*"}});
    world.act(account, Create::<Job>(serde_json::from_value(new).unwrap())).await.unwrap();
    append(&world, account, "probe.after").await;
    world.pass(Duration::from_hours(3));
    let late = world::start(world.ground.parts().await, Some(vec![Arc::new(reader())])).await;
    let deliveries = async || {
        let list = ListWebhookDeliveries {
            webhook_id: webhook,
            filters: WebhookDeliveryFilters::default(),
            page: sl_actors::page::PageRequest::default(),
        };
        let page = world.act(account, list).await.unwrap();
        page.items.into_iter().map(|one| one.kind).collect::<Vec<_>>()
    };
    until("what came after is told", async || deliveries().await.contains(&"probe.after".to_owned())).await;
    assert_eq!(deliveries().await, ["probe.after"]);
    let runs: Vec<Run> = world.core().store.list(Query::of(account)).await.unwrap();
    let heard: Vec<_> = runs.iter().map(|run| &run.params["event"]["kind"]).collect();
    assert_eq!(heard, ["probe.after"]);
    late.drain(Duration::from_secs(5)).await;
}
