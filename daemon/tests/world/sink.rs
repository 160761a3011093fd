//! Where effects arrive: a small HTTP server that remembers who called and under which key.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// One effect: a call that was answered with success.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The body of the call.
    pub body: Value,
    /// When it arrived.
    pub at: Instant,
}

/// Receives effects and remembers them by the `key` of their body.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Where it listens: `127.0.0.1:1234`.
    pub address: String,
    effects: Arc<Mutex<BTreeMap<String, Vec<Effect>>>>,
    status: Arc<AtomicU16>,
}

impl Sink {
    /// A sink that answers 200.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let sink = Self { address, effects: Arc::default(), status: Arc::new(AtomicU16::new(200)) };
        let receiving = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = receiving.clone();
                thread::spawn(move || sink.serve(&stream));
            }
        });
        sink
    }

    /// What it answers from now on; only successes are effects.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Every effect, by key.
    pub fn effects(&self) -> BTreeMap<String, Vec<Effect>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many keys have an effect.
    pub fn wait_for(&self, keys: usize, within: Duration) {
        let began = Instant::now();
        loop {
            let seen = self.effects().len();
            if seen >= keys {
                return;
            }
            assert!(began.elapsed() < within, "{seen} of {keys} keys after {within:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(body) = read(&mut reader) {
            let status = self.status.load(Ordering::SeqCst);
            if status == 200 {
                let key = body["key"].as_str().unwrap_or_default().to_owned();
                let effect = Effect { body, at: Instant::now() };
                let mut effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
                effects.entry(key).or_default().push(effect);
            }
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok");
            let mut writer = stream;
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The body of the next request; none at the end.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(told) = line.strip_prefix("content-length:") {
            length = told.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap_or_default())
}
