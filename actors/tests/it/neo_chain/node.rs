//! A Neo node on loopback with a chain that the test makes, which answers otherwise where the test says so.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub const NETWORK: u32 = 894_710_606;
pub const CONTRACT: &str = "0xd2a4cff31913016155e38e474a2c06d08be276cf";

/// What it answers in place of the truth.
#[derive(Clone, Debug)]
pub enum Says {
    /// A status, further head lines and a body.
    That(u16, &'static str, String),
    /// A result, written as it is given.
    Result(String),
    /// An error.
    Error(i64, &'static str),
    /// Nothing: it closes the connection.
    Nothing,
    /// Nothing for longer than anybody waits.
    TooLate,
}

/// A transaction: how it ended, and its notifications by name and state.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub vmstate: &'static str,
    pub notifications: Vec<(&'static str, Value)>,
}

#[derive(Default)]
struct Chain {
    network: u32,
    /// What its hashes begin with.
    salt: u8,
    blocks: Vec<Vec<Transaction>>,
    says: BTreeMap<&'static str, VecDeque<Says>>,
    asked: Vec<String>,
}

/// The node.
#[derive(Clone, Default)]
pub struct Node {
    port: u16,
    chain: Arc<Mutex<Chain>>,
}

impl Node {
    /// A node whose newest block is that of this height; its blocks are empty.
    pub async fn start(height: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        node.chain().network = NETWORK;
        node.chain().blocks = vec![Vec::new(); height + 1];
        let serving = node.clone();
        sl_actors::supervisor::spawn_task("neo node", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let node = serving.clone();
                sl_actors::supervisor::spawn_task("neo node", async move { node.serve(stream).await });
            }
        });
        node
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    /// `127.0.0.1:1234`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.host())
    }

    /// Adds a block.
    pub fn adds(&self, transactions: Vec<Transaction>) {
        self.chain().blocks.push(transactions);
    }

    /// Has so many blocks from now on.
    pub fn keeps(&self, blocks: usize) {
        self.chain().blocks.truncate(blocks);
    }

    /// Is of this network from now on.
    pub fn joins(&self, network: u32) {
        self.chain().network = network;
    }

    /// Has another chain from now on, of the same blocks.
    pub fn forks(&self, salt: u8) {
        self.chain().salt = salt;
    }

    /// Answers the next questions of a method so.
    pub fn says(&self, method: &'static str, answers: impl IntoIterator<Item = Says>) {
        self.chain().says.entry(method).or_default().extend(answers);
    }

    /// Whether everything was said that it was to say.
    pub fn has_said_all(&self) -> bool {
        self.chain().says.values().all(VecDeque::is_empty)
    }

    /// The questions of a method so far.
    pub fn asked(&self, method: &str) -> usize {
        self.chain().asked.iter().filter(|asked| *asked == method).count()
    }

    /// The hash of a block.
    pub fn block_hash(&self, index: usize) -> String {
        hash(self.chain().salt, index, 0)
    }

    /// The hash of a block's transaction.
    pub fn transaction_hash(&self, index: usize, number: usize) -> String {
        hash(self.chain().salt, index, number + 1)
    }

    fn answer(&self, question: &Value) -> Says {
        let method = question["method"].as_str().unwrap_or_default();
        let mut chain = self.chain();
        chain.asked.push(method.to_owned());
        if let Some(says) = chain.says.get_mut(method).and_then(VecDeque::pop_front) {
            return says;
        }
        chain.truth(method, &question["params"][0])
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(body) = question(&mut stream).await else { return };
        let question: Value = serde_json::from_slice(&body).unwrap();
        let (status, head, body) = match self.answer(&question) {
            Says::Nothing => return,
            Says::TooLate => return tokio::time::sleep(std::time::Duration::from_secs(5)).await,
            Says::That(status, head, body) => (status, head, body),
            Says::Result(result) => (200, "", format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)),
            Says::Error(code, message) => (
                200,
                "",
                json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}).to_string(),
            ),
        };
        let length = body.len();
        let told = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n{body}"
        );
        // Whoever asked may have gone.
        let _ = stream.write_all(told.as_bytes()).await;
    }
}

impl Chain {
    fn truth(&self, method: &str, param: &Value) -> Says {
        let told = match method {
            "getversion" => {
                json!({"useragent": "/Neo:3.7.4/", "protocol": {"network": self.network, "msperblock": 15000}})
            }
            "getblockcount" => json!(self.blocks.len()),
            "getblockhash" | "getblock" | "getblockheader" => {
                let index = usize::try_from(param.as_u64().unwrap()).unwrap();
                match self.blocks.get(index) {
                    Some(_) if method == "getblockhash" => json!(hash(self.salt, index, 0)),
                    Some(transactions) => self.block(index, transactions, method == "getblock"),
                    None => return Says::Error(-101, "Unknown block"),
                }
            }
            "getapplicationlog" => match self.log(param.as_str().unwrap()) {
                Some(log) => log,
                None => return Says::Error(-105, "Unknown script container"),
            },
            _ => return Says::Error(-32_601, "Method not found"),
        };
        Says::Result(told.to_string())
    }

    fn block(&self, index: usize, transactions: &[Transaction], whole: bool) -> Value {
        let previous =
            index.checked_sub(1).map_or_else(|| hash(0, 0, 9), |before| hash(self.salt, before, 0));
        let mut told = json!({
            "hash": hash(self.salt, index, 0), "size": 697, "version": 0, "previousblockhash": previous,
            "merkleroot": hash(0, 0, 8), "time": time(index), "nonce": "0F", "index": index, "primary": 0,
            "nextconsensus": "NSiVJYZej4XsxG5CUpdwn7VRQk8iiiDMPM", "witnesses": [], "confirmations": 1,
        });
        if whole {
            let hashes = (1..=transactions.len()).map(|number| hash(self.salt, index, number));
            told["tx"] = hashes.map(|hash| json!({"hash": hash, "size": 251, "script": "AA=="})).collect();
        }
        told
    }

    fn log(&self, of: &str) -> Option<Value> {
        for (index, transactions) in self.blocks.iter().enumerate() {
            if of == hash(self.salt, index, 0) {
                let executions = json!([
                    execution("OnPersist", "HALT", &[("Transfer", burnt())]),
                    execution("PostPersist", "HALT", &[("Transfer", burnt())]),
                ]);
                return Some(json!({"blockhash": of, "executions": executions}));
            }
            for (number, transaction) in transactions.iter().enumerate() {
                if of == hash(self.salt, index, number + 1) {
                    let done = execution("Application", transaction.vmstate, &transaction.notifications);
                    return Some(json!({"txid": of, "executions": [done]}));
                }
            }
        }
        None
    }
}

async fn question(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            let length: usize = length.parse().ok()?;
            if read.len() >= end + 4 + length {
                return Some(read[end + 4..].to_vec());
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

fn execution(trigger: &str, vmstate: &str, notifications: &[(&str, Value)]) -> Value {
    let told: Vec<Value> = notifications
        .iter()
        .map(|(name, state)| json!({"contract": CONTRACT, "eventname": name, "state": state}))
        .collect();
    json!({
        "trigger": trigger, "vmstate": vmstate, "exception": null, "gasconsumed": "9977780", "stack": [],
        "notifications": told,
    })
}

fn burnt() -> Value {
    array(&[json!({"type": "Any"}), json!({"type": "Any"}), integer(7)])
}

/// The hash of a block (number 0) or of one of its transactions.
fn hash(salt: u8, index: usize, number: usize) -> String {
    format!("0x{salt:02x}{index:031x}{number:031x}")
}

/// When a block was made, in milliseconds.
pub fn time(index: usize) -> u64 {
    1_700_000_000_000 + 15_000 * index as u64
}

/// A transaction that ended well.
pub fn halts(notifications: Vec<(&'static str, Value)>) -> Transaction {
    Transaction { vmstate: "HALT", notifications }
}

/// One that did not.
pub fn faults(notifications: Vec<(&'static str, Value)>) -> Transaction {
    Transaction { vmstate: "FAULT", notifications }
}

pub fn integer(value: i64) -> Value {
    json!({"type": "Integer", "value": value.to_string()})
}

pub fn bytes(value: &[u8]) -> Value {
    json!({"type": "ByteString", "value": BASE64_STANDARD.encode(value)})
}

pub fn array(items: &[Value]) -> Value {
    json!({"type": "Array", "value": items})
}
