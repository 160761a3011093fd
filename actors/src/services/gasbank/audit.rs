//! Holding balances against postings, and postings against what is open.

use std::collections::BTreeMap;

use chrono::DateTime;
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
    /// The highest number that one of them has.
    pub highest: i64,
    /// The deposits and withdrawals of which the resolver says otherwise than they ended.
    pub contradicted: Vec<Uuid>,
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
            (Bucket::Owed, 0),
        ]);
        let (posted, contradicted) = (none, Vec::new());
        let mut audit =
            Self { account, posted, transfers: 0, highest: 0, contradicted, reserved: 0, announced: 0 };
        audit.sum_postings(store).await?;
        audit.sum_open(store).await?;
        audit.find_contradicted(store).await?;
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
                self.highest = self.highest.max(row.number);
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

    async fn find_contradicted(&mut self, store: &Store) -> Result<(), Fault> {
        let query = Query::of(self.account.head.account_id)
            .equal("gas_account_id", self.account.head.id)
            .filter(Filter::Since("contradicted_at", DateTime::UNIX_EPOCH))
            .limit(STEP);
        let rows: Vec<GasTransaction> = store.list(query).await?;
        self.contradicted = rows.iter().map(|row| row.head.id).collect();
        Ok(())
    }

    /// The sum of the postings of a balance.
    pub fn sum(&self, bucket: Bucket) -> Gas {
        gas(self.posted.get(&bucket).copied().unwrap_or_default())
    }

    /// What the gas account says of a balance, as its postings sum: what is owed is less than nothing.
    pub fn balance(&self, bucket: Bucket) -> Gas {
        let held = self.account.held(bucket);
        if bucket == Bucket::Owed { Gas::from_units(-held.units()) } else { held }
    }

    /// What open deposits or withdrawals say a balance should be.
    pub fn open(&self, bucket: Bucket) -> Option<Gas> {
        match bucket {
            Bucket::Locked => Some(gas(self.reserved)),
            Bucket::Pending => Some(gas(self.announced)),
            Bucket::Available | Bucket::External | Bucket::Owed => None,
        }
    }

    /// Every balance that is not what it should be.
    pub fn differences(&self) -> Vec<GasDifference> {
        let mut differences = Vec::new();
        for bucket in Bucket::HELD {
            let (found, expected) = (self.balance(bucket), self.sum(bucket));
            if found != expected {
                differences.push(GasDifference { bucket, of: "balance", found, expected });
            }
            if let Some(open) = self.open(bucket).filter(|open| *open != expected) {
                differences.push(GasDifference { bucket, of: "postings", found: expected, expected: open });
            }
        }
        differences
    }

    /// The number of the last transfer there ever was, as far as anything tells.
    pub fn last_number(&self) -> i64 {
        self.account.posted.max(self.highest)
    }

    /// How many transfers are lost, those among them that a reconciliation took note of.
    pub fn missing(&self) -> i64 {
        self.last_number() - self.transfers
    }

    /// Whether everything is what it should be, the numbers of the transfers too.
    pub fn is_sound(&self) -> bool {
        let numbered = self.account.posted >= self.highest && self.missing() == self.account.missing;
        numbered && self.differences().is_empty()
    }
}

/// Sums are of amounts that were counted one by one, so that they fit.
fn gas(units: i128) -> Gas {
    Gas::from_units(i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX }))
}
