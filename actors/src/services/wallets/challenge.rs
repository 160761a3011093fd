//! What a wallet signs to prove itself.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sl_store::Chance as _;

use super::{CHALLENGE_TIME, entity::Wallet};
use crate::Core;

/// The first line of the message: what it is for, and in which form.
const DOMAIN: &str = "neo-service-layer/wallet-proof/v1";

/// A challenge as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random bytes in hexadecimal.
    pub nonce: String,
    /// Until when it can be answered.
    pub expires_at: DateTime<Utc>,
}

impl Challenge {
    /// A fresh one.
    pub(super) fn new(core: &Core) -> Self {
        let nonce: [u8; 32] = core.chance.bytes();
        let time = TimeDelta::from_std(core.settings.duration(&CHALLENGE_TIME)).unwrap_or_default();
        Self { nonce: hex::encode(nonce), expires_at: core.clock.now() + time }
    }

    /// What the keys of a wallet sign. It names the account and the wallet, so that an answer proves nothing to others
    /// than it was made for.
    pub(super) fn message(&self, wallet: &Wallet) -> String {
        format!(
            "{DOMAIN}\naccount: {}\nwallet: {}\naddress: {}\nnonce: {}\nexpires: {}",
            wallet.head.account_id,
            wallet.head.id,
            wallet.script_hash.address(),
            self.nonce,
            self.expires_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }
}
