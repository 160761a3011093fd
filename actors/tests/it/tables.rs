//! Every table of every service: as the migrations make it, and what goes in comes out.

use std::collections::BTreeSet;

use sl_actors::{
    idempotency::IdempotencyRecord,
    pause::Pause,
    services::{
        self,
        accounts::{Account, Token, TokenUse},
        automation::{Job, JobState, Run},
        control::ReaderPosition,
        dead_letters::DeadLetter,
        executions::Execution,
        functions::{Function, FunctionSource, FunctionVersion},
        gasbank::{GasAccount, GasClaim, GasSchedule, GasTransaction, GasTransfer},
        neo::NeoChain,
        oracle::{OracleGate, OracleRequest, OracleSource},
        price_feeds::{PriceFeed, PriceHost, PriceRound, PriceSnapshot, PriceState},
        random::{RandomCounter, RandomValue},
        secrets::{Secret, SecretVersion},
        triggers::{Delivery, Trigger, TriggerSecret, TriggerState},
        wallets::Wallet,
        webhooks::{Webhook, WebhookDelivery},
    },
};
use sl_store::{
    Entity, Store, Table,
    testing::{
        conformance::round_trip,
        postgres::{Database, differences},
    },
};

use crate::world::{Ground, on_both};

on_both! { what_goes_in_comes_out }

/// Does something with every entity, and answers their tables.
async fn every(store: &Store) -> BTreeSet<&'static str> {
    macro_rules! each {
        ($($entity:ty),* $(,)?) => {{
            $(round_trip::<$entity>(store).await;)*
            BTreeSet::from([$(<$entity>::TABLE.name),*])
        }};
    }
    each!(
        Account,
        Token,
        TokenUse,
        IdempotencyRecord,
        Pause,
        ReaderPosition,
        Trigger,
        TriggerState,
        TriggerSecret,
        Delivery,
        Webhook,
        WebhookDelivery,
        DeadLetter,
        Execution,
        Job,
        JobState,
        Run,
        Function,
        FunctionVersion,
        FunctionSource,
        GasAccount,
        GasTransaction,
        GasTransfer,
        GasClaim,
        NeoChain,
        GasSchedule,
        PriceFeed,
        PriceState,
        PriceRound,
        PriceSnapshot,
        PriceHost,
        RandomValue,
        RandomCounter,
        Secret,
        SecretVersion,
        Wallet,
        OracleSource,
        OracleRequest,
        OracleGate,
    )
}

fn tables() -> Vec<&'static Table> {
    services::ALL.iter().flat_map(|service| service.tables.iter().copied()).collect()
}

async fn what_goes_in_comes_out(ground: Ground) {
    let tested = every(&ground.store).await;
    let known: BTreeSet<&str> = tables().iter().map(|table| table.name).collect();
    assert_eq!(tested, known, "each table of a service is tested, and each that is tested is a service's");
}

#[tokio::test]
async fn the_migrations_make_every_table_as_it_is_described() {
    let database = Database::fresh().await;
    assert_eq!(differences(&database.admin().await, &tables()).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_migrations_make_no_other_table() {
    let database = Database::fresh().await;
    let query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let rows = database.admin().await.query(query, &[]).await;
    let made: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut known: BTreeSet<String> = tables().iter().map(|table| table.name.to_owned()).collect();
    known.extend(["work", "events", "refinery_schema_history"].map(ToOwned::to_owned));
    assert_eq!(made, known);
}
