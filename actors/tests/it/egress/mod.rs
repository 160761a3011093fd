//! The egress guard against origins on loopback.

mod evil;
mod good;
mod ssrf;

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use sl_actors::egress::{Egress, EgressError, EgressLimits, Method, Request, Resolver, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

/// A server on loopback that plays `script` to every connection whose request head it has read.
pub(crate) struct Origin {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    async fn start<S, F>(script: S) -> Self
    where
        S: Fn(TcpStream, String) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0", script).await.expect("loopback")
    }

    async fn start_at<S, F>(address: &str, script: S) -> io::Result<Self>
    where
        S: Fn(TcpStream, String) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let origin =
            Self { port: listener.local_addr()?.port(), connections: Arc::default(), heads: Arc::default() };
        let (connections, heads) = (Arc::clone(&origin.connections), Arc::clone(&origin.heads));
        let script = Arc::new(script);
        sl_actors::supervisor::spawn_task("origin", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (heads, script) = (Arc::clone(&heads), Arc::clone(&script));
                sl_actors::supervisor::spawn_task("origin", async move {
                    let head = read_head(&mut stream).await;
                    heads.lock().unwrap().push(head.clone());
                    script(stream, head).await;
                });
            }
        });
        Ok(origin)
    }

    /// Answers every request with these bytes and closes.
    pub(crate) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::start(move |mut stream, _| {
            let answer = Arc::clone(&answer);
            async move {
                // The guard may have closed already: that is what some of the tests are about.
                let _ = stream.write_all(&answer).await;
            }
        })
        .await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Answers names from a table; each name has a list of answers of which the last one stays.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    fn of(table: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parse = |addresses: &&[&str]| addresses.iter().map(|text| text.parse().unwrap()).collect();
        let answers = table
            .iter()
            .map(|(name, answers)| ((*name).to_owned(), answers.iter().rev().map(parse).collect()))
            .collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let mut answers = self.answers.lock().unwrap();
            let answers = answers.get_mut(host).ok_or(io::ErrorKind::NotFound)?;
            Ok(if answers.len() > 1 { answers.pop().unwrap_or_default() } else { answers[0].clone() })
        })
    }
}

fn quick() -> EgressLimits {
    EgressLimits {
        total: Duration::from_millis(600),
        connect: Duration::from_millis(300),
        ..EgressLimits::default()
    }
}

fn guard(limits: EgressLimits, allow: &str, names: &Arc<Names>) -> Egress {
    Egress::new(limits, allow.parse().expect("a list"), Arc::clone(names) as Arc<dyn Resolver>)
        .expect("a guard")
}

async fn get(egress: &Egress, url: impl Into<String>) -> Result<Response, EgressError> {
    egress.send(Request::new(Uuid::from_u128(1), Method::GET, url)).await
}
