//! How many requests are under way: so many of one account, so many of all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{EgressError, EgressLimits, limits};

/// Turns of all accounts. An account that has used up its own waits for itself; only then does it wait with the others.
#[derive(Debug)]
pub(super) struct Lanes {
    overall: Arc<Semaphore>,
    accounts: Mutex<HashMap<Uuid, Arc<Lane>>>,
    concurrency: u64,
    waiting: u64,
}

#[derive(Debug)]
struct Lane {
    turns: Arc<Semaphore>,
    waiting: AtomicU64,
}

/// A turn; dropped, the next one has it.
#[derive(Debug)]
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _overall: OwnedSemaphorePermit,
    _seat: Seat,
}

/// Keeps the account's lane in the map while anything of the account waits or runs.
#[derive(Debug)]
struct Seat {
    lanes: Arc<Lanes>,
    account: Uuid,
    lane: Arc<Lane>,
}

impl Lanes {
    pub(super) fn new(limits: &EgressLimits) -> Arc<Self> {
        Arc::new(Self {
            overall: semaphore(limits.concurrency),
            accounts: Mutex::default(),
            concurrency: limits.account_concurrency,
            waiting: limits.account_waiting,
        })
    }

    /// Waits for a turn of this account; refuses at once where too many of it wait already.
    pub(super) async fn enter(self: &Arc<Self>, account: Uuid) -> Result<Turn, EgressError> {
        let seat = self.seat(account);
        let own = match Arc::clone(&seat.lane.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => seat.wait().await?,
        };
        let overall = acquire(&self.overall).await?;
        Ok(Turn { _own: own, _overall: overall, _seat: seat })
    }

    /// How many accounts have requests under way or waiting.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn seat(self: &Arc<Self>, account: Uuid) -> Seat {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = accounts.entry(account).or_insert_with(|| {
            Arc::new(Lane { turns: semaphore(self.concurrency), waiting: AtomicU64::new(0) })
        });
        Seat { lanes: Arc::clone(self), account, lane: Arc::clone(lane) }
    }
}

impl Seat {
    async fn wait(&self) -> Result<OwnedSemaphorePermit, EgressError> {
        let limit = self.lanes.waiting;
        let waiting = Waiting::new(&self.lane.waiting);
        if waiting.before >= limit {
            return Err(EgressError::Busy { setting: limits::ACCOUNT_WAITING.name, limit });
        }
        acquire(&self.lane.turns).await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut accounts = self.lanes.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Lanes are cloned under this lock only: two owners are the map and this seat.
        if Arc::strong_count(&self.lane) == 2 {
            accounts.remove(&self.account);
        }
    }
}

struct Waiting<'a> {
    count: &'a AtomicU64,
    before: u64,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn semaphore(permits: u64) -> Arc<Semaphore> {
    let permits = usize::try_from(permits).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
    Arc::new(Semaphore::new(permits))
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, EgressError> {
    // The semaphores are never closed; were one, the request would be refused like any that finds no turn.
    Arc::clone(semaphore)
        .acquire_owned()
        .await
        .map_err(|_| EgressError::Busy { setting: limits::CONCURRENCY.name, limit: 0 })
}
