//! Every operation against every wrong caller (generated from the table, so that none can be forgotten).
//!
//! No operation answers a success or a failure of ours to: no token, garbage, a revoked token, another account's token,
//! a token of too small a scope, or an id of another account's thing; and what is foreign is told as what is missing.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sl_actors::caller::Scope;
use sl_http::{
    input::{Holds, holds},
    operation::{Needs, Operation},
    routes,
};

use crate::server::{Answer, OPERATOR, Running, send, start};

/// The tenants of the matrix: whoever asks, and whoever is asked for.
struct Stage {
    server: Running,
    own: String,
    foreign: String,
    /// Things of the foreign account, by path parameter.
    things: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn set() -> Self {
        let server = start().await;
        let (own, foreign) = (server.account().await, server.account().await);
        let mut stage = Self { server, own, foreign, things: BTreeMap::new() };
        stage.fill().await;
        stage
    }

    /// Makes one thing for each path parameter there is; a parameter without a recipe fails the test.
    async fn fill(&mut self) {
        let table = routes::all();
        let mut parameters: Vec<&str> =
            table.iter().flat_map(Operation::path_parameters).filter(|name| *name != "account").collect();
        parameters.sort_unstable();
        parameters.dedup();
        let foreign = self.foreign.clone();
        for parameter in parameters {
            let thing = match parameter {
                "token" => self.make("tokens", json!({"name": "theirs", "scopes": ["read"]}), "id").await,
                "name" => {
                    self.make("secrets", json!({"name": "theirs", "value": "confidential"}), "name").await
                }
                "function" => self.make("functions", function(), "id").await,
                "execution" => self.execution(&foreign).await,
                "job" => self.job(&foreign).await,
                "run" => self.run(&foreign).await,
                "trigger" => self.trigger(&foreign).await,
                "delivery" => self.delivery(&foreign).await,
                "webhook" => self.make("webhooks", json!({"url": "https://receiver.example/x"}), "id").await,
                "hook_token" => "0".repeat(64),
                "random" => self.random(&foreign).await,
                "version" | "round" => "1".to_owned(),
                "source" => self.make("oracle/sources", source(), "id").await,
                "request" => self.oracle_request(&foreign).await,
                "wallet" => self.make("workspace-wallets", wallet(), "id").await,
                "feed" => self.make("pricefeeds", feed(), "id").await,
                "gas_account" => self.gas_account(&foreign).await,
                "deposit" => self.deposit(&foreign, 1).await,
                "withdrawal" => self.withdrawal(&foreign).await,
                "gas_schedule" => {
                    let gas = self.gas_account(&foreign).await;
                    let new = json!({"gas_account_id": gas, "amount": "1", "schedule": "@yearly"});
                    self.make("gasbank/schedules", new, "id").await
                }
                "duty" => "executions".to_owned(),
                "dead_letter" | "id" | "snapshot" | "webhook_delivery" => {
                    self.server.runtime.core().ids.next().to_string()
                }
                other => panic!("the matrix knows no way to make a {other}; teach it here"),
            };
            self.things.insert(parameter, thing);
        }
    }

    async fn make(&self, collection: &str, body: Value, key: &str) -> String {
        let made = self.server.post(&format!("{}/{collection}", self.foreign), body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.json()[key].as_str().expect("its key").to_owned()
    }

    async fn execution(&self, account: &str) -> String {
        let function = self.server.post(&format!("{account}/functions"), named("runs")).await.json();
        let path = format!("{account}/functions/{}/execute?wait=0s", function["id"].as_str().expect("an id"));
        let made = self.server.post(&path, json!({})).await;
        assert!(made.status.is_success(), "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn job(&self, account: &str) -> String {
        let function = self.server.post(&format!("{account}/functions"), named("by the clock")).await.json();
        let job = json!({"name": "theirs", "schedule": "@yearly", "function_id": function["id"]});
        self.make("automation/jobs", job, "id").await
    }

    async fn run(&self, account: &str) -> String {
        let path = format!("{account}/automation/jobs/{}/trigger", self.things["job"]);
        let made = self.server.post(&path, json!({})).await;
        assert!(made.status.is_success(), "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn oracle_request(&self, account: &str) -> String {
        let new = json!({"name": "asked", "url": "https://example.com/", "enabled": true});
        let source = self.server.post(&format!("{account}/oracle/sources"), new).await.json();
        let body = json!({"data_source_id": source["id"]});
        let made = self.server.post(&format!("{account}/oracle/requests"), body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn trigger(&self, account: &str) -> String {
        let function = self.server.post(&format!("{account}/functions"), named("triggered")).await.json();
        self.make("triggers", json!({"rule": "@yearly", "function_id": function["id"]}), "id").await
    }

    async fn delivery(&self, account: &str) -> String {
        let function = self.server.post(&format!("{account}/functions"), named("delivered")).await.json();
        let trigger = json!({"type": "webhook", "function_id": function["id"]});
        let trigger = self.make("triggers", trigger, "id").await;
        let fired = self.server.post(&format!("{account}/triggers/{trigger}/fire"), json!({})).await;
        assert!(fired.status.is_success(), "{fired:?}");
        fired.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn random(&self, account: &str) -> String {
        let made = self.server.post(&format!("{account}/random"), json!({})).await;
        assert!(made.status.is_success(), "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn gas_account(&self, account: &str) -> String {
        let wallet_address = json!({"wallet_address": "NPTmAHDxo6Pkyic8Nvu3kwyXoYJCvcCB6i"});
        let made = self.server.post(&format!("{account}/gasbank"), wallet_address).await;
        assert!(made.status.is_success(), "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    async fn deposit(&self, account: &str, number: u8) -> String {
        let gas_account_id = self.gas_account(account).await;
        let tx_id = format!("{number:02x}").repeat(32);
        let new = json!({"gas_account_id": gas_account_id, "amount": "1", "tx_id": tx_id});
        self.moved(&format!("{account}/gasbank/deposit"), new).await
    }

    async fn withdrawal(&self, account: &str) -> String {
        let deposit = self.deposit(account, 2).await;
        self.moved(&format!("{account}/gasbank/deposits/{deposit}/confirm"), json!({})).await;
        let new = json!({"gas_account_id": self.gas_account(account).await, "amount": "1"});
        self.moved(&format!("{account}/gasbank/withdraw"), new).await
    }

    /// The id of the deposit or withdrawal that a movement answers.
    async fn moved(&self, path: &str, body: Value) -> String {
        let made = self.server.post(path, body).await;
        assert!(made.status.is_success(), "{made:?}");
        made.json()["transaction"]["id"].as_str().expect("an id").to_owned()
    }

    /// The path of an operation under an account, with things of the foreign account.
    fn path(&self, operation: &Operation, account: &str) -> String {
        let mut path = operation.path.replace("/accounts/{account}", account);
        for (parameter, thing) in &self.things {
            path = path.replace(&format!("{{{parameter}}}"), thing);
        }
        path
    }

    async fn ask(&self, operation: &Operation, path: &str, token: Option<&str>) -> Answer {
        let method = Method::from_bytes(operation.method.as_str().as_bytes()).expect("a method");
        let request = self.server.bare(method, path);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let request = if operation.body_required { request.json(&json!({})) } else { request };
        send(request).await
    }
}

fn function() -> Value {
    named("theirs")
}

fn wallet() -> Value {
    json!({
        "wallet_address": "NPTmAHDxo6Pkyic8Nvu3kwyXoYJCvcCB6i",
        "public_keys": ["02028a99826edc0c97d18e22b6932373d908d323aa7f92656a77ec26e8861699ef"],
    })
}

fn source() -> Value {
    json!({"name": "theirs", "url": "https://example.com/"})
}

fn feed() -> Value {
    json!({"base_asset": "NEO", "quote_asset": "USD", "deviation_percent": 1})
}

fn named(name: &str) -> Value {
    json!({"name": name, "source": "(params) => ({})"})
}

fn guarded() -> Vec<Operation> {
    routes::all().into_iter().filter(|operation| operation.needs != Needs::Open).collect()
}

/// A problem without what differs by request.
fn told(answer: &Answer) -> (u16, Value) {
    let mut problem = answer.json();
    problem["request_id"] = Value::Null;
    (answer.status.as_u16(), problem)
}

#[tokio::test(flavor = "local")]
async fn no_operation_answers_who_has_no_good_token() {
    let stage = Stage::set().await;
    let revoked =
        stage.server.post(&format!("{}/tokens", stage.own), json!({"name": "r", "scopes": ["admin"]})).await;
    let path = format!("{}/tokens/{}", stage.own, revoked.json()["id"].as_str().expect("an id"));
    let gone = send(stage.server.request(Method::DELETE, &path, OPERATOR)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let revoked = revoked.json()["token"].as_str().expect("a token").to_owned();
    let mut altered = stage.server.token(&stage.own, &["read"]).await;
    altered.push('x');
    for operation in guarded() {
        let path = stage.path(&operation, &stage.own);
        for token in
            [None, Some("garbage"), Some("slk_garbage"), Some(revoked.as_str()), Some(altered.as_str())]
        {
            let answer = stage.ask(&operation, &path, token).await;
            let id = &operation.id;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{id} with {token:?}: {answer:?}");
            assert_eq!(answer.problem(), "unauthorized", "{id} with {token:?}");
            assert!(answer.header("www-authenticate").is_some_and(|told| told.starts_with("Bearer")), "{id}");
        }
    }
    stage.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn anothers_account_is_told_as_a_missing_one() {
    let stage = Stage::set().await;
    let token = stage.server.token(&stage.own, &["read", "run", "write", "admin"]).await;
    let missing = format!("/accounts/{}", stage.server.runtime.core().ids.next());
    for operation in guarded().iter().filter(|operation| operation.path.starts_with("/accounts/{account}")) {
        let foreign = stage.ask(operation, &stage.path(operation, &stage.foreign), Some(&token)).await;
        let missing = stage.ask(operation, &stage.path(operation, &missing), Some(&token)).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}: {foreign:?}", operation.id);
        assert_eq!(told(&foreign), told(&missing), "{}", operation.id);
    }
    stage.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_token_does_what_its_scopes_cover_and_nothing_else() {
    let stage = Stage::set().await;
    let all = [Scope::Read, Scope::Run, Scope::Write, Scope::Admin];
    let mut tokens = BTreeMap::new();
    for operation in guarded() {
        let others: Vec<&str> = all
            .into_iter()
            .filter(|scope| operation.needs != Needs::Scope(*scope))
            .map(|scope| Needs::Scope(scope).as_str())
            .collect();
        if !tokens.contains_key(&others) {
            tokens.insert(others.clone(), stage.server.token(&stage.own, &others).await);
        }
        let token = &tokens[&others];
        let answer = stage.ask(&operation, &stage.path(&operation, &stage.own), Some(token)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} with {others:?}: {answer:?}", operation.id);
        assert_eq!(answer.problem(), "forbidden", "{}", operation.id);
    }
    stage.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn what_is_at_another_version_is_left_alone() {
    let stage = Stage::set().await;
    for operation in
        guarded().iter().filter(|operation| operation.takes_version() && !operation.body_required)
    {
        let method = Method::from_bytes(operation.method.as_str().as_bytes()).expect("a method");
        let request = stage.server.request(method, &stage.path(operation, &stage.foreign), OPERATOR);
        let answer = send(request.header("if-match", "\"999999\"")).await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{}: {answer:?}", operation.id);
    }
    stage.server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn anothers_thing_is_told_as_a_missing_one() {
    let stage = Stage::set().await;
    let token = stage.server.token(&stage.own, &["read", "run", "write", "admin"]).await;
    for operation in guarded() {
        let Some(parameter) = operation.path_parameters().find(|name| !matches!(*name, "account" | "duty"))
        else {
            continue;
        };
        let foreign = stage.path(&operation, &stage.own);
        let absent = match holds(parameter) {
            Holds::Id => stage.server.runtime.core().ids.next().to_string(),
            Holds::Name | Holds::Number => "1999".to_owned(),
        };
        let absent = foreign.replace(&stage.things[parameter], &absent);
        let foreign = stage.ask(&operation, &foreign, Some(&token)).await;
        let absent = stage.ask(&operation, &absent, Some(&token)).await;
        let refused = match operation.needs {
            // A tenant is refused before any id is looked at.
            Needs::Operator => foreign.status == StatusCode::FORBIDDEN,
            Needs::Open | Needs::Scope(_) => {
                [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&foreign.status)
            }
        };
        assert!(refused, "{}: {foreign:?}", operation.id);
        assert_eq!(told(&foreign), told(&absent), "{}", operation.id);
    }
    stage.server.stop().await;
}

#[test]
fn whoever_comes_without_a_token_and_says_something_is_held_to_a_rate() {
    for operation in routes::all().iter().filter(|operation| operation.needs == Needs::Open) {
        assert_eq!(operation.rate.is_some(), operation.mutates(), "{}", operation.id);
    }
}
