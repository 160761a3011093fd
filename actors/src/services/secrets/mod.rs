//! Secrets: values that go in and never come out, but to the runs that name them.
//!
//! **Promises.** No answer, event, log or error carries a value. A value is stored as AES-256-GCM under a key of its
//! account, bound to the secret's id and name and to its version, so that a ciphertext put in another place does not open. Every
//! resolution is told in the event log by names and versions. A value that does not open is an
//! [`Code::Integrity`](sl_store::Code::Integrity) fault and an event of its own.
//!
//! **Versions.** Each change makes a new version, which comes into force at once, unless the secret is pinned to one:
//! then the pin holds until it is taken away. Rolling back puts an earlier version into force without a pin. The version
//! in force cannot be destroyed; of the others, the oldest go when there are more than [`KEPT_VERSIONS`].
//!
//! The `ETag` follows the row's own version, so that every change gives another, pins and roll-backs among them.
//!
//! **Limits.** [`MAX_SECRETS`] of an account, [`VALUE_SIZE`] bytes of a value; one of fewer than four cannot be redacted, and
//! its secret says so. Names of 1 to 128 characters without `|` and control characters, unique whatever their case.

mod actions;
mod entity;
mod resolve;
mod rotation;
mod rules;
mod sealed;
mod versions;
mod views;

pub use actions::{CreateSecret, DeleteSecret, FetchSecret, ListSecrets, PutSecret};
pub use entity::{Secret, SecretVersion};
pub use resolve::{Purpose, Resolved, missing, resolve};
pub use rotation::{RotateSecrets, RotationProgress, RotationStatus, SecretRotation, progress};
pub use versions::{DeleteVersion, ListVersions, PinSecret, RollBackSecret};
pub use views::{NewSecret, NewValue, Pin, RollBack, SecretVersionView, SecretView};

pub use crate::redact::Redactor;

use std::sync::Arc;

use sl_store::Entity as _;

use super::Service;
use crate::settings::Setting;

/// How many secrets an account may have.
pub const MAX_SECRETS: Setting =
    Setting::count("secrets.count", 1_000, 1, 100_000, "How many secrets an account may have.").per_account();
/// How large a value may be.
pub const VALUE_SIZE: Setting =
    Setting::bytes("secrets.value_size", 65_536, 16, 524_288, "How large the value of a secret may be.")
        .per_account();
/// How many versions of a secret are kept.
pub const KEPT_VERSIONS: Setting = Setting::count(
    "secrets.versions",
    20,
    2,
    100,
    "How many versions of a secret are kept; beyond, the oldest that is not in force is destroyed.",
)
.per_account();
/// How often a rotation looks for values under an older root key.
pub const ROTATION_EVERY: Setting = Setting::millis(
    "secrets.rotation_every",
    3_600_000,
    1_000,
    7 * 86_400_000,
    "How often it is looked whether values are sealed under an older root key; at start as well.",
);
/// How many values one step of a rotation seals again.
pub const ROTATION_BATCH: Setting = Setting::count(
    "secrets.rotation_batch",
    50,
    1,
    1_000,
    "How many values one step of a rotation seals again under the new root key.",
);
/// How many rotations one daemon does at once.
pub const ROTATIONS: Setting = Setting::count(
    "secrets.rotations",
    1,
    1,
    1,
    "How many rotations of the root key go on at once; there is one item of this work.",
);

pub(crate) const SETTINGS: &[&Setting] =
    &[&MAX_SECRETS, &VALUE_SIZE, &KEPT_VERSIONS, &ROTATION_EVERY, &ROTATION_BATCH, &ROTATIONS];

/// The service.
pub const SERVICE: Service = Service {
    name: "secrets",
    domain: "security",
    layer: "security",
    capabilities: &["store", "rotate", "pin", "roll_back", "resolve"],
    tables: &[Secret::TABLE, SecretVersion::TABLE],
    quotas: &[(&MAX_SECRETS, Secret::TABLE)],
    duties: |_| vec![Arc::new(SecretRotation)],
    ..Service::NOTHING
};
