//! Hosts that are asked for prices: how often, and which of them asked to wait.
//!
//! Who asks to wait is believed by every daemon, because the row says so; how often a host is asked is bounded in each
//! daemon.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Key, Kind, Table};
use tokio::time::Instant;
use uuid::Uuid;

use super::{HOST_RATE, MAX_RETRY_AFTER};
use crate::Core;

/// A host that asked to wait. Of an account, or of the system where it is the operator's price service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceHost {
    /// The row's head; the id follows from the host.
    pub head: Head,
    /// Host and port.
    pub host: String,
    /// Until when it is not asked.
    pub blocked_until: DateTime<Utc>,
}

impl PriceHost {
    /// The key of a host's row.
    #[must_use]
    pub fn key(account: Uuid, host: &str) -> Key {
        let digest = Sha256::new().chain_update("price-host/").chain_update(host).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Key::new(account, uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl Entity for PriceHost {
    const TABLE: &'static Table = &Table {
        name: "price_hosts",
        noun: "price host",
        columns: &[Column::new("host", Kind::Text), Column::new("blocked_until", Kind::Time)],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.host.clone().into(), self.blocked_until.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, host: cells.text()?, blocked_until: cells.time()? })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(5), DateTime::UNIX_EPOCH);
        vec![Self { head, host: "prices.example:443".to_owned(), blocked_until: DateTime::UNIX_EPOCH }]
    }
}

/// Whether a host asked to wait, and until when.
pub(super) async fn blocked(core: &Core, account: Uuid, host: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    let row: Option<PriceHost> = core.store.find(PriceHost::key(account, host)).await?;
    Ok(row.map(|row| row.blocked_until).filter(|until| *until > core.clock.now()))
}

/// Remembers for every daemon that a host asked to wait; answers until when it is believed.
pub(super) async fn block(
    core: &Core,
    account: Uuid,
    host: &str,
    asked: Duration,
) -> Result<DateTime<Utc>, Fault> {
    let now = core.clock.now();
    let wait = asked.min(core.settings.duration(&MAX_RETRY_AFTER));
    let blocked_until = now + TimeDelta::from_std(wait).unwrap_or_default();
    let head = Head::new(account, PriceHost::key(account, host).id, now);
    let mut batch = Batch::new();
    batch.overwrite(&PriceHost { head, host: host.to_owned(), blocked_until });
    core.store.commit(batch).await?;
    Ok(blocked_until)
}

/// How many hosts are remembered before those whose turn has passed are forgotten.
const REMEMBERED: usize = 4_096;

/// When each host may be asked next, in this daemon.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Instant>>);

impl Turns {
    /// Takes the next turn at a host: how long to wait for it, or none where that is longer than `most`.
    pub fn take(&self, core: &Core, host: &str, most: Duration) -> Option<Duration> {
        let every =
            Duration::from_secs(1) / u32::try_from(core.settings.count(&HOST_RATE)).unwrap_or(1).max(1);
        let now = Instant::now();
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() > REMEMBERED {
            turns.retain(|_, next| *next > now);
        }
        let next = turns.get(host).copied().unwrap_or(now).max(now);
        let wait = next - now;
        if wait > most {
            return None;
        }
        turns.insert(host.to_owned(), next + every);
        Some(wait)
    }
}
