//! A source on loopback that answers what the test says, one answer after another.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What the source was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub head: String,
    pub body: String,
}

/// The source.
#[derive(Clone, Default)]
pub struct Peer {
    port: u16,
    answers: Arc<Mutex<BTreeMap<String, VecDeque<String>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Peer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let serving = peer.clone();
        sl_actors::supervisor::spawn_task("oracle peer", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = serving.clone();
                sl_actors::supervisor::spawn_task("oracle peer", async move { peer.serve(stream).await });
            }
        });
        peer
    }

    /// `127.0.0.1:1234`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// Answers a path with a status, further head lines and a body; after what it was told before, and from then on.
    pub fn says(&self, path: &str, status: u16, head: &str, body: &str) -> &Self {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n{body}"
        );
        self.answers.lock().unwrap().entry(path.to_owned()).or_default().push_back(answer);
        self
    }

    /// What was asked at a path, in order.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let at = |asked: &&Asked| asked.head.split([' ', '?']).nth(1) == Some(path);
        self.asked.lock().unwrap().iter().filter(at).cloned().collect()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        while read.len() < end + length.unwrap_or(0) {
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
        }
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let path = head.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&read[end..]).into_owned();
        self.asked.lock().unwrap().push(Asked { head, body });
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            let told = answers.entry(path).or_default();
            if told.len() > 1 { told.pop_front() } else { told.front().cloned() }
        };
        let answer = answer.unwrap_or_else(|| "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_owned());
        // Whoever asked may have gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
