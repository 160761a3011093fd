//! Where effects arrive: a small HTTP server that remembers who called and under which key.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Receives effects and remembers them by the `key` of their body.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Where it listens: `127.0.0.1:1234`.
    pub address: String,
    effects: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
}

impl Sink {
    /// A sink that takes everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let sink = Self { address, effects: Arc::default() };
        let receiving = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = receiving.clone();
                thread::spawn(move || sink.serve(&stream));
            }
        });
        sink
    }

    /// Every effect, by key.
    pub fn effects(&self) -> BTreeMap<String, Vec<Value>> {
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
            let key = body["key"].as_str().unwrap_or_default().to_owned();
            self.effects.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().push(body);
            let mut writer = stream;
            if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }
}

/// The body of the next request; none at the end.
pub fn read(reader: &mut BufReader<&TcpStream>) -> Option<Value> {
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
