//! The row of an account, and how accounts are admitted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, SYSTEM, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    action::Tenant,
    check::Check,
    patch::{changed, given, or_usual},
    settings::{self, Settings, Source},
};

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccountStatus)]
pub enum Status {
    /// Everything works.
    Active,
    /// Nothing runs and nothing changes; reads work.
    Suspended,
    /// Its work drains and its rows go.
    Deleting,
}

impl Status {
    /// As it stands in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleting].into_iter().find(|status| status.as_str() == text)
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The row's head; it stands under [`SYSTEM`].
    pub head: Head,
    /// Who it belongs to, in words.
    pub owner: String,
    /// What operators note about it.
    pub metadata: BTreeMap<String, String>,
    /// Where it stands.
    pub status: Status,
    /// Limits that differ from the daemon's, by setting, in the setting's unit.
    pub limits: BTreeMap<String, u64>,
    /// When it was last made active after it had been suspended.
    pub resumed_at: Option<DateTime<Utc>>,
}

impl Account {
    /// The settings that hold for the account.
    #[must_use]
    pub fn settings(&self, daemon: &Settings) -> Settings {
        let mut settings = daemon.clone();
        if self.limits.is_empty() {
            return settings;
        }
        for setting in settings::catalogue() {
            if let Some(value) = self.limits.get(setting.name) {
                settings = settings.with(setting, *value, Source::Account);
            }
        }
        settings
    }
}

impl Entity for Account {
    const TABLE: &'static Table = &Table {
        name: "accounts",
        noun: "account",
        columns: &[
            Column::new("owner", Kind::Text),
            Column::new("metadata", Kind::Json),
            Column::new("status", Kind::Word),
            Column::new("limits", Kind::Json),
            Column::nullable("resumed_at", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.owner.clone().into(),
            Cell::json(&self.metadata),
            self.status.as_str().into(),
            Cell::json(&self.limits),
            self.resumed_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            owner: cells.text()?,
            metadata: cells.json()?,
            status: cells.named(Status::read)?,
            limits: cells.json()?,
            resumed_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(SYSTEM, Uuid::from_u128(1), DateTime::UNIX_EPOCH),
            owner: "sample".to_owned(),
            metadata: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
            status: Status::Active,
            limits: BTreeMap::from([("accounts.tokens".to_owned(), 5)]),
            resumed_at: Some(DateTime::UNIX_EPOCH),
        }]
    }
}

/// What creates an account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Who it belongs to, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub owner: String,
    /// Up to 64 notes.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: BTreeMap<String, String>,
}

/// What amends an account; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null, which clears, is told from absent, which leaves alone")]
pub struct AmendAccount {
    /// Who it belongs to, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub owner: Option<String>,
    /// Up to 64 notes; replaces all. Null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Option<Option<BTreeMap<String, String>>>,
    /// `active` or `suspended`; operators only.
    pub status: Option<Status>,
    /// Limits that differ from the daemon's, by setting: in words (`"64MiB"`), a number in the setting's unit (bytes,
    /// milliseconds), or null for the daemon's. Those not named stay as they are; operators only.
    pub limits: Option<BTreeMap<String, Limit>>,
}

/// A limit as an operator gives it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a number, or a text like \"64MiB\", \"5s\" or \"20\"")]
#[schema(as = AccountLimit)]
pub enum Limit {
    /// In the setting's unit.
    Number(u64),
    /// In words.
    Text(String),
    /// The daemon's.
    Daemons,
}

/// An account as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its id.
    pub id: Uuid,
    /// Who it belongs to.
    pub owner: String,
    /// Notes.
    pub metadata: BTreeMap<String, String>,
    /// Where it stands.
    pub status: Status,
    /// Limits that differ from the daemon's, by setting, in words (`"64MiB"`).
    pub limits: BTreeMap<String, String>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Account {
    /// Checks a new account and makes it.
    ///
    /// # Errors
    /// [`sl_store::Code::Invalid`] naming every field that breaks a rule.
    pub(super) fn admit(new: NewAccount, tenant: &Tenant) -> Result<Self, Fault> {
        Check::new().text("/owner", &new.owner, 1..=200).labels("/metadata", &new.metadata, 64).finish()?;
        Ok(Self {
            head: Head::new(SYSTEM, tenant.next_id(), tenant.now()),
            owner: new.owner,
            metadata: new.metadata,
            status: Status::Active,
            limits: BTreeMap::new(),
            resumed_at: None,
        })
    }

    /// Checks a change and makes it.
    ///
    /// # Errors
    /// [`sl_store::Code::Invalid`] naming every field that breaks a rule.
    pub(super) fn amend(&mut self, patch: AmendAccount) -> Result<(), Fault> {
        self.owner = patch.owner.unwrap_or_else(|| std::mem::take(&mut self.owner));
        self.metadata = changed(patch.metadata, std::mem::take(&mut self.metadata), BTreeMap::new());
        let mut check = Check::new();
        check.text("/owner", &self.owner, 1..=200).labels("/metadata", &self.metadata, 64);
        match patch.status {
            Some(Status::Deleting) => {
                check.broken(
                    "/status",
                    "enumeration",
                    "must be active or suspended; DELETE removes an account",
                );
            }
            Some(status) => self.status = status,
            None => {}
        }
        if let Some(limits) = patch.limits {
            self.limit(limits, &mut check);
        }
        check.finish()
    }

    /// Sets limits, each within its setting's bounds, or takes them away.
    fn limit(&mut self, limits: BTreeMap<String, Limit>, check: &mut Check) {
        let catalogue = settings::catalogue();
        for (name, limit) in limits {
            let setting = catalogue.iter().find(|setting| setting.name == name);
            let pointer = format!("/limits/{name}");
            let Some(setting) = setting.filter(|setting| setting.scope == settings::Scope::Account) else {
                let detail = format!("{name} is no limit that an account can have");
                check.broken(pointer, "unknown_field", detail);
                continue;
            };
            let value = match limit {
                Limit::Daemons => {
                    self.limits.remove(&name);
                    continue;
                }
                Limit::Number(value) => setting.check(value),
                Limit::Text(text) => setting.parse(&text),
            };
            match value {
                Ok(value) => {
                    self.limits.insert(name, value);
                }
                Err(why) => {
                    check.broken(pointer, "bounds", why);
                }
            }
        }
    }

    /// The public face.
    #[must_use]
    pub fn view(&self) -> AccountView {
        AccountView {
            id: self.head.id,
            owner: self.owner.clone(),
            metadata: self.metadata.clone(),
            status: self.status,
            limits: self.limits.iter().map(|(name, value)| (name.clone(), written(name, *value))).collect(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    /// What its events say besides the kind.
    pub(super) fn told(&self) -> Value {
        json!({"owner": self.owner, "status": self.status})
    }
}

/// A limit as a person writes it.
fn written(name: &str, value: u64) -> String {
    let setting = settings::catalogue().into_iter().find(|setting| setting.name == name);
    setting.map_or_else(|| value.to_string(), |setting| setting.format(value))
}
