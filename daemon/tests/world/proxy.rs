//! A loopback proxy in front of PostgreSQL that can lose what the server says.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// What a change has to carry for its answer to be lost; none once one was.
type Needle = Arc<Mutex<Option<String>>>;

/// Passes on what is said, until it is told to lose the answer to a change.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    needle: Needle,
}

impl Proxy {
    /// A proxy in front of a server on a port of 127.0.0.1.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let needle = Needle::default();
        let losing = needle.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                pass(&client, &upstream, &losing);
            }
        });
        Self { port, needle }
    }

    /// Loses the answer to the commit of the next change that carries this text: the server commits, the connection ends.
    pub fn lose_answer_to(&self, text: &str) {
        *self.needle.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    }

    /// Whether the answer was lost.
    pub fn has_lost(&self) -> bool {
        self.needle.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// What a connection is in the middle of.
#[derive(Default)]
struct Conversation {
    in_transaction: bool,
    carries: bool,
}

impl Conversation {
    /// Whether what is said now commits a change that carries the text: by itself, or as the end of its transaction.
    fn commits(&mut self, said: &[u8], text: &str) -> bool {
        let holds = |word: &[u8]| said.windows(word.len()).any(|part| part == word);
        self.in_transaction |= holds(b"BEGIN") || holds(b"START TRANSACTION");
        self.carries |= holds(text.as_bytes());
        let ends = !self.in_transaction || holds(b"COMMIT");
        self.in_transaction &= !holds(b"COMMIT");
        self.carries && ends
    }
}

/// Passes both directions, each on a thread of its own.
fn pass(client: &TcpStream, server: &TcpStream, needle: &Needle) {
    let copy = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    let (from_client, to_server) = (copy(client), copy(server));
    let (from_server, to_client) = (copy(server), copy(client));
    let needle = needle.clone();
    thread::spawn(move || to_the_server(from_client, to_server, &to_client, &needle));
    let to_client = copy(client);
    thread::spawn(move || copy_until_end(from_server, to_client));
}

fn to_the_server(mut from: TcpStream, mut to: TcpStream, client: &TcpStream, needle: &Needle) {
    let mut buffer = vec![0; 64 << 10];
    let mut conversation = Conversation::default();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let loses = loses(&mut conversation, &buffer[..count], needle);
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

fn loses(conversation: &mut Conversation, said: &[u8], needle: &Needle) -> bool {
    let mut needle = needle.lock().unwrap_or_else(PoisonError::into_inner);
    let loses = needle.as_ref().is_some_and(|text| conversation.commits(said, text));
    if loses {
        *needle = None;
    }
    loses
}

fn copy_until_end(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
