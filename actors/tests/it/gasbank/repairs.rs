//! Lost transfers, and what the health tells of what the check found.

use serde_json::json;
use sl_actors::{
    SYSTEM,
    services::{
        control::SystemStatus,
        gasbank::{
            CHECK_EVERY, FINDINGS_LOOK, FetchGasAccount, GasAccount, GasTransfer, Reconcile, Reconciliation,
        },
    },
};
use sl_store::{Batch, Key, Query};
use uuid::Uuid;

use super::{balances, funded, ledger, withdraw};
use crate::world::{Ground, World, on_both, set, start, until};

on_both! {
    a_lost_transfer_is_found_and_the_ledger_goes_on
    a_row_that_fell_behind_its_transfers_is_put_right
    every_daemon_tells_what_one_of_them_found
}

/// Loses a transfer of a gas account.
async fn lose(world: &World, account: Uuid, number: i64) {
    let store = &world.core().store;
    let query = Query::of(account).equal("number", number);
    let found: GasTransfer = store.first(query).await.unwrap().unwrap();
    let mut batch = Batch::new();
    batch.remove(&found);
    store.commit(batch).await.unwrap();
}

async fn reconcile(world: &World, account: Uuid) -> i64 {
    let done = world.act(account, Reconcile(Reconciliation::default())).await.unwrap();
    done.accounts[0].missing
}

async fn a_lost_transfer_is_found_and_the_ledger_goes_on(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    for (seed, number) in [(1, 1), (2, 2), (3, 3)] {
        let account = world.account("Ada").await.id;
        let gas = funded(&world, account, seed, "10").await.id;
        let of = json!({"gas_account_id": gas, "amount": "4"});
        let made = withdraw(&world, account, of.clone()).await.unwrap();
        let before = balances(&made.account);
        lose(&world, account, number).await;
        let seen = ledger(&world, account, gas).await;
        assert_eq!((seen.balanced, seen.transfers, seen.missing), (false, 2, 1), "{seen:?}");
        assert_eq!(reconcile(&world, account).await, 1);
        let after = ledger(&world, account, gas).await;
        assert!(after.balanced, "{number}: {after:?}");
        assert_eq!(after.missing, 1, "what is lost stays told");
        assert!(after.items[0].number > 3, "no number is given twice");
        let view = world.act(account, FetchGasAccount(gas)).await.unwrap();
        assert_eq!(balances(&view), before, "the gas account's own word holds where its postings are lost");
        assert_eq!(reconcile(&world, account).await, 0);
        withdraw(&world, account, of).await.unwrap();
        assert!(ledger(&world, account, gas).await.balanced);
    }
}

async fn a_row_that_fell_behind_its_transfers_is_put_right(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let of = json!({"gas_account_id": gas, "amount": "4"});
    withdraw(&world, account, of.clone()).await.unwrap();
    lose(&world, account, 2).await;
    let store = &world.core().store;
    let mut row: GasAccount = store.get(Key::new(account, gas)).await.unwrap();
    row.posted = 1;
    let mut batch = Batch::new();
    batch.replace(&mut row, world.now());
    store.commit(batch).await.unwrap();
    assert_eq!(reconcile(&world, account).await, 1);
    assert!(ledger(&world, account, gas).await.balanced);
    let view = withdraw(&world, account, of).await.unwrap().account;
    assert_eq!(balances(&view), ["10", "2", "8", "0"]);
    assert!(ledger(&world, account, gas).await.balanced);
}

async fn every_daemon_tells_what_one_of_them_found(ground: Ground) {
    let quick = |parts: &mut sl_actors::Parts| {
        set(parts, &CHECK_EVERY, 200);
        set(parts, &FINDINGS_LOOK, 100);
    };
    let mut parts = ground.parts().await;
    quick(&mut parts);
    let world = World::of(ground, parts, None).await;
    let mut parts = world.ground.parts().await;
    quick(&mut parts);
    let other = start(parts, None).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    assert_eq!(world.act(SYSTEM, SystemStatus).await.unwrap().status, "ok");
    lose(&world, account, 2).await;
    for core in [world.core(), other.core()] {
        until("it is told", async || core.health.degraded().contains_key("gasbank-ledger")).await;
        let metrics = core.metrics.text().unwrap();
        assert!(metrics.contains("service_layer_gasbank_differing_accounts 1"), "{metrics}");
    }
    let status = world.act(SYSTEM, SystemStatus).await.unwrap();
    assert_eq!(status.status, "degraded");
    assert!(status.degraded["gasbank-ledger"].starts_with("1 gas accounts"), "{status:?}");
    let view = world.act(account, FetchGasAccount(gas)).await.unwrap();
    assert!(view.differs_since.is_some());
    let why = world.act(account, sl_actors::why::Why(gas)).await.unwrap();
    assert_eq!(why.causes[0].code, "differs");
    until("it is told once", async || world.events(account, "gasbank.account.differs").await.len() == 1)
        .await;
    reconcile(&world, account).await;
    for core in [world.core(), other.core()] {
        until("it is well", async || core.health.degraded().is_empty()).await;
        assert!(core.metrics.text().unwrap().contains("service_layer_gasbank_differing_accounts 0"));
    }
    assert_eq!(world.act(SYSTEM, SystemStatus).await.unwrap().status, "ok");
}
