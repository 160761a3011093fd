//! Holding balances against postings, and postings against what is open.

use std::collections::BTreeMap;

use serde::Serialize;
use sl_store::{Cell, Code, Fault, Filter, Key, Query, Store};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    account::GasAccount,
    gas::Gas,
    transaction::{GasDirection, GasStatus, GasTransaction},
    transfer::{Bucket, GasTransfer},
};

/// How many rows are read at once.
const STEP: usize = 500;
/// How often a gas account is read again that moves meanwhile.
const TRIES: usize = 8;

/// A gas account held against everything that made it what it is.
#[derive(Clone, Debug)]
pub(super) struct Audit {
    /// The gas account, as it stood when nothing moved.
    pub account: GasAccount,
    /// The sums of its postings.
    pub posted: BTreeMap<Bucket, i128>,
    /// How many transfers there are.
    pub transfers: i64,
    /// What open withdrawals have reserved.
    pub reserved: i128,
    /// What open deposits have announced.
    pub announced: i128,
}

/// One balance that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct GasDifference {
    /// Which.
    pub bucket: Bucket,
    /// What is compared with what is expected: `balance` or `postings`.
    pub of: &'static str,
    /// What it is.
    pub found: Gas,
    /// What it should be: the sum of its postings, or of the open deposits or withdrawals.
    pub expected: Gas,
}

impl Audit {
    /// Audits a gas account.
    ///
    /// # Errors
    /// [`Code::Conflict`] where it never stood still for so long.
    pub async fn of(store: &Store, key: Key) -> Result<Self, Fault> {
        for _ in 0..TRIES {
            let account: GasAccount = store.get(key).await?;
            let audit = Self::gather(store, account).await?;
            let after: GasAccount = store.get(key).await?;
            if after.head.version == audit.account.head.version {
                return Ok(audit);
            }
        }
        Err(Fault::new(Code::Conflict, "the gas account moved on at every look"))
    }

    async fn gather(store: &Store, account: GasAccount) -> Result<Self, Fault> {
        let none = BTreeMap::from([
            (Bucket::External, 0),
            (Bucket::Available, 0),
            (Bucket::Locked, 0),
            (Bucket::Pending, 0),
        ]);
        let mut audit = Self { account, posted: none, transfers: 0, reserved: 0, announced: 0 };
        audit.sum_postings(store).await?;
        audit.sum_open(store).await?;
        Ok(audit)
    }

    async fn sum_postings(&mut self, store: &Store) -> Result<(), Fault> {
        let mut after: Option<Uuid> = None;
        loop {
            let query = Query::of(self.account.head.account_id)
                .equal("gas_account_id", self.account.head.id)
                .oldest_first()
                .after(after)
                .limit(STEP);
            let rows: Vec<GasTransfer> = store.list(query).await?;
            for row in &rows {
                let amount = i128::from(row.amount.units());
                *self.posted.entry(row.source).or_default() -= amount;
                *self.posted.entry(row.target).or_default() += amount;
                self.transfers += 1;
            }
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                return Ok(());
            }
        }
    }

    async fn sum_open(&mut self, store: &Store) -> Result<(), Fault> {
        let mut after: Option<Uuid> = None;
        let open = || GasStatus::OPEN.iter().map(|status| Cell::from(status.as_str())).collect();
        loop {
            let query = Query::of(self.account.head.account_id)
                .equal("gas_account_id", self.account.head.id)
                .filter(Filter::In("status", open()))
                .oldest_first()
                .after(after)
                .limit(STEP);
            let rows: Vec<GasTransaction> = store.list(query).await?;
            for row in &rows {
                let sum = match row.direction {
                    GasDirection::Deposit => &mut self.announced,
                    GasDirection::Withdrawal => &mut self.reserved,
                };
                *sum += i128::from(row.amount.units());
            }
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                return Ok(());
            }
        }
    }

    /// The sum of the postings of a balance.
    pub fn sum(&self, bucket: Bucket) -> Gas {
        gas(self.posted.get(&bucket).copied().unwrap_or_default())
    }

    /// What open deposits or withdrawals say a balance should be.
    pub fn open(&self, bucket: Bucket) -> Option<Gas> {
        match bucket {
            Bucket::Locked => Some(gas(self.reserved)),
            Bucket::Pending => Some(gas(self.announced)),
            Bucket::Available | Bucket::External => None,
        }
    }

    /// Every balance that is not what it should be.
    pub fn differences(&self) -> Vec<GasDifference> {
        let account = &self.account;
        let balances = [
            (Bucket::Available, account.available),
            (Bucket::Locked, account.locked),
            (Bucket::Pending, account.pending),
        ];
        let mut differences = Vec::new();
        for (bucket, found) in balances {
            let expected = self.sum(bucket);
            if found != expected {
                differences.push(GasDifference { bucket, of: "balance", found, expected });
            }
            if let Some(open) = self.open(bucket).filter(|open| *open != expected) {
                differences.push(GasDifference { bucket, of: "postings", found: expected, expected: open });
            }
        }
        differences
    }

    /// Whether everything is what it should be, the number of transfers too.
    pub fn is_sound(&self) -> bool {
        self.transfers == self.account.posted && self.differences().is_empty()
    }
}

/// Sums are of amounts that were counted one by one, so that they fit.
fn gas(units: i128) -> Gas {
    Gas::from_units(i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX }))
}
