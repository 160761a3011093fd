//! A resolver that says yes after it said no is found out, and an operator decides which holds.

use serde_json::json;
use sl_actors::{
    services::gasbank::{
        FINDINGS_LOOK, FetchDeposit, FetchWithdrawal, GasMovementView, GasStatus, RECHECK_AFTER,
        RECHECK_WITHIN,
    },
    why::Why,
};
use sl_store::WorkQuery;
use uuid::Uuid;

use super::{
    balances, chain_id,
    corrections::{correct, verdict},
    deposit, ensure, funded, ledger,
    resolver::{Resolver, Says, no, yes},
    resolving::{asked_for, ends, world_with},
};
use crate::world::{Ground, World, on_both, until};

on_both! {
    a_yes_after_a_release_is_told_and_decided
    what_failed_is_asked_about_for_a_time
    a_transaction_that_was_announced_again_contradicts_nothing
}

async fn contradicted(world: &World, account: Uuid, id: Uuid) -> GasMovementView {
    let mut seen = None;
    until("it is contradicted", async || {
        let view = world.act(account, FetchWithdrawal(id)).await.unwrap();
        let told = view.transaction.contradicted_at.is_some();
        seen = Some(view);
        told
    })
    .await;
    seen.unwrap()
}

async fn a_yes_after_a_release_is_told_and_decided(ground: Ground) {
    let resolver = Resolver::start().await;
    let settings = [(&RECHECK_AFTER, 100), (&FINDINGS_LOOK, 50)];
    let world = world_with(ground, &resolver, &settings).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let unclear = Says::That(500, String::new());
    let answers = [no("refused"), unclear, no("refused"), yes()];
    let first = asked_for(&world, account, gas, &resolver, &answers).await;
    let seen = contradicted(&world, account, first).await;
    assert_eq!(seen.transaction.status, GasStatus::Failed, "a second word moves no money");
    assert_eq!(balances(&seen.account), ["10", "10", "0", "0"]);
    let error = seen.transaction.error.unwrap();
    assert!(error.contains("settled after all") && error.ends_with("refused"), "{error}");
    let why = world.act(account, Why(first)).await.unwrap();
    assert!(why.causes.iter().any(|cause| cause.code == "contradicted"), "{why:?}");
    assert_eq!(ledger(&world, account, gas).await.contradicted, [first]);
    let health = &world.core().health;
    until("it is told", async || health.degraded().contains_key("gasbank-ledger")).await;
    let metrics = world.core().metrics.text().unwrap();
    assert!(metrics.contains("service_layer_gasbank_contradicted 1"), "{metrics}");

    let booked = correct(&world, account, verdict(first, "completed")).await.unwrap();
    assert_eq!(balances(&booked.account), ["9", "9", "0", "0"]);
    assert_eq!(booked.transaction.contradicted_at, None);
    until("it is well", async || health.degraded().is_empty()).await;

    let second = asked_for(&world, account, gas, &resolver, &[no("refused"), yes()]).await;
    contradicted(&world, account, second).await;
    let upheld = correct(&world, account, verdict(second, "failed")).await.unwrap();
    assert_eq!((upheld.transaction.status, upheld.transaction.contradicted_at), (GasStatus::Failed, None));
    assert_eq!(upheld.transaction.decisions.len(), 1);
    assert_eq!(balances(&upheld.account), ["9", "9", "0", "0"]);
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced && proof.contradicted.is_empty(), "{proof:?}");
    let told = async || world.events(account, "gasbank.withdrawal.contradicted").await.len() == 2;
    until("it is told", told).await;
}

async fn what_failed_is_asked_about_for_a_time(ground: Ground) {
    let resolver = Resolver::start().await;
    let settings = [(&RECHECK_AFTER, 100), (&RECHECK_WITHIN, 1_000)];
    let world = world_with(ground, &resolver, &settings).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let id = asked_for(&world, account, gas, &resolver, &[no("refused")]).await;
    ends(&world, account, id, GasStatus::Failed).await;
    until("it is asked about no more", async || {
        let about = WorkQuery { account: Some(account), subject: Some(id), limit: 1, ..WorkQuery::default() };
        world.core().store.work(about).await.unwrap().is_empty()
    })
    .await;
    let asked = resolver.asked(id).len();
    assert!((2..=6).contains(&asked), "it was asked about {asked} times");
    let why = world.act(account, Why(id)).await.unwrap();
    assert!(why.causes.is_empty(), "{why:?}");
}

async fn a_transaction_that_was_announced_again_contradicts_nothing(ground: Ground) {
    let resolver = Resolver::start().await;
    let world = world_with(ground, &resolver, &[(&RECHECK_AFTER, 300)]).await;
    let account = world.account("Ada").await.id;
    let gas = ensure(&world, account, 1).await.id;
    resolver.says(chain_id(1), &[no("not so much"), yes()]);
    let ended = async |id: Uuid, status: GasStatus| {
        until("it ends", async || {
            world.act(account, FetchDeposit(id)).await.unwrap().transaction.status == status
        })
        .await;
    };
    let of = |amount: &str| json!({"gas_account_id": gas, "amount": amount, "tx_id": chain_id(1)});
    let first = deposit(&world, account, of("50")).await.unwrap().transaction.id;
    ended(first, GasStatus::Failed).await;
    let second = deposit(&world, account, of("5")).await.unwrap().transaction.id;
    ended(second, GasStatus::Completed).await;
    until("the first is asked about no more", async || {
        let about =
            WorkQuery { account: Some(account), subject: Some(first), limit: 1, ..WorkQuery::default() };
        world.core().store.work(about).await.unwrap().is_empty()
    })
    .await;
    let seen = world.act(account, FetchDeposit(first)).await.unwrap();
    assert_eq!(seen.transaction.contradicted_at, None);
    assert_eq!(balances(&seen.account), ["5", "5", "0", "0"]);
}
