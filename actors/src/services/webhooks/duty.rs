//! Sends deliveries.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use sl_store::{Batch, Code, Fault, Key, Query, Work};

use super::{
    DUTY, FAILING_FOR, TIMEOUT, WORKERS,
    delivery::{WebhookDelivery, WebhookDeliveryStatus},
    secrets::Secrets,
    webhook::Webhook,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    egress::{
        EgressError, HeaderMap, HeaderName, HeaderValue, Method, Redirects, Request, Response, StatusCode,
        retry_after,
    },
    settings::{Setting, write_duration},
};

/// So long it is waited before the request of an account is tried again that has too many under way.
const BUSY: std::time::Duration = std::time::Duration::from_millis(200);

/// Sends deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Webhooks;

impl Duty for Webhooks {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Tells webhooks what has happened, by signed requests."
    }

    fn concurrency(&self) -> &'static Setting {
        &WORKERS
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                sent = send(core, &attempt.work) => {
                    sent.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
                }
            }
        })
    }

    fn bury<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        why: &'a Fault,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let reason = why.detail.clone();
        Box::pin(async move {
            if let Some(delivery) = find(core, work).await? {
                give_up(core, &delivery, batch).await?;
            }
            end(core, work, WebhookDeliveryStatus::Failed, work.attempt, reason, batch).await
        })
    }

    fn discard<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let reason = "it waited for a pause to end, and the resume dropped it".to_owned();
        Box::pin(end(core, work, WebhookDeliveryStatus::Cancelled, 0, reason, batch))
    }

    fn revive<'a>(
        &'a self,
        core: &'a Arc<Core>,
        work: &'a Work,
        batch: &'a mut Batch,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(mut delivery) = find(core, work).await?
                && delivery.status == WebhookDeliveryStatus::Failed
            {
                let webhook: Option<Webhook> =
                    core.store.find(Key::new(work.account, delivery.webhook_id)).await?;
                delivery.term = webhook.map_or(delivery.term, |webhook| webhook.term);
                delivery.stand(core, WebhookDeliveryStatus::Queued, 0, None, batch);
            }
            Ok(())
        })
    }
}

async fn find(core: &Core, work: &Work) -> Result<Option<WebhookDelivery>, Fault> {
    core.store.find(Key::new(work.account, work.subject)).await
}

/// Adds that the webhook of a delivery that failed is disabled, where none of its others did better for long.
async fn give_up(core: &Core, failed: &WebhookDelivery, batch: &mut Batch) -> Result<(), Fault> {
    let account = failed.head.account_id;
    let found: Option<Webhook> = core.store.find(Key::new(account, failed.webhook_id)).await?;
    let settings = core.known.settings(core, account).await?;
    let (Some(mut webhook), Some(settings)) = (found, settings) else { return Ok(()) };
    if !webhook.enabled || webhook.term != failed.term {
        return Ok(());
    }
    let told = Query::of(account)
        .equal("webhook_id", webhook.head.id)
        .equal("status", WebhookDeliveryStatus::Succeeded.as_str())
        .limit(1);
    let told: Vec<WebhookDelivery> = core.store.list(told).await?;
    let last = told.first().map_or(webhook.head.updated_at, |told| told.head.updated_at);
    let failing = (core.clock.now() - last.max(webhook.head.updated_at)).to_std().unwrap_or_default();
    let most = settings.duration(&FAILING_FOR);
    if failing >= most {
        let most = write_duration(most);
        let reason = format!("every delivery failed for {most} or longer ({})", FAILING_FOR.name);
        webhook.disable(core, reason, batch);
    }
    Ok(())
}

async fn end(
    core: &Core,
    work: &Work,
    status: WebhookDeliveryStatus,
    attempts: i32,
    reason: String,
    batch: &mut Batch,
) -> Result<(), Fault> {
    if let Some(delivery) = find(core, work).await?
        && delivery.status == WebhookDeliveryStatus::Queued
    {
        delivery.stand(core, status, attempts, Some(reason), batch);
    }
    Ok(())
}

async fn send(core: &Core, work: &Work) -> Result<Outcome, Fault> {
    let found = find(core, work).await?.filter(|found| found.status == WebhookDeliveryStatus::Queued);
    let Some(delivery) = found else { return Ok(Outcome::Done(Batch::new())) };
    let webhook: Option<Webhook> = core.store.find(Key::new(work.account, delivery.webhook_id)).await?;
    let webhook = match webhook {
        Some(webhook) if webhook.enabled && webhook.term == delivery.term => webhook,
        told => {
            let why = if told.is_some() { "its webhook was disabled" } else { "its webhook was removed" };
            let mut batch = Batch::new();
            // This claim was no attempt.
            let attempts = work.attempt.saturating_sub(1);
            delivery.stand(
                core,
                WebhookDeliveryStatus::Cancelled,
                attempts,
                Some(why.to_owned()),
                &mut batch,
            );
            return Ok(Outcome::Done(batch));
        }
    };
    let answered = core.egress.send(request(core, &webhook, &delivery)?).await;
    if matches!(answered, Err(EgressError::Busy { .. })) {
        tokio::time::sleep(BUSY).await;
        return Ok(Outcome::Release);
    }
    Ok(judge(core, work, webhook, delivery, answered))
}

/// The request of one attempt: the id is the same in all, the time is the attempt's.
fn request(core: &Core, webhook: &Webhook, delivery: &WebhookDelivery) -> Result<Request, Fault> {
    let (id, now) = (delivery.head.id.to_string(), core.clock.now());
    let signature = Secrets::open(core, webhook)?.sign(&id, now, delivery.body.as_bytes());
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("webhook-id", &id),
        ("webhook-timestamp", &now.timestamp().to_string()),
        ("webhook-signature", &signature),
    ] {
        let value = HeaderValue::from_str(value).map_err(Fault::internal)?;
        headers.insert(HeaderName::from_static(name), value);
    }
    let mut request = Request::new(webhook.head.account_id, Method::POST, webhook.url.clone());
    request.headers = headers;
    request.body = Bytes::from(delivery.body.clone());
    request.timeout = Some(core.settings.duration(&TIMEOUT));
    request.redirects = Redirects::Manual;
    // The status says it all; a receiver that goes on talking has taken it all the same.
    request.head_only = true;
    Ok(request)
}

/// What follows from an answer, or from none.
fn judge(
    core: &Core,
    work: &Work,
    mut webhook: Webhook,
    delivery: WebhookDelivery,
    answered: Result<Response, EgressError>,
) -> Outcome {
    let mut batch = Batch::new();
    let response = match answered {
        Ok(response) => response,
        Err(error) if error.is_transient() => return Outcome::Retry(error.into(), batch),
        Err(error) => return Outcome::Dead(error.into()),
    };
    let status = response.status;
    if status.is_success() {
        delivery.stand(core, WebhookDeliveryStatus::Succeeded, work.attempt, None, &mut batch);
        return Outcome::Done(batch);
    }
    if status == StatusCode::GONE {
        let reason = "the receiver answered 410: it is gone".to_owned();
        webhook.disable(core, reason.clone(), &mut batch);
        delivery.stand(core, WebhookDeliveryStatus::Failed, work.attempt, Some(reason), &mut batch);
        return Outcome::Done(batch);
    }
    let fault = Fault::new(Code::Upstream, format!("the receiver answered {}", status.as_u16()));
    if !may_pass(status) {
        return Outcome::Dead(fault);
    }
    match retry_after(&response.headers, core.clock.now()) {
        Some(after) => Outcome::Retry(fault.retry_after(after), batch),
        None => Outcome::Retry(fault, batch),
    }
}

/// Whether the same request may be answered otherwise later.
fn may_pass(status: StatusCode) -> bool {
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || later.contains(&status)
}
