//! Versions of a function: read, listed, and forgotten when there are too many.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sl_store::{Batch, Entity as _, Fault, Filter, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_VERSIONS,
    entity::{Definition, Function, FunctionSource, FunctionVersion},
    limits::Limits,
    resource::FunctionView,
};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    resource::{self, Resource as _},
};

/// A version of a function as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FunctionVersionView {
    /// The function.
    pub function_id: Uuid,
    /// Which version of it, from 1.
    pub version: i64,
    /// Its name then.
    pub name: String,
    /// What it was for.
    pub description: String,
    /// Its source; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// SHA-256 of the source, in hex.
    pub source_sha256: String,
    /// The secrets its runs were given, by name.
    pub secrets: Vec<String>,
    /// What its runs could use.
    pub limits: Limits,
    /// Whether its runs shared what it held in globals.
    pub keep_context: bool,
    /// Who made the version.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

impl FunctionVersion {
    fn view(&self, source: Option<&str>) -> FunctionVersionView {
        let Definition { name, description, secrets, limits, keep_context } = self.definition.clone();
        FunctionVersionView {
            function_id: self.function_id,
            version: self.number,
            name,
            description,
            source: source.map(str::to_owned),
            source_sha256: self.source_sha256.clone(),
            secrets,
            limits,
            keep_context,
            created_by: self.created_by.clone(),
            created_at: self.head.created_at,
        }
    }
}

/// Reads a function with its source.
#[derive(Debug)]
pub struct FetchFunction(pub Uuid);

impl Action for FetchFunction {
    type Output = FunctionView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<FunctionView, Fault> {
        let store = &tenant.core.store;
        let mut function: Function = store.get(tenant.key(self.0)).await?;
        let source = store.get::<FunctionSource>(tenant.key(function.version_id)).await?;
        function.source = Some(source.text);
        Ok(function.seen(&tenant.core))
    }
}

/// A page of a function's versions, newest first.
#[derive(Debug)]
pub struct ListVersions {
    /// The function.
    pub function_id: Uuid,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListVersions {
    type Output = Page<FunctionVersionView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        tenant.core.store.get::<Function>(tenant.key(self.function_id)).await?;
        let of = vec![Filter::Equal("function_id", self.function_id.into())];
        resource::list::<FunctionVersion, _>(tenant, self.page, of, |version| version.view(None)).await
    }
}

/// Reads one version of a function with its source.
#[derive(Debug)]
pub struct FetchVersion {
    /// The function.
    pub function_id: Uuid,
    /// Which version of it, from 1.
    pub version: i64,
}

impl Action for FetchVersion {
    type Output = FunctionVersionView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<FunctionVersionView, Fault> {
        let found = find(tenant, self.function_id, self.version).await?;
        let version = found.ok_or_else(|| Fault::not_found(FunctionVersion::TABLE.noun))?;
        let source = tenant.core.store.get::<FunctionSource>(tenant.key(version.head.id)).await?;
        Ok(version.view(Some(&source.text)))
    }
}

/// A version of a function by its number.
pub(super) async fn find(
    tenant: &Tenant,
    function_id: Uuid,
    number: i64,
) -> Result<Option<FunctionVersion>, Fault> {
    let query = Query::of(tenant.account_id).equal("function_id", function_id).equal("number", number);
    tenant.core.store.first(query).await
}

/// Makes room for one version more where a function has as many as it may.
pub(super) async fn forget_oldest(
    function_id: Uuid,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let of = || vec![Filter::Equal("function_id", function_id.into())];
    let kept = tenant.settings.count(&MAX_VERSIONS);
    let there_are = tenant.core.store.count::<FunctionVersion>(Some(tenant.account_id), of()).await?;
    let surplus = usize::try_from((there_are + 1).saturating_sub(kept)).unwrap_or(usize::MAX);
    if surplus > 0 {
        batch.sweep::<FunctionVersion>(tenant.account_id, of(), surplus);
        batch.sweep::<FunctionSource>(tenant.account_id, of(), surplus);
    }
    Ok(())
}
