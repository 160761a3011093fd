//! Workspace wallets: Neo N3 accounts that an account of the service layer has proved to be its own.
//!
//! ```text
//!            proof                  PATCH status
//!  pending ─────────▶ active ◀──────────────────────▶ suspended
//!     │                  │                               │
//!     └──────────────────┴───────────▶ revoked ◀─────────┘
//! ```
//!
//! A wallet is a public key or several with a threshold, and the address that these give. It is registered `pending`
//! with a challenge; when as many of its keys as the threshold says have signed that, it is `active`. Whatever asks for
//! a wallet's signature, or for a wallet at all, asks [`may_sign`] or [`active`], and both open for active wallets only.
//!
//! A revoked wallet stays to be seen and never comes back; removed, its address can be registered anew, and must be
//! proved anew.

mod challenge;
mod entity;
mod proof;
mod resource;

use sl_store::Entity as _;

pub(crate) use self::resource::read_address;
pub use self::{
    challenge::Challenge,
    entity::{Wallet, WalletStatus},
    proof::{
        Named, NewProof, ProveWallet, RenewChallenge, WalletSignature, active, check_signatures, may_sign,
        registered,
    },
    resource::{AmendWallet, NewWallet, WalletFilters, WalletView},
};
use super::Service;
use crate::settings::Setting;

/// The service's name.
const NAME: &str = "wallets";

/// How many wallets an account may have.
pub const MAX_WALLETS: Setting =
    Setting::count("wallets.count", 1_000, 1, 100_000, "How many workspace wallets an account may have.")
        .per_account();
/// How long a challenge can be answered.
pub const CHALLENGE_TIME: Setting = Setting::millis(
    "wallets.challenge_time",
    3_600_000,
    1_000,
    30 * 86_400_000,
    "How long the challenge of a workspace wallet can be answered; after that a fresh one is asked for.",
);

pub(crate) const SETTINGS: &[&Setting] = &[&MAX_WALLETS, &CHALLENGE_TIME];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "identity",
    layer: "security",
    capabilities: &["register", "prove", "multi_signature", "revoke"],
    tables: &[Wallet::TABLE],
    quotas: &[(&MAX_WALLETS, Wallet::TABLE)],
    explain: Some(proof::explain),
    ..Service::NOTHING
};
