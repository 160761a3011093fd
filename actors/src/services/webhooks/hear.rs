//! Which webhooks are told of what happens.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Event, EventQuery, Fault, Filter, Position};

use super::{
    BACKLOG, DUTY, NAME,
    delivery::{KINDS, WebhookDelivery, WebhookDeliveryStatus},
    webhook::Webhook,
};
use crate::{Core, resource::Resource as _, services::hearing};

/// A webhook that is older than this was made before whatever is heard now.
const YOUNG: TimeDelta = TimeDelta::hours(1);

/// Adds to the batch a delivery of each event for each webhook that wants it, from the webhook's creation on.
pub(super) fn hear<'a>(
    core: &'a Arc<Core>,
    events: &'a [Event],
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let heard = |event: &Event| !is_ours(event);
        for (webhook, events) in hearing::listeners::<Webhook>(core, events, heard).await? {
            tell(core, webhook, events, batch).await?;
        }
        Ok(())
    })
}

/// Whether an event tells of a delivery, or of what became of one: telling it would never end.
fn is_ours(event: &Event) -> bool {
    let delivery = event.service == NAME && event.kind.starts_with(KINDS);
    let letter = event.service == "dead_letters" && event.data["duty"] == DUTY;
    delivery || letter
}

async fn tell(
    core: &Core,
    mut webhook: Webhook,
    mut wanted: Vec<&Event>,
    batch: &mut Batch,
) -> Result<(), Fault> {
    wanted.retain(|event| webhook.wants(event));
    if wanted.is_empty() {
        return Ok(());
    }
    let made = made(core, &webhook).await?;
    wanted.retain(|event| event.position > made);
    let waiting = vec![
        Filter::Equal("webhook_id", webhook.head.id.into()),
        Filter::Equal("status", WebhookDeliveryStatus::Queued.as_str().into()),
    ];
    let waiting = core.store.count::<WebhookDelivery>(Some(webhook.head.account_id), waiting).await?;
    let most = core.settings.count(&BACKLOG);
    let room = usize::try_from(most.saturating_sub(waiting)).unwrap_or(usize::MAX);
    for event in wanted.iter().take(room) {
        WebhookDelivery::new(core, &webhook, event).queue(core, batch);
    }
    if wanted.len() > room {
        let reason = format!("{most} deliveries wait already ({}); the next was not kept", BACKLOG.name);
        webhook.disable(core, reason, batch);
    }
    Ok(())
}

/// Where in the log the webhook was made; the beginning where that is long past.
async fn made(core: &Core, webhook: &Webhook) -> Result<Position, Fault> {
    if core.clock.now() - webhook.head.created_at > YOUNG {
        return Ok(Position::default());
    }
    let query = EventQuery {
        account: Some(webhook.head.account_id),
        kind: Some(Webhook::LIFE.created.to_owned()),
        subject: Some(webhook.head.id),
        limit: 1,
        ..EventQuery::default()
    };
    Ok(core.store.events(query).await?.first().map(|event| event.position).unwrap_or_default())
}
