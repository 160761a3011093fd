//! What can be done with secrets.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sl_store::{Batch, Code, Entity as _, Expect, Fault, Head, Query, Write};

use super::{
    KEPT_VERSIONS, MAX_SECRETS, NewSecret, NewValue, Secret, SecretVersion, SecretView, VALUE_SIZE, rules,
    sealed::{Place, Sealed},
};
use crate::{
    action::{Action, Order, Tenant},
    check::Check,
    page::{Page, PageRequest},
    resource, services,
};

pub(super) const SERVICE: &str = "secrets";

impl Secret {
    pub(super) fn place(&self, number: i64) -> Place<'_> {
        Place { account: self.head.account_id, secret: self.head.id, name_key: &self.name_key, number }
    }

    pub(super) fn told(&self) -> Value {
        json!({"name": self.name, "version": self.active, "latest_version": self.latest, "pinned": self.pinned})
    }

    pub(super) fn version(&self, number: i64, sealed: &Sealed, head: Head) -> SecretVersion {
        SecretVersion {
            head,
            secret_id: self.head.id,
            number,
            key_id: sealed.key_id.clone(),
            envelope: sealed.envelope.clone(),
        }
    }
}

/// The secret of a name, whatever its case.
pub(super) async fn named(tenant: &Tenant, name: &str) -> Result<Secret, Fault> {
    let missing = || Fault::not_found(Secret::TABLE.noun);
    if !rules::is_name(name) {
        return Err(missing());
    }
    let query = Query::of(tenant.account_id).equal("name_key", rules::name_key(name));
    tenant.core.store.first(query).await?.ok_or_else(missing)
}

/// Refuses a change that was meant for another revision (`If-Match`).
pub(super) fn expect(secret: &Secret, expected: Option<i64>) -> Result<(), Fault> {
    match expected {
        Some(expected) if expected != secret.head.version => Err(Fault::new(
            Code::VersionMismatch,
            format!("the secret is at revision {}, not {expected}", secret.head.version),
        )),
        _ => Ok(()),
    }
}

/// Who names each of these secrets.
pub(super) async fn users(
    tenant: &Tenant,
    secrets: &[Secret],
) -> Result<BTreeMap<String, Vec<String>>, Fault> {
    let names: Vec<String> = secrets.iter().map(|secret| secret.name_key.clone()).collect();
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tell in services::ALL.iter().filter_map(|service| service.secret_users) {
        for (name, by) in tell(&tenant.core, tenant.account_id, &names).await? {
            users.entry(rules::name_key(&name)).or_default().extend(by);
        }
    }
    Ok(users)
}

pub(super) async fn seen(tenant: &Tenant, secret: &Secret) -> Result<SecretView, Fault> {
    let mut users = users(tenant, std::slice::from_ref(secret)).await?;
    Ok(secret.view(users.remove(&secret.name_key).unwrap_or_default()))
}

/// Creates a secret; its value is version 1.
#[derive(Clone, Debug)]
pub struct CreateSecret(pub NewSecret);

impl Action for CreateSecret {
    type Output = SecretView;

    async fn run(self, tenant: &Tenant) -> Result<SecretView, Fault> {
        let NewSecret { name, value } = self.0;
        let mut check = Check::new();
        rules::check_name(&mut check, &name);
        rules::check_value(&mut check, &value, tenant.settings.size(&VALUE_SIZE));
        check.finish()?;
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let name_key = rules::name_key(&name);
        let place = Place { account: head.account_id, secret: head.id, name_key: &name_key, number: 1 };
        let sealed = place.seal(&tenant.core, &value);
        let Sealed { key_id, envelope } = &sealed;
        let secret = Secret {
            head,
            name,
            active: 1,
            latest: 1,
            pinned: false,
            kept: vec![1],
            key_id: key_id.clone(),
            envelope: envelope.clone(),
            name_key,
        };
        let first = Head::new(tenant.account_id, SecretVersion::id_of(head.id, 1), tenant.now());
        let mut batch = Batch::new();
        batch.insert(&secret).insert(&secret.version(1, &sealed, first));
        let most = tenant.settings.count(&MAX_SECRETS);
        batch.at_most::<Secret>(tenant.account_id, Vec::new(), most, MAX_SECRETS.name);
        batch.event(tenant.event(SERVICE, "secret.created", head.id, secret.told()));
        let view = seen(tenant, &secret).await?;
        tenant.commit(batch, view).await
    }
}

/// Reads what is known of a secret; never its value.
#[derive(Clone, Debug)]
pub struct FetchSecret {
    /// Its name, whatever its case.
    pub name: String,
}

impl Action for FetchSecret {
    type Output = SecretView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<SecretView, Fault> {
        let secret = named(tenant, &self.name).await?;
        seen(tenant, &secret).await
    }
}

/// A page of the account's secrets, newest first.
#[derive(Clone, Debug)]
pub struct ListSecrets(pub PageRequest);

impl Action for ListSecrets {
    type Output = Page<SecretView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let page = resource::list(tenant, self.0, Vec::new(), Secret::clone).await?;
        let mut users = users(tenant, &page.items).await?;
        let items = page.items.iter().map(|secret| {
            let by = users.remove(&secret.name_key).unwrap_or_default();
            secret.view(by)
        });
        Ok(Page { items: items.collect(), next_cursor: page.next_cursor })
    }
}

/// Makes a new version of a secret, which comes into force unless the secret is pinned.
#[derive(Clone, Debug)]
pub struct PutSecret {
    /// The secret's name, whatever its case.
    pub name: String,
    /// The revision that the caller saw, where they said so.
    pub expected: Option<i64>,
    /// The value.
    pub new: NewValue,
}

impl Action for PutSecret {
    type Output = SecretView;

    async fn run(self, tenant: &Tenant) -> Result<SecretView, Fault> {
        let mut check = Check::new();
        rules::check_value(&mut check, &self.new.value, tenant.settings.size(&VALUE_SIZE));
        check.finish()?;
        let mut secret = named(tenant, &self.name).await?;
        expect(&secret, self.expected)?;
        let number = secret.latest + 1;
        let sealed = secret.place(number).seal(&tenant.core, &self.new.value);
        secret.latest = number;
        if !secret.pinned {
            secret.active = number;
            secret.key_id.clone_from(&sealed.key_id);
            secret.envelope.clone_from(&sealed.envelope);
        }
        let most = tenant.settings.size(&KEPT_VERSIONS);
        let gone = rules::keep(&mut secret.kept, number, secret.active, most);
        let head = Head::new(tenant.account_id, SecretVersion::id_of(secret.head.id, number), tenant.now());
        let mut batch = Batch::new();
        batch.replace(&mut secret, tenant.now());
        batch.insert(&secret.version(number, &sealed, head));
        for old in gone {
            batch.writes.push(removed(tenant, &secret, old));
        }
        batch.event(tenant.event(SERVICE, "secret.changed", secret.head.id, secret.told()));
        let view = seen(tenant, &secret).await?;
        tenant.commit(batch, view).await
    }
}

pub(super) fn removed(tenant: &Tenant, secret: &Secret, number: i64) -> Write {
    let key = tenant.key(SecretVersion::id_of(secret.head.id, number));
    Write::Remove { table: SecretVersion::TABLE, key, expect: Expect::Any }
}

/// Deletes a secret and every version of it. Runs of functions that name it fail from now on.
#[derive(Clone, Debug)]
pub struct DeleteSecret {
    /// Its name, whatever its case.
    pub name: String,
    /// The revision that the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for DeleteSecret {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        let secret = named(tenant, &self.name).await?;
        expect(&secret, self.expected)?;
        let mut batch = Batch::new();
        batch.remove(&secret);
        for number in &secret.kept {
            batch.writes.push(removed(tenant, &secret, *number));
        }
        batch.event(tenant.event(SERVICE, "secret.removed", secret.head.id, secret.told()));
        tenant.commit(batch, ()).await
    }
}
