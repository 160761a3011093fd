//! Webhooks: what happens is told to a receiver, signed, again until it is taken, and to nobody who is gone.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use sl_store::testing::postgres::Database;

use crate::world::{KEY, account, client::Client, on_one_thread, process::Daemon, text, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// One request that came.
#[derive(Clone, Debug)]
struct Heard {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// How many of its signatures are this secret's.
    fn signed_by(&self, secret: &str) -> usize {
        let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("keys of any length");
        let head = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        let mac = mac.chain_update(head).chain_update(&self.body).finalize().into_bytes();
        let right = format!("v1,{}", STANDARD.encode(mac));
        self.header("webhook-signature").split(' ').filter(|one| *one == right).count()
    }
}

/// A receiver on loopback: `/ok` takes everything, `/flaky` after two refusals, `/gone` and `/wrong` nothing.
#[derive(Clone)]
struct Receiver {
    address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let receiver = Self { address, heard: Arc::default() };
        let serving = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever asked may have gone.
                let _ = serving.serve(&stream);
            }
        });
        receiver
    }

    /// How many requests came for a path.
    fn at(&self, path: &str) -> usize {
        self.heard().iter().filter(|heard| heard.path == path).count()
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let before = self.at(&path);
        let status = match path.as_str() {
            "/flaky" if before < 2 => "503 Service Unavailable",
            "/gone" => "410 Gone",
            "/wrong" => "400 Bad Request",
            _ => "204 No Content",
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard { path, headers, body });
        let mut writer = stream;
        write!(writer, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    }
}

/// Tells a story in memory and on PostgreSQL, beside a receiver that may be reached although it is private.
fn each_daemon(story: impl AsyncFn(&Client, &Receiver)) {
    on_one_thread(async {
        let database = Database::fresh().await;
        let dsn = database.dsn();
        for store in [None, Some(("DATABASE_URL", dsn.as_str()))] {
            eprintln!("{}", store.map_or("in memory", |_| "on PostgreSQL"));
            let receiver = Receiver::start();
            let mut variables = vec![
                ("SECRET_ENCRYPTION_KEY", KEY),
                ("SERVICE_LAYER_EGRESS_ALLOW", receiver.address.as_str()),
                ("SERVICE_LAYER_DUTIES_RETRY_BASE", "50ms"),
            ];
            variables.extend(store);
            let daemon = Daemon::start(&variables);
            story(&daemon.client(), &receiver).await;
        }
    });
}

/// Makes a webhook; what was answered, and its path.
async fn webhook(
    client: &Client,
    account: &str,
    receiver: &Receiver,
    to: &str,
    kinds: Value,
) -> (Value, String) {
    let new = json!({"url": format!("http://{}{to}", receiver.address), "kinds": kinds});
    let made = client.post(&format!("{account}/webhooks"), &new).await.expect(201);
    let path = format!("{account}/webhooks/{}", text(&made, "id"));
    (made, path)
}

async fn keep_secret(client: &Client, account: &str, name: &str) {
    let new = json!({"name": name, "value": "the value of canary 31"});
    client.post(&format!("{account}/secrets"), &new).await.expect(201);
}

/// Looks until a webhook has so many deliveries that stand there; answers them, newest first.
async fn deliveries(client: &Client, path: &str, status: &str, count: usize) -> Vec<Value> {
    let all = format!("{path}/deliveries?status={status}&limit=100");
    let pleases = |seen: &Value| seen["items"].as_array().map(Vec::len) == Some(count);
    until(client, &all, PATIENCE, pleases).await["items"].as_array().cloned().unwrap_or_default()
}

#[test]
fn an_event_is_told_once_under_one_id_until_it_is_taken() {
    each_daemon(async |client, receiver| {
        let account = account(client).await;
        keep_secret(client, &account, "before").await;
        let (made, path) = webhook(client, &account, receiver, "/flaky", json!(["secret.*"])).await;
        let first = text(&made, "secret").to_owned();
        assert!(client.get(&path).await.expect(200).get("secret").is_none());
        keep_secret(client, &account, "one").await;
        let told = deliveries(client, &path, "succeeded", 1).await;
        assert_eq!((&told[0]["kind"], &told[0]["attempts"]), (&json!("secret.created"), &json!(3)));
        let heard = receiver.heard();
        assert_eq!(heard.len(), 3, "refused twice, then taken: {heard:?}");
        for one in &heard {
            assert_eq!(one.header("webhook-id"), text(&told[0], "id"));
            assert_eq!((one.signed_by(&first), &one.body), (1, &heard[0].body));
            assert!(!one.body.contains("canary 31"), "{one:?}");
        }
        let body: Value = serde_json::from_str(&heard[0].body).expect("JSON");
        assert_eq!((&body["type"], &body["data"]["name"]), (&json!("secret.created"), &json!("one")));

        let rotated =
            client.post(&format!("{path}/rotate-secret"), &json!({"grace": "1h"})).await.expect(200);
        let second = text(&rotated, "secret").to_owned();
        keep_secret(client, &account, "two").await;
        deliveries(client, &path, "succeeded", 2).await;
        let last = receiver.heard().pop().expect("a request");
        assert_eq!((last.signed_by(&first), last.signed_by(&second)), (1, 1), "{last:?}");

        let one = format!("{path}/deliveries/{}", text(&told[0], "id"));
        client.ask(Method::POST, &format!("{one}/redeliver"), None).await.expect(202);
        until(client, &one, PATIENCE, |seen| seen["attempts"] == 4).await;
        let again = receiver.heard().pop().expect("a request");
        assert_eq!(again.header("webhook-id"), text(&told[0], "id"));
        assert_eq!(receiver.heard().len(), 5, "nothing else was sent");
    });
}

#[test]
fn who_is_gone_is_not_told_again_and_who_refuses_leaves_a_dead_letter() {
    each_daemon(async |client, receiver| {
        let account = account(client).await;
        let (_, gone) = webhook(client, &account, receiver, "/gone", json!(["secret.created"])).await;
        let (_, wrong) = webhook(client, &account, receiver, "/wrong", json!(["*"])).await;
        keep_secret(client, &account, "one").await;
        let seen = until(client, &gone, PATIENCE, |seen| seen["enabled"] == false).await;
        assert!(text(&seen, "disabled_reason").contains("410"), "{seen}");
        let failed = deliveries(client, &gone, "failed", 1).await;
        let again = format!("{gone}/deliveries/{}/redeliver", text(&failed[0], "id"));
        client.ask(Method::POST, &again, None).await.problem(409, "invalid_state");
        let id = gone.rsplit('/').next().unwrap_or_default();
        let why = client.get(&format!("{account}/why/{id}")).await.expect(200);
        assert_eq!((&why["status"], &why["causes"][0]["code"]), (&json!("disabled"), &json!("disabled")));

        // The secret that was kept, and that the other one was disabled; not its own deliveries and dead letters.
        let failed = deliveries(client, &wrong, "failed", 2).await;
        let kinds: Vec<&str> = failed.iter().map(|one| text(one, "kind")).collect();
        assert_eq!(kinds, ["webhook.disabled", "secret.created"]);
        assert_eq!(failed[0]["reason"], "the receiver answered 400");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((receiver.at("/gone"), receiver.at("/wrong")), (1, 2));
        let letters = client.get(&format!("{account}/dead-letters")).await.expect(200);
        assert_eq!(letters["items"].as_array().map(Vec::len), Some(2), "{letters}");
    });
}

#[test]
fn a_wrong_webhook_is_refused_by_name_and_a_paused_one_waits() {
    each_daemon(async |client, receiver| {
        let account = account(client).await;
        let webhooks = format!("{account}/webhooks");
        let url = format!("http://{}/ok", receiver.address);
        for (new, pointer) in [
            (json!({"url": "http://10.0.0.1/x"}), "/url"),
            (json!({"url": "ftp://receiver.example/x"}), "/url"),
            (json!({"url": url, "kinds": []}), "/kinds"),
            (json!({"url": url, "kinds": ["a", "b*c"]}), "/kinds/1"),
            (json!({"url": url, "kinds": [""]}), "/kinds/0"),
        ] {
            let refused = client.post(&webhooks, &new).await.problem(422, "invalid");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{new}: {refused}");
        }
        let (_, path) = webhook(client, &account, receiver, "/ok", json!(["secret.created"])).await;
        client.post(&format!("{path}/pause"), &json!({"reason": "maintenance"})).await.expect(200);
        keep_secret(client, &account, "one").await;
        let waits = deliveries(client, &path, "queued", 1).await;
        let why = client.get(&format!("{account}/why/{}", text(&waits[0], "id"))).await.expect(200);
        assert_eq!(why["causes"][0]["code"], "paused", "{why}");
        client.post(&format!("{path}/resume"), &json!({"missed": "all"})).await.expect(200);
        deliveries(client, &path, "succeeded", 1).await;
        client.ask(Method::POST, &format!("{path}/disable"), None).await.expect(200);
        keep_secret(client, &account, "two").await;
        let on = client.ask(Method::POST, &format!("{path}/enable"), None).await.expect(200);
        assert_eq!(on["enabled"], true);
        client.delete(&path).await.expect(204);
        client.get(&path).await.problem(404, "not_found");
    });
}
