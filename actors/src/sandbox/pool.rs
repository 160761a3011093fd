//! The way to a host and back.
//!
//! The books are under one short lock, and nothing waits while it is held: taking a host that is there, and giving it
//! back, costs no message and no task. Starting processes is the keeper's work.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use ractor::ActorRef;
use sl_js_protocol::Hello;
use sl_store::Fault;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    cgroup::Cgroup,
    host::{Host, HostId},
    keeper::KeeperMessage,
    ledger::{Census, Ledger, Next, overloaded},
    limits::{self, SandboxLimits},
    process::Spawner,
    status::announce,
};

/// What the pool and its processes share.
pub(super) struct Pool {
    pub(super) limits: SandboxLimits,
    pub(super) spawner: Spawner,
    pub(super) cgroup: Result<Cgroup, String>,
    ledger: Mutex<Ledger>,
    keeper: Mutex<Option<ActorRef<KeeperMessage>>>,
    /// Told whenever a process has ended.
    ended: Notify,
    hello: OnceLock<Hello>,
}

/// A host on loan. Given back by [`Lease::give_back`]; dropped in the middle of a conversation, the host is killed, since
/// nobody knows what it will say next.
pub(super) struct Lease {
    pool: Arc<Pool>,
    host: Option<Host>,
    used: bool,
}

impl Pool {
    pub(super) fn new(limits: SandboxLimits, spawner: Spawner, cgroup: Result<Cgroup, String>) -> Arc<Self> {
        Arc::new(Self {
            ledger: Mutex::new(Ledger::new(limits.clone())),
            limits,
            spawner,
            cgroup,
            keeper: Mutex::default(),
            ended: Notify::new(),
            hello: OnceLock::new(),
        })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A keeper has taken over.
    pub(super) fn kept_by(&self, keeper: ActorRef<KeeperMessage>) {
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
    }

    /// Asks the keeper to look, after a while, whether processes must be started.
    fn poke(&self, after: Duration) {
        if let Some(keeper) = &*self.keeper.lock().unwrap_or_else(PoisonError::into_inner) {
            if after.is_zero() {
                // A keeper that has just ended looks anyway when it starts again.
                let _ = keeper.cast(KeeperMessage::Refill);
            } else {
                keeper.send_after(after, || KeeperMessage::Refill);
            }
        }
    }

    /// What the first host said of itself.
    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.get()
    }

    /// A host for the account: one of its own that is free, a warm one, or the first that becomes so.
    pub(super) async fn checkout(self: &Arc<Self>, account: Uuid) -> Result<Lease, Fault> {
        let taken = self.ledger().take(account);
        if let Some(host) = taken {
            if host.is_fresh() {
                self.poke(Duration::ZERO);
            }
            return Ok(self.lease(host));
        }
        let waiter = self.ledger().enqueue(account)?;
        self.poke(Duration::ZERO);
        match tokio::time::timeout(self.limits.wait, waiter).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(_)) => Err(self.ledger().refusal()),
            Err(_) => {
                let millis = u64::try_from(self.limits.wait.as_millis()).unwrap_or(u64::MAX);
                let detail = "no JavaScript host became free in time";
                Err(overloaded(detail, limits::WAIT_TIME.name, millis, millis))
            }
        }
    }

    fn lease(self: &Arc<Self>, host: Host) -> Lease {
        Lease { pool: self.clone(), host: Some(host), used: false }
    }

    /// Takes a host back that has nothing more to say.
    fn take_back(self: &Arc<Self>, host: Host) {
        let next = self.ledger().give_back(host);
        match next {
            Next::Serves(waiter, host) => self.hand_out(vec![(waiter, *host)]),
            Next::Rests { wanted: false } => {}
            Next::Rests { wanted: true } | Next::Retired => self.poke(Duration::ZERO),
        }
    }

    /// A process has said hello.
    pub(super) fn arrived(self: &Arc<Self>, host: Host) {
        // The first one speaks for all: they are the same program on the same machine.
        if self.hello.set(host.hello.clone()).is_ok() {
            announce(self);
        }
        let fed = self.ledger().arrived(host);
        self.hand_out(fed);
    }

    /// A waiter that has gone drops its lease, which comes back here unused.
    fn hand_out(self: &Arc<Self>, fed: Vec<(oneshot::Sender<Lease>, Host)>) {
        for (waiter, host) in fed {
            drop(waiter.send(self.lease(host)));
        }
    }

    /// A process did not come up; another try is made in a second.
    pub(super) fn stillborn(&self, id: HostId, why: &str) {
        tracing::error!(why, "A JavaScript host did not start");
        self.ledger().stillborn(id, why);
        self.ended.notify_waiters();
        self.poke(Duration::from_secs(1));
    }

    /// A process has ended.
    pub(super) fn ended(&self, id: HostId) {
        self.ledger().ended(id);
        self.ended.notify_waiters();
        self.poke(Duration::ZERO);
        self.poke(self.limits.cooling);
    }

    /// The processes to start now, after those that are there were handed out.
    pub(super) fn missing(self: &Arc<Self>) -> Vec<(HostId, CancellationToken)> {
        let fed = self.ledger().cool();
        self.hand_out(fed);
        self.ledger().missing()
    }

    pub(super) fn sweep(&self) {
        self.ledger().sweep();
    }

    pub(super) fn census(&self) -> Census {
        self.ledger().census()
    }

    /// Refuses whoever waits and whoever comes, lets busy hosts finish for as long as `within`, then kills what is left.
    pub(super) async fn drain(&self, within: Duration) {
        self.ledger().drain();
        if tokio::time::timeout(within, self.empty()).await.is_err() {
            self.ledger().kill_all();
            if tokio::time::timeout(Duration::from_secs(2), self.empty()).await.is_err() {
                tracing::warn!("JavaScript hosts were left behind; they die with this process");
            }
        }
    }

    async fn empty(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.ledger().is_empty() {
                return;
            }
            ended.await;
        }
    }
}

impl Lease {
    /// The host, to talk to. From now on it must be given back, or dies.
    pub(super) fn host(&mut self) -> Result<&mut Host, Fault> {
        self.used = true;
        self.host.as_mut().ok_or_else(|| Fault::internal("a lease without a host"))
    }

    /// The conversation has ended well: the host is free for its account again.
    pub(super) fn give_back(&mut self) {
        if let Some(host) = self.host.take() {
            self.pool.take_back(host);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            if self.used { self.pool.ledger().spoil(&host) } else { self.pool.take_back(host) }
        }
    }
}
