//! A loopback proxy in front of PostgreSQL that can lose what the server says.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

/// Passes on what is said, until it is told to lose the answers to commits.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    lose: Arc<AtomicU32>,
}

impl Proxy {
    /// A proxy in front of a server on a port of 127.0.0.1.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let lose = Arc::new(AtomicU32::new(0));
        let losing = lose.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                pass(&client, &upstream, &losing);
            }
        });
        Self { port, lose }
    }

    /// Loses the answers to the next so many commits: the server commits, the connection ends.
    pub fn lose_commits(&self, count: u32) {
        self.lose.store(count, Ordering::SeqCst);
    }

    /// How many are still to be lost.
    pub fn still_to_lose(&self) -> u32 {
        self.lose.load(Ordering::SeqCst)
    }
}

/// Passes both directions, each on a thread of its own.
fn pass(client: &TcpStream, server: &TcpStream, lose: &Arc<AtomicU32>) {
    let copy = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    let (from_client, to_server) = (copy(client), copy(server));
    let (from_server, to_client) = (copy(server), copy(client));
    let lose = lose.clone();
    thread::spawn(move || to_the_server(from_client, to_server, &to_client, &lose));
    let to_client = copy(client);
    thread::spawn(move || copy_until_end(from_server, to_client));
}

fn to_the_server(mut from: TcpStream, mut to: TcpStream, client: &TcpStream, lose: &AtomicU32) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let commits = buffer[..count].windows(6).any(|word| word == b"COMMIT");
        let loses = commits
            && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if loses {
            // The client hears no more; the server still does what it was asked.
            let _ = client.shutdown(Shutdown::Both);
        }
        if to.write_all(&buffer[..count]).is_err() || loses {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn copy_until_end(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
