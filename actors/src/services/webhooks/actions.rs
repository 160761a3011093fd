//! What can be done with webhooks and their deliveries besides creating and removing them.

use std::time::Duration;

use serde::Deserialize;
use sl_store::{Batch, Code, Entity as _, Fault, Filter};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    GRACE, NAME,
    delivery::{WebhookDelivery, WebhookDeliveryStatus, WebhookDeliveryView},
    resource::{AmendWebhook, WebhookView},
    secrets::Secrets,
    webhook::Webhook,
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    resource::{self, Amend, Resource as _},
    services::functions::Span,
    settings::write_duration,
};

/// So many rows go with their webhook at once; what is left goes by age.
const AT_ONCE: usize = 10_000;

/// Adds that what belongs to a webhook goes with it.
pub(super) fn sweep(account: Uuid, webhook: Uuid, batch: &mut Batch) {
    batch.sweep::<WebhookDelivery>(account, vec![Filter::Equal("webhook_id", webhook.into())], AT_ONCE);
}

/// Enables or disables a webhook.
#[derive(Clone, Copy, Debug)]
pub struct EnableWebhook {
    /// Which.
    pub id: Uuid,
    /// Whether it tells anything from now on.
    pub enabled: bool,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for EnableWebhook {
    type Output = WebhookView;

    async fn run(self, tenant: &Tenant) -> Result<WebhookView, Fault> {
        let patch = AmendWebhook { enabled: Some(self.enabled), ..AmendWebhook::default() };
        Amend::<Webhook> { id: self.id, expected: self.expected, patch }.run(tenant).await
    }
}

/// How the secret of a webhook is rotated.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookSecretRotation)]
pub struct NewWebhookSecret {
    /// For how long the earlier secret signs as well; `webhooks.grace` unless told otherwise, 0 is not at all.
    pub grace: Option<Span>,
}

/// Gives a webhook another secret.
#[derive(Debug)]
pub struct RotateWebhookSecret {
    /// Which.
    pub id: Uuid,
    /// How.
    pub new: NewWebhookSecret,
}

impl Action for RotateWebhookSecret {
    type Output = WebhookView;

    async fn run(self, tenant: &Tenant) -> Result<WebhookView, Fault> {
        let usual = || tenant.settings.duration(&GRACE);
        let grace = self.new.grace.map_or_else(usual, |Span(millis)| Duration::from_millis(millis));
        let most = Duration::from_millis(GRACE.max);
        if grace > most {
            return Err(Fault::field(
                "/grace",
                "bounds",
                format!("must be at most {}", write_duration(most)),
            ));
        }
        let mut webhook: Webhook = tenant.core.store.get(tenant.key(self.id)).await?;
        let until = tenant.now() + grace;
        let secrets = Secrets::open(&tenant.core, &webhook)?.rotated(&tenant.core, until);
        webhook.sealed = secrets.seal(&tenant.core, webhook.head.key());
        webhook.shown = Some(secrets.shown());
        let mut batch = Batch::new();
        batch.replace(&mut webhook, tenant.now());
        batch.event(tenant.event(NAME, "webhook.secret_rotated", self.id, webhook.told()));
        tenant.commit(batch, webhook.seen(&tenant.core)).await
    }
}

/// What a list of deliveries is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookDeliveryFilters {
    /// Only those that stand here.
    pub status: Option<WebhookDeliveryStatus>,
    /// Only those of events of this kind.
    pub kind: Option<String>,
}

/// A page of a webhook's deliveries, newest first.
#[derive(Debug)]
pub struct ListWebhookDeliveries {
    /// The webhook.
    pub webhook_id: Uuid,
    /// Narrowed by.
    pub filters: WebhookDeliveryFilters,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListWebhookDeliveries {
    type Output = Page<WebhookDeliveryView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<Webhook>(tenant.key(self.webhook_id)).await?;
        let mut filters = vec![Filter::Equal("webhook_id", self.webhook_id.into())];
        filters.extend(self.filters.status.map(|status| Filter::Equal("status", status.as_str().into())));
        filters.extend(self.filters.kind.map(|kind| Filter::Equal("kind", kind.into())));
        resource::list::<WebhookDelivery, _>(tenant, self.page, filters, WebhookDelivery::view).await
    }
}

async fn find(tenant: &Tenant, webhook: Uuid, delivery: Uuid) -> Result<WebhookDelivery, Fault> {
    let found: WebhookDelivery = tenant.core.store.get(tenant.key(delivery)).await?;
    if found.webhook_id == webhook { Ok(found) } else { Err(Fault::not_found(WebhookDelivery::TABLE.noun)) }
}

/// Reads a delivery of a webhook.
#[derive(Clone, Copy, Debug)]
pub struct FetchWebhookDelivery {
    /// The webhook.
    pub webhook_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
}

impl Action for FetchWebhookDelivery {
    type Output = WebhookDeliveryView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<WebhookDeliveryView, Fault> {
        find(tenant, self.webhook_id, self.delivery_id).await.map(|found| found.view())
    }
}

/// Sends again what has ended: the same delivery under the same `webhook-id`.
#[derive(Clone, Copy, Debug)]
pub struct RedeliverWebhook {
    /// The webhook.
    pub webhook_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
}

impl Action for RedeliverWebhook {
    type Output = WebhookDeliveryView;

    async fn run(self, tenant: &Tenant) -> Result<WebhookDeliveryView, Fault> {
        let webhook: Webhook = tenant.core.store.get(tenant.key(self.webhook_id)).await?;
        let mut delivery = find(tenant, self.webhook_id, self.delivery_id).await?;
        if !webhook.enabled {
            return Err(Fault::new(Code::InvalidState, "the webhook is disabled; enable it first"));
        }
        if delivery.status == WebhookDeliveryStatus::Queued {
            return Err(Fault::new(Code::InvalidState, "the delivery waits to be sent already"));
        }
        (delivery.status, delivery.term) = (WebhookDeliveryStatus::Queued, webhook.term);
        (delivery.reason, delivery.completed_at) = (None, None);
        let mut batch = Batch::new();
        batch
            .replace(&mut delivery, tenant.now())
            .event(delivery.told())
            .enqueue(delivery.work(&tenant.core));
        tenant.commit(batch, delivery.view()).await
    }
}
