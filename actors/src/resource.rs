//! Create, fetch, list, amend and remove, once for every entity that the API can create and amend.

use std::{future::Future, marker::PhantomData};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sl_store::{Batch, Code, Entity, Fault, Filter, Query};
use uuid::Uuid;

use crate::{
    Core,
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    settings::Setting,
};

/// The kinds of event a resource's life consists of.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// `function.created`.
    pub created: &'static str,
    /// `function.amended`.
    pub amended: &'static str,
    /// `function.removed`.
    pub removed: &'static str,
}

/// An entity that tenants create and amend: its admission rules and its public face.
pub trait Resource: Entity {
    /// The service it belongs to: `functions`.
    const SERVICE: &'static str;
    /// What its events are called.
    const LIFE: Life;
    /// How many an account may have.
    const QUOTA: Option<&'static Setting> = None;

    /// What creates one.
    type New: Send + 'static;
    /// What amends one.
    type Patch: Send + 'static;
    /// What is answered.
    type View: Serialize + Send + 'static;
    /// What a list can be narrowed by besides time.
    type Filters: Send + Default + 'static;

    /// Checks a new one and makes it; what else must be written with it goes into the batch.
    fn admit(
        new: Self::New,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> impl Future<Output = Result<Self, Fault>> + Send;

    /// Checks a change and makes it; what else must be written with it goes into the batch.
    fn amend(
        &mut self,
        patch: Self::Patch,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Checks a removal; what else must go goes into the batch.
    fn retire(&self, _tenant: &Tenant, _batch: &mut Batch) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Ok(()) }
    }

    /// The public face; no secrets.
    fn view(&self) -> Self::View;

    /// The duty that acts for one, and the status in its public face, where a pause shows there.
    fn pausable(_view: &mut Self::View) -> Option<(&'static str, &mut &'static str)> {
        None
    }

    /// The public face as of now: what would be active is `paused` while a pause holds it back.
    fn seen(&self, core: &Core) -> Self::View {
        let mut view = self.view();
        if let Some((duty, status)) = Self::pausable(&mut view) {
            *status = core.standing(duty, self.head(), status);
        }
        view
    }

    /// The conditions of a list.
    fn conditions(_filters: Self::Filters) -> Result<Vec<Filter>, Fault> {
        Ok(Vec::new())
    }

    /// What its events say besides the kind; no secrets.
    fn told(&self) -> Value {
        json!({})
    }
}

/// Creates one.
#[derive(Debug)]
pub struct Create<R: Resource>(pub R::New);

impl<R: Resource> Action for Create<R> {
    type Output = R::View;

    async fn run(self, tenant: &Tenant) -> Result<R::View, Fault> {
        let mut batch = Batch::new();
        let made = create::<R>(self.0, tenant, &mut batch).await?;
        tenant.commit(batch, made.seen(&tenant.core)).await
    }
}

/// Adds a new one to a batch, with its event and the guard of its quota.
///
/// # Errors
/// As [`Resource::admit`]; on commit [`Code::QuotaExceeded`].
pub async fn create<R: Resource>(new: R::New, tenant: &Tenant, batch: &mut Batch) -> Result<R, Fault> {
    let made = R::admit(new, tenant, batch).await?;
    batch.insert(&made);
    if let Some(quota) = R::QUOTA {
        batch.at_most::<R>(tenant.account_id, Vec::new(), tenant.settings.count(quota), quota.name);
    }
    batch.event(tenant.event(R::SERVICE, R::LIFE.created, made.head().id, made.told()));
    Ok(made)
}

/// Reads one.
#[derive(Debug)]
pub struct Fetch<R: Resource>(Uuid, PhantomData<fn() -> R>);

impl<R: Resource> Fetch<R> {
    /// Reads the one of this id.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id, PhantomData)
    }
}

impl<R: Resource> Action for Fetch<R> {
    type Output = R::View;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<R::View, Fault> {
        tenant.core.store.get::<R>(tenant.key(self.0)).await.map(|found| found.seen(&tenant.core))
    }
}

/// A page of them, newest first.
#[derive(Debug)]
pub struct List<R: Resource> {
    /// Which page.
    pub page: PageRequest,
    /// Narrowed by.
    pub filters: R::Filters,
}

impl<R: Resource> Action for List<R> {
    type Output = Page<R::View>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let filters = R::conditions(self.filters)?;
        list::<R, _>(tenant, self.page, filters, |found| found.seen(&tenant.core)).await
    }
}

/// A page of an account's rows, newest first, each seen through `view`.
///
/// # Errors
/// [`Code::Malformed`] where the cursor is not one of ours.
pub async fn list<E: Entity, V>(
    tenant: &Tenant,
    page: PageRequest,
    filters: Vec<Filter>,
    view: impl Fn(&E) -> V,
) -> Result<Page<V>, Fault> {
    let mut query = Query::of(tenant.account_id);
    query.filters = filters;
    query.filters.extend(page.times());
    query.after = page.position(tenant, E::TABLE.name)?;
    query.limit = page.limit + 1;
    let mut rows = tenant.core.store.list::<E>(query).await?;
    let more = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next = rows.last().filter(|_| more).map(|last| last.head().id);
    let next_cursor = next.map(|id| PageRequest::mark(tenant, E::TABLE.name, id.as_bytes()));
    Ok(Page { items: rows.iter().map(view).collect(), next_cursor })
}

/// Changes one. Where nothing would be other than it is, it is answered as it is.
#[derive(Debug)]
pub struct Amend<R: Resource> {
    /// Which.
    pub id: Uuid,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
    /// The change.
    pub patch: R::Patch,
}

impl<R: Resource> Action for Amend<R> {
    type Output = R::View;

    async fn run(self, tenant: &Tenant) -> Result<R::View, Fault> {
        let mut found: R = tenant.core.store.get(tenant.key(self.id)).await?;
        expect_version(&found, self.expected)?;
        let mut batch = Batch::new();
        amend(&mut found, self.patch, tenant, &mut batch).await?;
        tenant.commit(batch, found.seen(&tenant.core)).await
    }
}

/// Adds a change to a batch, with its event. One that leaves everything as it is adds nothing: the version stays.
///
/// # Errors
/// As [`Resource::amend`].
pub(crate) async fn amend<R: Resource>(
    found: &mut R,
    patch: R::Patch,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let before = found.encode();
    found.amend(patch, tenant, batch).await?;
    if batch.is_empty() && before == found.encode() {
        return Ok(());
    }
    batch.replace(found, tenant.now());
    batch.event(tenant.event(R::SERVICE, R::LIFE.amended, found.head().id, found.told()));
    Ok(())
}

/// Removes one.
#[derive(Debug)]
pub struct Remove<R: Resource> {
    id: Uuid,
    expected: Option<i64>,
    of: PhantomData<fn() -> R>,
}

impl<R: Resource> Remove<R> {
    /// Removes the one of this id, at this version where the caller named one.
    #[must_use]
    pub const fn new(id: Uuid, expected: Option<i64>) -> Self {
        Self { id, expected, of: PhantomData }
    }
}

impl<R: Resource> Action for Remove<R> {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        let found: R = tenant.core.store.get(tenant.key(self.id)).await?;
        expect_version(&found, self.expected)?;
        let mut batch = Batch::new();
        found.retire(tenant, &mut batch).await?;
        batch.remove(&found);
        batch.event(tenant.event(R::SERVICE, R::LIFE.removed, self.id, found.told()));
        tenant.commit(batch, ()).await
    }
}

/// Refuses a change that was meant for another version (`If-Match`).
///
/// # Errors
/// [`Code::VersionMismatch`] naming both versions.
pub fn expect_version<E: Entity>(found: &E, expected: Option<i64>) -> Result<(), Fault> {
    let version = found.head().version;
    match expected {
        Some(expected) if expected != version => Err(Fault::new(
            Code::VersionMismatch,
            format!("the {} is at version {version}, not {expected}", E::TABLE.noun),
        )),
        _ => Ok(()),
    }
}

/// Reads a time a list is narrowed by.
pub(crate) fn time_filters(since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Vec<Filter> {
    let since = since.map(|since| Filter::Since("created_at", since));
    let until = until.map(|until| Filter::Before("created_at", until));
    since.into_iter().chain(until).collect()
}
