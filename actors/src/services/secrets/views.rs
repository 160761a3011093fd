//! What is sent and answered about secrets.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use sl_store::KeyRing;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Secret, SecretVersion};
use crate::redact::SHORTEST;

/// What creates a secret.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Its name: 1 to 128 characters, not all blank, without `|` and control characters; unique in the account whatever
    /// the case.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\|\x00-\x1f\x7f-\x9f]*[^\|\s\x00-\x1f\x7f-\x9f][^\|\x00-\x1f\x7f-\x9f]*$"
    )]
    pub name: String,
    /// Its value: not empty, at most `secrets.value_size` (64 KiB unless set); never answered. One of fewer than 4 bytes
    /// is not redacted.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, write_only, min_length = 1)]
    pub value: SecretString,
}

/// What makes a new version of a secret.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    /// Its value: not empty, at most `secrets.value_size` (64 KiB unless set); never answered. One of fewer than 4 bytes
    /// is not redacted.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, write_only, min_length = 1)]
    pub value: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewSecret").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewValue").finish_non_exhaustive()
    }
}

/// What pins a secret to a version.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The version that stays in force whatever is added; absent or null: the latest comes into force and the pin goes.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub version: Option<i64>,
}

/// What rolls a secret back.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The kept version that comes into force until a new one is made.
    #[schema(minimum = 1)]
    pub version: i64,
}

/// A secret as it is answered; never its value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// Its name.
    pub name: String,
    /// The version in force.
    pub version: i64,
    /// Counts the changes of any kind, pins and removed versions among them; its `ETag`.
    pub revision: i64,
    /// Whether the value in force is taken out of what runs leave behind; one of fewer than 4 bytes is not.
    pub redacted: bool,
    /// The version made last.
    pub latest_version: i64,
    /// Whether a new version stays out of force.
    pub pinned: bool,
    /// The versions that are kept, rising.
    pub versions: Vec<i64>,
    /// The names of the functions that name it.
    pub used_by: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A version as it is answered; never its value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SecretVersionView {
    /// Counts from 1.
    pub version: i64,
    /// Whether it is the one in force.
    pub active: bool,
    /// Whether its value is taken out of what runs leave behind; one of fewer than 4 bytes is not.
    pub redacted: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

fn is_redacted(envelope: &[u8]) -> bool {
    KeyRing::sealed_bytes(envelope) >= SHORTEST
}

impl Secret {
    pub(super) fn view(&self, used_by: Vec<String>) -> SecretView {
        SecretView {
            id: self.head.id,
            account_id: self.head.account_id,
            name: self.name.clone(),
            version: self.active,
            revision: self.head.version,
            redacted: is_redacted(&self.envelope),
            latest_version: self.latest,
            pinned: self.pinned,
            versions: self.kept.clone(),
            used_by,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }
}

impl SecretVersion {
    pub(super) fn view(&self, active: i64) -> SecretVersionView {
        SecretVersionView {
            version: self.number,
            active: self.number == active,
            redacted: is_redacted(&self.envelope),
            created_at: self.head.created_at,
        }
    }
}
