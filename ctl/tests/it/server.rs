//! An HTTP/1.1 server that answers as a test says and remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /path?query`.
    pub line: String,
    /// The headers, names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Seen {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{}: {error}", self.body))
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    hang_up: bool,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    /// A problem of this code.
    pub fn problem(status: u16, code: &str) -> Self {
        let body = serde_json::json!({"title": "T", "status": status, "code": code, "detail": format!("about {code}"), "request_id": "r-1"});
        Self::text(status, "application/problem+json", &body.to_string())
    }

    /// Events, after which the connection ends.
    pub fn events(text: &str) -> Self {
        Self::text(200, "text/event-stream", text)
    }

    /// Any text.
    pub fn text(status: u16, media: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), media.to_owned())];
        Self { status, headers, body: body.to_owned(), hang_up: false }
    }

    /// No answer: the connection ends after the request was read.
    pub fn hang_up() -> Self {
        Self { hang_up: true, ..Self::text(500, "text/plain", "") }
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running server.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A server that answers with `answer`.
    pub fn start(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&seen);
        let answer = Arc::new(Mutex::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (memory, answer) = (Arc::clone(&memory), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let reply = {
                        let mut answer = answer.lock().expect("no test panics in its answer");
                        memory.lock().expect("not poisoned").push(request.clone());
                        answer(&request)
                    };
                    write(&stream, &reply);
                });
            }
        });
        Self { addr, seen }
    }

    /// A server that gives these answers in turn, the last one for ever.
    pub fn script(replies: Vec<Reply>) -> Self {
        let mut replies = replies.into_iter().peekable();
        let mut last = Reply::problem(500, "internal");
        Self::start(move |_| {
            if let Some(reply) = replies.next() {
                last = reply;
            }
            last.clone()
        })
    }

    /// A server that always answers this.
    pub fn always(status: u16, body: &Value) -> Self {
        Self::script(vec![Reply::json(status, body)])
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// The first line of everything it was asked.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    /// The only request it got.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { line, headers, body: String::from_utf8(body).ok()? })
}

fn write(mut stream: &TcpStream, reply: &Reply) {
    if reply.hang_up {
        return;
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", reply.status);
    head.extend(reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
    // A test that no longer reads is no failure of the server.
    let _ = stream.write_all(format!("{head}\r\n{}", reply.body).as_bytes());
}
