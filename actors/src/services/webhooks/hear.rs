//! Which webhooks are told of what happens.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Event, Fault};

use super::{
    BACKLOG, DUTY, NAME,
    delivery::{KINDS, WebhookDelivery},
    webhook::Webhook,
};
use crate::{Core, services::hearing};

/// Adds to the batch a delivery of each event for each webhook that wants it, from the webhook's creation on.
pub(super) fn hear<'a>(
    core: &'a Arc<Core>,
    events: &'a [Event],
    batch: &'a mut Batch,
) -> BoxFuture<'a, Result<(), Fault>> {
    Box::pin(async move {
        let heard = |event: &Event| !is_ours(event);
        for (webhook, events) in hearing::listeners(core, events, heard, Webhook::wants).await? {
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
    webhook: Webhook,
    mut wanted: Vec<&Event>,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let waiting = WebhookDelivery::waiting(&webhook);
    let waiting = core.store.count::<WebhookDelivery>(Some(webhook.head.account_id), waiting).await?;
    let room = core.settings.count(&BACKLOG).saturating_sub(waiting);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if wanted.len() > room && disable(core, webhook.clone()).await? {
        wanted.truncate(room);
    }
    for event in wanted {
        WebhookDelivery::new(core, &webhook, event).queue(core, batch);
    }
    Ok(())
}

/// Disables a webhook that has too much waiting, by a change of its own: one that its owner makes at the same moment must
/// not keep everybody's events waiting. Where there is one, answers that it is not disabled: what comes next tries again.
async fn disable(core: &Core, mut webhook: Webhook) -> Result<bool, Fault> {
    let (mut batch, most) = (Batch::new(), core.settings.count(&BACKLOG));
    let reason = format!("{most} deliveries wait already ({}); the next was not kept", BACKLOG.name);
    webhook.disable(core, reason, &mut batch);
    match core.store.commit(batch).await {
        Ok(()) => Ok(true),
        Err(fault) if fault.code == Code::Conflict => Ok(false),
        Err(fault) => Err(fault),
    }
}
