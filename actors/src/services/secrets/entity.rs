//! The rows of secrets and of their versions.

use chrono::DateTime;
use sha2::{Digest as _, Sha256};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

/// A secret: its name, which version is in force, and that version's sealed value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The row's head.
    pub head: Head,
    /// Its name as given.
    pub name: String,
    /// Its name in lower case.
    pub name_key: String,
    /// The version in force.
    pub active: i64,
    /// The version made last.
    pub latest: i64,
    /// Whether a new version stays out of force.
    pub pinned: bool,
    /// The versions that are kept, rising.
    pub kept: Vec<i64>,
    /// The root key its value is sealed under.
    pub key_id: String,
    /// The sealed value of the version in force.
    pub envelope: Vec<u8>,
}

/// One version of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretVersion {
    /// The row's head; the id follows from secret and number.
    pub head: Head,
    /// The secret.
    pub secret_id: Uuid,
    /// Counts from 1.
    pub number: i64,
    /// The root key it is sealed under.
    pub key_id: String,
    /// The sealed value.
    pub envelope: Vec<u8>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = (&self.name, self.active);
        formatter
            .debug_struct("Secret")
            .field("head", &self.head)
            .field("version", &told)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SecretVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = (&self.secret_id, self.number);
        formatter
            .debug_struct("SecretVersion")
            .field("head", &self.head)
            .field("version", &told)
            .finish_non_exhaustive()
    }
}

impl SecretVersion {
    /// The id of a version's row.
    #[must_use]
    pub fn id_of(secret: Uuid, number: i64) -> Uuid {
        let digest = Sha256::new().chain_update(secret).chain_update(number.to_be_bytes()).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Entity for Secret {
    const TABLE: &'static Table = &Table {
        name: "secrets",
        noun: "secret",
        columns: &[
            Column::new("name", Kind::Text),
            Column::new("name_key", Kind::Text),
            Column::new("active", Kind::Int),
            Column::new("latest", Kind::Int),
            Column::new("pinned", Kind::Bool),
            Column::new("kept", Kind::Json),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
        ],
        uniques: &[Unique {
            name: "secrets_name",
            columns: &["name_key"],
            fields: &["name"],
            message: "a secret of this name exists already",
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
            self.name_key.clone().into(),
            self.active.into(),
            self.latest.into(),
            self.pinned.into(),
            Cell::json(&self.kept),
            self.key_id.clone().into(),
            self.envelope.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            name: cells.text()?,
            name_key: cells.text()?,
            active: cells.int()?,
            latest: cells.int()?,
            pinned: cells.bool()?,
            kept: cells.json()?,
            key_id: cells.text()?,
            envelope: cells.bytes()?,
        })
    }

    fn samples() -> Vec<Self> {
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            name: "Api_Key".to_owned(),
            name_key: "api_key".to_owned(),
            active: 1,
            latest: 2,
            pinned: true,
            kept: vec![1, 2],
            key_id: "0011223344556677".to_owned(),
            envelope: vec![1, 2, 3],
        }]
    }
}

impl Entity for SecretVersion {
    const TABLE: &'static Table = &Table {
        name: "secret_versions",
        noun: "version of the secret",
        columns: &[
            Column::new("secret_id", Kind::Uuid),
            Column::new("number", Kind::Int),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
        ],
        uniques: &[Unique {
            name: "secret_versions_number",
            columns: &["secret_id", "number"],
            fields: &[],
            message: "this version exists already",
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
            self.secret_id.into(),
            self.number.into(),
            self.key_id.clone().into(),
            self.envelope.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            secret_id: cells.uuid()?,
            number: cells.int()?,
            key_id: cells.text()?,
            envelope: cells.bytes()?,
        })
    }

    fn samples() -> Vec<Self> {
        let secret_id = Uuid::from_u128(2);
        vec![Self {
            head: Head::new(Uuid::from_u128(1), Self::id_of(secret_id, 1), DateTime::UNIX_EPOCH),
            secret_id,
            number: 1,
            key_id: "0011223344556677".to_owned(),
            envelope: vec![1, 2, 3],
        }]
    }
}
