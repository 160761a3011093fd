//! A loopback proxy that loses what it is told to lose.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// What happens to the next commit; 0 stands for nothing. A commit is a `COMMIT`, or a batch that names a thing
/// [`ONCE`], which goes as one statement where it comes alone.
#[derive(Clone, Copy)]
pub enum Loss {
    /// It does not reach the server.
    Commit = 1,
    /// It reaches the server, its answer does not come back.
    Answer = 2,
}

/// The name of a thing whose batch is lost.
pub const ONCE: &[u8; 6] = b"<once>";

#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    loss: Arc<AtomicU8>,
    lost: Arc<AtomicU32>,
}

impl Proxy {
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self { port, loss: Arc::default(), lost: Arc::default() };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server))).await;
                let Ok(server) = server else { continue };
                serving.join(client, server);
            }
        });
        proxy
    }

    /// Loses the next commit, or its answer.
    pub fn lose(&self, loss: Loss) {
        self.loss.store(loss as u8, Ordering::SeqCst);
    }

    /// How many were lost.
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::SeqCst)
    }

    fn join(&self, client: TcpStream, server: TcpStream) {
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        let muted = Arc::new(AtomicU8::new(0));
        tokio::spawn(self.clone().requests(client_in, server_out, muted.clone()));
        tokio::spawn(answers(server_in, client_out, muted));
    }

    async fn requests(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, muted: Arc<AtomicU8>) {
        let mut bytes = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let sent = &bytes[..count];
            let commits = sent.windows(6).any(|window| window == b"COMMIT" || window == ONCE);
            let loss = if commits { self.loss.swap(0, Ordering::SeqCst) } else { 0 };
            self.lost.fetch_add(u32::from(loss != 0), Ordering::SeqCst);
            if loss == Loss::Commit as u8 {
                return;
            }
            if loss == Loss::Answer as u8 {
                muted.store(1, Ordering::SeqCst);
            }
            if to.write_all(sent).await.is_err() {
                return;
            }
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, muted: Arc<AtomicU8>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if muted.load(Ordering::SeqCst) == 1 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
