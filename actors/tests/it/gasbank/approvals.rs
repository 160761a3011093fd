//! Approvals: under the policy a withdrawal was asked for with, and within its time.

use std::time::Duration;

use serde_json::json;
use sl_actors::{
    Code, Fault,
    pause::{NewPause, PauseWork, Target},
    resource::Amend,
    services::{
        gasbank::{
            APPROVE_WITHIN, Approve, FetchWithdrawal, Gas, GasAccount, GasMovementView, GasStatus,
            GasTransactionView,
        },
        wallets::Wallet,
    },
    why::Why,
};
use sl_store::{Batch, Key};
use uuid::Uuid;

use super::{amend, balances, funded, ledger, withdraw};
use crate::{
    wallets::{Pair, proved, rule},
    world::{Ground, World, on_both, set, until},
};

on_both! {
    what_nobody_approves_is_available_again
    a_time_that_is_over_cannot_be_used
    what_was_approved_in_time_stays
    a_change_of_the_policy_changes_nothing_that_was_asked_for
    approvals_without_approvers_are_refused
    an_approval_counts_while_its_wallet_is_active
    an_approver_is_a_wallet_of_the_account
}

async fn approve(
    world: &World,
    account: Uuid,
    asked: &GasTransactionView,
    pair: &Pair,
) -> Result<GasMovementView, Fault> {
    let message = asked.approval_message.as_deref().unwrap();
    let new = json!({"wallet_address": pair.account().address(), "signatures": [pair.sign(message)]});
    let new = serde_json::from_value(new).unwrap();
    world.act(account, Approve { withdrawal_id: asked.id, new }).await
}

/// A withdrawal of 3 from 10 that one wallet has to approve.
async fn asked(world: &World, account: Uuid, approver: &Pair) -> GasMovementView {
    let gas = funded(world, account, 1, "10").await;
    proved(world, account, approver).await;
    let policy = json!({"required_approvals": 1, "approvers": [approver.account().address()]});
    amend(world, account, gas.id, policy).await.unwrap();
    withdraw(world, account, json!({"gas_account_id": gas.id, "amount": "3"})).await.unwrap()
}

async fn what_nobody_approves_is_available_again(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &APPROVE_WITHIN, 800);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let approver = Pair::new(2);
    let made = asked(&world, account, &approver).await;
    let (id, gas) = (made.transaction.id, made.account.id);
    let expires_at = made.transaction.expires_at.unwrap();
    assert_eq!(expires_at, made.transaction.created_at + Duration::from_millis(800));
    assert_eq!(made.transaction.approvers, [approver.account().address()]);
    let why = world.act(account, Why(id)).await.unwrap();
    let cause = why.causes.iter().find(|cause| cause.code == "needs_approval").unwrap();
    assert_eq!(cause.until, Some(expires_at));
    // Time passes whatever is held back of the settling.
    let new = NewPause { reason: "maintenance".to_owned(), until: None };
    world.act(account, PauseWork { target: Target::of::<GasAccount>(gas), new }).await.unwrap();
    let mut seen = made.clone();
    until("it lapses", async || {
        seen = world.act(account, FetchWithdrawal(id)).await.unwrap();
        seen.transaction.status == GasStatus::Cancelled
    })
    .await;
    assert!(seen.transaction.completed_at.unwrap() >= expires_at);
    assert!(seen.transaction.error.unwrap().contains("0 of 1 approvals"));
    assert_eq!(balances(&seen.account), ["10", "10", "0", "0"]);
    assert_eq!(seen.account.daily_withdrawal, Gas::ZERO);
    let refused = approve(&world, account, &made.transaction, &approver).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced);
    let last = &proof.items[0];
    assert_eq!(json!(last.movement), "withdrawal_released");
    assert_eq!((last.transaction_id, last.actor.as_str()), (Some(id), "duty:gasbank-settlement"));
    until("it is told", async || world.events(account, "gasbank.withdrawal.expired").await.len() == 1).await;
}

async fn a_time_that_is_over_cannot_be_used(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &APPROVE_WITHIN, 1);
    let world = World::of(ground, parts, Some(Vec::new())).await;
    let account = world.account("Ada").await.id;
    let approver = Pair::new(2);
    let made = asked(&world, account, &approver).await.transaction;
    until("its time is over", async || world.now() > made.expires_at.unwrap()).await;
    let refused = approve(&world, account, &made, &approver).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);
    assert!(refused.detail.contains("ended at"), "{refused}");
}

async fn what_was_approved_in_time_stays(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &APPROVE_WITHIN, 2_000);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let approver = Pair::new(2);
    let made = asked(&world, account, &approver).await.transaction;
    let done = approve(&world, account, &made, &approver).await.unwrap();
    assert_eq!(done.transaction.status, GasStatus::Pending);
    let past = made.expires_at.unwrap() + Duration::from_millis(300);
    until("its time is over", async || world.now() > past).await;
    let seen = world.act(account, FetchWithdrawal(made.id)).await.unwrap();
    assert_eq!(seen.transaction.status, GasStatus::Pending);
    assert_eq!(balances(&seen.account), ["10", "7", "3", "0"]);
}

async fn a_change_of_the_policy_changes_nothing_that_was_asked_for(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let (before, after) = (Pair::new(2), Pair::new(3));
    let made = asked(&world, account, &before).await;
    let asked = made.transaction;
    proved(&world, account, &after).await;
    let policy = json!({"approvers": [after.account().address()]});
    amend(&world, account, made.account.id, policy).await.unwrap();
    let refused = approve(&world, account, &asked, &after).await.unwrap_err();
    assert_eq!(rule(&refused), ("/wallet_address", "approver"));
    let none = json!({"approvers": [], "required_approvals": 0});
    amend(&world, account, made.account.id, none).await.unwrap();
    let seen = world.act(account, FetchWithdrawal(asked.id)).await.unwrap().transaction;
    assert_eq!((seen.status, seen.required_approvals), (GasStatus::PendingApproval, 1));
    let approved = approve(&world, account, &asked, &before).await.unwrap();
    assert_eq!(approved.transaction.status, GasStatus::Pending);
}

async fn approvals_without_approvers_are_refused(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    let refused = amend(&world, account, gas.id, json!({"required_approvals": 1})).await.unwrap_err();
    assert_eq!(rule(&refused), ("/required_approvals", "bounds"));
    // As an account may stand that had its policy before approvers had to be named.
    let store = &world.core().store;
    let mut row: GasAccount = store.get(Key::new(account, gas.id)).await.unwrap();
    row.policy.required_approvals = 1;
    let mut batch = Batch::new();
    batch.replace(&mut row, world.now());
    store.commit(batch).await.unwrap();
    let new = json!({"gas_account_id": gas.id, "amount": "1"});
    let refused = withdraw(&world, account, new).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidState);
    assert!(refused.detail.contains("names 0 approvers"), "{refused}");
    assert!(ledger(&world, account, gas.id).await.balanced);
}

async fn set_status(world: &World, account: Uuid, wallet: Uuid, status: &str) {
    let patch = serde_json::from_value(json!({"status": status})).unwrap();
    world.act(account, Amend::<Wallet> { id: wallet, expected: None, patch }).await.unwrap();
}

async fn an_approval_counts_while_its_wallet_is_active(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    let pairs = [2, 3, 4].map(Pair::new);
    let mut wallets = Vec::new();
    for pair in &pairs {
        wallets.push(proved(&world, account, pair).await.id);
    }
    let approvers: Vec<String> = pairs.iter().map(|pair| pair.account().address()).collect();
    let policy = json!({"required_approvals": 2, "approvers": approvers});
    amend(&world, account, gas.id, policy).await.unwrap();
    let new = json!({"gas_account_id": gas.id, "amount": "3"});
    let [first, second] = [
        withdraw(&world, account, new.clone()).await.unwrap().transaction,
        withdraw(&world, account, new).await.unwrap().transaction,
    ];
    for asked in [&first, &second] {
        approve(&world, account, asked, &pairs[0]).await.unwrap();
    }
    set_status(&world, account, wallets[0], "suspended").await;
    for asked in [&first, &second] {
        let seen = approve(&world, account, asked, &pairs[1]).await.unwrap().transaction;
        assert_eq!(
            (seen.status, seen.approvals.len()),
            (GasStatus::PendingApproval, 2),
            "one of them counts"
        );
        let why = world.act(account, Why(asked.id)).await.unwrap();
        let cause = why.causes.iter().find(|cause| cause.code == "needs_approval").unwrap();
        assert!(cause.detail.contains("1 of 2"), "{cause:?}");
        let again = approve(&world, account, asked, &pairs[1]).await.unwrap_err();
        assert_eq!(rule(&again), ("/wallet_address", "distinct"));
    }
    let third = approve(&world, account, &first, &pairs[2]).await.unwrap().transaction;
    assert_eq!(third.status, GasStatus::Pending, "two that are active");
    set_status(&world, account, wallets[0], "active").await;
    let seen = approve(&world, account, &second, &pairs[1]).await.unwrap().transaction;
    assert_eq!((seen.status, seen.approvals.len()), (GasStatus::Pending, 2), "both are active again");
}

async fn an_approver_is_a_wallet_of_the_account(ground: Ground) {
    let world = World::on(ground).await;
    let (account, other) = (world.account("Ada").await.id, world.account("Bob").await.id);
    let gas = funded(&world, account, 1, "10").await;
    let (own, foreign) = (Pair::new(2), Pair::new(3));
    proved(&world, account, &own).await;
    proved(&world, other, &foreign).await;
    let named = |pairs: &[&Pair]| {
        let approvers: Vec<String> = pairs.iter().map(|pair| pair.account().address()).collect();
        json!({"required_approvals": 1, "approvers": approvers})
    };
    let refused = amend(&world, account, gas.id, named(&[&own, &foreign])).await.unwrap_err();
    assert_eq!(rule(&refused), ("/approvers/1", "wallet_not_registered"));
    let amended = amend(&world, account, gas.id, named(&[&own])).await.unwrap();
    assert_eq!(amended.approvers, [own.account().address()]);
}
