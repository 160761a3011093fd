//! The gas bank: accounts, movements, policies; then a model, a race, and a resolver that answers everything there is.

mod approvals;
mod corrections;
mod model;
mod rechecks;
mod repairs;
mod resolver;
mod resolving;
mod schedules;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sl_actors::{
    Code, Fault, Figure,
    page::PageRequest,
    services::gasbank::{
        Approve, ByHand, CHECK_EVERY, CancelWithdrawal, ChangePolicy, DecideDeposit, DecideWithdrawal,
        Deposit, EnsureGasAccount, FetchGasAccount, FetchWithdrawal, Gas, GasAccount, GasAccountView,
        GasLedgerView, GasMovementView, GasStatus, GasTransactionFilters, ListGasTransactions, NewGasAccount,
        ReadLedger, Reconcile, Reconciliation, SummarizeGas, Withdraw,
    },
    why::Why,
};
use sl_store::Batch;
use uuid::Uuid;

use crate::{
    wallets::{Pair, proved, rule},
    workshop::{Plan, output},
    world::{Ground, World, on_both, set, until},
};

on_both! {
    a_deposit_is_available_once_it_is_confirmed
    a_withdrawal_is_reserved_and_bounded_by_the_policy
    a_withdrawal_waits_for_the_wallets_that_approve_it
    a_wallet_has_one_gas_account_over_all_accounts
    every_broken_rule_of_a_movement_is_told
    a_difference_is_told_and_put_right_by_postings
    functions_use_the_gas_bank
}

pub async fn ensure(world: &World, account: Uuid, seed: u8) -> GasAccountView {
    let wallet_address = Pair::new(seed).account().address();
    world.act(account, EnsureGasAccount(NewGasAccount { wallet_address })).await.unwrap()
}

/// A transaction id of the chain that no other has.
pub fn chain_id(number: u128) -> String {
    format!("0x{number:064x}")
}

pub async fn deposit(world: &World, account: Uuid, new: Value) -> Result<GasMovementView, Fault> {
    world.act(account, Deposit(serde_json::from_value(new).unwrap())).await
}

pub async fn withdraw(world: &World, account: Uuid, new: Value) -> Result<GasMovementView, Fault> {
    world.act(account, Withdraw(serde_json::from_value(new).unwrap())).await
}

async fn decide(world: &World, account: Uuid, id: Uuid, paid: bool) -> Result<GasMovementView, Fault> {
    let by_hand = ByHand { reason: "seen on the chain".to_owned() };
    world.act(account, DecideWithdrawal { withdrawal_id: id, paid, by_hand }).await
}

async fn confirm(world: &World, account: Uuid, id: Uuid, came: bool) -> Result<GasMovementView, Fault> {
    world.act(account, DecideDeposit { deposit_id: id, came, by_hand: ByHand::default() }).await
}

/// A gas account with so much in it.
pub async fn funded(world: &World, account: Uuid, seed: u8, amount: &str) -> GasAccountView {
    let gas = ensure(world, account, seed).await;
    let tx_id = chain_id(world.core().ids.next().as_u128());
    let new = json!({"gas_account_id": gas.id, "amount": amount, "tx_id": tx_id});
    let announced = deposit(world, account, new).await.unwrap();
    confirm(world, account, announced.transaction.id, true).await.unwrap().account
}

pub async fn ledger(world: &World, account: Uuid, gas_account_id: Uuid) -> GasLedgerView {
    world.act(account, ReadLedger { gas_account_id, page: PageRequest::default() }).await.unwrap()
}

async fn amend(world: &World, account: Uuid, id: Uuid, patch: Value) -> Result<GasAccountView, Fault> {
    let patch = serde_json::from_value(patch).unwrap();
    world.act(account, ChangePolicy { gas_account_id: id, expected: None, patch }).await
}

fn balances(account: &GasAccountView) -> [String; 4] {
    [account.balance, account.available, account.locked, account.pending].map(|gas| gas.to_string())
}

async fn a_deposit_is_available_once_it_is_confirmed(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = ensure(&world, account, 1).await;
    let tx_id = "AB".repeat(32);
    let new = json!({"gas_account_id": gas.id, "amount": 2.5, "tx_id": tx_id});
    let announced = deposit(&world, account, new.clone()).await.unwrap();
    assert_eq!(balances(&announced.account), ["0", "0", "0", "2.5"]);
    assert_eq!(announced.transaction.blockchain_tx_id, Some(format!("0x{}", "ab".repeat(32))));
    let why = world.act(account, Why(announced.transaction.id)).await.unwrap();
    assert_eq!((why.kind.as_str(), why.status.as_str()), ("deposit", "pending"));
    assert!(why.causes.iter().any(|cause| cause.code == "no_resolver"), "{why:?}");
    assert_eq!(deposit(&world, account, new).await.unwrap_err().code, Code::Conflict);
    let elsewhere = world.account("Bob").await.id;
    let theirs = ensure(&world, elsewhere, 2).await;
    let stolen = json!({"gas_account_id": theirs.id, "amount": "2.5", "tx_id": format!("0x{tx_id}")});
    assert_eq!(deposit(&world, elsewhere, stolen).await.unwrap_err().code, Code::Conflict);

    let confirmed = confirm(&world, account, announced.transaction.id, true).await.unwrap();
    assert_eq!(balances(&confirmed.account), ["2.5", "2.5", "0", "0"]);
    assert_eq!(confirmed.transaction.status, GasStatus::Completed);
    let again = confirm(&world, account, announced.transaction.id, true).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidState);
    let new = json!({"gas_account_id": gas.id, "amount": "1", "tx_id": chain_id(7)});
    let lost = deposit(&world, account, new).await.unwrap();
    let rejected = confirm(&world, account, lost.transaction.id, false).await.unwrap();
    assert_eq!(balances(&rejected.account), ["2.5", "2.5", "0", "0"]);
    assert_eq!(rejected.transaction.net_amount, Gas::ZERO);

    let proof = ledger(&world, account, gas.id).await;
    assert!(proof.balanced, "{proof:?}");
    assert_eq!((proof.transfers, proof.items.len()), (4, 4));
    let total: i64 = proof.proof.iter().map(|proof| proof.postings.units()).sum();
    assert_eq!(total, 0);
    for transfer in &proof.items {
        assert_eq!(transfer.postings.iter().map(|posting| posting.amount.units()).sum::<i64>(), 0);
    }
}

async fn a_withdrawal_is_reserved_and_bounded_by_the_policy(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    amend(&world, account, gas.id, json!({"minimum_balance": "2", "daily_limit": 5})).await.unwrap();
    let of = |amount: &str| json!({"gas_account_id": gas.id, "amount": amount});
    let refused = withdraw(&world, account, of("8.00000001")).await.unwrap_err();
    assert_eq!(rule(&refused), ("/amount", "insufficient"));
    let refused = withdraw(&world, account, of("5.1")).await.unwrap_err();
    assert_eq!(rule(&refused), ("/amount", "daily_limit"));
    let limit = refused.limit.expect("the limit is told");
    assert_eq!(limit.setting, "daily_limit");
    assert!(matches!((&limit.limit, &limit.current), (Figure::Decimal(_), Figure::Decimal(_))), "{limit:?}");
    let first = withdraw(&world, account, of("4")).await.unwrap();
    assert_eq!(balances(&first.account), ["10", "6", "4", "0"]);
    assert_eq!(first.transaction.status, GasStatus::Pending);
    assert_eq!(first.transaction.to_address, Some(gas.wallet_address.clone()));
    assert_eq!(rule(&withdraw(&world, account, of("1.5")).await.unwrap_err()), ("/amount", "daily_limit"));
    let taken = world.act(account, CancelWithdrawal(first.transaction.id)).await.unwrap();
    assert_eq!(balances(&taken.account), ["10", "10", "0", "0"]);
    assert_eq!(taken.account.daily_withdrawal, Gas::ZERO, "what was not withdrawn does not count");
    let again = world.act(account, CancelWithdrawal(first.transaction.id)).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidState);
    let second = withdraw(&world, account, of("5")).await.unwrap();
    let paid = decide(&world, account, second.transaction.id, true).await.unwrap();
    assert_eq!(balances(&paid.account), ["5", "5", "0", "0"]);
    amend(&world, account, gas.id, json!({"daily_limit": null})).await.unwrap();
    let at = world.now() + TimeDelta::hours(1);
    let new = json!({"wallet_address": gas.wallet_address, "amount": "1", "not_before": at});
    let later = withdraw(&world, account, new).await.unwrap();
    let why = world.act(account, Why(later.transaction.id)).await.unwrap();
    assert!(why.causes.iter().any(|cause| cause.code == "not_before"), "{why:?}");
    let failed = decide(&world, account, later.transaction.id, false).await.unwrap();
    assert_eq!(failed.transaction.error.as_deref(), Some("seen on the chain"));
    assert_eq!(balances(&failed.account), ["5", "5", "0", "0"]);
    let summary = world.act(account, SummarizeGas::default()).await.unwrap();
    assert_eq!((summary.accounts, summary.balance.to_string()), (1, "5".to_owned()));
    let withdrawals = json!({"cancelled": 1, "completed": 1, "failed": 1});
    assert_eq!(json!(summary.withdrawals), withdrawals);
    assert!(ledger(&world, account, gas.id).await.balanced);
}

async fn a_withdrawal_waits_for_the_wallets_that_approve_it(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    let (first, second, other) = (Pair::new(2), Pair::new(3), Pair::new(4));
    for pair in [&first, &second, &other] {
        proved(&world, account, pair).await;
    }
    let approvers = [first.account().address(), second.account().address()];
    amend(&world, account, gas.id, json!({"required_approvals": 2, "approvers": approvers})).await.unwrap();
    let new = json!({"gas_account_id": gas.id, "amount": "3", "to_address": other.account().address()});
    let asked = withdraw(&world, account, new).await.unwrap().transaction;
    assert_eq!(asked.status, GasStatus::PendingApproval);
    let message = asked.approval_message.clone().unwrap();
    let why = world.act(account, Why(asked.id)).await.unwrap();
    assert!(why.causes.iter().any(|cause| cause.code == "needs_approval"), "{why:?}");
    let approve = async |pair: &Pair, message: &str| {
        let new = json!({"wallet_address": pair.account().address(), "signatures": [pair.sign(message)]});
        world
            .act(account, Approve { withdrawal_id: asked.id, new: serde_json::from_value(new).unwrap() })
            .await
    };
    let refused = approve(&other, &message).await.unwrap_err();
    assert_eq!(rule(&refused), ("/wallet_address", "approver"));
    let refused = approve(&first, &message.replace("amount: 3", "amount: 30")).await.unwrap_err();
    assert_eq!(rule(&refused), ("/signatures/0/signature", "signature"));
    let once = approve(&first, &message).await.unwrap();
    assert_eq!(once.transaction.status, GasStatus::PendingApproval);
    assert_eq!(rule(&approve(&first, &message).await.unwrap_err()), ("/wallet_address", "distinct"));
    let twice = approve(&second, &message).await.unwrap();
    assert_eq!((twice.transaction.status, twice.transaction.approvals.len()), (GasStatus::Pending, 2));
    assert_eq!(approve(&second, &message).await.unwrap_err().code, Code::InvalidState);
    assert_eq!(balances(&twice.account), ["10", "7", "3", "0"]);
}

async fn a_wallet_has_one_gas_account_over_all_accounts(ground: Ground) {
    let world = World::on(ground).await;
    let (ada, bob) = (world.account("Ada").await.id, world.account("Bob").await.id);
    let gas = ensure(&world, ada, 1).await;
    assert_eq!(ensure(&world, ada, 1).await.id, gas.id);
    assert_ne!(ensure(&world, ada, 2).await.id, gas.id);
    let by_hash = NewGasAccount { wallet_address: Pair::new(1).account().to_string() };
    let refused = world.act(bob, EnsureGasAccount(by_hash)).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert_eq!(world.act(bob, FetchGasAccount(gas.id)).await.unwrap_err().code, Code::NotFound);
    let new = json!({"gas_account_id": gas.id, "amount": "1"});
    assert_eq!(withdraw(&world, bob, new).await.unwrap_err().code, Code::NotFound);
}

async fn every_broken_rule_of_a_movement_is_told(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    let id = chain_id(99);
    for (new, told) in [
        (json!({"amount": "0", "tx_id": id}), ("/amount", "bounds")),
        (json!({"amount": -1, "tx_id": id}), ("/amount", "bounds")),
        (json!({"amount": "1e11", "tx_id": id}), ("/amount", "bounds")),
        (json!({"amount": 0.000_000_001, "tx_id": id}), ("/amount", "precision")),
        (json!({"amount": "one", "tx_id": id}), ("/amount", "format")),
        (json!({"amount": "1", "tx_id": "0x12"}), ("/tx_id", "transaction_id")),
        (json!({"amount": "1", "tx_id": ""}), ("/tx_id", "transaction_id")),
        (json!({"amount": "1", "tx_id": id, "from_address": "nobody"}), ("/from_address", "checksum")),
    ] {
        let mut new = new;
        new["gas_account_id"] = json!(gas.id);
        let fault = deposit(&world, account, new.clone()).await.unwrap_err();
        assert_eq!((fault.code, rule(&fault)), (Code::Invalid, told), "{new}");
    }
    let far = world.now() + TimeDelta::days(400);
    for (new, told) in [
        (json!({"gas_account_id": gas.id, "amount": "11"}), ("/amount", "insufficient")),
        (json!({"amount": "1"}), ("/gas_account_id", "exclusive")),
        (json!({"gas_account_id": gas.id, "amount": "1", "not_before": far}), ("/not_before", "bounds")),
        (
            json!({"gas_account_id": gas.id, "amount": "1", "to_address": "0x1"}),
            ("/to_address", "script_hash"),
        ),
        (json!({"wallet_address": "", "amount": "1"}), ("/wallet_address", "required")),
    ] {
        let fault = withdraw(&world, account, new.clone()).await.unwrap_err();
        assert_eq!((fault.code, rule(&fault)), (Code::Invalid, told), "{new}");
    }
    for (patch, told) in [
        (json!({"required_approvals": 17}), ("/required_approvals", "bounds")),
        (
            json!({"required_approvals": 2, "approvers": [gas.wallet_address]}),
            ("/required_approvals", "bounds"),
        ),
        (json!({"approvers": ["x"]}), ("/approvers/0", "base58")),
        (json!({"minimum_balance": "-1"}), ("/minimum_balance", "bounds")),
    ] {
        let fault = amend(&world, account, gas.id, patch.clone()).await.unwrap_err();
        assert_eq!(rule(&fault).0, told.0, "{patch}: {fault}");
    }
    assert_eq!(balances(&world.act(account, FetchGasAccount(gas.id)).await.unwrap()), ["10", "10", "0", "0"]);
}

async fn a_difference_is_told_and_put_right_by_postings(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &CHECK_EVERY, 1_000);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "10").await;
    let waiting = withdraw(&world, account, json!({"gas_account_id": gas.id, "amount": "4"})).await.unwrap();
    let store = &world.core().store;
    let mut row: GasAccount = store.get(sl_store::Key::new(account, gas.id)).await.unwrap();
    row.available = Gas::from_units(99);
    let mut batch = Batch::new();
    batch.replace(&mut row, world.now());
    store.commit(batch).await.unwrap();
    until("it is told", async || !world.events(account, "gasbank.account.differs").await.is_empty()).await;
    let seen = ledger(&world, account, gas.id).await;
    assert!(!seen.balanced);
    assert_eq!(seen.differences.len(), 1);

    // A withdrawal that vanished leaves its amount locked.
    let mut batch = Batch::new();
    let key = sl_store::Key::new(account, waiting.transaction.id);
    let found: sl_actors::services::gasbank::GasTransaction = store.get(key).await.unwrap();
    batch.remove(&found);
    store.commit(batch).await.unwrap();
    let done = world.act(account, Reconcile(Reconciliation::default())).await.unwrap();
    assert_eq!(done.accounts[0].differences.len(), 2, "{done:?}");
    let after = ledger(&world, account, gas.id).await;
    assert!(after.balanced, "{after:?}");
    assert_eq!(json!(after.items[0].movement), json!("correction"));
    let right = world.act(account, FetchGasAccount(gas.id)).await.unwrap();
    assert_eq!(balances(&right), ["10", "10", "0", "0"]);
    let again = world.act(account, Reconcile(Reconciliation::default())).await.unwrap();
    assert!(again.accounts[0].differences.is_empty());
    until("it is told", async || world.events(account, "gasbank.account.reconciled").await.len() == 1).await;
}

async fn functions_use_the_gas_bank(ground: Ground) {
    let workshop = Plan::on(&ground).await.start(ground).await;
    let (world, account) = (&workshop.world, workshop.account);
    let gas = funded(world, account, 1, "10").await;
    let source = "(params) => {
        Devpack.gasBank.ensureAccount({wallet: params.wallet});
        Devpack.gasBank.withdraw({gasAccountId: params.id, amount: 0.1, to: params.wallet});
        Devpack.gasBank.withdraw({wallet: params.wallet, amount: '2.25'});
        Devpack.gasBank.withdraw({wallet: params.wallet, amount: 100});
        Devpack.gasBank.balance({wallet: params.wallet});
        Devpack.gasBank.listTransactions({gasAccountId: params.id, type: 'withdrawal'});
        return 'asked';
    }";
    let function = workshop.function("withdraws", source).await;
    let params = json!({"wallet": gas.wallet_address, "id": gas.id}).to_string();
    let ran = workshop.execute(function.id, &params).await;
    assert_eq!(output(&ran)["result"], "asked");
    let mut actions = Value::Null;
    until("the actions are done", async || {
        actions = json!(workshop.fetch(ran.id).await.actions);
        actions.as_array().is_some_and(|all| all.iter().all(|action| action["status"] != "pending"))
    })
    .await;
    let told: Vec<&str> =
        actions.as_array().unwrap().iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(
        told,
        ["succeeded", "succeeded", "succeeded", "failed", "succeeded", "succeeded"],
        "{actions:#}"
    );
    assert_eq!(actions[0]["result"]["account"]["id"], json!(gas.id));
    assert_eq!(actions[4]["result"]["account"]["available"], "7.65");
    assert_eq!(actions[5]["result"]["transactions"].as_array().map(Vec::len), Some(2));
    let filters = GasTransactionFilters { gas_account_id: Some(gas.id), ..GasTransactionFilters::default() };
    let listed =
        world.act(account, ListGasTransactions { page: PageRequest::default(), filters }).await.unwrap();
    assert_eq!(listed.items.len(), 3);
    let one = world.act(account, FetchWithdrawal(listed.items[0].id)).await.unwrap();
    assert_eq!(one.account.locked.to_string(), "2.35");
}
