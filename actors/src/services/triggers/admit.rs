//! What a trigger must be to be admitted, and what is written and goes with it.

use serde_json::{Map, Value};
use sl_store::{Batch, Fault, Filter, NewWork};
use uuid::Uuid;

use super::{
    SCHEDULE_DUTY, config,
    delivery::Delivery,
    named::{Scheme, TriggerType},
    schedule::TriggerState,
    secret::{self, TriggerSecret},
    trigger::Trigger,
    verify,
};
use crate::{action::Tenant, services::functions::Function};

/// So many rows go with their trigger at once; what is left goes by age.
const AT_ONCE: usize = 10_000;

/// Checks that there is the function a trigger is to run.
pub(super) async fn check_function(trigger: &Trigger, tenant: &Tenant) -> Result<(), Fault> {
    match tenant.core.store.find::<Function>(tenant.key(trigger.function_id)).await? {
        Some(_) => Ok(()),
        None => Err(Fault::field("/function_id", "missing", "there is no such function")),
    }
}

/// Takes the secret that the caller brings along out of the config of a webhook.
pub(super) fn take_secret(
    kind: TriggerType,
    config: &mut Map<String, Value>,
) -> Result<Option<String>, Fault> {
    if kind != TriggerType::Webhook {
        return Ok(None);
    }
    match config.remove(config::SECRET) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) => {
            let scheme = config::scheme(config).unwrap_or(Scheme::Standard);
            config::check_secret(scheme, &secret, "/config/secret").map(|()| Some(secret))
        }
        Some(_) => Err(Fault::field("/config/secret", "type", "must be a text")),
    }
}

/// Gives a webhook its URL and its secret.
pub(super) fn arm_webhook(trigger: &mut Trigger, given: Option<String>, tenant: &Tenant, batch: &mut Batch) {
    let scheme = config::scheme(&trigger.config).unwrap_or(Scheme::Standard);
    let secret = given.unwrap_or_else(|| secret::make(&tenant.core, scheme));
    batch.insert(&TriggerSecret::new(tenant, trigger.head.id, &secret));
    trigger.shown.secret = Some(secret);
    give_token(trigger, tenant);
}

/// Gives a webhook a new URL; the one it had is unknown from then on.
pub(super) fn give_token(trigger: &mut Trigger, tenant: &Tenant) {
    let token = secret::make_token(&tenant.core);
    trigger.token_hash = Some(super::receive::hash(&token));
    trigger.shown.token = Some(token);
}

/// A change of scheme keeps the secret: it must be one in the new scheme's form.
pub(super) async fn keep_secret(trigger: &Trigger, tenant: &Tenant) -> Result<(), Fault> {
    if config::scheme(&trigger.config) != Some(Scheme::Standard) {
        return Ok(());
    }
    let secrets = TriggerSecret::open_all(&tenant.core, tenant.account_id, trigger.head.id).await?;
    if secrets.iter().any(|secret| verify::standard_key(secret).is_some()) {
        return Ok(());
    }
    let detail = "the secret has not the form of this scheme; give another in config.secret";
    Err(Fault::field("/config/scheme", "secret", detail))
}

/// Puts the schedule's item into the queue anew, for the slots from now on; takes it out where there is none.
pub(super) async fn arm_schedule(trigger: &Trigger, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
    let (account, id, now) = (tenant.account_id, trigger.head.id, tenant.now());
    batch.withdraw(account, id);
    if trigger.kind != TriggerType::Cron {
        return Ok(());
    }
    match tenant.core.store.find::<TriggerState>(tenant.key(id)).await? {
        Some(mut state) => {
            state.decided = now;
            state.dropped_until = None;
            batch.replace(&mut state, now);
        }
        None => {
            batch.insert(&TriggerState::new(tenant.key(id), now));
        }
    }
    if trigger.enabled
        && let Some(next) = config::timetable(trigger)?.next(now)
    {
        batch.enqueue(NewWork::new(tenant.next_id(), SCHEDULE_DUTY, account, id, next).gate(id));
    }
    Ok(())
}

/// Adds that what belongs to a trigger goes with it.
pub(super) fn sweep(account: Uuid, trigger: Uuid, batch: &mut Batch) {
    let of = || vec![Filter::Equal("trigger_id", trigger.into())];
    batch.withdraw(account, trigger);
    batch.sweep::<TriggerSecret>(account, of(), AT_ONCE);
    batch.sweep::<Delivery>(account, of(), AT_ONCE);
    batch.sweep::<TriggerState>(account, vec![Filter::Equal("trigger_id", trigger.into())], 1);
}
