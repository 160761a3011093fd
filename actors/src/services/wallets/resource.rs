//! Wallets as tenants register, amend and see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, Filter, Head};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    MAX_WALLETS, NAME,
    challenge::Challenge,
    entity::{Wallet, WalletStatus},
};
use crate::{
    action::Tenant,
    check::Check,
    neo::{MAX_KEYS, PublicKey, ScriptHash, multi_signature, single_signature},
    patch::or_usual,
    resource::{Life, Resource},
    settings::Setting,
};

/// How long a label may be.
const LABEL: usize = 200;

/// What registers a wallet.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWallet {
    /// A Neo N3 address (`N…`), or a script hash (`0x` and 40 hexadecimal digits, as nodes display it). It must be the one
    /// that the keys and the threshold give.
    pub wallet_address: String,
    /// What its people call it; up to 200 characters.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub label: String,
    /// Its keys on secp256r1, compressed, in hexadecimal; 1 to 1,024, in whatever order.
    #[schema(min_items = 1, max_items = 1_024)]
    pub public_keys: Vec<String>,
    /// How many of them sign; needed where there are several.
    #[schema(minimum = 1, maximum = 1_024)]
    pub threshold: Option<u32>,
}

/// What amends a wallet; absent fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendWallet {
    /// What its people call it.
    #[schema(max_length = 200)]
    pub label: Option<String>,
    /// `suspended` or `active` where it was proved; `revoked` for good.
    pub status: Option<WalletStatus>,
}

/// What a list of wallets is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalletFilters {
    /// Only the one of this address or script hash.
    pub wallet_address: Option<String>,
    /// Only those that stand so.
    pub status: Option<WalletStatus>,
}

/// A wallet as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WalletView {
    /// Its id.
    pub id: Uuid,
    /// The account it belongs to.
    pub account_id: Uuid,
    /// The same: every account is one workspace.
    pub workspace_id: Uuid,
    /// Its address on Neo N3.
    pub wallet_address: String,
    /// The same as a script hash, as nodes display it.
    pub script_hash: String,
    /// What its people call it.
    pub label: String,
    /// Its keys, in Neo's order.
    pub public_keys: Vec<String>,
    /// How many of them sign.
    pub threshold: i64,
    /// Where it stands.
    pub status: WalletStatus,
    /// What is to be signed for it to become active; only while it is pending. These bytes as UTF-8, no line feed at the
    /// end; ECDSA on P-256, the digest being their SHA-256.
    pub challenge: Option<String>,
    /// Until when that can be answered.
    pub challenge_expires_at: Option<DateTime<Utc>>,
    /// When it was proved.
    pub proved_at: Option<DateTime<Utc>>,
    /// Counts the changes from 1.
    pub version: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Resource for Wallet {
    const SERVICE: &'static str = NAME;
    const LIFE: Life =
        Life { created: "wallet.created", amended: "wallet.amended", removed: "wallet.removed" };
    const QUOTA: Option<&'static Setting> = Some(&MAX_WALLETS);

    type New = NewWallet;
    type Patch = AmendWallet;
    type View = WalletView;
    type Filters = WalletFilters;

    async fn admit(new: NewWallet, tenant: &Tenant, _batch: &mut Batch) -> Result<Self, Fault> {
        let mut check = Check::new();
        check.text("/label", &new.label, 0..=LABEL);
        let named = read_address("/wallet_address", &new.wallet_address, &mut check);
        let public_keys = read_keys(&new.public_keys, &mut check);
        let threshold = read_threshold(new.threshold, public_keys.len(), &mut check);
        check.finish()?;
        let given = addresses(&public_keys, threshold);
        let Some(script_hash) = named.filter(|named| given.contains(named)) else {
            let given: Vec<String> = given.iter().map(ScriptHash::address).collect();
            let detail = format!("must be the address of these keys and threshold: {}", given.join(" or "));
            return Err(Fault::field("/wallet_address", "address_of_keys", detail));
        };
        Ok(Self {
            head: Head::new(tenant.account_id, tenant.next_id(), tenant.now()),
            script_hash,
            label: new.label,
            public_keys,
            threshold: i64::try_from(threshold).unwrap_or(i64::MAX),
            status: WalletStatus::Pending,
            challenge: Some(Challenge::new(&tenant.core)),
            proved_at: None,
        })
    }

    async fn amend(&mut self, patch: AmendWallet, _tenant: &Tenant, _batch: &mut Batch) -> Result<(), Fault> {
        if let Some(label) = patch.label {
            Check::new().text("/label", &label, 0..=LABEL).finish()?;
            self.label = label;
        }
        patch.status.map_or(Ok(()), |status| self.turn(status))
    }

    fn view(&self) -> WalletView {
        WalletView {
            id: self.head.id,
            account_id: self.head.account_id,
            workspace_id: self.head.account_id,
            wallet_address: self.script_hash.address(),
            script_hash: self.script_hash.to_string(),
            label: self.label.clone(),
            public_keys: self.public_keys.iter().map(ToString::to_string).collect(),
            threshold: self.threshold,
            status: self.status,
            challenge: self.challenge.as_ref().map(|challenge| challenge.message(self)),
            challenge_expires_at: self.challenge.as_ref().map(|challenge| challenge.expires_at),
            proved_at: self.proved_at,
            version: self.head.version,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn conditions(filters: WalletFilters) -> Result<Vec<Filter>, Fault> {
        let mut check = Check::new();
        let address = filters.wallet_address;
        let address = address.and_then(|text| read_address("?wallet_address", &text, &mut check));
        check.finish()?;
        let address = address.map(|hash| Filter::Equal("script_hash", hash.to_string().into()));
        let status = filters.status.map(|status| Filter::Equal("status", status.as_str().into()));
        Ok(address.into_iter().chain(status).collect())
    }

    fn told(&self) -> Value {
        json!({"wallet_address": self.script_hash.address(), "status": self.status})
    }
}

impl Wallet {
    /// Moves it to another status, where that is one it can come to by word.
    fn turn(&mut self, status: WalletStatus) -> Result<(), Fault> {
        use WalletStatus::{Active, Pending, Revoked, Suspended};
        match (self.status, status) {
            (from, to) if from == to => {}
            (Active, Suspended) | (Suspended, Active) => self.status = status,
            (Pending | Active | Suspended, Revoked) => (self.status, self.challenge) = (Revoked, None),
            (Pending, Active) => {
                let detail =
                    "the wallet becomes active when its keys have signed its challenge, by POST …/proof";
                return Err(Fault::new(Code::InvalidState, detail));
            }
            (from, to) => {
                let detail = format!("a wallet that is {} cannot become {}", from.as_str(), to.as_str());
                return Err(Fault::new(Code::InvalidState, detail));
            }
        }
        Ok(())
    }
}

/// Reads an address or script hash; a broken rule more where it is neither.
pub(crate) fn read_address(pointer: &str, text: &str, check: &mut Check) -> Option<ScriptHash> {
    match ScriptHash::parse(text.trim()) {
        Ok(hash) => Some(hash),
        Err(flaw) => {
            check.broken(pointer, flaw.rule(), flaw.detail());
            None
        }
    }
}

/// Reads keys, in Neo's order.
fn read_keys(texts: &[String], check: &mut Check) -> Vec<PublicKey> {
    if !(1..=MAX_KEYS).contains(&texts.len()) {
        check.broken("/public_keys", "items", format!("must be 1 to {MAX_KEYS} keys, not {}", texts.len()));
        return Vec::new();
    }
    let mut keys = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        if let Some(key) = PublicKey::from_hex(text) {
            keys.push(key);
        } else {
            let detail =
                "must be a compressed key on secp256r1: 66 hexadecimal digits that begin with 02 or 03";
            check.broken(format!("/public_keys/{at}"), "public_key", detail);
        }
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        check.broken("/public_keys", "distinct", "must all be different");
    }
    keys
}

fn read_threshold(threshold: Option<u32>, keys: usize, check: &mut Check) -> usize {
    let Some(threshold) = threshold else {
        if keys > 1 {
            check.broken("/threshold", "required", "is required where there are several keys");
        }
        return 1;
    };
    let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
    if keys > 0 && !(1..=keys).contains(&threshold) {
        let detail = format!("must be 1 to the number of keys ({keys}), not {threshold}");
        check.broken("/threshold", "bounds", detail);
    }
    threshold
}

/// The addresses that keys and a threshold give: one, or of a single key two, because a contract of one key can also be
/// written as one of several.
fn addresses(keys: &[PublicKey], threshold: usize) -> Vec<ScriptHash> {
    let single = match keys {
        [key] => Some(single_signature(key)),
        _ => None,
    };
    single.into_iter().chain(multi_signature(keys, threshold)).map(|script| ScriptHash::of(&script)).collect()
}
