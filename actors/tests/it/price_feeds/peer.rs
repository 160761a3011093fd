//! A price service on loopback that answers what the test says, path by path.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// The service.
#[derive(Clone, Default)]
pub struct Peer {
    port: u16,
    answers: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let serving = peer.clone();
        sl_actors::supervisor::spawn_task("price peer", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let peer = serving.clone();
                sl_actors::supervisor::spawn_task("price peer", async move { peer.serve(stream).await });
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

    /// From now on answers a path with a status, further head lines and a body.
    pub fn says(&self, path: &str, status: u16, head: &str, body: &str) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n{body}"
        );
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// From now on answers a path with a price, written as it is given.
    pub fn quotes(&self, path: &str, price: &str) {
        self.says(path, 200, "content-type: application/json\r\n", &format!("{{\"price\": {price}}}"));
    }

    /// The heads of the requests for a path, in order.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let start = format!("GET {path}");
        self.asked.lock().unwrap().iter().filter(|head| head.starts_with(&start)).cloned().collect()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read_buf(&mut head).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        let answer = answer.unwrap_or_else(|| "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_owned());
        self.asked.lock().unwrap().push(head);
        // Whoever asked may have gone.
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
