//! The rows of accounts and tokens, and how accounts are admitted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Kind, SYSTEM, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    action::Tenant,
    caller::Scope,
    check::Check,
    resource::{Life, Resource},
    settings::{self, Settings, Source},
};

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
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
}

impl Account {
    /// The settings that hold for the account.
    #[must_use]
    pub fn settings(&self, daemon: &Settings) -> Settings {
        let mut settings = daemon.clone();
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
            Column::new("status", Kind::Text),
            Column::new("limits", Kind::Json),
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
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            owner: cells.text()?,
            metadata: cells.json()?,
            status: cells.named(Status::read)?,
            limits: cells.json()?,
        })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(SYSTEM, Uuid::from_u128(1), DateTime::UNIX_EPOCH),
            owner: "sample".to_owned(),
            metadata: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
            status: Status::Active,
            limits: BTreeMap::from([("accounts.tokens".to_owned(), 5)]),
        }]
    }
}

/// What creates an account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Who it belongs to, 1 to 200 characters.
    pub owner: String,
    /// Up to 64 notes.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// What amends an account; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendAccount {
    /// Who it belongs to, 1 to 200 characters.
    pub owner: Option<String>,
    /// Up to 64 notes; replaces all.
    pub metadata: Option<BTreeMap<String, String>>,
    /// `active` or `suspended`; operators only.
    pub status: Option<Status>,
    /// Limits that differ from the daemon's, by setting, in words (`"64MiB"`); replaces all; operators only.
    pub limits: Option<BTreeMap<String, String>>,
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
    /// Limits that differ from the daemon's.
    pub limits: BTreeMap<String, u64>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Resource for Account {
    const SERVICE: &'static str = "accounts";
    const LIFE: Life =
        Life { created: "account.created", amended: "account.amended", removed: "account.removed" };

    type New = NewAccount;
    type Patch = AmendAccount;
    type View = AccountView;
    type Filters = ();

    async fn admit(new: NewAccount, tenant: &Tenant, _batch: &mut Batch) -> Result<Self, Fault> {
        Check::new().text("/owner", &new.owner, 1..=200).labels("/metadata", &new.metadata, 64).finish()?;
        Ok(Self {
            head: Head::new(SYSTEM, tenant.next_id(), tenant.now()),
            owner: new.owner,
            metadata: new.metadata,
            status: Status::Active,
            limits: BTreeMap::new(),
        })
    }

    async fn amend(
        &mut self,
        patch: AmendAccount,
        _tenant: &Tenant,
        _batch: &mut Batch,
    ) -> Result<(), Fault> {
        self.owner = patch.owner.unwrap_or_else(|| std::mem::take(&mut self.owner));
        self.metadata = patch.metadata.unwrap_or_else(|| std::mem::take(&mut self.metadata));
        let mut check = Check::new();
        check.text("/owner", &self.owner, 1..=200).labels("/metadata", &self.metadata, 64);
        match patch.status {
            Some(Status::Deleting) => {
                check.broken("/status", "enumeration", "must be active or suspended");
            }
            Some(status) => self.status = status,
            None => {}
        }
        if let Some(limits) = patch.limits {
            self.limits = overrides(&limits, &mut check);
        }
        check.finish()
    }

    fn view(&self) -> AccountView {
        AccountView {
            id: self.head.id,
            owner: self.owner.clone(),
            metadata: self.metadata.clone(),
            status: self.status,
            limits: self.limits.clone(),
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn told(&self) -> Value {
        json!({"owner": self.owner, "status": self.status})
    }
}

/// The limits an operator sets for an account, each within its setting's bounds.
fn overrides(limits: &BTreeMap<String, String>, check: &mut Check) -> BTreeMap<String, u64> {
    let catalogue = settings::catalogue();
    let mut read = BTreeMap::new();
    for (name, text) in limits {
        let pointer = format!("/limits/{name}");
        let setting = catalogue.iter().find(|setting| setting.name == name);
        match setting.filter(|setting| setting.scope == settings::Scope::Account) {
            None => {
                check.broken(
                    pointer,
                    "unknown_field",
                    format!("{name} is no limit that an account can have"),
                );
            }
            Some(setting) => match setting.parse(text) {
                Ok(value) => {
                    read.insert(name.clone(), value);
                }
                Err(why) => {
                    check.broken(pointer, "bounds", why);
                }
            },
        }
    }
    read
}

/// A token of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The row's head.
    pub head: Head,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// Its first characters, to be recognised by.
    pub prefix: String,
    /// What it covers.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Entity for Token {
    const TABLE: &'static Table = &Table {
        name: "tokens",
        noun: "token",
        columns: &[
            Column::new("name", Kind::Text),
            Column::new("hash", Kind::Bytes),
            Column::new("prefix", Kind::Text),
            Column::new("scopes", Kind::Json),
            Column::nullable("expires_at", Kind::Time),
            Column::nullable("last_used_at", Kind::Time),
        ],
        uniques: &[
            Unique {
                name: "tokens_name",
                columns: &["name"],
                message: "a token of this name exists already",
            },
            Unique { name: "tokens_hash", columns: &["hash"], message: "this token exists already" },
        ],
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
            self.hash.clone().into(),
            self.prefix.clone().into(),
            Cell::json(&self.scopes),
            self.expires_at.into(),
            self.last_used_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            name: cells.text()?,
            hash: cells.bytes()?,
            prefix: cells.text()?,
            scopes: cells.json()?,
            expires_at: cells.maybe_time()?,
            last_used_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let sample = |name: &str, id, time| Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(id), at),
            name: name.to_owned(),
            hash: vec![u8::try_from(id).unwrap_or(0); 32],
            prefix: "slk_abcd".to_owned(),
            scopes: vec![Scope::Read, Scope::Run],
            expires_at: time,
            last_used_at: time,
        };
        vec![sample("a", 2, None), sample("b", 3, Some(at))]
    }
}
