//! Money outlives whoever moves it: however often a daemon is killed between two steps, each deposit counts once, each
//! withdrawal is settled or released once, as the resolver says, and the books balance.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};
use sl_store::testing::postgres::{Admin, Database};

use crate::world::{self, Client, KEY, is_soak, on_threads, process::Daemon, text, until};

/// How many gas accounts there are.
const GAS_ACCOUNTS: usize = 4;
/// How many requests are under way at once.
const AT_ONCE: usize = 12;

/// A resolver that answers each id by a script of its own, which follows from the id: whatever it stammers first, its last
/// word about an id is always the same.
#[derive(Clone)]
struct Resolver {
    address: String,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// What it answers; nothing is a connection that ends.
type Says = (u16, &'static str, String);

fn yes() -> Says {
    (200, "", json!({"done": true, "success": true}).to_string())
}

fn no() -> Says {
    (200, "", json!({"done": true, "success": false, "message": "refused"}).to_string())
}

fn later() -> Says {
    (200, "", json!({"done": false, "retry_after_seconds": 0.1}).to_string())
}

/// Which script an id has.
fn script(id: &str) -> usize {
    id.bytes().fold(7, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % 8
}

/// Whether what it says of an id in the end is yes.
fn is_paid(id: &str) -> bool {
    script(id) > 1
}

impl Resolver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let resolver = Self { address, asked: Arc::default() };
        let serving = resolver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let resolver = serving.clone();
                thread::spawn(move || resolver.serve(&stream));
            }
        });
        resolver
    }

    fn serve(&self, stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let Some(first) = lines.next() else { return };
        let rest = first.split("transaction_id=").nth(1).unwrap_or_default();
        let id = rest.split(['&', ' ']).next().unwrap_or_default().to_owned();
        for _header in lines.by_ref().take_while(|line| !line.is_empty()) {}
        let Some((status, headers, body)) = self.answer(&id) else { return };
        let length = body.len();
        let told = format!(
            "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let mut writer = stream;
        // Whoever asked may have been killed.
        let _ = writer.write_all(told.as_bytes());
    }

    fn answer(&self, id: &str) -> Option<Says> {
        let before = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(id.to_owned()).or_default();
            *times += 1;
            *times - 1
        };
        let first = before == 0;
        let another = json!({"done": true, "success": false, "transaction_id": "another"}).to_string();
        match script(id) {
            1 if before < 2 => Some(later()),
            0 | 1 => Some(no()),
            2 if first => Some((500, "", String::new())),
            3 if first => None,
            4 if before < 2 => Some((429, "retry-after: 0\r\n", String::new())),
            5 if first => {
                thread::sleep(Duration::from_millis(300));
                Some(yes())
            }
            6 if first => Some((200, "", another)),
            _ => Some(yes()),
        }
    }
}

fn daemon(dsn: &str, resolver: &Resolver) -> Daemon {
    Daemon::start(&[
        ("DATABASE_URL", dsn),
        ("SECRET_ENCRYPTION_KEY", KEY),
        ("GASBANK_RESOLVER_URL", &format!("http://{}/resolve", resolver.address)),
        ("SERVICE_LAYER_EGRESS_ALLOW", &resolver.address),
        ("SERVICE_LAYER_GASBANK_RECHECK_WITHIN", "0ms"),
        ("SERVICE_LAYER_DUTIES_LEASE", "2s"),
        ("SERVICE_LAYER_DUTIES_HEARTBEAT", "500ms"),
        ("SERVICE_LAYER_DUTIES_RETRY_BASE", "100ms"),
        ("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000"),
        ("SERVICE_LAYER_HTTP_ACCOUNT_RATE", "100000"),
    ])
}

/// The daemons as they are reached now, one of them perhaps just killed.
type Doors = Arc<Mutex<[Client; 2]>>;

/// Asks until it is answered, whichever daemon lives; each time with the same key, so that it is done once.
async fn insist(doors: &Doors, number: usize, path: &str, body: &Value) -> Value {
    let began = Instant::now();
    for door in number.. {
        let client = doors.lock().unwrap_or_else(PoisonError::into_inner)[door % 2].clone();
        let keyed = client.with_header("idempotency-key", &format!("operation-{number}"));
        match keyed.try_ask(Method::POST, path, Some(body)).await {
            Ok(answer) if answer.status == 200 => return answer.body,
            Ok(answer) => assert!(matches!(answer.status, 409 | 429 | 503), "{answer}"),
            Err(_) => {}
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{path} is never answered");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    unreachable!("there is no last number")
}

/// The transaction of the chain of the how many-th deposit.
fn chain_id(number: usize) -> String {
    format!("0x{number:064x}")
}

/// Gas accounts with enough in each.
async fn gas_accounts(client: &Client, account: &str, operations: usize) -> Vec<String> {
    let bank = format!("{account}/gasbank");
    let mut free = (1_000_000..).filter(|number| is_paid(&chain_id(*number)));
    let mut made = Vec::new();
    for number in 0..GAS_ACCOUNTS {
        let wallet = json!({"wallet_address": format!("0x{:040x}", number + 1)});
        let gas = client.post(&bank, &wallet).await.expect(200);
        let id = text(&gas, "id").to_owned();
        let amount = operations.to_string();
        let tx_id = chain_id(free.next().expect("there are many"));
        let deposit = json!({"gas_account_id": id, "amount": amount, "tx_id": tx_id});
        client.post(&format!("{bank}/deposit"), &deposit).await.expect(200);
        let there = |seen: &Value| seen["available"] == amount.as_str();
        until(client, &format!("{bank}/{id}"), Duration::from_secs(30), there).await;
        made.push(id);
    }
    made
}

/// Deposits and withdraws in turn; the ids of what was made.
async fn operate(doors: Doors, bank: String, gas: Vec<String>, operations: usize) -> BTreeSet<String> {
    let each = stream::iter(0..operations).map(|number| {
        let (doors, bank, gas) = (doors.clone(), bank.clone(), gas[number / 2 % GAS_ACCOUNTS].clone());
        async move {
            let (path, body) = if number % 2 == 0 {
                (
                    format!("{bank}/deposit"),
                    json!({"gas_account_id": gas, "amount": "3", "tx_id": chain_id(number)}),
                )
            } else {
                (format!("{bank}/withdraw"), json!({"gas_account_id": gas, "amount": "1"}))
            };
            let made = insist(&doors, number, &path, &body).await;
            text(&made["transaction"], "id").to_owned()
        }
    });
    each.buffer_unordered(AT_ONCE).collect().await
}

#[test]
fn kills_between_the_steps_of_money_pay_nothing_twice_and_lose_nothing() {
    let (operations, kills) = if is_soak() { (10_000, 40) } else { (600, 5) };
    on_threads(async {
        let (database, resolver) = (Database::fresh().await, Resolver::start());
        let (admin, dsn) = (database.admin().await, database.dsn());
        let mut daemons = [daemon(&dsn, &resolver), daemon(&dsn, &resolver)];
        let account = world::account(&daemons[0].client()).await;
        let gas = gas_accounts(&daemons[0].client(), &account, operations).await;
        let doors: Doors = Arc::new(Mutex::new([daemons[0].client(), daemons[1].client()]));
        let (told, ended) = tokio::sync::oneshot::channel();
        sl_actors::supervisor::spawn_task("operations", {
            let operated = operate(doors.clone(), format!("{account}/gasbank"), gas.clone(), operations);
            async move {
                let _ = told.send(operated.await);
            }
        });
        let all = "SELECT count(*) FROM gas_transactions";
        let midway = "SELECT count(*) FROM gas_transactions WHERE status IN ('pending', 'submitted')";
        let mut met = 0;
        for kill in 0..kills {
            let goal = i64::try_from(operations * (kill + 1) / (kills + 1)).expect("a number");
            let began = Instant::now();
            while admin.number(all).await < goal && began.elapsed() < Duration::from_secs(30) {}
            let victim = &mut daemons[kill % 2];
            victim.kill();
            met += admin.number(midway).await;
            *victim = tokio::task::block_in_place(|| daemon(&dsn, &resolver));
            doors.lock().unwrap_or_else(PoisonError::into_inner)[kill % 2] = victim.client();
        }
        let made = ended.await.expect("every operation is answered");
        assert!(met > 0, "the kills met deposits and withdrawals between two steps");
        let began = Instant::now();
        while admin.number(midway).await > 0 {
            assert!(began.elapsed() < Duration::from_mins(1), "something is never decided");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(made.len(), operations, "each operation made one of its own");
        books(&admin, operations).await;
        as_the_resolver_says(&admin).await;
        for id in gas {
            let ledger = format!("{account}/gasbank/{id}/ledger");
            let proof = daemons[0].client().get(&ledger).await.expect(200);
            assert_eq!(proof["balanced"], true, "{proof}");
        }
        println!(
            "{operations} operations, {kills} kills, {met} met between two steps, decided {:?} later",
            began.elapsed()
        );
    });
}

/// Each deposit and withdrawal once, with the two transfers of its life; each balance the sum of its postings.
async fn books(admin: &Admin, operations: usize) {
    let made = i64::try_from(operations + GAS_ACCOUNTS).expect("a number");
    let half = i64::try_from(operations / 2).expect("a number");
    let deposits = "SELECT count(DISTINCT chain_id) FROM gas_transactions WHERE direction = 'deposit'";
    let withdrawals = "SELECT count(*) FROM gas_transactions WHERE direction = 'withdrawal'";
    for (count, expected) in [
        ("SELECT count(*) FROM gas_transactions", made),
        (deposits, made - half),
        (withdrawals, half),
        ("SELECT count(*) FROM gas_transfers", 2 * made),
        ("SELECT count(*) FROM work WHERE duty = 'gasbank-settlement'", 0),
        ("SELECT count(*) FROM dead_letters", 0),
    ] {
        assert_eq!(admin.number(count).await, expected, "{count}");
    }
    let ends = "SELECT count(*) FROM gas_transactions t WHERE (SELECT array_agg(f.movement ORDER BY f.number) \
        FROM gas_transfers f WHERE f.transaction_id = t.id) IS DISTINCT FROM CASE t.direction || ' ' || t.status \
        WHEN 'deposit completed' THEN ARRAY['deposit_announced', 'deposit_confirmed'] \
        WHEN 'deposit failed' THEN ARRAY['deposit_announced', 'deposit_rejected'] \
        WHEN 'withdrawal completed' THEN ARRAY['withdrawal_reserved', 'withdrawal_settled'] \
        WHEN 'withdrawal failed' THEN ARRAY['withdrawal_reserved', 'withdrawal_released'] END";
    assert_eq!(admin.number(ends).await, 0, "each begins and ends once");
    let off = "SELECT count(*) FROM gas_accounts a WHERE a.locked <> 0 OR a.pending <> 0 OR a.owed <> 0 \
        OR a.posted <> (SELECT count(*) FROM gas_transfers f WHERE f.gas_account_id = a.id) \
        OR a.available <> (SELECT sum(CASE t.direction WHEN 'deposit' THEN t.amount ELSE -t.amount END) \
        FROM gas_transactions t WHERE t.gas_account_id = a.id AND t.status = 'completed')";
    assert_eq!(admin.number(off).await, 0, "each gas account holds what came and was not paid");
}

/// Each ended as the resolver's last word about it is.
async fn as_the_resolver_says(admin: &Admin) {
    let query = "SELECT COALESCE(chain_id, id::text), status FROM gas_transactions";
    let mut failed = 0;
    for row in admin.query(query, &[]).await {
        let (id, status): (String, String) = (row.get(0), row.get(1));
        assert_eq!(status, if is_paid(&id) { "completed" } else { "failed" }, "{id}");
        failed += u32::from(status == "failed");
    }
    assert!(failed > 0, "something was refused");
}
