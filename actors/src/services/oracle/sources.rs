//! Sources as tenants create, amend and see them.

use std::{collections::BTreeMap, mem::take, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Entity as _, Expect, Fault, Filter, Head, Write};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    DUTY, MAX_SOURCES, NAME, dispatch,
    rate::{OracleGate, Rate},
    removal,
    source::{Confidential, OracleSource, ResultType, SourceKind},
};
use crate::{
    action::{Action, Tenant},
    check::Check,
    egress::headers,
    exact,
    patch::{changed, given, or_usual},
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
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: String,
    /// Headers that are sent, like an API key; sealed, and never answered.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub headers: BTreeMap<String, String>,
    /// What is sent where a request has no payload, up to 64 KiB.
    pub body: Option<String>,
    /// How it is spoken to.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<SourceKind>)]
    pub kind: SourceKind,
    /// A JSONPath (RFC 9535) to the one result in the response; without one the result is the whole response, of an
    /// external adapter its `result`.
    #[schema(max_length = 256)]
    pub result_path: Option<String>,
    /// What the result is.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<ResultType>)]
    pub result_type: ResultType,
    /// How long it may take: `10s` (the default), 100 ms to 60 s.
    pub timeout: Option<String>,
    /// How often it is asked at most, over all requests and daemons: `10/s`, `60/m`, `1000/h`.
    pub rate_limit: Option<String>,
    /// Whether it can be asked; it can unless said otherwise.
    pub enabled: Option<bool>,
}

/// What amends an oracle source; absent fields stay as they are.
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
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
    /// By which method; `null` for `GET`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub method: Option<Option<String>>,
    /// What it is for; `null` for nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub description: Option<Option<String>>,
    /// Headers that are sent; replaces all, `null` takes all away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub headers: Option<Option<BTreeMap<String, String>>>,
    /// What is sent where a request has no payload; an empty one, or `null`, is none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub body: Option<Option<String>>,
    /// Where the result stands; an empty one, or `null`, is none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 256)]
    pub result_path: Option<Option<String>>,
    /// What the result is; `null` for `json`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ResultType>)]
    pub result_type: Option<Option<ResultType>>,
    /// How long it may take; `null` for `10s`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub timeout: Option<Option<String>>,
    /// How often it is asked at most; an empty one, or `null`, is none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub rate_limit: Option<Option<String>>,
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
    /// `active`, `disabled` or `paused`.
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
        let method = new.method.unwrap_or_else(|| GET.to_owned()).trim().to_uppercase();
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
            timeout: timeout(new.timeout.as_deref(), &mut check),
            rate_limit: rate(new.rate_limit.as_deref(), &mut check),
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
        self.name = patch.name.map_or_else(|| take(&mut self.name), |name| name.trim().to_owned());
        self.url = patch.url.map_or_else(|| take(&mut self.url), |url| url.trim().to_owned());
        self.description = changed(patch.description, take(&mut self.description), String::new());
        if self.kind == SourceKind::Http {
            let method = changed(patch.method, take(&mut self.method), GET.to_owned());
            self.method = method.trim().to_uppercase();
        }
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        self.body = patch.body.map_or_else(|| self.body.take(), some);
        self.result_path = patch.result_path.map_or_else(|| self.result_path.take(), some);
        self.result_type = changed(patch.result_type, self.result_type, ResultType::default());
        self.timeout = match patch.timeout {
            None => self.timeout,
            Some(text) => timeout(text.as_deref(), &mut check),
        };
        self.rate_limit = match patch.rate_limit {
            None => self.rate_limit,
            Some(text) => rate(text.as_deref(), &mut check),
        };
        self.enabled = patch.enabled.unwrap_or(self.enabled);
        if let Some(headers) = patch.headers {
            self.send(headers.unwrap_or_default(), tenant, &mut check)?;
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
        removal::announce(&tenant.core, key, batch);
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
            status: self.status(),
            secret: self.secret.clone(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn pausable(view: &mut SourceView) -> Option<(&'static str, &mut &'static str)> {
        Some((DUTY, &mut view.status))
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
    /// Seals other headers in place of those there are; equal ones are left sealed as they are.
    fn send(
        &mut self,
        headers: BTreeMap<String, String>,
        tenant: &Tenant,
        check: &mut Check,
    ) -> Result<(), Fault> {
        headers::check("/headers", &headers, check);
        let mut confidential = self.open(&tenant.core)?;
        if confidential.headers != headers {
            self.header_names = headers.keys().cloned().collect();
            confidential.headers = headers;
            self.envelope = confidential.seal(&tenant.core, self.head.key())?;
        }
        Ok(())
    }

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

const GET: &str = "GET";
const METHODS: [&str; 6] = [GET, "POST", "PUT", "PATCH", "DELETE", "HEAD"];

fn timeout(text: Option<&str>, check: &mut Check) -> Duration {
    let Some(text) = text else { return TIMEOUT.0 };
    if let Some(read) = read_duration(text).filter(|read| (TIMEOUT.1..=TIMEOUT.2).contains(read)) {
        read
    } else {
        check.broken("/timeout", "bounds", "must be a duration of 100ms to 60s");
        TIMEOUT.0
    }
}

fn rate(text: Option<&str>, check: &mut Check) -> Option<Rate> {
    let text = text.filter(|text| !text.is_empty())?;
    Rate::read(text).or_else(|| {
        check.broken(
            "/rate_limit",
            "format",
            "must be 1 to 100,000 a second, minute or hour, like 10/s, 60/m or 1000/h",
        );
        None
    })
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
        tenant.commit(batch, source.seen(&tenant.core)).await
    }
}
