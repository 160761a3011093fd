//! What can be done with triggers and deliveries besides creating and removing them.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sl_store::{Batch, Code, Fault, Filter};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    GRACE, PAYLOAD, admit, config,
    delivery::{Delivery, DeliveryView},
    named::{Cause, DeliveryStatus, Scheme, TriggerType},
    resource::{AmendTrigger, TriggerView},
    secret::{self, TriggerSecret},
    trigger::Trigger,
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    patch::or_usual,
    resource::{self, Amend, Resource as _},
    services::functions::Span,
    settings::write_duration,
};

/// Enables or disables a trigger.
#[derive(Clone, Copy, Debug)]
pub struct EnableTrigger {
    /// Which.
    pub id: Uuid,
    /// Whether it fires by itself from now on.
    pub enabled: bool,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for EnableTrigger {
    type Output = TriggerView;

    async fn run(self, tenant: &Tenant) -> Result<TriggerView, Fault> {
        let patch = AmendTrigger { enabled: Some(self.enabled), ..AmendTrigger::default() };
        Amend::<Trigger> { id: self.id, expected: self.expected, patch }.run(tenant).await
    }
}

/// What a trigger is fired with.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TriggerFire)]
pub struct NewFire {
    /// What the function is given as `payload`: any JSON that a webhook's schema admits.
    #[serde(default)]
    pub payload: Value,
}

/// Fires a trigger by hand, whether or not it is enabled. While it is paused the delivery waits.
#[derive(Debug)]
pub struct FireTrigger {
    /// Which.
    pub id: Uuid,
    /// With what.
    pub new: NewFire,
}

impl Action for FireTrigger {
    type Output = DeliveryView;

    async fn run(self, tenant: &Tenant) -> Result<DeliveryView, Fault> {
        let (size, most) = (self.new.payload.to_string().len() as u64, tenant.settings.count(&PAYLOAD));
        if size > most {
            let detail = format!("must be at most {most} bytes as JSON ({}), not {size}", PAYLOAD.name);
            return Err(Fault::field("/payload", "length", detail));
        }
        let trigger: Trigger = tenant.core.store.get(tenant.key(self.id)).await?;
        config::conform(&trigger.config, &self.new.payload, "/payload")?;
        let given = vec![("payload", self.new.payload)];
        let mut delivery = Delivery::new(&tenant.core, &trigger, Cause::Manual, given);
        delivery.actor.clone_from(&tenant.caller.actor);
        queue(tenant, &delivery).await
    }
}

async fn queue(tenant: &Tenant, delivery: &Delivery) -> Result<DeliveryView, Fault> {
    let mut batch = Batch::new();
    delivery.queue(&tenant.core, &mut batch);
    tenant.commit(batch, delivery.view()).await
}

/// What a list of deliveries is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TriggerDeliveryFilters)]
pub struct DeliveryFilters {
    /// Only those that stand here.
    pub status: Option<DeliveryStatus>,
    /// Only those that this made.
    pub cause: Option<Cause>,
}

/// A page of a trigger's deliveries, newest first.
#[derive(Debug)]
pub struct ListDeliveries {
    /// The trigger.
    pub trigger_id: Uuid,
    /// Narrowed by.
    pub filters: DeliveryFilters,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListDeliveries {
    type Output = Page<DeliveryView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<Trigger>(tenant.key(self.trigger_id)).await?;
        let mut filters = vec![Filter::Equal("trigger_id", self.trigger_id.into())];
        filters.extend(self.filters.status.map(|status| Filter::Equal("status", status.as_str().into())));
        filters.extend(self.filters.cause.map(|cause| Filter::Equal("cause", cause.as_str().into())));
        resource::list::<Delivery, DeliveryView>(tenant, self.page, filters, Delivery::view).await
    }
}

async fn find(tenant: &Tenant, trigger: Uuid, delivery: Uuid) -> Result<Delivery, Fault> {
    let found: Delivery = tenant.core.store.get(tenant.key(delivery)).await?;
    if found.trigger_id == trigger { Ok(found) } else { Err(Fault::not_found(Delivery::NOUN)) }
}

impl Delivery {
    const NOUN: &'static str = "delivery";
}

/// Reads a delivery of a trigger.
#[derive(Clone, Copy, Debug)]
pub struct FetchDelivery {
    /// The trigger.
    pub trigger_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
}

impl Action for FetchDelivery {
    type Output = DeliveryView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<DeliveryView, Fault> {
        find(tenant, self.trigger_id, self.delivery_id).await.map(|found| found.view())
    }
}

/// Delivers again what was delivered before: a new delivery with the same input.
#[derive(Clone, Copy, Debug)]
pub struct Redeliver {
    /// The trigger.
    pub trigger_id: Uuid,
    /// The earlier delivery.
    pub delivery_id: Uuid,
}

impl Action for Redeliver {
    type Output = DeliveryView;

    async fn run(self, tenant: &Tenant) -> Result<DeliveryView, Fault> {
        let earlier = find(tenant, self.trigger_id, self.delivery_id).await?;
        if !earlier.status.is_final() {
            let detail = format!("the delivery is {} and has not ended", earlier.status.as_str());
            return Err(Fault::new(Code::InvalidState, detail));
        }
        let trigger: Trigger = tenant.core.store.get(tenant.key(self.trigger_id)).await?;
        let mut again = Delivery::new(&tenant.core, &trigger, Cause::Redelivery, Vec::new());
        let given = earlier.input.into_iter().filter(|(name, _)| name != "delivery_id");
        again.input.extend(given);
        again.redelivery_of = Some(earlier.head.id);
        again.actor.clone_from(&tenant.caller.actor);
        queue(tenant, &again).await
    }
}

/// How a webhook's secret is rotated.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookRotation)]
pub struct NewSecret {
    /// The new secret, where the other side says it; made here otherwise.
    pub secret: Option<String>,
    /// For how long the earlier secret holds; `triggers.grace` unless told otherwise, 0 is not at all.
    pub grace: Option<Span>,
    /// Whether the URL is made anew as well; the earlier one is unknown from then on.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<bool>)]
    pub url: bool,
}

/// Gives a webhook another secret.
#[derive(Debug)]
pub struct RotateSecret {
    /// Which.
    pub id: Uuid,
    /// How.
    pub new: NewSecret,
}

impl Action for RotateSecret {
    type Output = TriggerView;

    async fn run(self, tenant: &Tenant) -> Result<TriggerView, Fault> {
        let mut trigger: Trigger = tenant.core.store.get(tenant.key(self.id)).await?;
        if trigger.kind != TriggerType::Webhook {
            return Err(Fault::new(Code::InvalidState, "only webhooks have a secret"));
        }
        let scheme = config::scheme(&trigger.config).unwrap_or(Scheme::Standard);
        let secret = match self.new.secret {
            Some(secret) => config::check_secret(scheme, &secret, "/secret").map(|()| secret)?,
            None => secret::make(&tenant.core, scheme),
        };
        let grace = self
            .new
            .grace
            .map_or_else(|| tenant.settings.duration(&GRACE), |Span(millis)| Duration::from_millis(millis));
        let most = Duration::from_millis(GRACE.max);
        if grace > most {
            return Err(Fault::field(
                "/grace",
                "bounds",
                format!("must be at most {}", write_duration(most)),
            ));
        }
        let mut batch = Batch::new();
        TriggerSecret::replace(tenant, trigger.head.id, &secret, tenant.now() + grace, &mut batch).await?;
        if self.new.url {
            admit::give_token(&mut trigger, tenant);
        }
        trigger.shown.secret = Some(secret);
        batch.replace(&mut trigger, tenant.now());
        batch.event(tenant.event(Trigger::SERVICE, "trigger.secret_rotated", self.id, trigger.told()));
        tenant.commit(batch, trigger.seen(&tenant.core)).await
    }
}
