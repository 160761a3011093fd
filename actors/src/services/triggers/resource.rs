//! Triggers as tenants create, amend and see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sl_store::{Batch, Fault, Filter, Head};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY, MAX_TRIGGERS, admit, config,
    named::TriggerType,
    secret::TriggerSecret,
    trigger::{Shown, Trigger},
};
use crate::{
    action::Tenant,
    patch::given,
    resource::{Life, Resource},
    settings::Setting,
};

/// What creates a trigger.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrigger {
    /// The function it runs.
    pub function_id: Uuid,
    /// What makes it fire; `cron` unless told otherwise.
    #[serde(default, rename = "type")]
    pub kind: Option<TriggerType>,
    /// `cron`: a schedule as jobs have it, `*/5 * * * *` or `@every 90s`. `event`: a kind of event, a `*` at the end stands
    /// for anything. `webhook`: free text.
    #[serde(default)]
    #[schema(max_length = 512)]
    pub rule: Option<String>,
    /// What else there is to say. `cron`: `timezone`, `dst_gap`, `dst_fold`. `event`: `filter`, what must be equal
    /// (`subject`, `service`, `actor`, or parts of the data by JSON Pointer). `webhook`: `scheme`, `schema` (JSON Schema of the
    /// payload), `secret` (kept sealed, never answered). Other members are kept as labels, and are texts.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub config: Option<Map<String, Value>>,
    /// Whether it fires by itself; `true` unless told otherwise.
    pub enabled: Option<bool>,
}

/// What amends a trigger; absent fields stay as they are. Its type stays.
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendTrigger {
    /// The function it runs.
    pub function_id: Option<Uuid>,
    /// When exactly it fires.
    #[schema(max_length = 512)]
    pub rule: Option<String>,
    /// What else there is to say: members that are given replace those of that name, a `null` takes one away, the others
    /// stay (RFC 7396, one level deep). `null` for the whole takes all of them away. A webhook's `secret` replaces its
    /// secret.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    pub config: Option<Option<Map<String, Value>>>,
    /// Whether it fires by itself.
    pub enabled: Option<bool>,
}

/// What a list of triggers is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerFilters {
    /// Only those of this type.
    #[serde(rename = "type")]
    pub kind: Option<TriggerType>,
    /// Only those of this function.
    pub function_id: Option<Uuid>,
    /// Only those that are enabled, or that are not.
    pub enabled: Option<bool>,
}

/// A trigger as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TriggerView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The function it runs.
    pub function_id: Uuid,
    /// What makes it fire.
    #[serde(rename = "type")]
    pub kind: TriggerType,
    /// When exactly.
    pub rule: String,
    /// What else there is to say.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Whether it fires by itself.
    pub enabled: bool,
    /// `active`, `disabled` or `paused`.
    pub status: &'static str,
    /// The path of a webhook's URL on this daemon; only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// A webhook's secret; only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Resource for Trigger {
    const SERVICE: &'static str = "triggers";
    const LIFE: Life =
        Life { created: "trigger.created", amended: "trigger.amended", removed: "trigger.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_TRIGGERS);

    type New = NewTrigger;
    type Patch = AmendTrigger;
    type View = TriggerView;
    type Filters = TriggerFilters;

    async fn admit(new: NewTrigger, tenant: &Tenant, batch: &mut Batch) -> Result<Self, Fault> {
        let kind = new.kind.unwrap_or(TriggerType::Cron);
        let mut config = Map::new();
        config::merge(&mut config, Some(new.config.unwrap_or_default()));
        let secret = admit::take_secret(kind, &mut config)?;
        config::settle(kind, &mut config);
        let mut made = Self {
            head: Head::new(tenant.account_id, tenant.next_id(), tenant.now()),
            function_id: new.function_id,
            kind,
            rule: new.rule.unwrap_or_default().trim().to_owned(),
            config,
            enabled: new.enabled.unwrap_or(true),
            token_hash: None,
            shown: Shown::default(),
        };
        config::check(&made)?;
        admit::check_function(&made, tenant).await?;
        match kind {
            TriggerType::Cron => admit::arm_schedule(&made, tenant, batch).await?,
            TriggerType::Event => {}
            TriggerType::Webhook => admit::arm_webhook(&mut made, secret, tenant, batch),
        }
        Ok(made)
    }

    async fn amend(&mut self, patch: AmendTrigger, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let before = self.clone();
        self.function_id = patch.function_id.unwrap_or(self.function_id);
        self.rule = patch.rule.map_or_else(|| std::mem::take(&mut self.rule), |rule| rule.trim().to_owned());
        self.enabled = patch.enabled.unwrap_or(self.enabled);
        let mut secret = None;
        if let Some(config) = patch.config {
            config::merge(&mut self.config, config);
            secret = admit::take_secret(self.kind, &mut self.config)?;
            config::settle(self.kind, &mut self.config);
        }
        config::check(self)?;
        // Whoever names no function may change and disable what runs one that was removed.
        if patch.function_id.is_some() || (self.enabled && !before.enabled) {
            admit::check_function(self, tenant).await?;
        }
        let same_slots =
            (&before.rule, &before.config, before.enabled) == (&self.rule, &self.config, self.enabled);
        match (self.kind, secret) {
            (TriggerType::Cron, _) if same_slots => Ok(()),
            (TriggerType::Cron, _) => admit::arm_schedule(self, tenant, batch).await,
            (TriggerType::Event, _) => Ok(()),
            (TriggerType::Webhook, None) => admit::keep_secret(self, tenant).await,
            (TriggerType::Webhook, Some(secret)) => {
                let now = tenant.now();
                TriggerSecret::replace(tenant, self.head.id, &secret, now, batch).await
            }
        }
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        admit::sweep(tenant.account_id, self.head.id, batch);
        Ok(())
    }

    fn view(&self) -> TriggerView {
        TriggerView {
            id: self.head.id,
            account_id: self.head.account_id,
            function_id: self.function_id,
            kind: self.kind,
            rule: self.rule.clone(),
            config: self.config.clone(),
            enabled: self.enabled,
            status: self.status(),
            webhook_url: self.shown.token.as_ref().map(|token| format!("/hooks/{token}")),
            secret: self.shown.secret.clone(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn pausable(view: &mut TriggerView) -> Option<(&'static str, &mut &'static str)> {
        Some((DUTY, &mut view.status))
    }

    fn conditions(filters: TriggerFilters) -> Result<Vec<Filter>, Fault> {
        let kind = filters.kind.map(|kind| Filter::Equal("type", kind.as_str().into()));
        let function = filters.function_id.map(|id| Filter::Equal("function_id", id.into()));
        let enabled = filters.enabled.map(|enabled| Filter::Equal("enabled", enabled.into()));
        Ok(kind.into_iter().chain(function).chain(enabled).collect())
    }

    fn told(&self) -> Value {
        json!({"type": self.kind, "function_id": self.function_id, "enabled": self.enabled})
    }
}
