//! What is sent and answered about secrets.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Secret, SecretVersion};

/// What creates a secret.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Its name: 1 to 128 letters, digits, `_`, `.` and `-`; unique in the account whatever the case.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.-]+$")]
    pub name: String,
    /// Its value: at least 4 bytes, at most `secrets.value_size` (64 KiB unless set); never answered.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, write_only, min_length = 4)]
    pub value: SecretString,
}

/// What makes a new version of a secret.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    /// Its value: at least 4 bytes, at most `secrets.value_size` (64 KiB unless set); never answered.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, write_only, min_length = 4)]
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
    /// Its name.
    pub name: String,
    /// The version in force.
    pub version: i64,
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
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Secret {
    pub(super) fn view(&self, used_by: Vec<String>) -> SecretView {
        SecretView {
            name: self.name.clone(),
            version: self.active,
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
            created_at: self.head.created_at,
        }
    }
}
