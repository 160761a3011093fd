//! A resolver on loopback that answers what the test says, id by id, in order; the last answer stays.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// A status and a body.
    That(u16, String),
    /// A status that asks to wait for so many seconds.
    Busy(u16, u64),
    /// Nothing: it closes the connection.
    Nothing,
    /// Nothing for longer than anybody waits.
    TooLate,
}

/// The resolver.
#[derive(Clone, Default)]
pub struct Resolver {
    port: u16,
    script: Arc<Mutex<BTreeMap<String, VecDeque<Says>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let resolver = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let serving = resolver.clone();
        sl_actors::supervisor::spawn_task("resolver", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let resolver = serving.clone();
                sl_actors::supervisor::spawn_task("resolver", async move { resolver.serve(stream).await });
            }
        });
        resolver
    }

    /// `127.0.0.1:1234`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}/resolve", self.host())
    }

    /// What it answers about an id from now on, in order.
    pub fn says(&self, id: impl ToString, answers: &[Says]) {
        self.script.lock().unwrap().insert(id.to_string(), answers.iter().cloned().collect());
    }

    /// The heads of what it was asked about an id.
    pub fn asked(&self, id: impl ToString) -> Vec<String> {
        let about = format!("transaction_id={}&", id.to_string());
        self.asked.lock().unwrap().iter().filter(|head| head.contains(&about)).cloned().collect()
    }

    fn answer(&self, head: &str) -> Says {
        let id = head.split("transaction_id=").nth(1).and_then(|rest| rest.split(['&', ' ']).next());
        let mut script = self.script.lock().unwrap();
        let answers = script.get_mut(id.unwrap_or_default());
        let later = || Says::That(200, r#"{"done": false, "retry_after_seconds": 0.1}"#.to_owned());
        match answers {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap_or_else(later),
            Some(answers) => answers.front().cloned().unwrap_or_else(later),
            None => later(),
        }
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
        let answer = self.answer(&head);
        self.asked.lock().unwrap().push(head);
        match answer {
            Says::Nothing => {}
            Says::TooLate => tokio::time::sleep(Duration::from_secs(5)).await,
            Says::That(status, body) => write(&mut stream, status, "", &body).await,
            Says::Busy(status, seconds) => {
                write(&mut stream, status, &format!("retry-after: {seconds}\r\n"), "").await;
            }
        }
    }
}

async fn write(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let told = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // Whoever asked may have gone.
    let _ = stream.write_all(told.as_bytes()).await;
}

pub fn yes() -> Says {
    Says::That(200, r#"{"done": true, "success": true, "message": "", "retry_after_seconds": 0}"#.to_owned())
}

pub fn no(message: &str) -> Says {
    Says::That(200, serde_json::json!({"done": true, "success": false, "message": message}).to_string())
}

pub fn later() -> Says {
    Says::That(200, r#"{"done": false, "success": false, "retry_after_seconds": 0.1}"#.to_owned())
}
