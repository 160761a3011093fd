//! What was decided wrongly is decided anew, by an operator, with a reason, and for once.

use serde_json::{Value, json};
use sl_actors::{
    Code, Fault,
    services::{
        accounts::DeleteAccount,
        gasbank::{GasMovementView, GasStatus, Reconcile},
    },
};
use uuid::Uuid;

use super::{amend, balances, chain_id, confirm, decide, deposit, ensure, funded, ledger, withdraw};
use crate::{
    wallets::{Pair, proved, rule},
    world::{Ground, World, on_both, until},
};

on_both! {
    a_deposit_refused_by_mistake_is_announced_again_or_corrected
    a_withdrawal_paid_after_all_is_booked_once
    what_is_not_there_any_more_is_owed_and_paid_back
    a_correction_says_what_it_lacks
    an_account_that_holds_something_is_not_deleted
}

pub async fn correct(world: &World, account: Uuid, of: Value) -> Result<GasMovementView, Fault> {
    let done = world.act(account, Reconcile(serde_json::from_value(of).unwrap())).await?;
    assert!(done.accounts.is_empty());
    Ok(done.transaction.unwrap())
}

/// A verdict about a deposit or withdrawal.
pub fn verdict(id: Uuid, verdict: &str) -> Value {
    json!({"transaction_id": id, "verdict": verdict, "reason": "the bank's statement of March"})
}

/// That a ledger is whole, and its postings sum to zero; how many transfers it has.
async fn sound(world: &World, account: Uuid, gas: Uuid) -> i64 {
    let proof = ledger(world, account, gas).await;
    assert!(proof.balanced, "{proof:?}");
    assert_eq!(proof.proof.iter().map(|proof| proof.postings.units()).sum::<i64>(), 0);
    proof.transfers
}

async fn a_deposit_refused_by_mistake_is_announced_again_or_corrected(ground: Ground) {
    let world = World::on(ground).await;
    let (account, other) = (world.account("Ada").await.id, world.account("Bob").await.id);
    let gas = ensure(&world, account, 1).await.id;
    let theirs = ensure(&world, other, 2).await.id;
    let new = |gas: Uuid| json!({"gas_account_id": gas, "amount": "5", "tx_id": chain_id(1)});
    // Whoever announces what is not theirs keeps nobody from announcing what is.
    let stolen = deposit(&world, other, new(theirs)).await.unwrap().transaction.id;
    assert_eq!(deposit(&world, account, new(gas)).await.unwrap_err().code, Code::Conflict);
    confirm(&world, other, stolen, false).await.unwrap();
    let first = deposit(&world, account, new(gas)).await.unwrap().transaction.id;
    confirm(&world, account, first, false).await.unwrap();
    let second = deposit(&world, account, new(gas)).await.unwrap().transaction.id;
    let refused = correct(&world, account, verdict(first, "completed")).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict, "the second has the transaction");
    confirm(&world, account, second, false).await.unwrap();

    let right = correct(&world, account, verdict(first, "completed")).await.unwrap();
    assert_eq!(right.transaction.status, GasStatus::Completed);
    assert_eq!(balances(&right.account), ["5", "5", "0", "0"]);
    let decisions = right.transaction.decisions;
    let last = decisions.last().unwrap();
    assert_eq!((decisions.len(), last.from, last.to), (2, GasStatus::Failed, GasStatus::Completed));
    assert_eq!(
        (last.reason.as_str(), last.actor.as_str()),
        ("the bank's statement of March", "operator:alice")
    );
    let transfers = sound(&world, account, gas).await;
    let again = correct(&world, account, verdict(first, "completed")).await.unwrap();
    assert_eq!((again.transaction.decisions.len(), again.account.transfers), (2, transfers));
    assert_eq!(deposit(&world, other, new(theirs)).await.unwrap_err().code, Code::Conflict);

    // It did not come after all, and the transaction is free again.
    let wrong = correct(&world, account, verdict(first, "failed")).await.unwrap();
    assert_eq!(balances(&wrong.account), ["0", "0", "0", "0"]);
    deposit(&world, other, new(theirs)).await.unwrap();
    sound(&world, account, gas).await;
    sound(&world, other, theirs).await;
    until("it is told", async || world.events(account, "gasbank.deposit.corrected").await.len() == 2).await;
    let told = world.events(account, "gasbank.deposit.corrected").await;
    assert_eq!(told[0].data["decision"]["reason"], "the bank's statement of March");
}

async fn a_withdrawal_paid_after_all_is_booked_once(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let made = withdraw(&world, account, json!({"gas_account_id": gas, "amount": "4"})).await.unwrap();
    let id = made.transaction.id;
    let released = decide(&world, account, id, false).await.unwrap();
    assert_eq!(balances(&released.account), ["10", "10", "0", "0"]);
    for _ in 0..3 {
        let booked = correct(&world, account, verdict(id, "completed")).await.unwrap();
        assert_eq!(balances(&booked.account), ["6", "6", "0", "0"]);
        assert_eq!((booked.transaction.status, booked.transaction.error), (GasStatus::Completed, None));
        assert_eq!(booked.account.daily_withdrawal.to_string(), "4");
        assert_eq!(booked.transaction.decisions.len(), 2);
    }
    assert_eq!(sound(&world, account, gas).await, 5, "announced, confirmed, reserved, released, corrected");
    let back = correct(&world, account, verdict(id, "failed")).await.unwrap();
    assert_eq!(balances(&back.account), ["10", "10", "0", "0"]);
    // What is still open is decided the same way.
    let made = withdraw(&world, account, json!({"gas_account_id": gas, "amount": "1"})).await.unwrap();
    let settled = correct(&world, account, verdict(made.transaction.id, "completed")).await.unwrap();
    assert_eq!(balances(&settled.account), ["9", "9", "0", "0"]);
    sound(&world, account, gas).await;
}

async fn what_is_not_there_any_more_is_owed_and_paid_back(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let of = |amount: &str| json!({"gas_account_id": gas, "amount": amount});
    let first = withdraw(&world, account, of("8")).await.unwrap().transaction.id;
    decide(&world, account, first, false).await.unwrap();
    let second = withdraw(&world, account, of("9")).await.unwrap().transaction.id;
    decide(&world, account, second, true).await.unwrap();
    let booked = correct(&world, account, verdict(first, "completed")).await.unwrap();
    assert_eq!(balances(&booked.account), ["0", "0", "0", "0"]);
    assert_eq!(booked.account.owed.to_string(), "7");
    sound(&world, account, gas).await;
    for (number, left) in [(11, ["0", "2"]), (12, ["3", "0"])] {
        let new = json!({"gas_account_id": gas, "amount": "5", "tx_id": chain_id(number)});
        let id = deposit(&world, account, new).await.unwrap().transaction.id;
        let came = confirm(&world, account, id, true).await.unwrap().account;
        assert_eq!([came.available.to_string(), came.owed.to_string()], left);
        let proof = ledger(&world, account, gas).await;
        assert_eq!(json!(proof.items[0].movement), "debt_repaid");
        sound(&world, account, gas).await;
    }
    assert_eq!(rule(&withdraw(&world, account, of("4")).await.unwrap_err()), ("/amount", "insufficient"));
}

async fn a_correction_says_what_it_lacks(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await.id;
    let of = json!({"gas_account_id": gas, "amount": "1"});
    let taken = withdraw(&world, account, of.clone()).await.unwrap().transaction.id;
    let cancel = sl_actors::services::gasbank::CancelWithdrawal(taken);
    world.act(account, cancel).await.unwrap();
    proved(&world, account, &Pair::new(2)).await;
    let approvers = [Pair::new(2).account().address()];
    amend(&world, account, gas, json!({"required_approvals": 1, "approvers": approvers})).await.unwrap();
    let waiting = withdraw(&world, account, of).await.unwrap().transaction.id;
    for id in [taken, waiting] {
        let refused = correct(&world, account, verdict(id, "completed")).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidState);
        assert!(refused.detail.contains("never submitted"), "{refused}");
    }
    let missing = correct(&world, account, verdict(gas, "failed")).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    for (of, told) in [
        (json!({"transaction_id": taken, "verdict": "failed"}), ("/reason", "required")),
        (json!({"transaction_id": taken, "reason": "so"}), ("/verdict", "required")),
        (json!({"transaction_id": taken, "verdict": "failed", "reason": " "}), ("/reason", "blank")),
        (json!({"verdict": "failed"}), ("/verdict", "exclusive")),
        (
            json!({"gas_account_id": gas, "transaction_id": taken, "verdict": "failed", "reason": "so"}),
            ("/gas_account_id", "exclusive"),
        ),
    ] {
        let fault = correct(&world, account, of.clone()).await.unwrap_err();
        assert_eq!((fault.code, rule(&fault)), (Code::Invalid, told), "{of}");
    }
}

async fn an_account_that_holds_something_is_not_deleted(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let delete = async || world.act(account, DeleteAccount { expected: None }).await;
    let refused = async |held: &str| {
        let fault = delete().await.unwrap_err();
        assert_eq!(fault.code, Code::InvalidState);
        assert!(fault.detail.contains(held), "{fault}");
    };
    let gas = ensure(&world, account, 1).await.id;
    ensure(&world, account, 2).await;
    let new = json!({"gas_account_id": gas, "amount": "5", "tx_id": chain_id(1)});
    let id = deposit(&world, account, new).await.unwrap().transaction.id;
    refused("5 GAS pending").await;
    confirm(&world, account, id, true).await.unwrap();
    refused("5 GAS available").await;
    let new = json!({"gas_account_id": gas, "amount": "5"});
    let out = withdraw(&world, account, new).await.unwrap().transaction.id;
    refused("5 GAS locked").await;
    decide(&world, account, out, true).await.unwrap();
    correct(&world, account, verdict(id, "failed")).await.unwrap();
    refused("5 GAS owed").await;
    correct(&world, account, verdict(id, "completed")).await.unwrap();
    delete().await.unwrap();
}
