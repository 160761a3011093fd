//! What can be done with the versions of a secret.

use sl_store::{Batch, Code, Entity as _, Fault, Filter};

use super::{
    Pin, RollBack, Secret, SecretVersion, SecretVersionView, SecretView,
    actions::{SERVICE, expect, named, removed, seen},
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
};

/// A page of a secret's versions, newest first; never their values.
#[derive(Clone, Debug)]
pub struct ListVersions {
    /// The secret's name, whatever its case.
    pub name: String,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListVersions {
    type Output = Page<SecretVersionView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let secret = named(tenant, &self.name).await?;
        let list = format!("secrets/{}/versions", secret.head.id);
        let after = self.page.place(tenant, &list)?.map(i64::from_be_bytes);
        let of = Filter::Equal("secret_id", secret.head.id.into());
        let mut query = sl_store::Query::of(tenant.account_id).filter(of).limit(secret.kept.len().max(1));
        query.filters.extend(self.page.times());
        // Ids of versions follow from their numbers by a hash, so that the order is made here; few versions are kept.
        let mut rows: Vec<SecretVersion> = tenant.core.store.list(query).await?;
        rows.sort_by_key(|row| std::cmp::Reverse(row.number));
        rows.retain(|row| after.is_none_or(|after| row.number < after));
        let more = rows.len() > self.page.limit;
        rows.truncate(self.page.limit);
        let next = rows.last().filter(|_| more);
        let next_cursor = next.map(|row| PageRequest::mark(tenant, &list, &row.number.to_be_bytes()));
        Ok(Page { items: rows.iter().map(|row| row.view(secret.active)).collect(), next_cursor })
    }
}

/// Puts a version into force.
async fn activate(secret: &mut Secret, number: i64, pointer: &str, tenant: &Tenant) -> Result<(), Fault> {
    let missing = || Fault::field(pointer, "missing", format!("there is no version {number} of this secret"));
    if !secret.kept.contains(&number) {
        return Err(missing());
    }
    let key = tenant.key(SecretVersion::id_of(secret.head.id, number));
    let version: SecretVersion = tenant.core.store.find(key).await?.ok_or_else(missing)?;
    secret.active = number;
    secret.key_id = version.key_id;
    secret.envelope = version.envelope;
    Ok(())
}

async fn changed(mut secret: Secret, kind: &'static str, tenant: &Tenant) -> Result<SecretView, Fault> {
    let mut batch = Batch::new();
    batch.replace(&mut secret, tenant.now());
    batch.event(tenant.event(SERVICE, kind, secret.head.id, secret.told()));
    let view = seen(tenant, &secret).await?;
    tenant.commit(batch, view).await
}

/// Pins a secret to a version, or takes the pin away.
#[derive(Clone, Debug)]
pub struct PinSecret {
    /// The secret's name, whatever its case.
    pub name: String,
    /// The revision that the caller saw, where they said so.
    pub expected: Option<i64>,
    /// To what.
    pub pin: Pin,
}

impl Action for PinSecret {
    type Output = SecretView;

    async fn run(self, tenant: &Tenant) -> Result<SecretView, Fault> {
        let mut secret = named(tenant, &self.name).await?;
        expect(&secret, self.expected)?;
        let number = self.pin.version.unwrap_or(secret.latest);
        activate(&mut secret, number, "/version", tenant).await?;
        secret.pinned = self.pin.version.is_some();
        let kind = if secret.pinned { "secret.pinned" } else { "secret.unpinned" };
        changed(secret, kind, tenant).await
    }
}

/// Puts an earlier version into force, until a new one is made.
#[derive(Clone, Debug)]
pub struct RollBackSecret {
    /// The secret's name, whatever its case.
    pub name: String,
    /// The revision that the caller saw, where they said so.
    pub expected: Option<i64>,
    /// To what.
    pub to: RollBack,
}

impl Action for RollBackSecret {
    type Output = SecretView;

    async fn run(self, tenant: &Tenant) -> Result<SecretView, Fault> {
        let mut secret = named(tenant, &self.name).await?;
        expect(&secret, self.expected)?;
        activate(&mut secret, self.to.version, "/version", tenant).await?;
        secret.pinned = false;
        changed(secret, "secret.rolled_back", tenant).await
    }
}

/// Destroys a version that is not in force.
#[derive(Clone, Debug)]
pub struct DeleteVersion {
    /// The secret's name, whatever its case.
    pub name: String,
    /// The version.
    pub number: i64,
    /// The revision of the secret the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for DeleteVersion {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        let mut secret = named(tenant, &self.name).await?;
        expect(&secret, self.expected)?;
        if !secret.kept.contains(&self.number) {
            return Err(Fault::not_found(SecretVersion::TABLE.noun));
        }
        if secret.active == self.number {
            return Err(Fault::new(
                Code::InvalidState,
                "the version in force cannot be destroyed; put another into force first",
            ));
        }
        secret.kept.retain(|number| *number != self.number);
        let mut batch = Batch::new();
        batch.writes.push(removed(tenant, &secret, self.number));
        batch.replace(&mut secret, tenant.now());
        let told = serde_json::json!({"name": secret.name, "version": self.number});
        batch.event(tenant.event(SERVICE, "secret.version_removed", secret.head.id, told));
        tenant.commit(batch, ()).await
    }
}
