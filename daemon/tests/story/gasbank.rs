//! The gas bank: deposited, withdrawn, approved, settled against a resolver, proved by its ledger.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::wallets::{ADDRESS, PUBLIC, signed};
use crate::world::{World, each_store, function, text, until};

const TO: &str = "NMBfzaEq2c5zodiNbLPoohVENARMbJim1r";

/// A gas account of a wallet of its own: wallets have one over all accounts, and each store begins empty.
async fn funded(world: &World, account: &str, amount: &str) -> (String, String) {
    let bank = format!("{account}/gasbank");
    let gas = world.client.post(&bank, &json!({"wallet_address": ADDRESS})).await.expect(200);
    let tx_id = "5a".repeat(32);
    let new = json!({"gas_account_id": gas["id"], "amount": amount, "tx_id": tx_id});
    let announced = world.client.post(&format!("{bank}/deposit"), &new).await.expect(200);
    assert_eq!(announced["account"]["pending"], amount, "{announced}");
    assert_eq!(announced["account"]["available"], "0", "{announced}");
    world.client.post(&format!("{bank}/deposit"), &new).await.problem(409, "conflict");
    let confirm = format!("{bank}/deposits/{}/confirm", text(&announced["transaction"], "id"));
    let confirmed = world.client.ask(Method::POST, &confirm, None).await.expect(200);
    assert_eq!(confirmed["account"]["available"], amount, "{confirmed}");
    (bank, text(&gas, "id").to_owned())
}

#[test]
fn gas_is_deposited_withdrawn_and_proved_by_the_ledger() {
    each_store(async |world| {
        let account = world.account().await;
        let (bank, gas) = funded(world, &account, "10").await;
        let ensured = world.client.post(&bank, &json!({"wallet_address": ADDRESS})).await.expect(200);
        assert_eq!(ensured["id"], gas.as_str());
        let foreign = format!("{}/gasbank", world.account().await);
        world.client.post(&foreign, &json!({"wallet_address": ADDRESS})).await.problem(409, "conflict");
        let withdraw = format!("{bank}/withdraw");
        for (amount, rule) in [
            (json!("10.00000001"), "insufficient"),
            (json!(0), "bounds"),
            (json!("1e-9"), "precision"),
            (json!("x"), "format"),
        ] {
            let new = json!({"gas_account_id": gas, "amount": amount, "to_address": TO});
            let refused = world.client.post(&withdraw, &new).await.problem(422, "invalid");
            let error = &refused["errors"][0];
            assert_eq!((&error["pointer"], &error["code"]), (&json!("/amount"), &json!(rule)), "{refused}");
        }
        let new = json!({"gas_account_id": gas, "amount": 2.5, "to_address": TO, "notes": "for the node"});
        let made = world.client.post(&withdraw, &new).await.expect(200);
        let left = [&made["account"]["balance"], &made["account"]["available"], &made["account"]["locked"]];
        assert_eq!(left, ["10", "7.5", "2.5"], "{made}");
        let owner = account.rsplit('/').next().unwrap_or_default();
        let told = ["account_id", "user_account_id", "gas_account_id", "notes"]
            .map(|name| &made["transaction"][name]);
        assert_eq!(told, [owner, owner, gas.as_str(), "for the node"], "{made}");
        let one = world.client.get(&format!("{bank}?gas_account_id={gas}")).await.expect(200);
        assert_eq!(
            (&one["id"], &one["status"], one.get("items")),
            (&json!(gas), &json!("active"), None),
            "{one}"
        );
        let listed = world.client.get(&bank).await.expect(200);
        assert_eq!(listed["items"][0]["id"], json!(gas), "{listed}");
        let below = world.client.patch(&format!("{bank}/{gas}"), &json!({"minimum_balance": "-1"})).await;
        assert_eq!(below.problem(422, "invalid")["errors"][0]["detail"], "must be at least 0");
        let limited = json!({"daily_limit": "3", "minimum_balance": "0"});
        world.client.patch(&format!("{bank}/{gas}"), &limited).await.expect(200);
        let refused = world.client.post(&withdraw, &new).await.problem(422, "invalid");
        let told = ["limit", "current", "setting"].map(|name| &refused[name]);
        assert_eq!(told, ["3", "2.5", "daily_limit"], "{refused}");
        let without = json!({"daily_limit": null, "minimum_balance": null});
        world.client.patch(&format!("{bank}/{gas}"), &without).await.expect(200);
        let id = text(&made["transaction"], "id");
        let why = world.client.get(&format!("{account}/why/{id}")).await.expect(200);
        assert!(why["causes"].to_string().contains("no_resolver"), "{why}");
        let one = format!("{bank}/withdrawals/{id}");
        let settled = world.client.ask(Method::POST, &format!("{one}/settle"), None).await.expect(200);
        assert_eq!(settled["account"]["balance"], "7.5", "{settled}");
        world.client.post(&format!("{one}/cancel"), &json!({})).await.problem(409, "invalid_state");
        let listed = world.client.get(&format!("{bank}/transactions?type=withdrawal")).await.expect(200);
        assert_eq!(listed["items"][0]["status"], "completed", "{listed}");
        let ledger = world.client.get(&format!("{bank}/{gas}/ledger")).await.expect(200);
        assert_eq!((&ledger["balanced"], &ledger["transfers"]), (&json!(true), &json!(4)), "{ledger}");
        let summary = world.client.get(&format!("{bank}/summary")).await.expect(200);
        assert_eq!((&summary["balance"], &summary["accounts"]), (&json!("7.5"), &json!(1)), "{summary}");
        let reconciled = world.client.ask(Method::POST, &format!("{bank}/reconcile"), None).await.expect(200);
        assert_eq!(reconciled["accounts"][0]["differences"], json!([]), "{reconciled}");
    });
}

#[test]
fn a_withdrawal_is_approved_by_a_wallet() {
    each_store(async |world| {
        let account = world.account().await;
        let (bank, gas) = funded(world, &account, "10").await;
        let mut policy = json!({"required_approvals": 1, "minimum_balance": "1", "daily_limit": "5"});
        let refused = world.client.patch(&format!("{bank}/{gas}"), &policy).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/required_approvals", "{refused}");
        policy["approvers"] = json!([ADDRESS]);
        let refused = world.client.patch(&format!("{bank}/{gas}"), &policy).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/approvers/0", "{refused}");
        assert_eq!(refused["errors"][0]["code"], "wallet_not_registered", "{refused}");
        let wallets = format!("{account}/workspace-wallets");
        let new = json!({"wallet_address": ADDRESS, "public_keys": [PUBLIC]});
        let wallet = world.client.post(&wallets, &new).await.expect(201);
        let amended = world.client.patch(&format!("{bank}/{gas}"), &policy).await.expect(200);
        assert_eq!(amended["daily_limit"], "5", "{amended}");
        let new = json!({"gas_account_id": gas, "amount": "3", "to_address": TO});
        let made = world.client.post(&format!("{bank}/withdraw"), &new).await.expect(200);
        assert_eq!(made["transaction"]["status"], "pending_approval", "{made}");
        let one = format!("{bank}/withdrawals/{}", text(&made["transaction"], "id"));
        let message = text(&made["transaction"], "approval_message");
        let approval = json!({"wallet_address": ADDRESS, "signatures": signed(message)});
        let approve = format!("{one}/approve");
        let refused = world.client.post(&approve, &approval).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["code"], "wallet_not_active", "{refused}");
        let proof = json!({"signatures": signed(text(&wallet, "challenge"))});
        world.client.post(&format!("{wallets}/{}/proof", text(&wallet, "id")), &proof).await.expect(200);
        let approved = world.client.post(&approve, &approval).await.expect(200);
        assert_eq!(approved["transaction"]["status"], "pending", "{approved}");
        let cancelled = world.client.post(&format!("{one}/cancel"), &json!({})).await.expect(200);
        assert_eq!(cancelled["account"]["available"], "10", "{cancelled}");
    });
}

#[test]
fn an_operator_corrects_what_was_decided_wrongly() {
    each_store(async |world| {
        let account = world.account().await;
        let (bank, gas) = funded(world, &account, "10").await;
        let new = json!({"gas_account_id": gas, "amount": "4", "to_address": TO});
        let made = world.client.post(&format!("{bank}/withdraw"), &new).await.expect(200);
        let id = text(&made["transaction"], "id");
        let fail = format!("{bank}/withdrawals/{id}/fail");
        let failed = world.client.post(&fail, &json!({"reason": "no trace of it"})).await.expect(200);
        assert_eq!(failed["transaction"]["decisions"][0]["reason"], "no trace of it", "{failed}");
        let reconcile = format!("{bank}/reconcile");
        let mut verdict = json!({"transaction_id": id, "verdict": "completed"});
        world.client.post(&reconcile, &verdict).await.problem(422, "invalid");
        verdict["reason"] = json!("block 4711");
        for _ in 0..2 {
            let corrected = world.client.post(&reconcile, &verdict).await.expect(200);
            let (moved, account) =
                (&corrected["transaction"]["transaction"], &corrected["transaction"]["account"]);
            assert_eq!(
                (&moved["status"], &account["balance"]),
                (&json!("completed"), &json!("6")),
                "{corrected}"
            );
            assert_eq!(moved["decisions"][1]["actor"], "operator:tester", "{corrected}");
        }
        let ledger = world.client.get(&format!("{bank}/{gas}/ledger")).await.expect(200);
        assert_eq!(ledger["balanced"], true, "{ledger}");
        let refused = world.client.delete(&account).await.problem(409, "invalid_state");
        assert!(text(&refused, "detail").contains("6 GAS available"), "{refused}");
        let all = json!({"gas_account_id": gas, "amount": "6"});
        let made = world.client.post(&format!("{bank}/withdraw"), &all).await.expect(200);
        let settle = format!("{bank}/withdrawals/{}/settle", text(&made["transaction"], "id"));
        world.client.ask(Method::POST, &settle, None).await.expect(200);
        let gone = world.client.delete(&account).await;
        assert!(gone.status < 300, "{gone}");
    });
}

#[test]
fn a_withdrawal_recurs() {
    each_store(async |world| {
        let account = world.account().await;
        let (bank, gas) = funded(world, &account, "10").await;
        let schedules = format!("{bank}/schedules");
        let new =
            json!({"gas_account_id": gas, "amount": "0.5", "to_address": TO, "schedule": "* * * * * *"});
        let made = world.client.post(&schedules, &new).await.expect(201);
        assert_eq!((&made["status"], &made["amount"]), (&json!("active"), &json!("0.5")), "{made}");
        let id = text(&made, "id");
        let of_it = format!("{bank}/transactions?schedule_id={id}");
        let two = |seen: &Value| seen["items"].as_array().is_some_and(|items| items.len() >= 2);
        let seen = until(&world.client, &of_it, Duration::from_secs(20), two).await;
        assert_eq!(
            (&seen["items"][0]["status"], &seen["items"][0]["amount"]),
            (&json!("pending"), &json!("0.5"))
        );
        assert_ne!(seen["items"][0]["scheduled_for"], seen["items"][1]["scheduled_for"], "{seen}");
        let one = format!("{schedules}/{id}");
        world.client.post(&format!("{one}/pause"), &json!({"reason": "audit"})).await.expect(200);
        world.client.post(&format!("{one}/resume"), &json!({"missed": "drop"})).await.expect(200);
        assert_eq!(world.client.delete(&one).await.status, 204);
        world.client.get(&one).await.problem(404, "not_found");
        let withdrawal = text(&seen["items"][0], "id");
        let cancel = format!("{bank}/withdrawals/{withdrawal}/cancel");
        world.client.post(&cancel, &json!({})).await.expect(200);
    });
}

#[test]
fn a_function_withdraws() {
    each_store(async |world| {
        let account = world.account().await;
        let (bank, gas) = funded(world, &account, "10").await;
        let source =
            "(params) => { Devpack.withdrawGas({gasAccountId: params.id, amount: '1.5', to: params.to}); }";
        let execute = format!("{}/execute", function(&world.client, &account, "withdraws", source).await);
        let ran = world.client.post(&execute, &json!({"id": gas, "to": TO})).await.expect(200);
        assert_eq!(ran["status"], "succeeded", "{ran}");
        let holds = |seen: &Value| seen["locked"] == "1.5";
        until(&world.client, &format!("{bank}/{gas}"), Duration::from_secs(20), holds).await;
    });
}
