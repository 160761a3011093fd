//! Transfers of the gas bank per second beside bare transactions that change two rows, on a durable PostgreSQL.
//!
//! `cargo bench -p sl-actors --bench transfers -- [rounds (5)] [transfers (4000)]`.

#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measuring program prints, spawns, and stops where something fails"
)]

mod ground;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use futures_util::future::join_all;
use ground::{Must, ask, row};
use serde_json::json;
use sl_actors::{
    Runtime,
    services::gasbank::{Deposit, EnsureGasAccount},
};
use sl_store::testing::postgres::Server;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// So many clients transfer at once, each from and to accounts of its own.
const CLIENTS: usize = 64;

#[tokio::main(flavor = "local")]
async fn main() {
    ground::as_the_daemon();
    let mut numbers = ground::numbers();
    let (rounds, transfers) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(4_000));
    let server = Server::durable();
    let dsn = ground::database(&server, "transfers").await;
    let runtime = ground::runtime(ground::postgres(&dsn).await, Vec::new()).await;
    let mut gas_accounts = Vec::new();
    for number in 0..CLIENTS {
        let account = ground::account(&runtime).await;
        let address = format!("0x{number:040x}");
        let new = serde_json::from_value(json!({"wallet_address": address})).unwrap();
        gas_accounts.push((account, ask(&runtime, account, EnsureGasAccount(new)).await.id));
    }
    bare(&dsn)
        .await
        .batch_execute(
            "CREATE TABLE bare (id bigint PRIMARY KEY, balance bigint NOT NULL); \
             INSERT INTO bare SELECT number, 1000000 FROM generate_series(0, 127) number",
        )
        .await
        .unwrap();
    let clients = join_all((0..CLIENTS).map(|_| prepared(&dsn))).await;
    let (mut theirs, mut own, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let floor = rate(transfers, |client, _| two_rows(&clients[client], client)).await;
        let ours = rate(transfers, |client, number| {
            deposit(&runtime, gas_accounts[client], (round * transfers + number) as u128)
        })
        .await;
        // The first round warms both up.
        if round > 0 {
            theirs.push(floor);
            own.push(ours);
            ratios.push(ours / floor);
        }
    }
    let middle = |all: Vec<f64>| ground::quantile(all, 0.5);
    let behind = format!("{:.0} / {:.0} per s", middle(own), middle(theirs));
    row("gas bank", "transfers/s / bare two-row transactions/s", Must::AtLeast(0.5), &ratios, &behind);
}

async fn bare(dsn: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn prepared(dsn: &str) -> Mutex<(Client, Statement)> {
    let client = bare(dsn).await;
    let statement = client.prepare("UPDATE bare SET balance = balance + $2 WHERE id = $1").await.unwrap();
    Mutex::new((client, statement))
}

async fn two_rows(prepared: &Mutex<(Client, Statement)>, number: usize) {
    let (from, to) = (i64::try_from(number * 2).unwrap(), i64::try_from(number * 2 + 1).unwrap());
    let (client, statement) = &mut *prepared.lock().await;
    let transaction = client.transaction().await.unwrap();
    transaction.execute(statement, &[&from, &-1_i64]).await.unwrap();
    transaction.execute(statement, &[&to, &1_i64]).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Announces a deposit: one transfer, with its transaction, its event and its item.
async fn deposit(runtime: &Runtime, (account, gas_account): (Uuid, Uuid), number: u128) {
    let new =
        json!({"gas_account_id": gas_account, "amount": "0.00000001", "tx_id": format!("{number:064x}")});
    ask(runtime, account, Deposit(serde_json::from_value(new).unwrap())).await;
}

/// So many calls by all clients: how many a second.
async fn rate<F: Future<Output = ()>>(calls: usize, call: impl Fn(usize, usize) -> F) -> f64 {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let client = |client: usize| {
        let (next, call) = (&next, &call);
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return;
                }
                call(client, number).await;
            }
        }
    };
    join_all((0..CLIENTS).map(client)).await;
    calls as f64 / began.elapsed().as_secs_f64()
}
