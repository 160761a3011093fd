//! What opens doors besides the secrets that functions name: headers of oracle sources, secrets and URLs of webhooks in both
//! directions, secrets of callbacks, challenges of wallets. What is made here is told where it is made, once; what is told
//! there is not looked at.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Seen, planted};
use crate::{
    story::wallets::{ADDRESS, PUBLIC},
    world::{self, Client, sink::Sink, text, until},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// An account with doors.
struct House<'a> {
    seen: &'a mut Seen,
    account: &'a str,
    function: String,
    sink: String,
    values: Vec<String>,
}

/// Opens every door in every way, right and wrong; answers the values that are not to be found anywhere.
pub async fn open(seen: &mut Seen, account: &str, sink: &Sink) -> Vec<String> {
    let function = world::function(&seen.client, account, "hears", "(params) => params").await;
    let values = (1_000..1_004).map(|number| planted(number).replace('ä', "a")).collect();
    let (function, sink) = (last(&function), format!("http://{}/", sink.address));
    let mut house = House { seen, account, function, sink, values };
    house.sources().await;
    let trigger = house.hook().await;
    let webhook = house.webhook().await;
    let seen = house.seen;
    let newest = async |seen: &mut Seen, path: &str| {
        let page = seen.ask(Method::GET, &format!("{path}/deliveries"), None).await;
        text(&page["items"][0], "id").to_owned()
    };
    let (fired, told) = (newest(seen, &trigger).await, newest(seen, &webhook).await);
    let (account, trigger, webhook) = (last(account), last(&trigger), last(&webhook));
    let known = [
        ("account", &*account),
        ("trigger", &trigger),
        ("delivery", &fired),
        ("webhook", &webhook),
        ("webhook_delivery", &told),
        ("id", &trigger),
    ];
    seen.read_all(&known).await;
    house.values
}

fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

impl House<'_> {
    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.account)
    }

    /// Sources whose headers hold secrets, asked, amended and mistreated.
    async fn sources(&mut self) {
        let headers =
            json!({"x-api-key": self.values[0], "authorization": format!("Bearer {}", self.values[1])});
        let (sources, sink) = (self.path("oracle/sources"), self.sink.clone());
        for (name, url) in [("well", sink.as_str()), ("nowhere", "http://nowhere.invalid/")] {
            let new = json!({"name": name, "url": url, "method": "POST", "headers": headers});
            let made = self.seen.client.post(&sources, &new).await.expect(201);
            self.values.push(text(&made, "secret").to_owned());
            for refused in [new, json!({"name": "away", "url": "http://127.0.0.1:1/", "headers": headers})] {
                self.seen.post(&sources, &refused).await;
            }
            let path = format!("{sources}/{}", text(&made, "id"));
            for patch in [json!({"headers": headers, "bogus": headers}), json!({"headers": headers})] {
                self.seen.ask(Method::PATCH, &path, Some(&patch)).await;
            }
            let asked =
                json!({"data_source_id": made["id"], "ttl": "2s", "callback_function_id": self.function});
            let request = self.seen.post(&self.path("oracle/requests"), &asked).await;
            let request = self.path(&format!("oracle/requests/{}", text(&request, "id")));
            self.seen.post(&format!("{request}/callback"), &json!({"status": "running"})).await;
            until(&self.seen.client, &request, PATIENCE, |seen| seen["completed_at"].is_string()).await;
            self.seen.ask(Method::GET, &request, None).await;
        }
    }

    /// A webhook's URL whose caller shows the secret itself; its path.
    async fn hook(&mut self) -> String {
        let (triggers, [.., old, new]) = (self.path("triggers"), &self.values[..4]) else {
            unreachable!("four were planted")
        };
        let (old, new) = (old.clone(), new.clone());
        let config = json!({"scheme": "shared_secret", "secret": old});
        let function = &self.function;
        let made = json!({"function_id": function, "type": "webhook", "config": config});
        let made = self.seen.client.post(&triggers, &made).await.expect(201);
        let url = text(&made, "webhook_url").to_owned();
        self.values.push(last(&url));
        let wrong = json!({"function_id": function, "type": "event", "rule": " * *", "config": config});
        self.seen.post(&triggers, &wrong).await;
        let bearer = format!("Bearer {old}");
        for (name, value) in
            [("x-webhook-secret", &old), ("authorization", &bearer), ("x-webhook-secret", &new)]
        {
            let caller = self.seen.client.without_token().with_header(name, value);
            let answer = caller.post(&url, &json!({"n": 1})).await;
            let told = format!("{:?}\n{}", answer.headers, answer.text);
            self.seen.places.push(("the answer to a hook".to_owned(), told));
        }
        let trigger = format!("{triggers}/{}", text(&made, "id"));
        let rotation = json!({"secret": new, "grace": "1h"});
        self.seen.client.post(&format!("{trigger}/rotate-secret"), &rotation).await.expect(200);
        trigger
    }

    /// A webhook that is told of events; its path.
    async fn webhook(&mut self) -> String {
        let new = json!({"url": self.sink, "kinds": ["secret.*", "trigger.*"]});
        let made = self.seen.client.post(&self.path("webhooks"), &new).await.expect(201);
        let webhook = self.path(&format!("webhooks/{}", text(&made, "id")));
        let rotated =
            self.seen.client.post(&format!("{webhook}/rotate-secret"), &json!({})).await.expect(200);
        self.values.extend([&made, &rotated].map(|told| text(told, "secret").to_owned()));
        self.seen.post(&self.path("secrets"), &json!({"name": "told", "value": "a value"})).await;
        let taken = |seen: &Value| {
            seen["items"].as_array().is_some_and(|items| items.iter().any(|one| one["status"] == "succeeded"))
        };
        until(&self.seen.client, &format!("{webhook}/deliveries"), PATIENCE, taken).await;
        webhook
    }
}

/// What a wallet's keys are to sign; it is told by the wallet.
pub async fn challenge(client: &Client, account: &str) -> String {
    let new = json!({"wallet_address": ADDRESS, "public_keys": [PUBLIC], "label": "treasury"});
    let wallets = format!("{account}/workspace-wallets");
    let wallet = client.post(&wallets, &new).await.expect(201);
    let path = format!("{wallets}/{}", text(&wallet, "id"));
    let fresh = client.post(&format!("{path}/challenge"), &json!({})).await.expect(200);
    client.post(&format!("{path}/proof"), &json!({"signatures": []})).await;
    let nonce = text(&fresh, "challenge").lines().find_map(|line| line.strip_prefix("nonce: "));
    nonce.expect("a nonce").to_owned()
}

/// The log, the metrics, the events and the rows of everything but the wallet itself hold no challenge.
pub async fn is_told_nowhere(nonce: &str, seen: &Seen, account: &str) {
    let mut places = vec![("the audit".to_owned(), seen.client.get(&format!("{account}/audit")).await.text)];
    for (place, text) in &seen.places {
        let rows = text.lines().filter(|row| !row.starts_with("workspace_wallets: "));
        places.push((place.clone(), rows.collect::<Vec<_>>().join("\n")));
    }
    let hits = Seen { client: seen.client.clone(), places }.hits(&[nonce.to_owned()]);
    assert!(hits.is_empty(), "{hits:?}");
}
