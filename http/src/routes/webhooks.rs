//! Webhooks that are told of events, and their deliveries.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::webhooks::{
        EnableWebhook, FetchWebhookDelivery, ListWebhookDeliveries, NewWebhookSecret, RedeliverWebhook,
        RotateWebhookSecret, Webhook, WebhookDeliveryFilters, WebhookDeliveryView,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    resource::{Place, resource},
    routes::system::{pause, resume},
};

const ONE: &str = "/accounts/{account}/webhooks/{webhook}";
const ENABLE: &str = "/accounts/{account}/webhooks/{webhook}/enable";
const DISABLE: &str = "/accounts/{account}/webhooks/{webhook}/disable";
const PAUSE: &str = "/accounts/{account}/webhooks/{webhook}/pause";
const RESUME: &str = "/accounts/{account}/webhooks/{webhook}/resume";
const ROTATE: &str = "/accounts/{account}/webhooks/{webhook}/rotate-secret";
const DELIVERIES: &str = "/accounts/{account}/webhooks/{webhook}/deliveries";
const DELIVERY: &str = "/accounts/{account}/webhooks/{webhook}/deliveries/{webhook_delivery}";
const REDELIVER: &str = "/accounts/{account}/webhooks/{webhook}/deliveries/{webhook_delivery}/redeliver";

const COLUMNS: &[&str] = &["id", "url", "kinds", "enabled", "created_at"];
const PLACE: Place = Place { id: "webhooks", one: "a webhook", path: ONE, columns: COLUMNS };

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<Webhook>(PLACE);
    all.extend(doings());
    all.extend(deliveries());
    all
}

fn doings() -> Vec<Operation> {
    let enable = |enabled| {
        move |input: Input| Ok(EnableWebhook { id: input.id("webhook")?, enabled, expected: input.expected })
    };
    vec![
        operation(Method::POST, ENABLE, "webhooks.enable", "Let a webhook tell what happens")
            .told("From now on: what happened while it was disabled is not told.")
            .scope(Scope::Write)
            .versioned()
            .action(enable(true)),
        operation(Method::POST, DISABLE, "webhooks.disable", "Let a webhook tell nothing more")
            .told("What still waits for it is cancelled.")
            .scope(Scope::Write)
            .versioned()
            .action(enable(false)),
        operation(Method::POST, PAUSE, "webhooks.pause", "Pause a webhook")
            .told("What it is to tell waits.")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<Webhook>(input.id("webhook")?), input.body))
            }),
        operation(Method::POST, RESUME, "webhooks.resume", "Resume a webhook")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<Webhook>(input.id("webhook")?), input.body))
            }),
        operation(Method::POST, ROTATE, "webhooks.rotate_secret", "Sign a webhook with another secret")
            .told("The earlier secret signs as well for a time of grace.")
            .scope(Scope::Write)
            .with::<NewWebhookSecret>()
            .action(|input: Input<(), Option<NewWebhookSecret>>| {
                Ok(RotateWebhookSecret { id: input.id("webhook")?, new: input.body.unwrap_or_default() })
            }),
    ]
}

fn deliveries() -> Vec<Operation> {
    vec![
        operation(Method::GET, DELIVERIES, "webhooks.deliveries.list", "List the deliveries of a webhook")
            .told("One row for every event it is told of.")
            .with::<WebhookDeliveryView>()
            .pages(&["id", "kind", "status", "attempts", "created_at", "reason"])
            .action(|input: Input<WebhookDeliveryFilters>| {
                Ok(ListWebhookDeliveries {
                    webhook_id: input.id("webhook")?,
                    page: input.page,
                    filters: input.query,
                })
            }),
        operation(Method::GET, DELIVERY, "webhooks.deliveries.get", "Read a delivery of a webhook").action(
            |input: Input| {
                Ok(FetchWebhookDelivery {
                    webhook_id: input.id("webhook")?,
                    delivery_id: input.id("webhook_delivery")?,
                })
            },
        ),
        operation(Method::POST, REDELIVER, "webhooks.deliveries.redeliver", "Send a delivery again")
            .told("Under the same webhook-id, by which the receiver knows it.")
            .scope(Scope::Run)
            .status(202)
            .action(|input: Input| {
                Ok(RedeliverWebhook {
                    webhook_id: input.id("webhook")?,
                    delivery_id: input.id("webhook_delivery")?,
                })
            }),
    ]
}
