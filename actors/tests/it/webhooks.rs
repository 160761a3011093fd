//! Webhooks, outgoing and inbound, against receivers and tenants of ill will.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::Sha256;
use sl_actors::{
    SYSTEM,
    duty::RETRY_BASE,
    page::PageRequest,
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
    resource::Create,
    services::{
        control::ReaderPosition,
        triggers::{
            DeliveryFilters, Inbound, ListDeliveries, NewSecret, ProveHook, ReceiveHook, RotateSecret,
            Trigger,
        },
        webhooks::{
            BACKLOG, EnableWebhook, FAILING_FOR, ListWebhookDeliveries, NewWebhookSecret,
            RotateWebhookSecret, Webhook, WebhookDeliveryFilters, WebhookDeliveryView, WebhookView,
        },
    },
};
use uuid::Uuid;

use crate::{
    oracle::peer::Peer,
    workshop::{Plan, Workshop},
    world::{Ground, on_both, until},
};

on_both! {
    what_waited_when_it_was_disabled_is_not_told_when_it_is_enabled_again
    too_much_that_waits_disables_and_an_enabled_one_begins_anew
    a_receiver_that_talks_on_has_taken_it
    who_rotates_twice_takes_no_secret_away_that_still_has_grace
    a_dead_letter_of_a_webhook_begins_no_avalanche
    one_that_fails_for_long_is_disabled
    one_that_fails_for_a_while_goes_on
}

async fn workshop(ground: Ground, peer: &Peer, backlog: u64) -> Workshop {
    let plan = Plan::on(&ground).await.allow(&peer.host());
    plan.with(&RETRY_BASE, 1).with(&BACKLOG, backlog).start(ground).await
}

async fn webhook(shop: &Workshop, peer: &Peer, path: &str, kind: &str) -> WebhookView {
    let new = serde_json::from_value(json!({"url": peer.url(path), "kinds": [kind]})).unwrap();
    shop.perform(Create::<Webhook>(new)).await.unwrap()
}

async fn deliveries(shop: &Workshop, webhook_id: Uuid) -> Vec<WebhookDeliveryView> {
    let (filters, page) = (WebhookDeliveryFilters::default(), PageRequest::default());
    shop.perform(ListWebhookDeliveries { webhook_id, filters, page }).await.unwrap().items
}

/// Waits until all of its deliveries, so many, stand there.
async fn all_stand(shop: &Workshop, webhook: Uuid, count: usize, status: &str) -> Vec<WebhookDeliveryView> {
    let mut found = Vec::new();
    until(&format!("{count} deliveries are {status}"), async || {
        found = deliveries(shop, webhook).await;
        found.len() == count && found.iter().all(|one| one.status.as_str() == status)
    })
    .await;
    found
}

async fn enable(shop: &Workshop, id: Uuid, enabled: bool) -> WebhookView {
    shop.perform(EnableWebhook { id, enabled, expected: None }).await.unwrap()
}

async fn what_waited_when_it_was_disabled_is_not_told_when_it_is_enabled_again(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/ok", 204, "", "");
    let shop = workshop(ground, &peer, 100).await;
    let id = webhook(&shop, &peer, "/ok", "secret.*").await.id;
    pause(&shop, id).await;
    shop.secret("one", "a value").await;
    all_stand(&shop, id, 1, "queued").await;
    enable(&shop, id, false).await;
    enable(&shop, id, true).await;
    resume(&shop, id).await;
    let cancelled = all_stand(&shop, id, 1, "cancelled").await;
    assert_eq!(cancelled[0].reason.as_deref(), Some("its webhook was disabled"));
    shop.secret("two", "a value").await;
    until("the next is told", async || peer.asked("/ok").len() == 1).await;
    assert!(peer.asked("/ok")[0].body.contains("\"two\""), "{:?}", peer.asked("/ok"));
}

async fn too_much_that_waits_disables_and_an_enabled_one_begins_anew(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/ok", 204, "", "");
    let shop = workshop(ground, &peer, 2).await;
    let id = webhook(&shop, &peer, "/ok", "secret.*").await.id;
    pause(&shop, id).await;
    for number in 0..5 {
        shop.secret(&format!("early_{number}"), "a value").await;
    }
    let fetch = async || shop.perform(sl_actors::resource::Fetch::<Webhook>::new(id)).await.unwrap();
    until("it is disabled", async || !fetch().await.enabled).await;
    assert!(fetch().await.disabled_reason.unwrap().contains("webhooks.backlog"));
    assert!(deliveries(&shop, id).await.len() <= 2);
    let end = shop.core().store.tail().await.unwrap();
    until("everything up to here was heard", async || {
        let reader: ReaderPosition = shop.core().store.get(ReaderPosition::KEY).await.unwrap();
        reader.position >= end
    })
    .await;
    assert!(enable(&shop, id, true).await.disabled_reason.is_none());
    for number in 0..2 {
        shop.secret(&format!("late_{number}"), "a value").await;
    }
    let fresh = async || {
        deliveries(&shop, id)
            .await
            .iter()
            .filter(|one| one.payload["data"]["name"].as_str().is_some_and(|name| name.starts_with("late")))
            .count()
    };
    until("both are queued", async || fresh().await == 2).await;
    assert!(fetch().await.enabled, "what waited before it was enabled does not count");
    resume(&shop, id).await;
    until("both are told", async || peer.asked("/ok").len() == 2).await;
}

async fn a_receiver_that_talks_on_has_taken_it(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/talks", 200, "", &"x".repeat(12 << 20));
    let shop = workshop(ground, &peer, 100).await;
    let id = webhook(&shop, &peer, "/talks", "secret.*").await.id;
    shop.secret("one", "a value").await;
    let told = all_stand(&shop, id, 1, "succeeded").await;
    assert_eq!((told[0].attempts, peer.asked("/talks").len()), (1, 1));
}

/// The value of `webhook-signature` under a secret.
fn signature(secret: &str, id: &str, time: &str, body: &str) -> String {
    let key = BASE64_STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let mac = mac.chain_update(format!("{id}.{time}.{body}")).finalize().into_bytes();
    format!("v1,{}", BASE64_STANDARD.encode(mac))
}

async fn who_rotates_twice_takes_no_secret_away_that_still_has_grace(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/ok", 204, "", "");
    let shop = workshop(ground, &peer, 100).await;
    let made = webhook(&shop, &peer, "/ok", "secret.*").await;
    let function = shop.function("takes", "(params) => params.payload").await.id;
    let new = serde_json::from_value(json!({"function_id": function, "type": "webhook"})).unwrap();
    let trigger = shop.perform(Create::<Trigger>(new)).await.unwrap();
    let (mut told, mut held) = (vec![made.secret.unwrap()], vec![trigger.secret.unwrap()]);
    for _ in 0..2 {
        let new = NewWebhookSecret::default();
        told.push(shop.perform(RotateWebhookSecret { id: made.id, new }).await.unwrap().secret.unwrap());
        let new = NewSecret::default();
        held.push(shop.perform(RotateSecret { id: trigger.id, new }).await.unwrap().secret.unwrap());
    }
    shop.secret("one", "a value").await;
    all_stand(&shop, made.id, 1, "succeeded").await;
    let sent = peer.asked("/ok").remove(0);
    let header = |name: &str| {
        let line = sent.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", sent.head)).trim().to_owned()
    };
    let given = header("webhook-signature");
    for secret in &told {
        let right = signature(secret, &header("webhook-id"), &header("webhook-timestamp"), &sent.body);
        assert!(given.split(' ').any(|one| one == right), "{given}");
    }
    let token = trigger.webhook_url.unwrap().trim_start_matches("/hooks/").to_owned();
    let call = async |secret: &str, id: &str| {
        let (time, body) = (shop.world.now().timestamp().to_string(), "{\"n\":1}");
        let right = signature(secret, id, &time, body);
        let headers = [("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &right)];
        let inbound = Inbound::new(headers.into_iter(), body.into());
        let proven = shop.perform_for(SYSTEM, ProveHook { token: token.clone(), inbound }).await?;
        shop.perform_for(SYSTEM, ReceiveHook { proven, payload: json!({"n": 1}) }).await
    };
    for (number, secret) in held.iter().enumerate() {
        call(secret, &format!("m{number}")).await.unwrap();
    }
    // At once means at once, for all that were there.
    let new: NewSecret = serde_json::from_value(json!({"grace": "0s"})).unwrap();
    shop.perform(RotateSecret { id: trigger.id, new }).await.unwrap();
    for secret in &held {
        assert!(call(secret, "late").await.is_err());
    }
}

async fn a_dead_letter_of_a_webhook_begins_no_avalanche(ground: Ground) {
    let peer = Peer::start().await;
    peer.says("/wrong", 400, "", "");
    let shop = workshop(ground, &peer, 1_000).await;
    let function = shop.function("hears", "() => 1").await.id;
    let new = json!({"function_id": function, "type": "event", "rule": "dead_letter.created"});
    let trigger = shop.perform(Create::<Trigger>(serde_json::from_value(new).unwrap())).await.unwrap().id;
    let id = webhook(&shop, &peer, "/wrong", "*").await.id;
    shop.secret("one", "a value").await;
    all_stand(&shop, id, 1, "failed").await;
    // What comes next shows that everything before it was heard.
    shop.secret("two", "a value").await;
    all_stand(&shop, id, 2, "failed").await;
    let (filters, page) = (DeliveryFilters::default(), PageRequest::default());
    let fired = shop.perform(ListDeliveries { trigger_id: trigger, filters, page }).await.unwrap().items;
    assert!(fired.is_empty(), "a delivery follows from an event, and so does its letter: {fired:?}");
}

/// A webhook whose delivery failed, where so many milliseconds of failing are allowed.
async fn failing(ground: Ground, allowed: u64) -> WebhookView {
    let peer = Peer::start().await;
    peer.says("/wrong", 400, "", "");
    let plan = Plan::on(&ground).await.allow(&peer.host());
    let shop = plan.with(&FAILING_FOR, allowed).start(ground).await;
    let id = webhook(&shop, &peer, "/wrong", "secret.*").await.id;
    if let Some(clock) = &shop.world.ground.manual {
        clock.advance(Duration::from_secs(1));
    }
    shop.secret("one", "a value").await;
    all_stand(&shop, id, 1, "failed").await;
    let found = shop.perform(sl_actors::resource::Fetch::<Webhook>::new(id)).await.unwrap();
    shop.stop().await;
    found
}

async fn one_that_fails_for_long_is_disabled(ground: Ground) {
    let found = failing(ground, 1).await;
    assert!(!found.enabled && found.disabled_reason.unwrap().contains("webhooks.failing_for"));
}

async fn one_that_fails_for_a_while_goes_on(ground: Ground) {
    assert!(failing(ground, 86_400_000).await.enabled);
}

async fn pause(shop: &Workshop, webhook: Uuid) {
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    shop.perform(PauseWork { target: Target::of::<Webhook>(webhook), new }).await.unwrap();
}

async fn resume(shop: &Workshop, webhook: Uuid) {
    let how = Resume { missed: Missed::All };
    shop.perform(ResumeWork { target: Target::of::<Webhook>(webhook), how }).await.unwrap();
}
