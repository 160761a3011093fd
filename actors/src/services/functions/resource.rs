//! Functions as tenants create, amend and see them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Fault, Filter, Head, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_FUNCTIONS, MAX_VERSIONS,
    entity::{Definition, Function, FunctionSource, FunctionVersion},
    limits::Limits,
    rules, versions,
};
use crate::{
    Core,
    action::Tenant,
    patch::{changed, given, or_usual},
    resource::{Life, Resource},
    services::executions,
    settings::Setting,
};

/// So many functions are read at a time.
const PAGE: usize = 200;

/// What creates a function.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFunction {
    /// Its name, 1 to 128 characters; unique in the account whatever the case.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// JavaScript: an ES module with a default export `(params, context) => ...`, or one expression that gives
    /// `function (params, secrets)`. Async is allowed.
    pub source: String,
    /// What it is for, up to 2,000 characters.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: String,
    /// The secrets its runs are given, by name; each must exist.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Vec<String>>)]
    pub secrets: Vec<String>,
    /// What its runs may use, within the account's bounds.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<Limits>)]
    pub limits: Limits,
    /// Whether its runs share what it holds in globals, while its host lives. Faster; off unless asked for.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<bool>)]
    pub keep_context: bool,
}

/// What amends a function; absent fields stay as they are. Every amendment that changes something makes a new version.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
pub struct AmendFunction {
    /// Takes source, secrets, limits and `keep_context` from this earlier version; other fields given beside it hold.
    #[schema(minimum = 1)]
    pub rollback_to: Option<i64>,
    /// Its name, 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// JavaScript, as at creation.
    pub source: Option<String>,
    /// What it is for, up to 2,000 characters; null for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 2000, value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// The secrets its runs are given; replaces all. Null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub secrets: Option<Option<Vec<String>>>,
    /// What its runs may use; replaces all. Null for what is usual.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Limits>)]
    pub limits: Option<Option<Limits>>,
    /// Whether its runs share what it holds in globals; null for no.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    pub keep_context: Option<Option<bool>>,
}

/// What a list of functions is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionFilters {
    /// Only the one of this name, whatever the case.
    pub name: Option<String>,
}

/// A function as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FunctionView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `active`, or `paused` while a pause holds its runs back.
    pub status: &'static str,
    /// Its source; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The secrets its runs are given, by name.
    pub secrets: Vec<String>,
    /// What its runs may use; what is not named is the account's bound.
    pub limits: Limits,
    /// Whether its runs share what it holds in globals.
    pub keep_context: bool,
    /// Counts the changes from 1; each is kept as an immutable version of this number.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Function {
    /// Adds the version that this change makes, and forgets the oldest where there are too many.
    async fn record(
        &mut self,
        source: Arc<str>,
        number: i64,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        self.version_id = head.id;
        batch.insert(&FunctionVersion {
            head,
            function_id: self.head.id,
            number,
            definition: self.definition.clone(),
            source_sha256: hex::encode(Sha256::digest(source.as_bytes())),
            created_by: tenant.caller.actor.clone(),
        });
        batch.insert(&FunctionSource { head, function_id: self.head.id, text: source.clone() });
        self.source = Some(source);
        if number > 1 {
            versions::forget_oldest(self.head.id, tenant, batch).await?;
        }
        Ok(())
    }
}

impl Resource for Function {
    const SERVICE: &'static str = "functions";
    const LIFE: Life =
        Life { created: "function.created", amended: "function.amended", removed: "function.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_FUNCTIONS);

    type New = NewFunction;
    type Patch = AmendFunction;
    type View = FunctionView;
    type Filters = FunctionFilters;

    async fn admit(new: NewFunction, tenant: &Tenant, batch: &mut Batch) -> Result<Self, Fault> {
        let definition = Definition {
            name: new.name.trim().to_owned(),
            description: new.description,
            secrets: distinct(new.secrets),
            limits: new.limits,
            keep_context: new.keep_context,
        };
        rules::check(&definition, Some(&new.source), tenant).await?;
        rules::compile(&new.source, tenant).await?;
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let mut made = Self { head, definition, version_id: head.id, source: None };
        made.record(new.source.into(), 1, tenant, batch).await?;
        Ok(made)
    }

    async fn amend(&mut self, patch: AmendFunction, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        tenant.core.functions.changing(self.head.key());
        let (before, mut from) = (self.definition.clone(), self.version_id);
        if let Some(number) = patch.rollback_to {
            let earlier = versions::find(tenant, self.head.id, number).await?.ok_or_else(|| {
                Fault::field("/rollback_to", "missing", format!("there is no version {number} of it"))
            })?;
            from = earlier.head.id;
            self.definition.roll_back(earlier.definition);
        }
        let definition = &mut self.definition;
        let take = std::mem::take::<String>;
        definition.name =
            patch.name.map_or_else(|| take(&mut definition.name), |name| name.trim().to_owned());
        let described = take(&mut definition.description);
        definition.description = changed(patch.description, described, String::new());
        let named = std::mem::take(&mut definition.secrets);
        definition.secrets = distinct(changed(patch.secrets, named, Vec::new()));
        definition.limits = changed(patch.limits, definition.limits, Limits::default());
        definition.keep_context = changed(patch.keep_context, definition.keep_context, false);
        rules::check(definition, patch.source.as_deref(), tenant).await?;
        let text = async |version| {
            Ok::<_, Fault>(tenant.core.store.get::<FunctionSource>(tenant.key(version)).await?.text)
        };
        let current = text(self.version_id).await?;
        let source: Arc<str> = match patch.source {
            Some(source) if source == *current => current.clone(),
            Some(source) => {
                rules::compile(&source, tenant).await?;
                source.into()
            }
            None if from == self.version_id => current.clone(),
            None => text(from).await?,
        };
        if self.definition == before && source == current {
            self.source = Some(source);
            return Ok(());
        }
        self.record(source, self.head.version + 1, tenant, batch).await
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        tenant.core.functions.changing(self.head.key());
        let of = || vec![Filter::Equal("function_id", self.head.id.into())];
        let most = usize::try_from(MAX_VERSIONS.max).unwrap_or(usize::MAX);
        batch.sweep::<FunctionVersion>(tenant.account_id, of(), most);
        batch.sweep::<FunctionSource>(tenant.account_id, of(), most);
        executions::cancel_queued(tenant, self.head.id, batch).await
    }

    fn view(&self) -> FunctionView {
        let Definition { name, description, secrets, limits, keep_context } = self.definition.clone();
        FunctionView {
            id: self.head.id,
            account_id: self.head.account_id,
            name,
            description,
            status: "active",
            source: self.source.as_deref().map(str::to_owned),
            secrets,
            limits,
            keep_context,
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn pausable(view: &mut FunctionView) -> Option<(&'static str, &mut &'static str)> {
        Some((executions::DUTY, &mut view.status))
    }

    fn conditions(filters: FunctionFilters) -> Result<Vec<Filter>, Fault> {
        let name = filters.name.map(|name| Filter::Equal("name_key", Self::name_key(&name).into()));
        Ok(name.into_iter().collect())
    }

    fn told(&self) -> Value {
        json!({"name": self.definition.name, "version": self.head.version})
    }
}

impl Definition {
    /// Takes what an earlier version's code needs; name and description stay.
    fn roll_back(&mut self, earlier: Self) {
        let Self { secrets, limits, keep_context, .. } = earlier;
        (self.secrets, self.limits, self.keep_context) = (secrets, limits, keep_context);
    }
}

/// The names in the order given, each once.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// The functions of an account that name each of these secrets, whatever the case.
pub(super) fn secret_users<'a>(
    core: &'a Core,
    account: Uuid,
    secrets: &'a [String],
) -> BoxFuture<'a, Result<BTreeMap<String, Vec<String>>, Fault>> {
    Box::pin(async move {
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut after = None;
        loop {
            let query = Query::of(account).oldest_first().after(after).limit(PAGE);
            let page: Vec<Function> = core.store.list(query).await?;
            let Some(last) = page.last() else { return Ok(users) };
            after = Some(last.head.id);
            for Definition { name, secrets: named, .. } in page.iter().map(|function| &function.definition) {
                for secret in
                    secrets.iter().filter(|secret| named.iter().any(|n| n.eq_ignore_ascii_case(secret)))
                {
                    users.entry(secret.clone()).or_default().push(name.clone());
                }
            }
        }
    })
}
