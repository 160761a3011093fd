//! A Neo node: JSON-RPC over a chain whose every block has one transaction, which tells its number.

use std::{
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// The contract that tells.
pub const CONTRACT: &str = "0xd2a4cff31913016155e38e474a2c06d08be276cf";

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it listens: `127.0.0.1:1234`.
    pub address: String,
    blocks: Arc<AtomicU64>,
    pace: Duration,
}

impl Node {
    /// A node with so many blocks that takes so long for each answer.
    pub fn start(blocks: u64, pace: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let node = Self { address, blocks: Arc::new(AtomicU64::new(blocks)), pace };
        let answering = node.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let node = answering.clone();
                thread::spawn(move || node.serve(&stream));
            }
        });
        node
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Adds so many blocks.
    pub fn adds(&self, blocks: u64) {
        self.blocks.fetch_add(blocks, Ordering::SeqCst);
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(question) = super::sink::read(&mut reader) {
            thread::sleep(self.pace);
            let (method, param) = (question["method"].as_str().unwrap_or_default(), &question["params"][0]);
            let body = match self.answer(method, param) {
                Some(result) => json!({"jsonrpc": "2.0", "id": 1, "result": result}),
                None => {
                    json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -101, "message": "Unknown block"}})
                }
            };
            let body = body.to_string();
            let told = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let mut writer = stream;
            if writer.write_all(told.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, param: &Value) -> Option<Value> {
        let blocks = self.blocks.load(Ordering::SeqCst);
        let index = param.as_u64().filter(|index| *index < blocks);
        match method {
            "getversion" => Some(json!({"protocol": {"network": 42}})),
            "getblockcount" => Some(json!(blocks)),
            "getblockhash" => Some(json!(hash(index?, 0))),
            "getblock" => Some(json!({
                "hash": hash(index?, 0), "previousblockhash": hash(index?.saturating_sub(1), 0), "index": index?,
                "time": 1_700_000_000_000_u64, "tx": [{"hash": hash(index?, 1)}],
            })),
            "getapplicationlog" => log(param.as_str()?),
            _ => None,
        }
    }
}

fn hash(index: u64, number: u64) -> String {
    format!("0x{index:032x}{number:032x}")
}

fn log(of: &str) -> Option<Value> {
    let (index, number) = (&of[2..34], &of[34..]);
    if number.ends_with('0') {
        return Some(json!({"blockhash": of, "executions": []}));
    }
    let index = u64::from_str_radix(index, 16).ok()?;
    let state = json!({"type": "Array", "value": [{"type": "Integer", "value": index.to_string()}]});
    let told = json!([{"contract": CONTRACT, "eventname": "Told", "state": state}]);
    let done = json!([{"trigger": "Application", "vmstate": "HALT", "notifications": told}]);
    Some(json!({"txid": of, "executions": done}))
}
