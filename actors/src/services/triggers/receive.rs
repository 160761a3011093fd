//! Inbound webhooks: verified before they are read, and each taken once.

use std::{collections::BTreeMap, num::NonZeroU32, sync::OnceLock, time::Duration};

use bytes::Bytes;
use chrono::TimeDelta;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Code, Fault, Key, NewEvent, Query, SYSTEM};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    PAYLOAD, RATE, WINDOW, config,
    delivery::Delivery,
    named::{Cause, Scheme},
    secret::TriggerSecret,
    trigger::Trigger,
    verify::{self, Proof},
};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    services::accounts::{Account, Status},
    settings::Settings,
};

/// The headers that are looked at; the others never leave the front end.
pub(super) const HEADERS: [&str; 11] = [
    "authorization",
    "stripe-signature",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-github-delivery",
    "x-github-event",
    "x-hub-signature-256",
    "x-webhook-event",
    "x-webhook-secret",
];

/// Those of them that the function is given.
const GIVEN: [&str; 6] = [
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-github-delivery",
    "x-github-event",
    "x-webhook-event",
];

/// How often each webhook of this daemon was called of late.
#[derive(Debug, Default)]
pub struct Door(OnceLock<DefaultKeyedRateLimiter<Uuid>>);

impl Door {
    fn knock(&self, core: &Core, trigger: Uuid) -> Result<(), Fault> {
        let rate = core.settings.count(&RATE);
        let whole = |number: u64| {
            NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        let buckets = self.0.get_or_init(|| {
            RateLimiter::keyed(Quota::per_second(whole(rate)).allow_burst(whole(rate.saturating_mul(2))))
        });
        buckets.check_key(&trigger).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Fault::new(Code::RateLimited, format!("more than {rate} requests a second for one webhook"))
                .limited(RATE.name, rate, rate)
                .retry_after(wait.max(Duration::from_secs(1)))
        })
    }
}

/// The SHA-256 of a URL's token, which is all that is kept of it.
pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// A request to a webhook's URL, as it came.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// Its headers, by name in lower case; the last of each name.
    pub headers: BTreeMap<&'static str, String>,
    /// Its body.
    pub body: Bytes,
}

impl Inbound {
    /// A request with these of its headers that are looked at.
    pub fn new<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>, body: Bytes) -> Self {
        let known = |name: &str| HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        let headers = headers.filter_map(|(name, value)| Some((known(name)?, value.to_owned()))).collect();
        Self { headers, body }
    }
}

/// That a request was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookReceived)]
pub struct Received {
    /// The delivery; the same for a request that is sent again.
    pub delivery_id: Uuid,
}

/// Takes a request to a webhook's URL. Run for the system: the URL says whose it is.
#[derive(Clone, Debug)]
pub struct ReceiveHook {
    /// The token of the URL.
    pub token: String,
    /// The request.
    pub inbound: Inbound,
}

impl Action for ReceiveHook {
    type Output = Received;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<Received, Fault> {
        let core = &tenant.core;
        let (trigger, settings) = find(core, &self.token).await?;
        core.hooks.knock(core, trigger.head.id)?;
        if !trigger.enabled {
            return Err(Fault::new(Code::InvalidState, "the webhook is disabled"));
        }
        let (size, most) = (self.inbound.body.len() as u64, settings.count(&PAYLOAD));
        if size > most {
            let detail = format!("the payload has {size} bytes; the limit is {most}");
            return Err(Fault::new(Code::TooLarge, detail).limited(PAYLOAD.name, most, size));
        }
        let proof = self.prove(core, &trigger, &settings).await?;
        let payload = read(&trigger, &self.inbound.body)?;
        let delivery_id = self.take(tenant, &trigger, proof, payload).await?;
        tenant.commit(Batch::new(), Received { delivery_id }).await
    }
}

/// The webhook of a token, where its account is active.
async fn find(core: &Core, token: &str) -> Result<(Trigger, Settings), Fault> {
    let unknown = || Fault::not_found("webhook");
    if token.len() != 64 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let query = Query::of_all_accounts().equal("token_hash", hash(token));
    let trigger: Trigger = core.store.first(query).await?.ok_or_else(unknown)?;
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, trigger.head.account_id)).await?;
    let account = account.filter(|account| account.status == Status::Active).ok_or_else(unknown)?;
    let settings = account.settings(&core.settings);
    Ok((trigger, settings))
}

/// Reads a payload, and holds it against the webhook's schema.
fn read(trigger: &Trigger, body: &[u8]) -> Result<Value, Fault> {
    let payload: Value = serde_json::from_slice(body)
        .map_err(|error| Fault::new(Code::Malformed, format!("the body is not JSON: {error}")))?;
    if has_zero(&payload) {
        return Err(Fault::new(Code::Malformed, "the character U+0000 is not allowed"));
    }
    let Some(schema) = trigger.config.get("schema") else { return Ok(payload) };
    let validator = config::validator(schema).map_err(Fault::internal)?;
    let broken = validator.iter_errors(&payload).take(8).map(|error| sl_store::FieldError {
        pointer: error.instance_path().to_string(),
        rule: "schema",
        detail: error.to_string().chars().take(300).collect(),
    });
    let broken: Vec<_> = broken.collect();
    if broken.is_empty() { Ok(payload) } else { Err(Fault::fields(broken)) }
}

/// No store keeps U+0000.
fn has_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_zero),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains('\0') || has_zero(value)),
        _ => false,
    }
}

impl ReceiveHook {
    async fn prove(&self, core: &Core, trigger: &Trigger, settings: &Settings) -> Result<Proof, Fault> {
        let secrets = TriggerSecret::open_all(core, trigger.head.account_id, trigger.head.id).await?;
        let scheme = config::scheme(&trigger.config).unwrap_or(Scheme::Standard);
        let request = verify::Request {
            headers: &|name| self.inbound.headers.get(name).map(String::as_str),
            body: &self.inbound.body,
            now: core.clock.now(),
            window: TimeDelta::from_std(settings.duration(&WINDOW)).unwrap_or(TimeDelta::minutes(5)),
        };
        verify::verify(scheme, &secrets, &request).map_err(|why| Fault::new(Code::Unauthorized, why))
    }

    /// Makes the delivery, or finds the one of the first time.
    async fn take(
        &self,
        tenant: &Tenant,
        trigger: &Trigger,
        proof: Proof,
        payload: Value,
    ) -> Result<Uuid, Fault> {
        let core = &tenant.core;
        if let Some(earlier) = earlier(core, trigger, proof.source.as_deref()).await? {
            return Ok(earlier);
        }
        let headers: Map<String, Value> = GIVEN
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), json!(self.inbound.headers.get(name)?))))
            .collect();
        let given = vec![("payload", payload), ("headers", Value::Object(headers))];
        let mut delivery = Delivery::new(core, trigger, Cause::Webhook, given);
        delivery.source.clone_from(&proof.source);
        let mut batch = Batch::new();
        delivery.queue(core, &mut batch);
        for event in &mut batch.events {
            *event = NewEvent {
                request_id: tenant.caller.request_id.clone(),
                origin: tenant.caller.origin.clone(),
                ..event.clone()
            };
        }
        match core.store.commit(batch).await {
            Ok(()) => {
                core.bells.ring(super::DUTY);
                Ok(delivery.head.id)
            }
            Err(fault) if fault.code == Code::Conflict => {
                earlier(core, trigger, proof.source.as_deref()).await?.ok_or(fault)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The delivery of the first time.
async fn earlier(core: &Core, trigger: &Trigger, source: Option<&str>) -> Result<Option<Uuid>, Fault> {
    let Some(source) = source else { return Ok(None) };
    let query =
        Query::of(trigger.head.account_id).equal("trigger_id", trigger.head.id).equal("source", source);
    let found: Option<Delivery> = core.store.first(query).await?;
    Ok(found.map(|found| found.head.id))
}
