//! Sources as tenants create, amend and see them.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Entity as _, Expect, Fault, Filter, Head, Write};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_SOURCES, NAME, dispatch,
    rate::{OracleGate, Rate},
    source::{Confidential, OracleSource, ResultType, SourceKind},
};
use crate::{
    action::{Action, Tenant},
    check::Check,
    egress::headers,
    exact,
    resource::{Life, Resource},
    settings::{Setting, read_duration, write_duration},
};

/// How long a source may take where it does not say, and how long at least and at most.
const TIMEOUT: (Duration, Duration, Duration) =
    (Duration::from_secs(10), Duration::from_millis(100), Duration::from_mins(1));
/// How long the body of a source may be.
const BODY: usize = 65_536;

/// What creates an oracle source.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOracleSource {
    /// Its name, 1 to 128 characters; unique in the account whatever the case.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
    /// An absolute `http` or `https` URL.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: String,
    /// `GET` (the default), `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`; an external adapter is always asked by `POST`.
    pub method: Option<String>,
    /// What it is for, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub description: String,
    /// Headers that are sent, like an API key; sealed, and never answered.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is sent where a request has no payload, up to 64 KiB.
    pub body: Option<String>,
    /// How it is spoken to.
    #[serde(default)]
    pub kind: SourceKind,
    /// A JSONPath (RFC 9535) to the one result in the response; without one the result is the whole response, of an
    /// external adapter its `result`.
    #[schema(max_length = 256)]
    pub result_path: Option<String>,
    /// What the result is.
    #[serde(default)]
    pub result_type: ResultType,
    /// How long it may take: `10s` (the default), 100 ms to 60 s.
    pub timeout: Option<String>,
    /// How often it is asked at most, over all requests and daemons: `10/s`, `60/m`, `1000/h`.
    pub rate_limit: Option<String>,
    /// Whether it can be asked; it can unless said otherwise.
    pub enabled: Option<bool>,
}

/// What amends an oracle source; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AmendOracleSource)]
pub struct AmendSource {
    /// Its name.
    #[schema(min_length = 1, max_length = 128)]
    pub name: Option<String>,
    /// What is asked.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: Option<String>,
    /// By which method.
    pub method: Option<String>,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Headers that are sent; replaces all.
    pub headers: Option<BTreeMap<String, String>>,
    /// What is sent where a request has no payload; an empty one is none.
    pub body: Option<String>,
    /// Where the result stands; an empty one is none.
    #[schema(max_length = 256)]
    pub result_path: Option<String>,
    /// What the result is.
    pub result_type: Option<ResultType>,
    /// How long it may take.
    pub timeout: Option<String>,
    /// How often it is asked at most; an empty one is none.
    pub rate_limit: Option<String>,
    /// Whether it can be asked.
    pub enabled: Option<bool>,
}

/// What a list of oracle sources is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OracleSourceFilters)]
pub struct SourceFilters {
    /// Only the one of this name, whatever the case.
    pub name: Option<String>,
    /// Only those that can be asked, or only those that cannot.
    pub enabled: Option<bool>,
}

/// An oracle source as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OracleSourceView)]
pub struct SourceView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How it is spoken to.
    pub kind: SourceKind,
    /// What is asked.
    pub url: String,
    /// By which method.
    pub method: String,
    /// The names of the headers that are sent.
    pub header_names: Vec<String>,
    /// What is sent where a request has no payload.
    pub body: Option<String>,
    /// Where the result stands in the response.
    pub result_path: Option<String>,
    /// What the result is.
    pub result_type: ResultType,
    /// How long it may take.
    pub timeout: String,
    /// How often it is asked at most.
    pub rate_limit: Option<String>,
    /// Whether it can be asked.
    pub enabled: bool,
    /// `active` or `disabled`.
    pub status: &'static str,
    /// What its callbacks are signed with; shown when it is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A new secret for callbacks: `whsec_` and 32 random bytes in base64, as Standard Webhooks write them.
fn fresh_secret(tenant: &Tenant) -> String {
    let mut bytes = [0; 32];
    tenant.core.chance.fill(&mut bytes);
    format!("whsec_{}", BASE64_STANDARD.encode(bytes))
}

impl Resource for OracleSource {
    const SERVICE: &'static str = NAME;
    const LIFE: Life = Life {
        created: "oracle_source.created",
        amended: "oracle_source.amended",
        removed: "oracle_source.removed",
    };
    const QUOTA: Option<&'static Setting> = Some(&MAX_SOURCES);

    type New = NewOracleSource;
    type Patch = AmendSource;
    type View = SourceView;
    type Filters = SourceFilters;

    async fn admit(new: NewOracleSource, tenant: &Tenant, _batch: &mut Batch) -> Result<Self, Fault> {
        let mut check = Check::new();
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let confidential = Confidential { headers: new.headers, secret: fresh_secret(tenant) };
        headers::check("/headers", &confidential.headers, &mut check);
        let method = new.method.unwrap_or_else(|| "GET".to_owned()).trim().to_uppercase();
        let made = Self {
            head,
            name: new.name.trim().to_owned(),
            description: new.description,
            kind: new.kind,
            url: new.url.trim().to_owned(),
            method: if new.kind == SourceKind::ExternalAdapter { "POST".to_owned() } else { method },
            header_names: confidential.headers.keys().cloned().collect(),
            body: new.body.filter(|body| !body.is_empty()),
            result_path: new.result_path.filter(|path| !path.is_empty()),
            result_type: new.result_type,
            timeout: timeout(new.timeout.as_deref(), TIMEOUT.0, &mut check),
            rate_limit: rate(new.rate_limit.as_deref(), None, &mut check),
            enabled: new.enabled.unwrap_or(true),
            envelope: confidential.seal(&tenant.core, head.key())?,
            secret: Some(confidential.secret),
        };
        made.check(tenant, &mut check);
        check.finish()?;
        Ok(made)
    }

    async fn amend(&mut self, patch: AmendSource, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let mut check = Check::new();
        let before = (self.rate_limit, self.enabled);
        let text =
            |new: Option<String>, old: &String| new.map_or_else(|| old.clone(), |new| new.trim().to_owned());
        (self.name, self.url) = (text(patch.name, &self.name), text(patch.url, &self.url));
        self.description = patch.description.unwrap_or_else(|| self.description.clone());
        if self.kind == SourceKind::Http {
            self.method = text(patch.method, &self.method).to_uppercase();
        }
        let cleared = |new: Option<String>, old: Option<String>| match new {
            Some(new) => Some(new).filter(|new| !new.is_empty()),
            None => old,
        };
        self.body = cleared(patch.body, self.body.take());
        self.result_path = cleared(patch.result_path, self.result_path.take());
        self.result_type = patch.result_type.unwrap_or(self.result_type);
        self.timeout = timeout(patch.timeout.as_deref(), self.timeout, &mut check);
        self.rate_limit = rate(patch.rate_limit.as_deref(), self.rate_limit, &mut check);
        self.enabled = patch.enabled.unwrap_or(self.enabled);
        if let Some(headers) = patch.headers {
            headers::check("/headers", &headers, &mut check);
            let mut confidential = self.open(&tenant.core)?;
            self.header_names = headers.keys().cloned().collect();
            confidential.headers = headers;
            self.envelope = confidential.seal(&tenant.core, self.head.key())?;
        }
        self.check(tenant, &mut check);
        if before != (self.rate_limit, self.enabled) {
            dispatch::rouse(&tenant.core, self, batch);
        }
        check.finish()
    }

    async fn retire(&self, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
        let key = tenant.key(self.head.id);
        batch.writes.push(Write::Remove { table: OracleGate::TABLE, key, expect: Expect::Any });
        dispatch::rouse(&tenant.core, self, batch);
        Ok(())
    }

    fn view(&self) -> SourceView {
        SourceView {
            id: self.head.id,
            account_id: self.head.account_id,
            name: self.name.clone(),
            description: self.description.clone(),
            kind: self.kind,
            url: self.url.clone(),
            method: self.method.clone(),
            header_names: self.header_names.clone(),
            body: self.body.clone(),
            result_path: self.result_path.clone(),
            result_type: self.result_type,
            timeout: write_duration(self.timeout),
            rate_limit: self.rate_limit.map(|rate| rate.to_string()),
            enabled: self.enabled,
            status: if self.enabled { "active" } else { "disabled" },
            secret: self.secret.clone(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn conditions(filters: SourceFilters) -> Result<Vec<Filter>, Fault> {
        let name = filters.name.map(|name| Filter::Equal("name_key", name.trim().to_lowercase().into()));
        let enabled = filters.enabled.map(|enabled| Filter::Equal("enabled", enabled.into()));
        Ok(name.into_iter().chain(enabled).collect())
    }

    fn told(&self) -> Value {
        json!({"name": self.name, "enabled": self.enabled, "version": self.head.version})
    }
}

impl OracleSource {
    fn check(&self, tenant: &Tenant, check: &mut Check) {
        check.text("/name", &self.name, 1..=128).text("/description", &self.description, 0..=2_000);
        check.text("/url", &self.url, 1..=2_048);
        if let Err(error) = tenant.core.egress.admit(&self.url) {
            check.broken("/url", "url", error.to_string());
        }
        if !METHODS.contains(&self.method.as_str()) {
            check.broken("/method", "enumeration", format!("must be one of {}", METHODS.join(", ")));
        }
        if self.body.as_ref().is_some_and(|body| body.len() > BODY) {
            check.broken("/body", "length", format!("must have at most {BODY} bytes"));
        }
        if let Some(path) = &self.result_path {
            check.text("/result_path", path, 1..=256);
            if let Err(error) = exact::path(path) {
                let detail = format!("must be a JSONPath like $.data.price (RFC 9535): {error}");
                check.broken("/result_path", "format", detail);
            }
        }
    }
}

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

fn timeout(text: Option<&str>, usual: Duration, check: &mut Check) -> Duration {
    let Some(text) = text else { return usual };
    if let Some(read) = read_duration(text).filter(|read| (TIMEOUT.1..=TIMEOUT.2).contains(read)) {
        read
    } else {
        check.broken("/timeout", "bounds", "must be a duration of 100ms to 60s");
        usual
    }
}

fn rate(text: Option<&str>, usual: Option<Rate>, check: &mut Check) -> Option<Rate> {
    match text {
        None => usual,
        Some("") => None,
        Some(text) => Rate::read(text).or_else(|| {
            check.broken(
                "/rate_limit",
                "format",
                "must be 1 to 100,000 a second, minute or hour, like 10/s, 60/m or 1000/h",
            );
            None
        }),
    }
}

/// Makes a new secret for a source's callbacks; the old one is void at once.
#[derive(Clone, Copy, Debug)]
pub struct RotateSourceSecret(pub Uuid);

impl Action for RotateSourceSecret {
    type Output = SourceView;

    async fn run(self, tenant: &Tenant) -> Result<SourceView, Fault> {
        let mut source: OracleSource = tenant.core.store.get(tenant.key(self.0)).await?;
        let mut confidential = source.open(&tenant.core)?;
        confidential.secret = fresh_secret(tenant);
        source.envelope = confidential.seal(&tenant.core, source.head.key())?;
        source.secret = Some(confidential.secret);
        let mut batch = Batch::new();
        batch.replace(&mut source, tenant.now());
        batch.event(tenant.event(NAME, "oracle_source.secret_rotated", self.0, source.told()));
        tenant.commit(batch, source.view()).await
    }
}
