//! Accounts and their tokens.
//!
//! An account is `active` or `suspended`; while it is `deleting`, its work drains and everything of it goes. A token
//! belongs to one account and covers the scopes it lists; it is shown once and kept as a SHA-256.

mod entity;

pub use entity::{Account, AccountView, AmendAccount, NewAccount, Status, Token};

use super::Service;
use crate::settings::Setting;

/// How many tokens an account may have.
pub const MAX_TOKENS: Setting =
    Setting::count("accounts.tokens", 100, 1, 10_000, "How many tokens an account may have.").per_account();

pub(crate) const SETTINGS: &[&Setting] = &[&MAX_TOKENS];

/// The service.
pub const SERVICE: Service = Service {
    name: "accounts",
    domain: "identity",
    layer: "ingress",
    capabilities: &["create", "amend", "suspend", "delete", "tokens"],
    tables: &[],
    quotas: &[],
    duties: |_| Vec::new(),
};
