//! The rotation of the root key: values under an older key are sealed again under the current one, while they are read.
//!
//! A value says which key it is under, so that what is left to do is what a query finds: whoever takes over after a crash
//! goes on with that.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use sl_store::{Batch, Cell, Code, Entity, Expect, Fault, Filter, Key, NewEvent, Query, Row, SYSTEM, Write};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ROTATION_BATCH, ROTATION_EVERY, ROTATIONS, Secret, SecretVersion, sealed::Place};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    duty::{self, Attempt, Duty, Outcome},
    settings::Setting,
    together,
};

/// The duty's name.
const DUTY: &str = "secret-rotation";

/// Seals values again that are under an older root key.
#[derive(Clone, Copy, Debug)]
pub struct SecretRotation;

impl Duty for SecretRotation {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Seals secrets again that are under an older root key."
    }

    fn concurrency(&self) -> &'static Setting {
        &ROTATIONS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&ROTATION_EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                done = rotate(core) => match done {
                    Ok(sealed) => again(core, sealed),
                    Err(fault) => Outcome::Retry(fault, Batch::new()),
                },
            }
        })
    }
}

fn again(core: &Core, sealed: u64) -> Outcome {
    let mut batch = Batch::new();
    if sealed > 0 {
        batch.event(NewEvent {
            account: SYSTEM,
            service: "secrets",
            kind: "secrets.rotated",
            subject: duty::recurring_id(DUTY),
            actor: format!("duty:{DUTY}"),
            request_id: None,
            origin: None,
            data: json!({"sealed": sealed, "key_id": core.keys.key_ids().first()}),
        });
    }
    let every: Duration = core.settings.duration(&ROTATION_EVERY);
    Outcome::Again(core.clock.now() + every, batch)
}

/// Seals everything again that is under an older key of the ring; answers how many values that were.
async fn rotate(core: &Core) -> Result<u64, Fault> {
    Ok(rotate_table::<Secret>(core).await? + rotate_table::<SecretVersion>(core).await?)
}

/// A row that carries a sealed value.
trait Carrier: Entity {
    /// Its place.
    fn place(&self, core: &Core) -> impl Future<Output = Result<Option<(String, Uuid, i64)>, Fault>> + Send;
    /// Its sealed value.
    fn sealed(&mut self) -> (&mut String, &mut Vec<u8>);
}

impl Carrier for Secret {
    async fn place(&self, _core: &Core) -> Result<Option<(String, Uuid, i64)>, Fault> {
        Ok(Some((self.name_key.clone(), self.head.id, self.active)))
    }

    fn sealed(&mut self) -> (&mut String, &mut Vec<u8>) {
        (&mut self.key_id, &mut self.envelope)
    }
}

impl Carrier for SecretVersion {
    /// The name stands with the secret; a version whose secret has gone goes with it.
    async fn place(&self, core: &Core) -> Result<Option<(String, Uuid, i64)>, Fault> {
        let secret: Option<Secret> = core.store.find(Key::new(self.head.account_id, self.secret_id)).await?;
        Ok(secret.map(|secret| (secret.name_key, self.secret_id, self.number)))
    }

    fn sealed(&mut self) -> (&mut String, &mut Vec<u8>) {
        (&mut self.key_id, &mut self.envelope)
    }
}

async fn rotate_table<E: Carrier>(core: &Core) -> Result<u64, Fault> {
    let Some(stale) = stale(core) else { return Ok(0) };
    let limit = core.settings.size(&ROTATION_BATCH);
    let (mut after, mut sealed) = (None, 0);
    loop {
        let query = Query::of_all_accounts().filter(stale.clone()).after(after).limit(limit);
        let rows: Vec<E> = core.store.list(query).await?;
        let Some(last) = rows.last() else { return Ok(sealed) };
        after = Some(last.head().id);
        let mut changes = Vec::new();
        for row in rows {
            let write = resealed(core, row).await?;
            changes.extend(write.map(|write| Batch { writes: vec![write], ..Batch::new() }));
        }
        // What somebody changed meanwhile is under the current key already.
        sealed += together::commit(&core.store, changes, &[Code::Conflict]).await?;
    }
}

/// The write that seals a row's value again; none where it cannot be opened, which has been told already.
async fn resealed<E: Carrier>(core: &Core, mut row: E) -> Result<Option<Write>, Fault> {
    let head = *row.head();
    let Some((name_key, secret, number)) = row.place(core).await? else { return Ok(None) };
    let place = Place { account: head.account_id, secret, name_key: &name_key, number };
    let (key_id, envelope) = row.sealed();
    let fresh = match place.reseal(core, envelope).await {
        Ok(fresh) => fresh,
        Err(fault) if fault.code == Code::Integrity => return Ok(None),
        Err(fault) => return Err(fault),
    };
    (*key_id, *envelope) = (fresh.key_id, fresh.envelope);
    // Nothing that a tenant sees has changed, so `updated_at` stays.
    row.head_mut().version += 1;
    let row = Row { head: *row.head(), cells: row.encode() };
    Ok(Some(Write::Put { table: E::TABLE, row, expect: Expect::Version(head.version) }))
}

/// The condition of what is under an older key; none where there is no older key.
fn stale(core: &Core) -> Option<Filter> {
    let older: Vec<Cell> = core.keys.key_ids().into_iter().skip(1).map(Cell::from).collect();
    (!older.is_empty()).then_some(Filter::In("key_id", older))
}

/// How far the rotation of the root key is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RotationProgress {
    /// The key that seals now, by its id.
    pub key_id: String,
    /// How many values there are, every version and the one in force counted.
    pub total: u64,
    /// How many are under an older key of the ring and wait to be sealed again.
    pub remaining: u64,
    /// How many are under a key that is not in the ring and cannot be read.
    pub unreadable: u64,
}

/// How far the rotation is.
///
/// # Errors
/// As [`sl_store::Store::count`].
pub async fn progress(core: &Core) -> Result<RotationProgress, Fault> {
    let mut ids = core.keys.key_ids().into_iter();
    let key_id = ids.next().unwrap_or_default();
    let current = Filter::Equal("key_id", Cell::from(key_id.as_str()));
    let mut progress = RotationProgress { key_id, total: 0, remaining: 0, unreadable: 0 };
    for table in [Secret::TABLE, SecretVersion::TABLE] {
        let total = core.store.count_rows(table, None, Vec::new()).await?;
        let sealed = core.store.count_rows(table, None, vec![current.clone()]).await?;
        let remaining = match stale(core) {
            Some(stale) => core.store.count_rows(table, None, vec![stale]).await?,
            None => 0,
        };
        progress.total += total;
        progress.remaining += remaining;
        progress.unreadable += total.saturating_sub(sealed + remaining);
    }
    Ok(progress)
}

/// Tells how far the rotation of the root key is; run for the system.
#[derive(Clone, Copy, Debug)]
pub struct RotationStatus;

impl Action for RotationStatus {
    type Output = RotationProgress;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<RotationProgress, Fault> {
        progress(&tenant.core).await
    }
}

/// Looks now for values under an older root key, instead of at the next time; run for the system.
#[derive(Clone, Copy, Debug)]
pub struct RotateSecrets;

impl Action for RotateSecrets {
    type Output = RotationProgress;

    async fn run(self, tenant: &Tenant) -> Result<RotationProgress, Fault> {
        let mut batch = Batch::new();
        duty::hasten(&tenant.core, DUTY, &mut batch).await?;
        let id = duty::recurring_id(DUTY);
        batch.event(tenant.event("secrets", "secrets.rotation_requested", id, json!({})));
        let told = progress(&tenant.core).await?;
        match tenant.commit(batch, told.clone()).await {
            // Somebody took the item up in between: what is asked for is under way.
            Err(fault) if fault.code == Code::FenceLost => Ok(told),
            result => {
                tenant.core.bells.ring(DUTY);
                result
            }
        }
    }
}
