//! The row of a source.

use std::{collections::BTreeMap, time::Duration};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Key, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::rate::Rate;
use crate::{Core, sealed::Sealed};

/// How a source is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleSourceKind)]
pub enum SourceKind {
    /// Any HTTP API; `202` says that it answers later, by a callback.
    #[default]
    Http,
    /// A Chainlink external adapter: `POST {"id", "data"}`, answered by `{"data", "result", "statusCode"}`.
    ExternalAdapter,
}

impl SourceKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::ExternalAdapter => "external_adapter",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Http, Self::ExternalAdapter].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a source's result is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleResultType)]
pub enum ResultType {
    /// Whatever it is.
    #[default]
    Json,
    /// Text.
    String,
    /// A decimal number of at most 28 digits, answered as text; a string that is one will do.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl ResultType {
    const ALL: [Self; 4] = [Self::Json, Self::String, Self::Number, Self::Boolean];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A place outside that answers questions.
#[derive(Clone, Debug, PartialEq)]
pub struct OracleSource {
    /// The row's head.
    pub head: Head,
    /// Its name, unique in the account whatever the case.
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
    /// A JSONPath (RFC 9535) to the result; the whole response where there is none.
    pub result_path: Option<String>,
    /// What the result is.
    pub result_type: ResultType,
    /// How long it may take.
    pub timeout: Duration,
    /// How often it is asked.
    pub rate_limit: Option<Rate>,
    /// Whether it can be asked.
    pub enabled: bool,
    /// Its [`Confidential`] part, sealed.
    pub envelope: Sealed,
    /// The secret that its callbacks are signed with, where it was made in this operation; not part of the row.
    pub secret: Option<String>,
}

/// What of a source is never answered.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Confidential {
    /// The headers that are sent.
    pub headers: BTreeMap<String, String>,
    /// What its callbacks are signed with: `whsec_` and base64.
    pub secret: String,
}

impl Confidential {
    /// Seals it for a source's row.
    pub fn seal(&self, core: &Core, key: Key) -> Result<Sealed, Fault> {
        let text = Zeroizing::new(serde_json::to_vec(self).map_err(Fault::internal)?);
        Ok(Sealed::new(core, OracleSource::TABLE, key, &text))
    }
}

impl OracleSource {
    /// Where it stands, pauses left out.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        if self.enabled { "active" } else { "disabled" }
    }

    /// Opens what is never answered.
    pub(super) fn open(&self, core: &Core) -> Result<Confidential, Fault> {
        let text = self.envelope.open(core, Self::TABLE, self.head.key())?;
        serde_json::from_slice(&text).map_err(|_| Fault::internal("a source's sealed part is unreadable"))
    }
}

impl Entity for OracleSource {
    const TABLE: &'static Table = &Table {
        name: "oracle_sources",
        noun: "oracle source",
        columns: &[
            Column::new("name", Kind::Text),
            Column::new("name_key", Kind::Text),
            Column::new("description", Kind::Text),
            Column::new("kind", Kind::Text),
            Column::new("url", Kind::Text),
            Column::new("method", Kind::Text),
            Column::new("header_names", Kind::Json),
            Column::nullable("body", Kind::Text),
            Column::nullable("result_path", Kind::Text),
            Column::new("result_type", Kind::Text),
            Column::new("timeout_ms", Kind::Int),
            Column::nullable("rate_limit", Kind::Text),
            Column::new("enabled", Kind::Bool),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
        ],
        uniques: &[Unique {
            name: "oracle_sources_name",
            columns: &["name_key"],
            fields: &["name"],
            message: "an oracle source of this name exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.name.clone().into(),
            self.name.to_lowercase().into(),
            self.description.clone().into(),
            self.kind.as_str().into(),
            self.url.clone().into(),
            self.method.clone().into(),
            Cell::json(&self.header_names),
            self.body.clone().into(),
            self.result_path.clone().into(),
            self.result_type.as_str().into(),
            i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX).into(),
            self.rate_limit.map(|rate| rate.to_string()).into(),
            self.enabled.into(),
            self.envelope.key_id.clone().into(),
            self.envelope.envelope.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let name = cells.text()?;
        let _name_key = cells.text()?;
        Ok(Self {
            head,
            name,
            description: cells.text()?,
            kind: cells.named(SourceKind::read)?,
            url: cells.text()?,
            method: cells.text()?,
            header_names: cells.json()?,
            body: cells.maybe_text()?,
            result_path: cells.maybe_text()?,
            result_type: cells.named(ResultType::read)?,
            timeout: Duration::from_millis(cells.int()?.unsigned_abs()),
            rate_limit: cells.maybe_text()?.as_deref().and_then(Rate::read),
            enabled: cells.bool()?,
            envelope: Sealed { key_id: cells.text()?, envelope: cells.bytes()? },
            secret: None,
        })
    }

    fn samples() -> Vec<Self> {
        let bare = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            name: "Sample".to_owned(),
            description: String::new(),
            kind: SourceKind::Http,
            url: "https://prices.example/neo".to_owned(),
            method: "GET".to_owned(),
            header_names: Vec::new(),
            body: None,
            result_path: None,
            result_type: ResultType::Json,
            timeout: Duration::from_secs(10),
            rate_limit: None,
            enabled: true,
            envelope: Sealed { key_id: "0011".to_owned(), envelope: vec![1] },
            secret: None,
        };
        let full = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            name: "Adapter".to_owned(),
            kind: SourceKind::ExternalAdapter,
            method: "POST".to_owned(),
            header_names: vec!["authorization".to_owned()],
            body: Some("{}".to_owned()),
            result_path: Some("$.data.price".to_owned()),
            result_type: ResultType::Number,
            rate_limit: Rate::read("10/m"),
            enabled: false,
            ..bare.clone()
        };
        vec![bare, full]
    }
}
