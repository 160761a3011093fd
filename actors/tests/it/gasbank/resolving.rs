//! What becomes of deposits and withdrawals, whatever the resolver answers.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use sl_actors::{
    duty::{RETRY_BASE, RETRY_CAP},
    egress::{Egress, EgressLimits, SystemResolver},
    pause::{NewPause, PauseWork, Resume, ResumeWork, Target},
    peers::Peer,
    services::gasbank::{
        CancelWithdrawal, FetchDeposit, FetchWithdrawal, GasAccount, GasMovementView, GasStatus,
        RESOLVER_TIME, RESOLVER_TRIES, Reconcile, Reconciliation,
    },
    settings::Setting,
    why::Why,
};
use uuid::Uuid;

use super::{
    balances, chain_id, confirm, decide, deposit, ensure, funded, ledger,
    resolver::{Resolver, Says, later, no, yes},
    withdraw,
};
use crate::world::{Ground, World, on_both, set, start, until};

on_both! {
    a_withdrawal_is_released_on_a_definite_no_alone
    what_is_in_doubt_is_asked_again_or_decided_by_hand
    a_deposit_is_confirmed_by_the_resolver
    two_daemons_pay_once
    what_is_paused_is_not_asked_about
}

async fn world(ground: Ground, resolver: &Resolver) -> World {
    world_with(ground, resolver, &[]).await
}

/// A world with a resolver, and settings of a test's own.
pub async fn world_with(ground: Ground, resolver: &Resolver, settings: &[(&Setting, u64)]) -> World {
    let mut parts = ground.parts().await;
    let usual = [(&RETRY_BASE, 10), (&RETRY_CAP, 50), (&RESOLVER_TRIES, 3), (&RESOLVER_TIME, 300)];
    for (setting, value) in usual.iter().chain(settings) {
        set(&mut parts, setting, *value);
    }
    let limits = EgressLimits::from(&parts.settings);
    let names = std::sync::Arc::new(SystemResolver::new(4));
    parts.egress = Egress::new(limits, resolver.host().parse().unwrap(), names).unwrap();
    let key = Some(SecretString::from("the key of the resolver"));
    parts.peers.gas_resolver = Some(Peer { url: resolver.url(), key });
    World::of(ground, parts, None).await
}

/// A withdrawal of 1 about which the resolver answers so; until it knows, it says that it will.
pub async fn asked_for(
    world: &World,
    account: Uuid,
    gas: Uuid,
    resolver: &Resolver,
    answers: &[Says],
) -> Uuid {
    let made = withdraw(world, account, json!({"gas_account_id": gas, "amount": "1"})).await.unwrap();
    resolver.says(made.transaction.id, answers);
    made.transaction.id
}

pub async fn ends(world: &World, account: Uuid, id: Uuid, status: GasStatus) -> GasMovementView {
    let mut seen = None;
    until(&format!("{id} is {status:?}"), async || {
        let view = world.act(account, FetchWithdrawal(id)).await.unwrap();
        let holds = view.transaction.status == status;
        seen = Some(view);
        holds
    })
    .await;
    seen.unwrap()
}

async fn a_withdrawal_is_released_on_a_definite_no_alone(ground: Ground) {
    use GasStatus::{Completed, Failed, NeedsReconcile};
    let resolver = Resolver::start().await;
    let world = world(ground, &resolver).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "100").await.id;
    let that = |status: u16, body: &str| Says::That(status, body.to_owned());
    let cases: Vec<(&str, Vec<Says>, GasStatus)> = vec![
        ("yes", vec![yes()], Completed),
        ("no", vec![no("refused")], Failed),
        ("later, then yes", vec![later(), later(), yes()], Completed),
        ("sent but timed out, then yes", vec![Says::TooLate, yes()], Completed),
        ("nothing, then no", vec![Says::Nothing, no("expired")], Failed),
        ("unavailable, then yes", vec![that(503, ""), yes()], Completed),
        (
            "no time, again and again, then yes",
            [vec![Says::Busy(429, 0); 4], vec![Says::Busy(503, 0); 4], vec![yes()]].concat(),
            Completed,
        ),
        ("unavailable, and no word for how long", vec![that(503, "")], NeedsReconcile),
        (
            "about another",
            vec![that(200, r#"{"done": true, "success": true, "transaction_id": "another"}"#)],
            NeedsReconcile,
        ),
        (
            "no, about another",
            vec![that(200, r#"{"done": true, "success": false, "transaction_id": "another"}"#)],
            NeedsReconcile,
        ),
        ("never there", vec![Says::Nothing], NeedsReconcile),
        ("always late", vec![Says::TooLate], NeedsReconcile),
        ("500", vec![that(500, r#"{"done": true, "success": false}"#)], NeedsReconcile),
        ("404", vec![that(404, r#"{"done": true, "success": false}"#)], NeedsReconcile),
        ("201", vec![that(201, r#"{"done": true, "success": true}"#)], NeedsReconcile),
        ("garbage", vec![that(200, "<html>")], NeedsReconcile),
        ("half an answer", vec![that(200, r#"{"done": true}"#)], NeedsReconcile),
        ("no truth value", vec![that(200, r#"{"done": "yes", "success": "yes"}"#)], NeedsReconcile),
        (
            "wrong amount",
            vec![that(200, r#"{"done": true, "success": true, "amount": "2"}"#)],
            NeedsReconcile,
        ),
        ("right amount", vec![that(200, r#"{"done": true, "success": true, "amount": 1.0}"#)], Completed),
        ("yes twice", vec![yes(), yes()], Completed),
        ("no, then yes", vec![no("refused"), yes()], Failed),
    ];
    let (mut spent, mut locked) = (0, 0);
    for (name, answers, status) in cases {
        let id = asked_for(&world, account, gas, &resolver, &answers).await;
        let ended = ends(&world, account, id, status).await;
        spent += u32::from(status == Completed);
        locked += u32::from(status == NeedsReconcile);
        assert_eq!(ended.account.locked.to_string(), locked.to_string(), "{name}");
        assert_eq!(ended.account.balance.to_string(), (100 - spent).to_string(), "{name}");
        assert_eq!(ended.transaction.error.is_some(), status != Completed, "{name}");
        let asked = resolver.asked(id);
        assert!(!asked.is_empty(), "{name}");
        assert!(asked[0].contains("authorization: Bearer the key of the resolver"), "{}", asked[0]);
        assert!(asked[0].contains("&type=withdrawal&amount=1&"), "{}", asked[0]);
        let refused = world.act(account, CancelWithdrawal(id)).await.unwrap_err();
        assert_eq!(refused.code, sl_actors::Code::InvalidState, "{name}");
        if name.contains("about another") {
            let error = ended.transaction.error.unwrap();
            assert!(error.contains("about another: another"), "{error}");
        }
    }
    assert!(ledger(&world, account, gas).await.balanced);
}

async fn what_is_in_doubt_is_asked_again_or_decided_by_hand(ground: Ground) {
    let resolver = Resolver::start().await;
    let world = world(ground, &resolver).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let mut doubted = Vec::new();
    for _ in 0..3 {
        let id = asked_for(&world, account, gas, &resolver, &[Says::Nothing]).await;
        ends(&world, account, id, GasStatus::NeedsReconcile).await;
        doubted.push(id);
    }
    let why = world.act(account, Why(doubted[0])).await.unwrap();
    assert_eq!((why.status.as_str(), why.causes[0].code), ("needs_reconcile", "needs_reconcile"));
    let settled = decide(&world, account, doubted[0], true).await.unwrap();
    assert_eq!(balances(&settled.account), ["9", "7", "2", "0"]);
    let released = decide(&world, account, doubted[1], false).await.unwrap();
    assert_eq!(balances(&released.account), ["9", "8", "1", "0"]);
    resolver.says(doubted[2], &[yes()]);
    let done = world.act(account, Reconcile(Reconciliation::default())).await.unwrap();
    assert_eq!(done.accounts[0].asked_again, 1);
    let ended = ends(&world, account, doubted[2], GasStatus::Completed).await;
    assert_eq!(balances(&ended.account), ["8", "8", "0", "0"]);
}

async fn a_deposit_is_confirmed_by_the_resolver(ground: Ground) {
    let resolver = Resolver::start().await;
    let world = world(ground, &resolver).await;
    let account = world.account("Ada").await.id;
    let gas = ensure(&world, account, 1).await.id;
    let unclear = Says::That(502, String::new());
    for (number, answers, status) in [
        (1, vec![later(), yes()], GasStatus::Completed),
        (2, vec![no("no such transaction")], GasStatus::Failed),
        (3, vec![unclear], GasStatus::NeedsReconcile),
    ] {
        resolver.says(chain_id(number), &answers);
        let new = json!({"gas_account_id": gas, "amount": "2", "tx_id": chain_id(number)});
        let id = deposit(&world, account, new).await.unwrap().transaction.id;
        until(&format!("{status:?}"), async || {
            world.act(account, FetchDeposit(id)).await.unwrap().transaction.status == status
        })
        .await;
        if status == GasStatus::NeedsReconcile {
            let seen = confirm(&world, account, id, true).await.unwrap();
            assert_eq!(balances(&seen.account), ["4", "4", "0", "0"]);
        }
    }
    assert!(ledger(&world, account, gas).await.balanced);
}

async fn two_daemons_pay_once(ground: Ground) {
    let resolver = Resolver::start().await;
    let world = world(ground, &resolver).await;
    let core = world.core();
    let mut parts = world.ground.parts().await;
    (parts.settings, parts.peers, parts.keys) =
        (core.settings.clone(), core.peers.clone(), core.keys.clone());
    parts.egress = core.egress.clone();
    let other = start(parts, None).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "20").await.id;
    let mut asked = Vec::new();
    for _ in 0..20 {
        asked.push(asked_for(&world, account, gas, &resolver, &[later(), yes()]).await);
    }
    for id in asked {
        ends(&world, account, id, GasStatus::Completed).await;
    }
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced);
    assert_eq!(proof.transfers, 42, "one in, twenty reserved and settled once each");
    other.drain(Duration::from_secs(5)).await;
}

async fn what_is_paused_is_not_asked_about(ground: Ground) {
    let resolver = Resolver::start().await;
    let world = world(ground, &resolver).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let target = || Target::of::<GasAccount>(gas);
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    world.act(account, PauseWork { target: target(), new }).await.unwrap();
    let made = withdraw(&world, account, json!({"gas_account_id": gas, "amount": "1"})).await.unwrap();
    let id = made.transaction.id;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(resolver.asked(id).is_empty());
    let why = world.act(account, Why(id)).await.unwrap();
    assert_eq!(why.causes[0].code, "paused");
    resolver.says(id, &[yes()]);
    world.act(account, ResumeWork { target: target(), how: Resume::default() }).await.unwrap();
    ends(&world, account, id, GasStatus::Completed).await;
}
