//! The rows of tokens and of their last use.

use chrono::{DateTime, Utc};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

use crate::caller::Scope;

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
        ],
        uniques: &[
            Unique {
                name: "tokens_name",
                columns: &["name"],
                fields: &["name"],
                message: "a token of this name exists already",
            },
            Unique {
                name: "tokens_hash",
                columns: &["hash"],
                fields: &[],
                message: "this token exists already",
            },
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
        };
        vec![sample("a", 2, None), sample("b", 3, Some(at))]
    }
}

/// When a token was last used: apart from the token, so that a use is no change of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// The row's head; the id is the token's.
    pub head: Head,
    /// When, to the minute.
    pub last_used_at: DateTime<Utc>,
}

impl Entity for TokenUse {
    const TABLE: &'static Table = &Table {
        name: "token_uses",
        noun: "use of a token",
        columns: &[Column::new("last_used_at", Kind::Time)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.last_used_at.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, last_used_at: cells.time()? })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        vec![Self { head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), at), last_used_at: at }]
    }
}
