//! The row of a workspace wallet.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::challenge::Challenge;
use crate::neo::{PublicKey, ScriptHash};

/// Where a wallet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WalletStatus {
    /// Its keys have not signed its challenge yet.
    Pending,
    /// It is proved, and opens what asks for it.
    Active,
    /// It is proved, and opens nothing for now.
    Suspended,
    /// It opens nothing any more.
    Revoked,
}

impl WalletStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Suspended, Self::Revoked];

    /// As it stands in answers and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A workspace wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct Wallet {
    /// The row's head.
    pub head: Head,
    /// The account on the chain.
    pub script_hash: ScriptHash,
    /// What its people call it.
    pub label: String,
    /// Its keys, in Neo's order.
    pub public_keys: Vec<PublicKey>,
    /// How many of them sign.
    pub threshold: i64,
    /// Where it stands.
    pub status: WalletStatus,
    /// What is to be signed; only while it is pending.
    pub challenge: Option<Challenge>,
    /// When it was proved.
    pub proved_at: Option<DateTime<Utc>>,
}

impl Entity for Wallet {
    const TABLE: &'static Table = &Table {
        name: "workspace_wallets",
        noun: "wallet",
        columns: &[
            Column::new("script_hash", Kind::Text),
            Column::new("label", Kind::Text),
            Column::new("public_keys", Kind::Json),
            Column::new("threshold", Kind::Int),
            Column::new("status", Kind::Word),
            Column::nullable("challenge", Kind::Json),
            Column::nullable("proved_at", Kind::Time),
        ],
        uniques: &[Unique {
            name: "workspace_wallets_script_hash",
            columns: &["script_hash"],
            fields: &["wallet_address"],
            message: "a wallet of this address exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let keys: Vec<String> = self.public_keys.iter().map(ToString::to_string).collect();
        vec![
            self.script_hash.to_string().into(),
            self.label.clone().into(),
            Cell::json(&keys),
            self.threshold.into(),
            self.status.as_str().into(),
            self.challenge.as_ref().map(Cell::json).into(),
            self.proved_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let script_hash = cells.named(|text| ScriptHash::parse(text).ok())?;
        let label = cells.text()?;
        let keys: Vec<String> = cells.json()?;
        let read = keys.iter().map(|key| PublicKey::from_hex(key)).collect::<Option<Vec<_>>>();
        Ok(Self {
            head,
            script_hash,
            label,
            public_keys: read.ok_or_else(|| Fault::internal("workspace_wallets.public_keys: not a key"))?,
            threshold: cells.int()?,
            status: cells.named(WalletStatus::read)?,
            challenge: cells
                .maybe_value()?
                .map(serde_json::from_value)
                .transpose()
                .map_err(Fault::internal)?,
            proved_at: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let keys = [
            "02028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef",
            "033a4d051b04b7fc0230d2b1aaedfd5a84be279a5361a7358db665ad7857787f1b",
        ];
        let bare = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            script_hash: ScriptHash::of(b"one"),
            label: String::new(),
            public_keys: PublicKey::from_hex(keys[0]).into_iter().collect(),
            threshold: 1,
            status: WalletStatus::Pending,
            challenge: Some(Challenge { nonce: "00".to_owned(), expires_at: DateTime::UNIX_EPOCH }),
            proved_at: None,
        };
        let proved = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(3), DateTime::UNIX_EPOCH),
            script_hash: ScriptHash::of(b"two"),
            label: "treasury".to_owned(),
            public_keys: keys.into_iter().filter_map(PublicKey::from_hex).collect(),
            threshold: 2,
            status: WalletStatus::Active,
            challenge: None,
            proved_at: Some(DateTime::UNIX_EPOCH),
        };
        vec![bare, proved]
    }
}
