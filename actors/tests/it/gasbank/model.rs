//! Random operations held against a model, and many who want the same.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use sl_actors::{
    Code,
    caller::Caller,
    services::gasbank::{
        CancelWithdrawal, FetchGasAccount, GasAccountView, GasMovementView, GasStatus, Withdraw,
    },
};
use uuid::Uuid;

use super::{chain_id, confirm, decide, deposit, ensure, funded, ledger, withdraw};
use crate::{
    wallets::rule,
    world::{Ground, World, on_both, start},
};

on_both! {
    whatever_is_done_the_books_balance
    many_who_want_more_than_there_is_get_what_there_is
}

const OPERATIONS: usize = 400;

/// Numbers that are always the same (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A gas account as it should be.
#[derive(Default)]
struct Model {
    available: i64,
    locked: i64,
    pending: i64,
    transfers: i64,
    deposits: Vec<(Uuid, i64, GasStatus)>,
    withdrawals: Vec<(Uuid, i64, GasStatus)>,
    chain: Vec<u128>,
}

struct Bench<'a> {
    world: &'a World,
    account: Uuid,
    gas: Uuid,
    model: Model,
    numbers: Numbers,
}

impl Bench<'_> {
    fn holds(&self, view: &GasAccountView) {
        let model = &self.model;
        let told = [view.available, view.locked, view.pending].map(sl_actors::services::gasbank::Gas::units);
        assert_eq!(told, [model.available, model.locked, model.pending]);
        assert!(told.iter().all(|units| *units >= 0), "{told:?}");
        assert_eq!((view.balance.units(), view.transfers), (model.available + model.locked, model.transfers));
    }

    fn amount(&mut self) -> (i64, String) {
        let units = 1 + self.numbers.below(500_000_000).cast_signed();
        (units, sl_actors::services::gasbank::Gas::from_units(units).to_string())
    }

    async fn deposit(&mut self) {
        let (units, amount) = self.amount();
        let repeats = !self.model.chain.is_empty() && self.numbers.below(4) == 0;
        let number = if repeats {
            self.model.chain[self.numbers.below(self.model.chain.len() as u64) as usize]
        } else {
            u128::from(self.numbers.below(u64::MAX))
        };
        let new = json!({"gas_account_id": self.gas, "amount": amount, "tx_id": chain_id(number)});
        match deposit(self.world, self.account, new).await {
            Ok(made) => {
                assert!(!self.has(number), "a transaction is deposited once, unless it was refused");
                self.model.chain.push(number);
                self.model.pending += units;
                self.model.transfers += 1;
                self.model.deposits.push((made.transaction.id, units, GasStatus::Pending));
                self.holds(&made.account);
            }
            Err(fault) => assert!(self.has(number) && fault.code == Code::Conflict, "{fault}"),
        }
    }

    /// Whether a deposit of this transaction stands.
    fn has(&self, number: u128) -> bool {
        let deposits = self.model.chain.iter().zip(&self.model.deposits);
        deposits.into_iter().any(|(chain, (_, _, status))| *chain == number && *status != GasStatus::Failed)
    }

    async fn decide_deposit(&mut self) {
        let count = self.model.deposits.len() as u64;
        if count == 0 {
            return;
        }
        let (at, came) = (self.numbers.below(count) as usize, self.numbers.below(3) > 0);
        let (id, units, status) = self.model.deposits[at];
        let done = confirm(self.world, self.account, id, came).await;
        if status != GasStatus::Pending {
            assert_eq!(done.unwrap_err().code, Code::InvalidState);
            return;
        }
        self.model.pending -= units;
        self.model.available += if came { units } else { 0 };
        self.ended(done.unwrap(), true, at);
    }

    async fn withdraw(&mut self) {
        let (units, amount) = self.amount();
        let new = json!({"gas_account_id": self.gas, "amount": amount});
        match withdraw(self.world, self.account, new).await {
            Ok(made) => {
                self.model.available -= units;
                self.model.locked += units;
                self.model.transfers += 1;
                self.model.withdrawals.push((made.transaction.id, units, GasStatus::Pending));
                self.holds(&made.account);
            }
            Err(fault) => {
                assert_eq!(rule(&fault), ("/amount", "insufficient"));
                assert!(units > self.model.available);
            }
        }
    }

    async fn decide_withdrawal(&mut self) {
        let count = self.model.withdrawals.len() as u64;
        if count == 0 {
            return;
        }
        let (at, how) = (self.numbers.below(count) as usize, self.numbers.below(3));
        let (id, units, status) = self.model.withdrawals[at];
        let done = match how {
            0 => self.world.act(self.account, CancelWithdrawal(id)).await,
            how => decide(self.world, self.account, id, how == 1).await,
        };
        if status != GasStatus::Pending {
            assert_eq!(done.unwrap_err().code, Code::InvalidState);
            return;
        }
        self.model.locked -= units;
        self.model.available += if how == 1 { 0 } else { units };
        self.ended(done.unwrap(), false, at);
    }

    fn ended(&mut self, done: GasMovementView, is_deposit: bool, at: usize) {
        let of = if is_deposit { &mut self.model.deposits } else { &mut self.model.withdrawals };
        of[at].2 = done.transaction.status;
        self.model.transfers += 1;
        self.holds(&done.account);
    }
}

async fn whatever_is_done_the_books_balance(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let gas = ensure(&world, account, 1).await.id;
    let numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut bench = Bench { world: &world, account, gas, model: Model::default(), numbers };
    for _ in 0..OPERATIONS {
        match bench.numbers.below(4) {
            0 => bench.deposit().await,
            1 => bench.decide_deposit().await,
            2 => bench.withdraw().await,
            _ => bench.decide_withdrawal().await,
        }
    }
    bench.holds(&world.act(account, FetchGasAccount(gas)).await.unwrap());
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced, "{:?}", proof.differences);
    assert_eq!(proof.transfers, bench.model.transfers);
    assert_eq!(proof.proof.iter().map(|proof| proof.postings.units()).sum::<i64>(), 0);
    assert!(bench.model.transfers > 100, "there was something to balance");
}

async fn many_who_want_more_than_there_is_get_what_there_is(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let other = start(world.ground.parts().await, Some(Vec::new())).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "500").await.id;
    let runtimes = [&world.runtime, &other];
    let clients = (0..64).map(|client| async move {
        let mut got = 0;
        for _ in 0..32 {
            let new = serde_json::from_value(json!({"gas_account_id": gas, "amount": "1"})).unwrap();
            let caller = Arc::new(Caller::operator("alice"));
            let runtime = runtimes[client % 2];
            match runtime.perform(account, caller, None, Withdraw(new)).await {
                Ok(_) => got += 1,
                Err(fault) => assert_eq!(rule(&fault), ("/amount", "insufficient")),
            }
        }
        got
    });
    let got: usize = join_all(clients).await.into_iter().sum();
    assert_eq!(got, 500);
    let left = world.act(account, FetchGasAccount(gas)).await.unwrap();
    assert_eq!((left.available.to_string(), left.locked.to_string()), ("0".to_owned(), "500".to_owned()));
    assert!(ledger(&world, account, gas).await.balanced);
}
