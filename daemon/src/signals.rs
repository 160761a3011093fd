//! The signals the daemon acts on.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::refusal::Refusal;

/// What is asked for from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// TERM or INT: drain and end; the second time, end at once.
    Stop,
    /// HUP: read the configuration again.
    Reload,
}

/// Listens from the moment it is made, so that no signal is missed while the daemon starts.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// A [`Refusal`] where the operating system does not let it.
    pub fn listen() -> Result<Self, Refusal> {
        let on = |kind| signal(kind).map_err(|error| Refusal::system(format!("signals: {error}")));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// The next word. Nothing is lost where the future is dropped before it ends.
    pub async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::Stop,
            _ = self.interrupt.recv() => Word::Stop,
            _ = self.hang_up.recv() => Word::Reload,
        }
    }

    /// The next [`Word::Stop`].
    pub async fn stop(&mut self) {
        while self.next().await != Word::Stop {}
    }
}
