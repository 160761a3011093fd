//! The socket to the daemon. The main thread reads it while it waits; while it runs tenant code the watch looks at
//! it now and then, so that a run can be cancelled and a ping answered.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, recv},
};
use sl_js_protocol::{FrameBuffer, FrameFault, ToDaemon, ToHost, encode};
use std::{
    collections::VecDeque,
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What waiting for a message brought.
pub enum Received {
    Message(ToHost),
    TimedOut,
    /// The daemon has gone, or speaks another language: there is nothing left to live for.
    Closed,
}

/// The socket. Reading and writing each have their own lock.
pub struct Link {
    stream: UnixStream,
    reading: Mutex<Reading>,
    writing: Mutex<()>,
}

#[derive(Default)]
struct Reading {
    frames: FrameBuffer,
    backlog: VecDeque<ToHost>,
    closed: bool,
}

impl Link {
    pub fn new(socket: OwnedFd) -> Self {
        Self { stream: socket.into(), reading: Mutex::default(), writing: Mutex::default() }
    }

    /// Sends one message; blocks while the daemon does not read. A daemon that has gone is noticed when reading.
    ///
    /// # Errors
    /// The message does not fit into a frame; nothing was sent.
    pub fn send(&self, message: &ToDaemon) -> Result<(), FrameFault> {
        let frame = encode(message)?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // A failure here shows as the end of the stream when reading.
        let _ = (&self.stream).write_all(&frame);
        Ok(())
    }

    /// As [`Self::send`], but gives up where another thread is writing.
    pub fn try_send(&self, message: &ToDaemon) {
        if let (Ok(frame), Ok(_writing)) = (encode(message), self.writing.try_lock()) {
            let _ = (&self.stream).write_all(&frame);
        }
    }

    /// The next message that is no ping; waits until `until`, or for ever.
    pub fn receive(&self, until: Option<Instant>) -> Received {
        let mut reading = self.reading();
        loop {
            if let Some(message) = self.next(&mut reading) {
                return Received::Message(message);
            }
            if reading.closed {
                return Received::Closed;
            }
            if !self.wait(until) {
                return Received::TimedOut;
            }
            self.fill(&mut reading);
        }
    }

    /// Hands every message that has arrived to `urgent`, which answers those that must wait for [`Self::receive`]
    /// back. Does nothing while the main thread is reading. False where the stream has ended.
    pub fn look(&self, mut urgent: impl FnMut(ToHost) -> Option<ToHost>) -> bool {
        let Ok(mut reading) = self.reading.try_lock() else { return true };
        self.fill(&mut reading);
        let waiting = std::mem::take(&mut reading.backlog);
        let mut kept: VecDeque<ToHost> = waiting.into_iter().filter_map(&mut urgent).collect();
        while let Some(message) = self.next(&mut reading) {
            kept.extend(urgent(message));
        }
        reading.backlog = kept;
        !reading.closed
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, reading: &mut Reading) -> Option<ToHost> {
        loop {
            let message = match reading.backlog.pop_front() {
                Some(message) => message,
                None => match reading.frames.take() {
                    Ok(message) => message?,
                    Err(FrameFault::Io(_) | FrameFault::Truncated) => return None,
                    Err(_) => {
                        reading.closed = true;
                        return None;
                    }
                },
            };
            match message {
                ToHost::Ping(number) => self.try_send(&ToDaemon::Pong(number)),
                message => return Some(message),
            }
        }
    }

    /// Whether there is something to read, waiting until `until` for it.
    fn wait(&self, until: Option<Instant>) -> bool {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.map(timespec);
            let mut descriptors = [PollFd::new(&self.stream, PollFlags::IN)];
            match poll(&mut descriptors, timeout.as_ref()) {
                Ok(0) => return false,
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Takes what has arrived, without waiting.
    fn fill(&self, reading: &mut Reading) {
        let mut piece = [0; 16 << 10];
        while !reading.closed {
            match recv(&self.stream, &mut piece[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => reading.closed = true,
                Ok((_, count)) => {
                    reading.frames.push(&piece[..count]);
                    if count < piece.len() {
                        return;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => reading.closed = true,
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
