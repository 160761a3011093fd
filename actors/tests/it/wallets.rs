//! Wallets: registered by their keys, proved by signatures, opening only while they are active.

use std::time::Duration;

use p256::ecdsa::{SigningKey, signature::Signer as _};
use serde_json::{Value, json};
use sl_actors::{
    Code, Fault,
    neo::{PublicKey, ScriptHash, multi_signature, single_signature},
    page::PageRequest,
    resource::{Amend, Create, List, Remove},
    services::wallets::{
        CHALLENGE_TIME, Named, ProveWallet, RenewChallenge, Wallet, WalletFilters, WalletSignature,
        WalletStatus, WalletView, active, may_sign,
    },
    why::Why,
};
use uuid::Uuid;

use crate::world::{Ground, World, on_both};

on_both! {
    a_wallet_is_proved_by_its_key
    several_keys_sign_as_many_as_the_threshold_says
    what_is_not_the_address_of_the_keys_is_refused
    only_an_active_wallet_opens
}

/// A key pair that is the same in every run.
pub struct Pair(SigningKey);

impl Pair {
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub fn public(&self) -> String {
        hex::encode(self.0.verifying_key().to_sec1_point(true).as_bytes())
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_hex(&self.public()).unwrap()
    }

    pub fn sign(&self, message: &str) -> WalletSignature {
        let signature: p256::ecdsa::Signature = self.0.sign(message.as_bytes());
        WalletSignature { public_key: self.public(), signature: hex::encode(signature.to_bytes()) }
    }

    pub fn account(&self) -> ScriptHash {
        ScriptHash::of(&single_signature(&self.key()))
    }
}

pub async fn register(world: &World, account: Uuid, new: Value) -> Result<WalletView, Fault> {
    world.act(account, Create::<Wallet>(serde_json::from_value(new).unwrap())).await
}

pub async fn prove(
    world: &World,
    account: Uuid,
    wallet: &WalletView,
    signers: &[&Pair],
) -> Result<WalletView, Fault> {
    let message = wallet.challenge.as_ref().unwrap();
    let signatures: Vec<Value> = signers.iter().map(|pair| json!(pair.sign(message))).collect();
    let proof = serde_json::from_value(json!({"signatures": signatures})).unwrap();
    world.act(account, ProveWallet { wallet_id: wallet.id, proof }).await
}

/// A wallet of one key, active.
pub async fn proved(world: &World, account: Uuid, pair: &Pair) -> WalletView {
    let new = json!({"wallet_address": pair.account().address(), "public_keys": [pair.public()]});
    let wallet = register(world, account, new).await.unwrap();
    prove(world, account, &wallet, &[pair]).await.unwrap()
}

pub fn rule(fault: &Fault) -> (&str, &str) {
    let field = fault.fields.first().unwrap_or_else(|| panic!("{fault}"));
    (&field.pointer, field.rule)
}

async fn a_wallet_is_proved_by_its_key(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let (pair, other) = (Pair::new(1), Pair::new(2));
    let new = json!({"wallet_address": pair.account().to_string(), "public_keys": [pair.public()], "label": "mine"});
    let wallet = register(&world, account, new.clone()).await.unwrap();
    assert_eq!((wallet.status, wallet.threshold), (WalletStatus::Pending, 1));
    assert_eq!(wallet.wallet_address, pair.account().address());
    let message = wallet.challenge.clone().unwrap();
    assert!(message.starts_with("neo-service-layer/wallet-proof/v1\n"), "{message}");
    for told in [account.to_string(), wallet.id.to_string(), wallet.wallet_address.clone()] {
        assert!(message.contains(&told), "{message}");
    }
    let why = world.act(account, Why(wallet.id)).await.unwrap();
    assert_eq!((why.status.as_str(), why.causes[0].code), ("pending", "unproved"));
    let twice = register(&world, account, new.clone()).await.unwrap_err();
    assert_eq!((twice.code, rule(&twice)), (Code::Conflict, ("/wallet_address", "taken")));

    let refused = prove(&world, account, &wallet, &[]).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures", "too_few"));
    let refused = prove(&world, account, &wallet, &[&other]).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures/0/public_key", "wrong_key"));
    let fresh = world.act(account, RenewChallenge(wallet.id)).await.unwrap();
    let refused = prove(&world, account, &wallet, &[&pair]).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures/0/signature", "signature"), "of the challenge before");
    let active = prove(&world, account, &fresh, &[&pair]).await.unwrap();
    assert_eq!(active.status, WalletStatus::Active);
    assert!(
        active.challenge.is_none() && active.challenge_expires_at.is_none() && active.proved_at.is_some()
    );
    let again = prove(&world, account, &fresh, &[&pair]).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidState);

    let elsewhere = world.account("Bob").await.id;
    let theirs = register(&world, elsewhere, new).await.unwrap();
    let moved = WalletView { challenge: fresh.challenge, ..theirs };
    assert!(prove(&world, elsewhere, &moved, &[&pair]).await.is_err(), "a proof is worth nothing elsewhere");
}

async fn several_keys_sign_as_many_as_the_threshold_says(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let pairs = [Pair::new(3), Pair::new(4), Pair::new(5)];
    let keys: Vec<PublicKey> = pairs.iter().map(Pair::key).collect();
    let address = ScriptHash::of(&multi_signature(&keys, 2).unwrap()).address();
    let public: Vec<String> = pairs.iter().map(Pair::public).collect();
    let new = json!({"wallet_address": address, "public_keys": public, "threshold": 2});
    let wallet = register(&world, account, new).await.unwrap();
    let refused = prove(&world, account, &wallet, &[&pairs[2]]).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures", "too_few"));
    let refused = prove(&world, account, &wallet, &[&pairs[2], &pairs[2]]).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures/1/public_key", "distinct"));
    let wallet = prove(&world, account, &wallet, &[&pairs[2], &pairs[0]]).await.unwrap();
    assert_eq!(wallet.status, WalletStatus::Active);
}

async fn what_is_not_the_address_of_the_keys_is_refused(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let (pair, other) = (Pair::new(1), Pair::new(2));
    let (mine, key, second) = (pair.account().address(), pair.public(), other.public());
    for (new, told) in [
        (
            json!({"wallet_address": other.account().address(), "public_keys": [key]}),
            ("/wallet_address", "address_of_keys"),
        ),
        (
            json!({"wallet_address": "AhymDz4vvHLtvaN36CMbzkki7H2U8ENb8F", "public_keys": [key]}),
            ("/wallet_address", "address_version"),
        ),
        (json!({"wallet_address": "", "public_keys": [key]}), ("/wallet_address", "length")),
        (json!({"wallet_address": "0x12", "public_keys": [key]}), ("/wallet_address", "script_hash")),
        (json!({"wallet_address": mine, "public_keys": []}), ("/public_keys", "items")),
        (json!({"wallet_address": mine, "public_keys": ["02aa"]}), ("/public_keys/0", "public_key")),
        (
            json!({"wallet_address": mine, "public_keys": [key, key], "threshold": 1}),
            ("/public_keys", "distinct"),
        ),
        (json!({"wallet_address": mine, "public_keys": [key, second]}), ("/threshold", "required")),
        (
            json!({"wallet_address": mine, "public_keys": [key, second], "threshold": 3}),
            ("/threshold", "bounds"),
        ),
        (json!({"wallet_address": mine, "public_keys": [key], "threshold": 0}), ("/threshold", "bounds")),
        (
            json!({"wallet_address": mine, "public_keys": [key], "label": "x".repeat(201)}),
            ("/label", "length"),
        ),
    ] {
        let fault = register(&world, account, new.clone()).await.unwrap_err();
        assert_eq!((fault.code, rule(&fault)), (Code::Invalid, told), "{new}");
    }
}

async fn only_an_active_wallet_opens(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let (core, pair) = (world.core(), Pair::new(1));
    let signed = [pair.sign("do it")];
    let address = pair.account().address();
    let named = Named { address: &address, pointer: "/signer" };
    let asks = async || may_sign(core, account, named, b"do it", &signed).await;
    let set = async |wallet: &WalletView, status: &str| {
        let patch = serde_json::from_value(json!({"status": status})).unwrap();
        world.act(account, Amend::<Wallet> { id: wallet.id, expected: None, patch }).await
    };
    assert_eq!(rule(&asks().await.unwrap_err()), ("/signer", "wallet_not_registered"));
    let new = json!({"wallet_address": pair.account().address(), "public_keys": [pair.public()]});
    let wallet = register(&world, account, new).await.unwrap();
    let refused = asks().await.unwrap_err();
    assert_eq!(rule(&refused), ("/signer", "wallet_not_active"));
    assert!(refused.detail.ends_with("pending"), "{refused}");
    assert_eq!(set(&wallet, "active").await.unwrap_err().code, Code::InvalidState);
    assert_eq!(set(&wallet, "suspended").await.unwrap_err().code, Code::InvalidState);
    prove(&world, account, &wallet, &[&pair]).await.unwrap();
    assert_eq!(asks().await.unwrap().head.id, wallet.id);
    let other = may_sign(core, account, named, b"do something else", &signed).await.unwrap_err();
    assert_eq!(rule(&other), ("/signatures/0/signature", "signature"));
    set(&wallet, "suspended").await.unwrap();
    assert_eq!(rule(&asks().await.unwrap_err()), ("/signer", "wallet_not_active"));
    set(&wallet, "active").await.unwrap();
    asks().await.unwrap();
    let elsewhere = world.account("Bob").await.id;
    assert!(active(core, elsewhere, named).await.is_err(), "it is of one account");
    set(&wallet, "revoked").await.unwrap();
    let refused = asks().await.unwrap_err();
    assert_eq!(rule(&refused), ("/signer", "wallet_not_active"));
    assert!(refused.detail.ends_with("revoked"), "{refused}");
    assert_eq!(set(&wallet, "active").await.unwrap_err().code, Code::InvalidState);
    let filters = WalletFilters {
        wallet_address: Some(wallet.wallet_address.clone()),
        status: Some(WalletStatus::Revoked),
    };
    let listed = world.act(account, List::<Wallet> { page: PageRequest::default(), filters }).await.unwrap();
    assert_eq!(listed.items.iter().map(|one| one.id).collect::<Vec<_>>(), [wallet.id]);
    world.act(account, Remove::<Wallet>::new(wallet.id, None)).await.unwrap();
    let anew = json!({"wallet_address": pair.account().address(), "public_keys": [pair.public()]});
    assert_eq!(register(&world, account, anew).await.unwrap().status, WalletStatus::Pending);
}

#[tokio::test]
async fn a_challenge_expires() {
    let world = World::on(Ground::memory().await).await;
    let account = world.account("Ada").await.id;
    let pair = Pair::new(1);
    let new = json!({"wallet_address": pair.account().address(), "public_keys": [pair.public()]});
    let wallet = register(&world, account, new).await.unwrap();
    world.pass(world.core().settings.duration(&CHALLENGE_TIME) + Duration::from_millis(1));
    let refused = prove(&world, account, &wallet, &[&pair]).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);
    let fresh = world.act(account, RenewChallenge(wallet.id)).await.unwrap();
    assert_eq!(prove(&world, account, &fresh, &[&pair]).await.unwrap().status, WalletStatus::Active);
}
