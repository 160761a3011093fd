//! Webhooks as tenants create, amend and see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Fault, Filter, Head};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DUTY, MAX_WEBHOOKS, NAME, secrets::Secrets, webhook::Webhook};
use crate::{
    action::Tenant,
    check::Check,
    patch::or_usual,
    resource::{Life, Resource},
    settings::Setting,
};

/// How many kinds a webhook may name.
const KINDS: usize = 50;
/// How long one may be.
const KIND: usize = 100;
/// How long a URL may be.
const URL: usize = 2_048;

fn every_kind() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What creates a webhook.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where it tells: an absolute `http` or `https` URL that can be reached from here.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The kinds of event it tells, `function.created`; a `*` at the end stands for any ending. Every kind unless told
    /// otherwise.
    #[serde(default = "every_kind")]
    #[schema(min_items = 1, max_items = 50)]
    pub kinds: Vec<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub description: String,
    /// Whether it tells anything; `true` unless told otherwise.
    pub enabled: Option<bool>,
}

/// What amends a webhook; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendWebhook {
    /// Where it tells.
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// The kinds of event it tells.
    #[schema(min_items = 1, max_items = 50)]
    pub kinds: Option<Vec<String>>,
    /// What it is for.
    #[schema(max_length = 1024)]
    pub description: Option<String>,
    /// Whether it tells anything.
    pub enabled: Option<bool>,
}

/// What a list of webhooks is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookFilters {
    /// Only those that are enabled, or that are not.
    pub enabled: Option<bool>,
}

/// A webhook as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// Where it tells.
    pub url: String,
    /// The kinds of event it tells.
    pub kinds: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Whether it tells anything.
    pub enabled: bool,
    /// `active`, `disabled` or `paused`.
    pub status: &'static str,
    /// Why the service has disabled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// The secret its requests are signed with; only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

fn check(webhook: &Webhook, tenant: &Tenant) -> Result<(), Fault> {
    let mut check = Check::new();
    check.text("/url", &webhook.url, 1..=URL).text("/description", &webhook.description, 0..=1_024);
    if let Err(error) = tenant.core.egress.admit(&webhook.url) {
        check.broken("/url", "url", error.to_string());
    }
    if !(1..=KINDS).contains(&webhook.kinds.len()) {
        let detail = format!("must have 1 to {KINDS} entries, not {}", webhook.kinds.len());
        check.broken("/kinds", "entries", detail);
    }
    for (index, kind) in webhook.kinds.iter().enumerate().take(KINDS) {
        let pointer = format!("/kinds/{index}");
        check.text(&pointer, kind, 1..=KIND);
        let start = kind.strip_suffix('*').unwrap_or(kind);
        if !start
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte))
        {
            let detail = "must be a kind of event such as function.created; a * stands at the end only";
            check.broken(&pointer, "pattern", detail);
        }
    }
    check.finish()
}

impl Resource for Webhook {
    const SERVICE: &'static str = NAME;
    const LIFE: Life =
        Life { created: "webhook.created", amended: "webhook.amended", removed: "webhook.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_WEBHOOKS);

    type New = NewWebhook;
    type Patch = AmendWebhook;
    type View = WebhookView;
    type Filters = WebhookFilters;

    async fn admit(new: NewWebhook, tenant: &Tenant, _batch: &mut Batch) -> Result<Self, Fault> {
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let secrets = Secrets::new(&tenant.core);
        let made = Self {
            sealed: secrets.seal(&tenant.core, head.key()),
            head,
            url: new.url,
            description: new.description,
            kinds: new.kinds,
            enabled: new.enabled.unwrap_or(true),
            disabled_reason: None,
            term: 1,
            shown: Some(secrets.shown()),
        };
        check(&made, tenant).map(|()| made)
    }

    async fn amend(&mut self, patch: AmendWebhook, tenant: &Tenant, _batch: &mut Batch) -> Result<(), Fault> {
        self.url = patch.url.unwrap_or_else(|| std::mem::take(&mut self.url));
        self.kinds = patch.kinds.unwrap_or_else(|| std::mem::take(&mut self.kinds));
        self.description = patch.description.unwrap_or_else(|| std::mem::take(&mut self.description));
        if let Some(enabled) = patch.enabled {
            self.enable(enabled);
        }
        check(self, tenant)
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        super::actions::sweep(tenant.account_id, self.head.id, batch);
        Ok(())
    }

    fn view(&self) -> WebhookView {
        WebhookView {
            id: self.head.id,
            account_id: self.head.account_id,
            url: self.url.clone(),
            kinds: self.kinds.clone(),
            description: self.description.clone(),
            enabled: self.enabled,
            status: self.status(),
            disabled_reason: self.disabled_reason.clone(),
            secret: self.shown.clone(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn pausable(view: &mut WebhookView) -> Option<(&'static str, &mut &'static str)> {
        Some((DUTY, &mut view.status))
    }

    fn conditions(filters: WebhookFilters) -> Result<Vec<Filter>, Fault> {
        Ok(filters.enabled.map(|enabled| Filter::Equal("listens", enabled.into())).into_iter().collect())
    }

    /// Not the URL: some hold a secret.
    fn told(&self) -> Value {
        json!({"kinds": self.kinds, "enabled": self.enabled})
    }
}
