//! One host process as a run sees it: a socket, and what is known about the other end.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use sl_js_protocol::{Assign, CodeKey, FrameFault, Hello, RunId, ToDaemon, ToHost, encode};
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::wire::{Incoming, Outgoing};

/// So many sources are remembered as known to a host; a host forgets some of its own accord and says so.
const KNOWN_SOURCES: usize = 4_096;

/// Names a host process within this daemon's life.
pub(super) type HostId = u64;

/// A started host. Whoever holds it is the only one that reads and writes its socket.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) pid: u32,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) hello: Hello,
    /// The account it serves for the rest of its life.
    pub(super) account: Option<Uuid>,
    /// Cancelled, the process is killed.
    pub(super) doom: CancellationToken,
    /// How the process ended.
    pub(super) fate: Arc<SetOnce<Fate>>,
    pub(super) assigned_at: Instant,
    pub(super) idle_since: Instant,
    told: bool,
    known: HashSet<CodeKey>,
    last_run: u64,
}

/// How a host process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// As the system tells it: `exit status: 0`, `signal: 6 (SIGABRT)`.
    pub(super) status: String,
    /// Whether the kernel killed it for its memory.
    pub(super) out_of_memory: bool,
}

impl Host {
    pub(super) fn new(
        id: HostId,
        pid: u32,
        (incoming, outgoing): (Incoming, Outgoing),
        hello: Hello,
        doom: CancellationToken,
        fate: Arc<SetOnce<Fate>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            id,
            pid,
            incoming,
            outgoing,
            hello,
            account: None,
            doom,
            fate,
            assigned_at: now,
            idle_since: now,
            told: false,
            known: HashSet::new(),
            last_run: 0,
        }
    }

    /// Whether nothing is known against it.
    pub(super) fn is_alive(&self) -> bool {
        !self.fate.initialized() && !self.doom.is_cancelled()
    }

    /// Whether it has not been asked for anything yet.
    pub(super) const fn is_fresh(&self) -> bool {
        !self.told
    }

    /// A number this host has not seen before.
    pub(super) const fn next_run(&mut self) -> RunId {
        self.last_run += 1;
        RunId(self.last_run)
    }

    /// Whether the host was given the source already; from now on it is taken to know it.
    pub(super) fn knows(&mut self, code: CodeKey) -> bool {
        if self.known.len() >= KNOWN_SOURCES {
            self.known.clear();
        }
        !self.known.insert(code)
    }

    /// What must be said before the first question: whom the process belongs to.
    pub(super) fn introduction(&mut self) -> Result<Vec<u8>, FrameFault> {
        match self.account {
            Some(account) if !self.told => {
                self.told = true;
                encode(&ToHost::Assign(Assign { account_id: account.to_string() }))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Waits for the first message of a fresh process.
pub(super) async fn greet(incoming: &mut Incoming, within: Duration) -> Result<Hello, String> {
    let first = tokio::time::timeout(within, incoming.hear())
        .await
        .map_err(|_| format!("it did not start within {} ms", within.as_millis()))?;
    let ToDaemon::Hello(hello) = first.map_err(|fault| fault.to_string())? else {
        return Err("its first message was no hello".to_owned());
    };
    if hello.protocol != sl_js_protocol::PROTOCOL_VERSION {
        let ours = sl_js_protocol::PROTOCOL_VERSION;
        return Err(format!("it speaks version {} of the protocol, this daemon {ours}", hello.protocol));
    }
    Ok(hello)
}
