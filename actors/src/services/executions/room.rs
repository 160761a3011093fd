//! How many more executions an account may queue before its queue is counted again.
//!
//! Counting looks at every execution that waits, so a long queue is not counted for each one that joins it: who has
//! counted may add an eighth of what was free, for a second. So up to eight daemons keep the bound together, and near it
//! every addition is counted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use sl_store::{Batch, Cell, Fault, Filter};
use uuid::Uuid;

use super::{
    QUEUE,
    entity::{Execution, Status},
};
use crate::{Core, settings::Settings};

/// So many daemons may count at the same moment.
const SHARES: u64 = 8;

/// So long what was counted is good for.
const GOOD_FOR: TimeDelta = TimeDelta::seconds(1);

/// So many accounts are remembered; then they are counted anew.
const MOST: usize = 10_000;

/// What each account may add uncounted.
#[derive(Debug, Default)]
pub struct Room {
    accounts: Mutex<HashMap<Uuid, Allowance>>,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: u64,
    limit: u64,
    until: DateTime<Utc>,
}

/// Takes a place in the account's queue for one execution that the batch adds; on commit
/// [`QuotaExceeded`](sl_store::Code::QuotaExceeded) where there is none.
pub(super) async fn take(
    core: &Core,
    settings: &Settings,
    account: Uuid,
    batch: &mut Batch,
) -> Result<(), Fault> {
    let (room, limit, now) = (&core.executions.room, settings.count(&QUEUE), core.clock.now());
    if room.spend(account, limit, now) {
        return Ok(());
    }
    let queued = || vec![Filter::Equal("status", Cell::from(Status::Queued.as_str()))];
    let waiting = core.store.count::<Execution>(Some(account), queued()).await?;
    room.grant(account, waiting, limit, now);
    batch.at_most::<Execution>(account, queued(), limit, QUEUE.name);
    Ok(())
}

impl Room {
    fn spend(&self, account: Uuid, limit: u64, now: DateTime<Utc>) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(allowance) = accounts.get_mut(&account) else { return false };
        if allowance.left == 0 || allowance.limit != limit || allowance.until <= now {
            accounts.remove(&account);
            return false;
        }
        allowance.left -= 1;
        true
    }

    fn grant(&self, account: Uuid, waiting: u64, limit: u64, now: DateTime<Utc>) {
        let left = limit.saturating_sub(waiting) / SHARES;
        if left > 0 {
            let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            if accounts.len() >= MOST {
                accounts.clear();
            }
            accounts.insert(account, Allowance { left, limit, until: now + GOOD_FOR });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_what_is_free_goes_uncounted_for_a_second() {
        let (room, account, now) = (Room::default(), Uuid::from_u128(1), DateTime::UNIX_EPOCH);
        assert!(!room.spend(account, 100, now), "nothing was counted yet");
        room.grant(account, 84, 100, now);
        assert!(room.spend(account, 100, now) && room.spend(account, 100, now));
        assert!(!room.spend(account, 100, now), "two of sixteen were granted");
        room.grant(account, 0, 100, now);
        assert!(!room.spend(account, 90, now), "another bound is counted anew");
        room.grant(account, 0, 100, now);
        assert!(!room.spend(account, 100, now + GOOD_FOR), "what was counted is too old");
        room.grant(account, 93, 100, now);
        assert!(!room.spend(account, 100, now), "near the bound each is counted");
    }
}
