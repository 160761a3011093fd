//! This end of a host's socket, as two ends.
//!
//! The runtime is asked to tell what can be read, and nothing else: the kernel tells the writing end of a socket of each
//! message that the other end took, and whoever listens for both is woken in the middle of every run, for nothing. That
//! there is room to write again is listened for only where there was none. The runtime's types that listen for one of the
//! two are those of pipes; they read and write sockets as well.

use std::{
    future::poll_fn,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    pin::Pin,
    task::{Context, Poll, ready},
};

use sl_js_protocol::{FrameBuffer, FrameFault, ToDaemon};
use tokio::{
    io::{AsyncRead as _, ReadBuf},
    net::unix::pipe::{Receiver, Sender},
};

/// One read takes so much at most.
const PIECE_BYTES: usize = 16 << 10;

/// What comes from a host.
#[derive(Debug)]
pub(super) struct Incoming {
    socket: Receiver,
    frames: FrameBuffer,
}

/// What goes to a host.
#[derive(Debug)]
pub(super) struct Outgoing(UnixStream);

/// The two ends of a socket. Must be called within the runtime that will listen.
pub(super) fn ends(socket: UnixStream) -> io::Result<(Incoming, Outgoing)> {
    socket.set_nonblocking(true)?;
    let incoming = Receiver::from_owned_fd_unchecked(socket.try_clone()?.into())?;
    Ok((Incoming { socket: incoming, frames: FrameBuffer::new() }, Outgoing(socket)))
}

impl Incoming {
    /// The next message; waits for one. Who stops waiting loses nothing.
    pub(super) async fn hear(&mut self) -> Result<ToDaemon, FrameFault> {
        loop {
            if let Some(message) = self.frames.take()? {
                return Ok(message);
            }
            poll_fn(|context| self.read(context)).await?;
        }
    }

    /// Whether it has said nothing beyond what was heard, as far as is known.
    pub(super) fn is_silent(&self) -> bool {
        self.frames.is_empty()
    }

    fn read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), FrameFault>> {
        let mut piece = [0; PIECE_BYTES];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut piece)).map_err(FrameFault::Io)?;
        if piece.filled().is_empty() {
            return Poll::Ready(Err(FrameFault::Truncated));
        }
        self.frames.push(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl Outgoing {
    /// Writes as much as there is room for, and answers how much that was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Waits until there is room to write.
    pub(super) async fn writable(&self) -> io::Result<()> {
        Sender::from_owned_fd_unchecked(self.0.try_clone()?.into())?.writable().await
    }
}
