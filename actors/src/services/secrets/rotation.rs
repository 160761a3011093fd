//! The rotation of the root key: values under an older key are sealed again under the current one, while they are read.
//!
//! A value says which key it is under, so that what is left to do is what a query finds: whoever takes over after a crash
//! goes on with that.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use sl_store::{
    Batch, Cell, Code, Entity, Expect, Fault, Filter, Key, NewEvent, Query, Row, SYSTEM, Table, Write,
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ROTATION_BATCH, ROTATION_EVERY, ROTATIONS, Secret, SecretVersion, sealed::Place};
use crate::{
    Core,
    action::{Action, Order, Tenant},
    duty::{self, Attempt, Duty, Outcome},
    services,
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
    let mut sealed = rotate_table::<Secret>(core).await? + rotate_table::<SecretVersion>(core).await?;
    for table in others() {
        sealed += rotate_rows(core, table).await?;
    }
    Ok(sealed)
}

/// The tables of other services whose rows carry a sealed value.
fn others() -> Vec<&'static Table> {
    services::ALL.iter().flat_map(|service| service.sealed).copied().collect()
}

/// Every table whose rows carry a sealed value.
fn carriers() -> Vec<&'static Table> {
    [vec![Secret::TABLE, SecretVersion::TABLE], others()].concat()
}

/// Seals the values of a table's rows again that are bound to nothing but their row.
async fn rotate_rows(core: &Core, table: &'static Table) -> Result<u64, Fault> {
    let Some(stale) = stale(core) else { return Ok(0) };
    let limit = core.settings.size(&ROTATION_BATCH);
    let (mut after, mut sealed) = (None, 0);
    loop {
        let query = Query::of_all_accounts().filter(stale.clone()).after(after).limit(limit);
        let rows = core.store.list_rows(table, query).await?;
        let Some(last) = rows.last() else { return Ok(sealed) };
        after = Some(last.head.id);
        let mut changes = Vec::new();
        for row in rows {
            let head = row.head;
            match crate::sealed::reseal(core, table, row) {
                Ok(Some(row)) => {
                    changes.push(Batch { writes: vec![again_under(table, row)], ..Batch::new() });
                }
                Ok(None) => {}
                Err(fault) if fault.code == Code::Integrity => {
                    tracing::error!(account_id = %head.account_id, id = %head.id, table = table.name, %fault, "A sealed value does not open");
                }
                Err(fault) => return Err(fault),
            }
        }
        sealed += together::commit(&core.store, changes, &[Code::Conflict]).await?;
    }
}

/// The write of a row whose value was sealed again. Nothing that a tenant sees has changed, so `updated_at` stays.
fn again_under(table: &'static Table, mut row: Row) -> Write {
    let expect = Expect::Version(row.head.version);
    row.head.version += 1;
    Write::Put { table, row, expect }
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
    let fresh = match place.reseal(core, key_id, envelope).await {
        Ok(fresh) => fresh,
        Err(fault) if fault.code == Code::Integrity => return Ok(None),
        Err(fault) => return Err(fault),
    };
    (*key_id, *envelope) = (fresh.key_id, fresh.envelope);
    Ok(Some(again_under(E::TABLE, Row { head, cells: row.encode() })))
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
    for table in carriers() {
        let empty = vec![Filter::Equal("key_id", Cell::Null)];
        let total = core.store.count_rows(table, None, Vec::new()).await?
            - core.store.count_rows(table, None, empty).await?;
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
