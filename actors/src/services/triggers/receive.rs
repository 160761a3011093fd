//! Inbound webhooks: verified before they are read, and each taken once.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Code, Fault, Key, NewEvent, Query, SYSTEM};
use url::form_urlencoded;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    PAYLOAD, WINDOW, config,
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
pub(super) const HEADERS: [&str; 12] = [
    "authorization",
    "content-type",
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

/// Sees whether a request to a webhook's URL is genuine, before anything of it is read or told. Run for the system: the URL
/// says whose it is.
#[derive(Clone, Debug)]
pub struct ProveHook {
    /// The token of the URL.
    pub token: String,
    /// The request.
    pub inbound: Inbound,
}

/// A request to a webhook's URL that was found genuine.
#[derive(Clone, Debug)]
pub struct ProvenHook {
    trigger: Trigger,
    source: Option<String>,
    inbound: Inbound,
}

impl ProvenHook {
    /// The body as the payload is read from it: of a form, in which GitHub sends it unless told otherwise, its `payload`.
    #[must_use]
    pub fn document(&self) -> Cow<'_, [u8]> {
        let is_form = config::scheme(&self.trigger.config) == Some(Scheme::Github)
            && self.media_type() == "application/x-www-form-urlencoded";
        let body = &self.inbound.body;
        let mut fields = is_form.then(|| form_urlencoded::parse(body)).into_iter().flatten();
        let payload = fields.find(|(name, _)| name == "payload").map(|(_, payload)| payload);
        payload.map_or(Cow::Borrowed(&body[..]), |payload| Cow::Owned(payload.into_owned().into_bytes()))
    }

    /// Whether the sender says that the body is JSON: by `application/json`, or a type that ends in `+json` (RFC 6839).
    #[must_use]
    pub fn is_said_json(&self) -> bool {
        let media_type = self.media_type();
        media_type == "application/json" || media_type.ends_with("+json")
    }

    /// The media type without its parameters, in lower case; empty where none is said.
    fn media_type(&self) -> String {
        let said = self.inbound.headers.get("content-type").map_or("", String::as_str);
        said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl Action for ProveHook {
    type Output = ProvenHook;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<ProvenHook, Fault> {
        let core = &tenant.core;
        let (trigger, settings) = find(core, &self.token).await?;
        if !trigger.enabled {
            return Err(Fault::new(Code::InvalidState, "the webhook is disabled"));
        }
        let (size, most) = (self.inbound.body.len() as u64, settings.count(&PAYLOAD));
        if size > most {
            let detail = format!("the payload has {size} bytes; the limit is {most}");
            return Err(Fault::new(Code::TooLarge, detail).limited(PAYLOAD.name, most, size));
        }
        let Proof { source } = self.prove(core, &trigger, &settings).await?;
        Ok(ProvenHook { trigger, source, inbound: self.inbound })
    }
}

/// Takes a genuine request to a webhook's URL.
#[derive(Clone, Debug)]
pub struct ReceiveHook {
    /// That it is genuine.
    pub proven: ProvenHook,
    /// Its body, read; text where it is no JSON.
    pub payload: Value,
}

impl Action for ReceiveHook {
    type Output = Received;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<Received, Fault> {
        config::conform(&self.proven.trigger.config, &self.payload, "")?;
        let delivery_id = self.proven.take(tenant, self.payload).await?;
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

impl ProveHook {
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
}

impl ProvenHook {
    /// Makes the delivery, or finds the one of the first time.
    async fn take(&self, tenant: &Tenant, payload: Value) -> Result<Uuid, Fault> {
        let (core, trigger, source) = (&tenant.core, &self.trigger, self.source.as_deref());
        if let Some(earlier) = earlier(core, trigger, source).await? {
            return Ok(earlier);
        }
        let headers: Map<String, Value> = GIVEN
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), json!(self.inbound.headers.get(name)?))))
            .collect();
        let given = vec![("payload", payload), ("headers", Value::Object(headers))];
        let mut delivery = Delivery::new(core, trigger, Cause::Webhook, given);
        delivery.source.clone_from(&self.source);
        let mut batch = Batch::new();
        delivery.queue(core, &mut batch);
        for event in &mut batch.events {
            *event = NewEvent {
                request_id: tenant.caller.request_id.clone(),
                origin: tenant.caller.origin.clone(),
                ..event.clone()
            };
        }
        match core.commit(batch).await {
            Ok(()) => Ok(delivery.head.id),
            Err(fault) if fault.code == Code::Conflict => earlier(core, trigger, source).await?.ok_or(fault),
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
