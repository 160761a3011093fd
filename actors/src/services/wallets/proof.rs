//! Proving a wallet, and the one place that tells what a wallet may sign.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sl_store::{Batch, Code, Fault, Key, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    NAME,
    challenge::Challenge,
    entity::{Wallet, WalletStatus},
    resource::{WalletView, read_address},
};
use crate::{
    Core,
    action::{Action, Tenant},
    check::Check,
    neo::{MAX_KEYS, PublicKey, Signature},
    resource::Resource as _,
    why::{Cause, Explained},
};

/// The signature of one key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalletSignature {
    /// The key that signed, compressed, in hexadecimal.
    pub public_key: String,
    /// r and s, each 32 bytes big-endian: in base64, or 128 hexadecimal digits.
    pub signature: String,
}

/// What proves a wallet.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProof {
    /// Signatures of the challenge's message, of as many of the wallet's keys as its threshold says.
    pub signatures: Vec<WalletSignature>,
}

/// Who is asked to sign, as a caller named it: the wallet's address or script hash, and where in the request that stands.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The address.
    pub address: &'a str,
    /// The JSON pointer to it.
    pub pointer: &'a str,
}

/// Tells whether these signatures over a message let a wallet of an account act: the wallet, or why not. Whoever acts on
/// the answer holds the wallet's row in its batch ([`Batch::holds`]), so that it is active still when that is written.
///
/// # Errors
/// As [`active`] and [`check_signatures`].
pub async fn may_sign(
    core: &Core,
    account: Uuid,
    named: Named<'_>,
    message: &[u8],
    signatures: &[WalletSignature],
) -> Result<Wallet, Fault> {
    let wallet = active(core, account, named).await?;
    check_signatures(&wallet, message, signatures)?;
    Ok(wallet)
}

/// The active wallet of an address.
///
/// # Errors
/// [`Code::Invalid`] where the address is none (its rule says why), the account has no wallet of it
/// (`wallet_not_registered`), or that is not active (`wallet_not_active`).
pub async fn active(core: &Core, account: Uuid, named: Named<'_>) -> Result<Wallet, Fault> {
    let wallet = registered(core, account, named).await?;
    if wallet.status == WalletStatus::Active {
        return Ok(wallet);
    }
    let detail = format!("must be the address of an active wallet; this one is {}", wallet.status.as_str());
    Err(Fault::field(named.pointer, "wallet_not_active", detail))
}

/// The wallet of an address, whatever its status.
///
/// # Errors
/// [`Code::Invalid`] where the address is none (its rule says why), or the account has no wallet of it
/// (`wallet_not_registered`).
pub async fn registered(core: &Core, account: Uuid, named: Named<'_>) -> Result<Wallet, Fault> {
    let mut check = Check::new();
    let hash = read_address(named.pointer, named.address, &mut check);
    check.finish()?;
    let hash = hash.map(|hash| hash.to_string()).unwrap_or_default();
    let found: Option<Wallet> = core.store.first(Query::of(account).equal("script_hash", hash)).await?;
    found.ok_or_else(|| {
        let detail = "must be the address of a workspace wallet of the account; this one is not registered";
        Fault::field(named.pointer, "wallet_not_registered", detail)
    })
}

/// Whether as many of a wallet's keys as its threshold says have signed a message, whatever its status.
///
/// # Errors
/// [`Code::Invalid`], naming the signature and the rule.
pub fn check_signatures(
    wallet: &Wallet,
    message: &[u8],
    signatures: &[WalletSignature],
) -> Result<(), Fault> {
    if signatures.len() > MAX_KEYS {
        let detail = format!("must be at most {MAX_KEYS} signatures, not {}", signatures.len());
        return Err(Fault::field("/signatures", "items", detail));
    }
    let mut signers = BTreeSet::new();
    for (at, given) in signatures.iter().enumerate() {
        let pointer = |field: &str| format!("/signatures/{at}/{field}");
        let key = PublicKey::from_hex(&given.public_key)
            .filter(|key| wallet.public_keys.contains(key))
            .ok_or_else(|| Fault::field(pointer("public_key"), "wrong_key", "must be a key of the wallet"))?;
        let signature = Signature::parse(&given.signature).ok_or_else(|| {
            let detail = "must be r and s of ECDSA on P-256, 64 bytes in base64 or hexadecimal";
            Fault::field(pointer("signature"), "format", detail)
        })?;
        if !key.verifies(message, &signature) {
            let detail = "must be this key's signature of the message";
            return Err(Fault::field(pointer("signature"), "signature", detail));
        }
        if !signers.insert(key) {
            return Err(Fault::field(pointer("public_key"), "distinct", "must not sign twice"));
        }
    }
    let (needed, given) = (usize::try_from(wallet.threshold).unwrap_or(usize::MAX), signers.len());
    if given < needed {
        let detail = format!("must be of {needed} keys of the wallet, not {given}");
        return Err(Fault::field("/signatures", "too_few", detail));
    }
    Ok(())
}

/// Proves a pending wallet.
#[derive(Debug)]
pub struct ProveWallet {
    /// Which.
    pub wallet_id: Uuid,
    /// By what.
    pub proof: NewProof,
}

impl Action for ProveWallet {
    type Output = WalletView;

    async fn run(self, tenant: &Tenant) -> Result<WalletView, Fault> {
        let mut wallet: Wallet = tenant.core.store.get(tenant.key(self.wallet_id)).await?;
        let challenge = pending(&wallet)?;
        if challenge.expires_at <= tenant.now() {
            let detail = "the challenge has expired; ask for a fresh one by POST …/challenge";
            return Err(Fault::new(Code::InvalidState, detail));
        }
        check_signatures(&wallet, challenge.message(&wallet).as_bytes(), &self.proof.signatures)?;
        (wallet.status, wallet.challenge) = (WalletStatus::Active, None);
        wallet.proved_at = Some(tenant.now());
        write(wallet, "wallet.proved", tenant).await
    }
}

/// Gives a pending wallet a fresh challenge; the one before is answered in vain.
#[derive(Clone, Copy, Debug)]
pub struct RenewChallenge(pub Uuid);

impl Action for RenewChallenge {
    type Output = WalletView;

    async fn run(self, tenant: &Tenant) -> Result<WalletView, Fault> {
        let mut wallet: Wallet = tenant.core.store.get(tenant.key(self.0)).await?;
        pending(&wallet)?;
        wallet.challenge = Some(Challenge::new(&tenant.core));
        write(wallet, "wallet.challenged", tenant).await
    }
}

fn pending(wallet: &Wallet) -> Result<&Challenge, Fault> {
    let told = || format!("the wallet is {} and proves nothing", wallet.status.as_str());
    wallet.challenge.as_ref().ok_or_else(|| Fault::new(Code::InvalidState, told()))
}

async fn write(mut wallet: Wallet, kind: &'static str, tenant: &Tenant) -> Result<WalletView, Fault> {
    let mut batch = Batch::new();
    batch.replace(&mut wallet, tenant.now());
    batch.event(tenant.event(NAME, kind, wallet.head.id, wallet.told()));
    tenant.commit(batch, wallet.view()).await
}

/// Tells why a wallet is not active.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let Some(wallet) = core.store.find::<Wallet>(Key::new(account, id)).await? else { return Ok(None) };
        let causes = wallet.challenge.iter().map(|challenge| {
            let expired = challenge.expires_at <= core.clock.now();
            let detail = if expired {
                "its challenge has expired unanswered; POST …/challenge gives a fresh one"
            } else {
                "its keys have not signed its challenge"
            };
            Cause::new("unproved", detail).since(wallet.head.created_at).with("threshold", wallet.threshold)
        });
        let (status, causes) = (wallet.status.as_str().to_owned(), causes.collect());
        Ok(Some(Explained { kind: "wallet", status, gates: Vec::new(), causes }))
    })
}
