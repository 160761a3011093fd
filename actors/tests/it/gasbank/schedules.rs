//! Recurring withdrawals: one for each slot, under the policy, held back and ended.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sl_actors::{
    Code, Fault,
    page::PageRequest,
    pause::{Missed, NewPause, PauseWork, Resume, ResumeWork, Target},
    services::gasbank::{
        CATCH_UP, CreateGasSchedule, FetchGasSchedule, GasSchedule, GasScheduleView, GasStatus,
        GasTransactionFilters, GasTransactionView, ListGasSchedules, ListGasTransactions, RemoveGasSchedule,
        SCHEDULE_DUTY,
    },
    why::Why,
};
use sl_store::{Batch, Key, NewWork, WorkQuery};
use uuid::Uuid;

use super::{amend, funded, ledger};
use crate::{
    wallets::{Pair, proved, rule},
    world::{Ground, World, on_both, set, start, until},
};

on_both! {
    each_slot_is_withdrawn_for_once
    a_slot_that_the_policy_refuses_is_seen
    slots_that_nobody_saw_are_caught_up_with_within_bounds
    a_pause_holds_slots_back_and_a_resume_says_what_becomes_of_them
    a_schedule_says_what_is_wrong_with_it
}

async fn create(world: &World, account: Uuid, new: Value) -> Result<GasScheduleView, Fault> {
    world.act(account, CreateGasSchedule(serde_json::from_value(new).unwrap())).await
}

/// The withdrawals of a schedule, the first slot first.
async fn made(world: &World, account: Uuid, schedule: Uuid) -> Vec<GasTransactionView> {
    let filters = GasTransactionFilters { schedule_id: Some(schedule), ..GasTransactionFilters::default() };
    let page = PageRequest { limit: 100, ..PageRequest::default() };
    let mut found = world.act(account, ListGasTransactions { page, filters }).await.unwrap().items;
    found.reverse();
    found
}

/// As if nobody had looked at a schedule since an instant.
async fn neglect(world: &World, account: Uuid, schedule: Uuid, since: DateTime<Utc>) {
    let store = &world.core().store;
    let mut row: GasSchedule = store.get(Key::new(account, schedule)).await.unwrap();
    row.decided = since;
    let (mut batch, now) = (Batch::new(), world.now());
    batch.replace(&mut row, now).withdraw(account, schedule);
    batch
        .enqueue(NewWork::new(world.core().ids.next(), SCHEDULE_DUTY, account, schedule, now).gate(schedule));
    store.commit(batch).await.unwrap();
    world.core().bells.ring(SCHEDULE_DUTY);
}

async fn each_slot_is_withdrawn_for_once(ground: Ground) {
    let world = World::on(ground).await;
    let other = start(world.ground.parts().await, None).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "100").await.id;
    let to = Pair::new(5).account().address();
    let new = json!({"gas_account_id": gas, "amount": "1", "to_address": to, "schedule": "@every 1s"});
    let schedule = create(&world, account, new).await.unwrap();
    assert_eq!((schedule.status, schedule.timezone.as_str()), ("active", "UTC"));
    until("three slots have passed", async || made(&world, account, schedule.id).await.len() >= 3).await;
    let listed = world.act(account, ListGasSchedules::default()).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].id), (1, schedule.id));
    world.act(account, RemoveGasSchedule { id: schedule.id, expected: None }).await.unwrap();
    let gone = world.act(account, FetchGasSchedule(schedule.id)).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
    let about =
        WorkQuery { account: Some(account), subject: Some(schedule.id), limit: 1, ..WorkQuery::default() };
    assert!(world.core().store.work(about).await.unwrap().is_empty());
    let all = made(&world, account, schedule.id).await;
    let slots: BTreeSet<_> = all.iter().map(|one| one.scheduled_for.unwrap()).collect();
    assert_eq!(slots.len(), all.len(), "no slot twice");
    for (slot, before) in slots.iter().skip(1).zip(&slots) {
        assert_eq!(*slot - *before, TimeDelta::seconds(1), "no slot is left out");
    }
    for one in &all {
        assert_eq!((one.status, one.amount.to_string().as_str()), (GasStatus::Pending, "1"));
        assert_eq!(one.to_address.as_deref(), Some(to.as_str()));
    }
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced);
    assert_eq!(usize::try_from(proof.transfers).unwrap(), 2 + all.len());
    assert_eq!(proof.items[0].actor, "duty:gasbank-schedules");
    other.drain(std::time::Duration::from_secs(5)).await;
}

async fn a_slot_that_the_policy_refuses_is_seen(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "20").await.id;
    proved(&world, account, &Pair::new(2)).await;
    let approvers = [Pair::new(2).account().address()];
    let policy = json!({"daily_limit": "8", "required_approvals": 1, "approvers": approvers});
    amend(&world, account, gas, policy).await.unwrap();
    let new = json!({"gas_account_id": gas, "amount": "4", "schedule": "@every 1s"});
    let schedule = create(&world, account, new).await.unwrap().id;
    until("three slots have passed", async || made(&world, account, schedule).await.len() >= 3).await;
    world.act(account, RemoveGasSchedule { id: schedule, expected: None }).await.unwrap();
    let all = made(&world, account, schedule).await;
    let statuses: Vec<GasStatus> = all.iter().take(3).map(|one| one.status).collect();
    assert_eq!(statuses, [GasStatus::PendingApproval, GasStatus::PendingApproval, GasStatus::Cancelled]);
    let error = all[2].error.as_deref().unwrap();
    assert!(error.contains("8 of 8 are withdrawn today"), "{error}");
    let told = async || world.events(account, "gasbank.withdrawal.skipped").await.len();
    until("they are told", async || told().await == all.len() - 2).await;
    let proof = ledger(&world, account, gas).await;
    assert!(proof.balanced, "{proof:?}");
    assert_eq!(proof.transfers, 4);
}

async fn slots_that_nobody_saw_are_caught_up_with_within_bounds(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &CATCH_UP, 3 * 3_600_000 + 60_000);
    let world = World::of(ground, parts, None).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "100").await.id;
    let new = json!({"gas_account_id": gas, "amount": "1", "schedule": "@hourly"});
    let schedule = create(&world, account, new).await.unwrap();
    neglect(&world, account, schedule.id, world.now() - TimeDelta::hours(10)).await;
    let caught_up = async || {
        let view = world.act(account, FetchGasSchedule(schedule.id)).await.unwrap();
        view.next_run.is_some_and(|next| next > world.now())
            && made(&world, account, schedule.id).await.len() >= 3
    };
    until("it has caught up", caught_up).await;
    let slots: Vec<_> =
        made(&world, account, schedule.id).await.iter().map(|one| one.scheduled_for.unwrap()).collect();
    assert!((3..=4).contains(&slots.len()), "{slots:?}");
    assert!(slots.windows(2).all(|two| two[1] - two[0] == TimeDelta::hours(1)), "{slots:?}");
    let missed = async || world.events(account, "gasbank.schedule.missed").await;
    until("it is told", async || missed().await.len() == 1).await;
    assert_eq!(missed().await[0].data["dropped"], false);
    assert!(ledger(&world, account, gas).await.balanced);
}

async fn a_pause_holds_slots_back_and_a_resume_says_what_becomes_of_them(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "100").await.id;
    for (missed, count) in [(Missed::Drop, 0), (Missed::Latest, 1), (Missed::All, 3)] {
        let new = json!({"gas_account_id": gas, "amount": "1", "schedule": "@hourly"});
        let schedule = create(&world, account, new).await.unwrap().id;
        let target = || Target::of::<GasSchedule>(schedule);
        let new = NewPause { reason: "the treasurer is away".to_owned(), until: None };
        world.act(account, PauseWork { target: target(), new }).await.unwrap();
        let hour = 3_600;
        let last = DateTime::from_timestamp(world.now().timestamp() / hour * hour, 0).unwrap();
        neglect(&world, account, schedule, last - TimeDelta::minutes(150)).await;
        let why = world.act(account, Why(schedule)).await.unwrap();
        assert_eq!((why.kind.as_str(), why.causes[0].code), ("gas_schedule", "paused"));
        assert!(made(&world, account, schedule).await.is_empty());
        world.act(account, ResumeWork { target: target(), how: Resume { missed } }).await.unwrap();
        until("it goes on", async || {
            let row: GasSchedule = world.core().store.get(Key::new(account, schedule)).await.unwrap();
            row.decided >= last
                && row.next_slot.is_some_and(|next| next > world.now())
                && made(&world, account, schedule).await.len() >= count
        })
        .await;
        assert_eq!(made(&world, account, schedule).await.len(), count, "{missed:?}");
        world.act(account, RemoveGasSchedule { id: schedule, expected: None }).await.unwrap();
    }
}

async fn a_schedule_says_what_is_wrong_with_it(ground: Ground) {
    let world = World::on(ground).await;
    let account = world.account("Ada").await.id;
    let gas = funded(&world, account, 1, "100").await.id;
    let past = world.now() - TimeDelta::hours(1);
    for (field, value, told) in [
        ("amount", json!("0"), ("/amount", "bounds")),
        ("schedule", json!("61 * * * *"), ("/schedule", "bounds")),
        ("schedule", json!("30 2 31 2 *"), ("/schedule", "never")),
        ("schedule", json!(""), ("/schedule", "length")),
        ("timezone", json!("Mars/Olympus"), ("/timezone", "zone")),
        ("to_address", json!("nobody"), ("/to_address", "checksum")),
        ("ends_at", json!(past), ("/ends_at", "future")),
    ] {
        let mut new = json!({"gas_account_id": gas, "amount": "1", "schedule": "@daily"});
        new[field] = value;
        let fault = create(&world, account, new.clone()).await.unwrap_err();
        assert_eq!((fault.code, rule(&fault)), (Code::Invalid, told), "{new}");
    }
    let new = json!({"gas_account_id": account, "amount": "1", "schedule": "@daily"});
    assert_eq!(create(&world, account, new).await.unwrap_err().code, Code::NotFound);
}
