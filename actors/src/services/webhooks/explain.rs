//! Why a webhook or a delivery waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::{DUTY, delivery::WebhookDelivery, webhook::Webhook};
use crate::{
    Core,
    why::{Cause, Explained},
};

/// Tells of the webhook or delivery of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        if let Some(webhook) = core.store.find::<Webhook>(key).await? {
            return explain_webhook(core, &webhook).await.map(Some);
        }
        let delivery: Option<WebhookDelivery> = core.store.find(key).await?;
        Ok(delivery.map(|delivery| explain_delivery(&delivery)))
    })
}

async fn explain_webhook(core: &Core, webhook: &Webhook) -> Result<Explained, Fault> {
    let (account, id) = (webhook.head.account_id, webhook.head.id);
    let waiting =
        core.store.count::<WebhookDelivery>(Some(account), WebhookDelivery::waiting(webhook)).await?;
    let cause = if webhook.enabled {
        let detail = format!("it waits for events of the kinds {}", webhook.kinds.join(", "));
        Cause::new("listening", detail)
    } else {
        let reason = webhook.disabled_reason.as_deref().unwrap_or("somebody disabled it");
        Cause::new("disabled", format!("{reason}; enable it to have it told again"))
    };
    let status = core.standing(DUTY, &webhook.head, webhook.status());
    let causes = vec![cause.with("waiting", waiting)];
    Ok(Explained { kind: "webhook", status: status.to_owned(), gates: vec![id], causes })
}

fn explain_delivery(delivery: &WebhookDelivery) -> Explained {
    Explained {
        kind: "webhook delivery",
        status: delivery.status.as_str().to_owned(),
        gates: vec![delivery.webhook_id],
        causes: Vec::new(),
    }
}
