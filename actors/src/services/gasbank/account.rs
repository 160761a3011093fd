//! The row of a gas account: its balances, what it was withdrawn of today, and its policy.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use sl_store::{Cell, Cells, Code, Column, Entity, Fault, Head, Kind, Table, Unique};
use uuid::Uuid;

use super::{gas::Gas, transfer::Bucket};
use crate::neo::ScriptHash;

/// What bounds the withdrawals of a gas account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What stays available.
    pub minimum_balance: Gas,
    /// What may be withdrawn in a day of UTC.
    pub daily_limit: Option<Gas>,
    /// How many wallets approve a withdrawal.
    pub required_approvals: i64,
    /// Which may; at least as many as have to.
    pub approvers: Vec<ScriptHash>,
}

/// What was withdrawn, to hold the daily limit against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// The day of UTC it counts for, by its first instant.
    pub day: Option<DateTime<Utc>>,
    /// How much.
    pub amount: Gas,
    /// When the last withdrawal was asked for.
    pub last_at: Option<DateTime<Utc>>,
}

/// A gas account. Its balances are the sums of its postings; both change in one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct GasAccount {
    /// The row's head.
    pub head: Head,
    /// The account on the chain; unique over all accounts.
    pub wallet: ScriptHash,
    /// What can be withdrawn.
    pub available: Gas,
    /// What withdrawals have reserved.
    pub locked: Gas,
    /// What deposits have announced and nobody has confirmed.
    pub pending: Gas,
    /// What was paid out beyond what there was: found out late, and paid back by what becomes available.
    pub owed: Gas,
    /// How many transfers were posted; the number of the last.
    pub posted: i64,
    /// How many of them are known to be lost.
    pub missing: i64,
    /// Since when its balances are not what its postings give.
    pub differs_since: Option<DateTime<Utc>>,
    /// What bounds its withdrawals.
    pub policy: Policy,
    /// What was withdrawn.
    pub withdrawn: Withdrawn,
}

impl GasAccount {
    /// An empty one.
    #[must_use]
    pub fn new(head: Head, wallet: ScriptHash) -> Self {
        let none = Gas::ZERO;
        let (policy, withdrawn) = (Policy::default(), Withdrawn::default());
        Self {
            head,
            wallet,
            available: none,
            locked: none,
            pending: none,
            owed: none,
            posted: 0,
            missing: 0,
            differs_since: None,
            policy,
            withdrawn,
        }
    }

    /// What belongs to it: what is available and what is locked.
    #[must_use]
    pub fn balance(&self) -> Gas {
        Gas::from_units(self.available.units().saturating_add(self.locked.units()))
    }

    /// Moves an amount between two of its balances; what is outside has no end, and what is owed grows as it is taken.
    ///
    /// # Errors
    /// [`Code::InvalidState`] where a balance does not hold so much, or would hold more than can be counted.
    pub(super) fn shift(&mut self, from: Bucket, to: Bucket, amount: Gas) -> Result<(), Fault> {
        let short = |held: Gas, bucket: Bucket| {
            let detail = format!("{held} GAS are {} and {amount} are to be moved", bucket.as_str());
            Fault::new(Code::InvalidState, detail)
        };
        let full = || Fault::new(Code::InvalidState, "the gas account cannot hold so much");
        let mut moved = [(from, Gas::ZERO), (to, Gas::ZERO)];
        for (bucket, now) in &mut moved {
            let held = self.held(*bucket);
            let grows = (*bucket == to) != (*bucket == Bucket::Owed);
            *now = match (*bucket, grows) {
                (Bucket::External, _) => continue,
                (_, true) => held.plus(amount).ok_or_else(full)?,
                (_, false) => held.minus(amount).ok_or_else(|| short(held, *bucket))?,
            };
        }
        for (bucket, now) in moved {
            self.hold(bucket, now);
        }
        Ok(())
    }

    /// What a balance holds; nothing is held of what is outside.
    pub(super) const fn held(&self, bucket: Bucket) -> Gas {
        match bucket {
            Bucket::External => Gas::ZERO,
            Bucket::Available => self.available,
            Bucket::Locked => self.locked,
            Bucket::Pending => self.pending,
            Bucket::Owed => self.owed,
        }
    }

    /// Sets what a balance holds.
    pub(super) const fn hold(&mut self, bucket: Bucket, amount: Gas) {
        match bucket {
            Bucket::External => {}
            Bucket::Available => self.available = amount,
            Bucket::Locked => self.locked = amount,
            Bucket::Pending => self.pending = amount,
            Bucket::Owed => self.owed = amount,
        }
    }

    /// What was withdrawn on the day of an instant.
    #[must_use]
    pub fn withdrawn_on(&self, at: DateTime<Utc>) -> Gas {
        if self.withdrawn.day == Some(day(at)) { self.withdrawn.amount } else { Gas::ZERO }
    }

    /// Whether the policy lets so much be withdrawn now; counts it.
    ///
    /// # Errors
    /// [`Code::Invalid`] at `/amount` with the rule `insufficient` or `daily_limit`.
    pub(super) fn count_withdrawal(&mut self, amount: Gas, now: DateTime<Utc>) -> Result<(), Fault> {
        let free = self.available.less(self.policy.minimum_balance);
        if amount > free {
            let (available, kept) = (self.available, self.policy.minimum_balance);
            let detail = format!(
                "must be at most {free}, not {amount}: {available} are available, and {kept} have to stay"
            );
            let refused = Fault::field("/amount", "insufficient", detail);
            // Where the amount is there, it is the minimum that refuses.
            let is_there = amount <= available;
            return Err(if is_there {
                refused.limited("minimum_balance", kept.to_string(), available.to_string())
            } else {
                refused
            });
        }
        let today = self.withdrawn_on(now);
        let after = today.plus(amount).ok_or_else(|| Fault::internal("more was withdrawn than there is"))?;
        if let Some(limit) = self.policy.daily_limit.filter(|limit| after > *limit) {
            let left = limit.less(today);
            let detail =
                format!("must be at most {left}, not {amount}: {today} of {limit} are withdrawn today");
            let refused = Fault::field("/amount", "daily_limit", detail);
            return Err(refused.limited("daily_limit", limit.to_string(), today.to_string()));
        }
        self.withdrawn = Withdrawn { day: Some(day(now)), amount: after, last_at: Some(now) };
        Ok(())
    }

    /// Counts a withdrawal that was made after all, whatever the limit.
    pub(super) fn recount_withdrawal(&mut self, amount: Gas, asked_at: DateTime<Utc>) {
        if self.withdrawn.day == Some(day(asked_at)) {
            self.withdrawn.amount = self.withdrawn.amount.plus(amount).unwrap_or(self.withdrawn.amount);
        }
    }

    /// Takes back what was counted for a withdrawal that is not made after all.
    pub(super) fn uncount_withdrawal(&mut self, amount: Gas, asked_at: DateTime<Utc>) {
        if self.withdrawn.day == Some(day(asked_at)) {
            self.withdrawn.amount = self.withdrawn.amount.less(amount);
        }
    }
}

/// The first instant of a day of UTC.
fn day(at: DateTime<Utc>) -> DateTime<Utc> {
    at - (at.time() - NaiveTime::MIN).max(TimeDelta::zero())
}

impl Entity for GasAccount {
    const TABLE: &'static Table = &Table {
        name: "gas_accounts",
        noun: "gas account",
        columns: &[
            Column::new("wallet", Kind::Text),
            Column::new("available", Kind::Int),
            Column::new("locked", Kind::Int),
            Column::new("pending", Kind::Int),
            Column::new("posted", Kind::Int),
            Column::new("minimum_balance", Kind::Int),
            Column::nullable("daily_limit", Kind::Int),
            Column::new("required_approvals", Kind::Int),
            Column::new("approvers", Kind::Json),
            Column::nullable("withdrawn_on", Kind::Time),
            Column::new("withdrawn", Kind::Int),
            Column::nullable("last_withdrawal_at", Kind::Time),
            Column::new("owed", Kind::Int),
            Column::new("missing", Kind::Int),
            Column::nullable("differs_since", Kind::Time),
        ],
        uniques: &[Unique {
            name: "gas_accounts_wallet",
            columns: &["wallet"],
            fields: &["wallet_address"],
            message: "a gas account of this wallet exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let approvers: Vec<String> = self.policy.approvers.iter().map(ToString::to_string).collect();
        vec![
            self.wallet.to_string().into(),
            self.available.units().into(),
            self.locked.units().into(),
            self.pending.units().into(),
            self.posted.into(),
            self.policy.minimum_balance.units().into(),
            self.policy.daily_limit.map(Gas::units).into(),
            self.policy.required_approvals.into(),
            Cell::json(&approvers),
            self.withdrawn.day.into(),
            self.withdrawn.amount.units().into(),
            self.withdrawn.last_at.into(),
            self.owed.units().into(),
            self.missing.into(),
            self.differs_since.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let wallet = cells.named(|text| ScriptHash::parse(text).ok())?;
        let mut gas = || cells.int().map(Gas::from_units);
        let (available, locked, pending) = (gas()?, gas()?, gas()?);
        let posted = cells.int()?;
        let minimum_balance = Gas::from_units(cells.int()?);
        let daily_limit = cells.maybe_int()?.map(Gas::from_units);
        let required_approvals = cells.int()?;
        let approvers: Vec<String> = cells.json()?;
        let approvers = approvers.iter().filter_map(|text| ScriptHash::parse(text).ok()).collect();
        let (day, amount) = (cells.maybe_time()?, Gas::from_units(cells.int()?));
        let withdrawn = Withdrawn { day, amount, last_at: cells.maybe_time()? };
        let policy = Policy { minimum_balance, daily_limit, required_approvals, approvers };
        Ok(Self {
            owed: Gas::from_units(cells.int()?),
            missing: cells.int()?,
            differs_since: cells.maybe_time()?,
            ..Self { available, locked, pending, posted, policy, withdrawn, ..Self::new(head, wallet) }
        })
    }

    fn samples() -> Vec<Self> {
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), DateTime::UNIX_EPOCH);
        let mut full = Self::new(head(3), ScriptHash::of(b"two"));
        (full.available, full.locked) = (Gas::from_units(5), Gas::from_units(6));
        (full.pending, full.posted) = (Gas::from_units(7), 8);
        (full.owed, full.missing, full.differs_since) = (Gas::from_units(10), 1, Some(DateTime::UNIX_EPOCH));
        full.policy = Policy {
            minimum_balance: Gas::from_units(1),
            daily_limit: Some(Gas::from_units(100)),
            required_approvals: 2,
            approvers: vec![ScriptHash::of(b"three")],
        };
        let at = Some(DateTime::UNIX_EPOCH);
        full.withdrawn = Withdrawn { day: at, amount: Gas::from_units(9), last_at: at };
        vec![Self::new(head(2), ScriptHash::of(b"one")), full]
    }
}
