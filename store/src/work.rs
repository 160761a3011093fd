//! The durable work queue: everything that must happen later is a row here.
//!
//! An item is claimed under a lease by the backend's clock. Each claim raises the item's `fence`; whoever settles an
//! item names the fence it claimed under, so that a worker whose lease ran out cannot change anything any more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// An item to be added to the queue.
#[derive(Clone, Debug)]
pub struct NewWork {
    /// The item's id; adding the same id twice is a conflict.
    pub id: Uuid,
    /// Which duty performs it: `executions`.
    pub duty: &'static str,
    /// Whose it is.
    pub account: Uuid,
    /// What it is about: the id of the execution, the delivery, the job.
    pub subject: Uuid,
    /// What can be paused around it: the id of the function, the job, the feed.
    pub gate: Option<Uuid>,
    /// Higher first among what is due of one account; 0 is usual.
    pub priority: i16,
    /// When it becomes due.
    pub due_at: DateTime<Utc>,
    /// What the duty needs besides the subject.
    pub payload: Value,
    /// A lease held from the beginning, by whoever adds the item and already performs it.
    pub lease: Option<Lease>,
    /// The fence it had when it stood in the queue before; its first claim is fenced above it.
    pub fence: i64,
}

impl NewWork {
    /// An item that is due at `due_at`, of usual priority, with no payload.
    #[must_use]
    pub const fn new(
        id: Uuid,
        duty: &'static str,
        account: Uuid,
        subject: Uuid,
        due_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            duty,
            account,
            subject,
            gate: None,
            priority: 0,
            due_at,
            payload: Value::Null,
            lease: None,
            fence: 0,
        }
    }

    /// The item as its holder knows it, where it is added under a lease at this instant.
    #[must_use]
    pub fn begun(&self, now: DateTime<Utc>) -> Work {
        let lease = self.lease.as_ref();
        let claims = i32::from(lease.is_some());
        Work {
            id: self.id,
            duty: self.duty.to_owned(),
            account: self.account,
            subject: self.subject,
            gate: self.gate,
            priority: self.priority,
            due_at: self.due_at,
            attempt: claims,
            fence: self.fence + i64::from(claims),
            holder: lease.map(|lease| lease.holder),
            leased_until: lease.map(|lease| now + lease.duration),
            last_error: None,
            payload: self.payload.clone(),
            created_at: now,
        }
    }

    /// Sets what can be paused around it.
    #[must_use]
    pub const fn gate(mut self, gate: Uuid) -> Self {
        self.gate = Some(gate);
        self
    }
}

/// A lease taken at the moment an item is added; it counts as the first claim.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Who holds it: the daemon's id.
    pub holder: Uuid,
    /// For how long, by the backend's clock.
    pub duration: Duration,
}

/// An item of the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The item's id.
    pub id: Uuid,
    /// Which duty performs it.
    pub duty: String,
    /// Whose it is.
    pub account: Uuid,
    /// What it is about.
    pub subject: Uuid,
    /// What can be paused around it.
    pub gate: Option<Uuid>,
    /// Higher first among what is due.
    pub priority: i16,
    /// When it is or was due.
    pub due_at: DateTime<Utc>,
    /// How often it was claimed.
    pub attempt: i32,
    /// Raised by each claim; named by whoever settles.
    pub fence: i64,
    /// Who holds it now.
    pub holder: Option<Uuid>,
    /// Until when.
    pub leased_until: Option<DateTime<Utc>>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// What the duty needs besides the subject.
    pub payload: Value,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The duty.
    pub duty: &'static str,
    /// The daemon that asks.
    pub holder: Uuid,
    /// What is due at this instant may be claimed.
    pub due: DateTime<Utc>,
    /// How long the lease is to be, by the backend's clock.
    pub lease: Duration,
    /// At most so many items.
    pub limit: usize,
    /// At most so many items of one account.
    pub per_account: usize,
    /// Items of these accounts stay where they are (paused, or at their concurrency bound).
    pub skip_accounts: Vec<Uuid>,
    /// Items behind these gates stay where they are.
    pub skip_gates: Vec<Uuid>,
    /// The rotation over accounts begins after this one.
    pub after_account: Option<Uuid>,
}

/// How an item ends, or goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It is finished, or became a dead letter in the same batch: the row goes.
    Remove,
    /// It is tried again at `due_at`.
    Retry {
        /// When.
        due_at: DateTime<Utc>,
        /// Why the attempt failed.
        error: String,
    },
    /// It was not attempted after all: due again at once, the attempt not counted.
    Release,
    /// Its attempt was stopped before it came to an end: due again at once, the attempt counted.
    Interrupt,
}

/// One settlement, guarded by the fence of the claim and by who made it: a database that lost its last claims in a crash
/// gives their fences out again.
#[derive(Clone, Debug, PartialEq)]
pub struct Settle {
    /// The item.
    pub id: Uuid,
    /// Its account.
    pub account: Uuid,
    /// The fence it was claimed under.
    pub fence: i64,
    /// Who claimed it; nobody where it is settled as it waits.
    pub holder: Option<Uuid>,
    /// What becomes of it.
    pub settlement: Settlement,
}

impl Work {
    /// Whether somebody holds it at this instant.
    #[must_use]
    pub fn is_leased(&self, now: DateTime<Utc>) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }

    /// Settles this item under the fence it was claimed with.
    #[must_use]
    pub const fn settle(&self, settlement: Settlement) -> Settle {
        Settle { id: self.id, account: self.account, fence: self.fence, holder: self.holder, settlement }
    }
}

/// A page of the queue, oldest item first.
#[derive(Clone, Debug, Default)]
pub struct WorkQuery {
    /// Only this account's.
    pub account: Option<Uuid>,
    /// Only this duty's.
    pub duty: Option<String>,
    /// Only what is about this.
    pub subject: Option<Uuid>,
    /// Only what stands behind this gate.
    pub gate: Option<Uuid>,
    /// Only what was due before this instant and is not leased.
    pub waiting_since: Option<DateTime<Utc>>,
    /// The id after which the page begins.
    pub after: Option<Uuid>,
    /// How many at most; 0 is none.
    pub limit: usize,
}

/// How much stands in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkCount {
    /// Items due and not leased.
    pub waiting: u64,
    /// Items not yet due.
    pub later: u64,
    /// Items leased to somebody.
    pub running: u64,
}
