//! Accounts and their tokens.
//!
//! **States.** `active` ⇄ `suspended` by an operator; `deleting` from either, and then gone. While an account is
//! suspended, nothing runs and nothing changes: its work stays in the queue, mutations are refused with
//! [`Code::Suspended`](sl_store::Code::Suspended), reads and removals work. While it is deleting, its tokens are refused
//! and the [`removal`] duty drains its work and removes everything of it.
//!
//! **Tokens.** A token names its account, so that it is found by one keyed look-up, and carries a checksum, so that a
//! mistyped one costs no look-up at all. It is shown once, kept as a SHA-256, covers the scopes it lists, and is refused
//! by every daemon within 250 ms of its revocation. Nobody makes a token that can do more than they can.
//!
//! **Limits.** [`MAX_TOKENS`] of an account; names of 1 to 100 characters, unique in the account.

mod account;
mod actions;
mod authenticate;
mod known;
mod removal;
mod text;
mod token;
mod tokens;

pub use account::{Account, AccountView, AmendAccount, Limit, NewAccount, Status};
pub use actions::{AccountFilters, CreateAccount, DeleteAccount, FetchAccount, ListAccounts, PatchAccount};
pub(crate) use authenticate::TokenCache;
pub use authenticate::authenticate;
pub use known::Known;
pub use removal::AccountRemoval;
pub use token::{Token, TokenUse};
pub use tokens::{CreateToken, CreatedToken, FetchToken, ListTokens, NewToken, RevokeToken, TokenView};

use std::sync::Arc;

use sl_store::Entity as _;

use super::Service;
use crate::settings::Setting;

/// How many tokens an account may have.
pub const MAX_TOKENS: Setting =
    Setting::count("accounts.tokens", 100, 1, 10_000, "How many tokens an account may have.").per_account();
/// How many accounts are removed at once.
pub const REMOVALS: Setting = Setting::count(
    "accounts.removals",
    4,
    1,
    100,
    "How many deleted accounts one daemon drains and removes at once.",
);
/// How many rows one step of a removal takes.
pub const REMOVAL_BATCH: Setting = Setting::count(
    "accounts.removal_batch",
    500,
    10,
    10_000,
    "How many rows of each table one step of an account's removal takes.",
);
/// How many tokens a daemon remembers.
pub const TOKEN_CACHE: Setting = Setting::count(
    "accounts.token_cache",
    100_000,
    100,
    10_000_000,
    "How many recently used tokens one daemon keeps in memory, about 250 bytes each.",
);

pub(crate) const SETTINGS: &[&Setting] = &[&MAX_TOKENS, &REMOVALS, &REMOVAL_BATCH, &TOKEN_CACHE];

/// The service.
pub const SERVICE: Service = Service {
    name: "accounts",
    domain: "identity",
    layer: "ingress",
    capabilities: &["create", "amend", "suspend", "delete", "tokens"],
    tables: &[Account::TABLE, Token::TABLE, TokenUse::TABLE],
    quotas: &[(&MAX_TOKENS, Token::TABLE)],
    duties: |_| vec![Arc::new(AccountRemoval)],
    ..Service::NOTHING
};
