//! Transfers: what moves between two balances, never changed once it is written.
//!
//! A transfer has one amount, where it comes from and where it goes to. Its postings are that amount taken from the one
//! and added to the other: they sum to zero whatever is written.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{account::GasAccount, gas::Gas};
use crate::action::Tenant;

/// What an amount is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GasBucket)]
pub enum Bucket {
    /// The chain, outside.
    External,
    /// What can be withdrawn.
    Available,
    /// What withdrawals have reserved.
    Locked,
    /// What deposits have announced.
    Pending,
    /// What was paid out beyond what there was; its postings sum to less than nothing by as much as is owed.
    Owed,
}

/// Why something moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GasMovement {
    /// A deposit was announced.
    DepositAnnounced,
    /// It was confirmed.
    DepositConfirmed,
    /// It was rejected.
    DepositRejected,
    /// A withdrawal was reserved.
    WithdrawalReserved,
    /// It was paid out.
    WithdrawalSettled,
    /// It was not, and what it had reserved is available again.
    WithdrawalReleased,
    /// A difference, or what an operator found decided wrongly, was put right.
    Correction,
    /// What became available paid back what was owed.
    DebtRepaid,
}

macro_rules! named {
    ($type:ident: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// As it stands in answers and rows.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The one of this name.
            #[must_use]
            pub(super) fn read(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(super) use named;

named! { Bucket:
    External = "external",
    Available = "available",
    Locked = "locked",
    Pending = "pending",
    Owed = "owed",
}
named! { GasMovement:
    DepositAnnounced = "deposit_announced",
    DepositConfirmed = "deposit_confirmed",
    DepositRejected = "deposit_rejected",
    WithdrawalReserved = "withdrawal_reserved",
    WithdrawalSettled = "withdrawal_settled",
    WithdrawalReleased = "withdrawal_released",
    Correction = "correction",
    DebtRepaid = "debt_repaid",
}

impl Bucket {
    /// Those of which a gas account holds something.
    pub(super) const HELD: [Self; 4] = [Self::Available, Self::Locked, Self::Pending, Self::Owed];
}

impl GasMovement {
    /// From where to where it moves; a correction says so itself.
    pub(super) const fn route(self) -> (Bucket, Bucket) {
        match self {
            Self::DepositAnnounced => (Bucket::External, Bucket::Pending),
            Self::DepositConfirmed => (Bucket::Pending, Bucket::Available),
            Self::DepositRejected => (Bucket::Pending, Bucket::External),
            Self::WithdrawalReserved => (Bucket::Available, Bucket::Locked),
            Self::WithdrawalSettled => (Bucket::Locked, Bucket::External),
            Self::WithdrawalReleased | Self::Correction => (Bucket::Locked, Bucket::Available),
            Self::DebtRepaid => (Bucket::Available, Bucket::Owed),
        }
    }
}

/// A transfer.
#[derive(Clone, Debug, PartialEq)]
pub struct GasTransfer {
    /// The row's head.
    pub head: Head,
    /// The gas account.
    pub gas_account_id: Uuid,
    /// Counts the transfers of the gas account from 1.
    pub number: i64,
    /// Why.
    pub movement: GasMovement,
    /// From where.
    pub source: Bucket,
    /// To where.
    pub target: Bucket,
    /// How much; more than nothing.
    pub amount: Gas,
    /// The deposit or withdrawal behind it; none where balances were put right.
    pub transaction_id: Option<Uuid>,
    /// Who did it.
    pub actor: String,
}

impl GasAccount {
    /// Posts what a deposit or withdrawal moves: changes the balances and adds the transfer to the batch. The account
    /// itself is written by whoever calls, once.
    ///
    /// # Errors
    /// As [`GasAccount::shift`].
    pub(super) fn post(
        &mut self,
        movement: GasMovement,
        amount: Gas,
        transaction: Uuid,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let (source, target) = movement.route();
        self.transfer((movement, source, target), amount, Some(transaction), tenant, batch)
    }

    /// Posts that an amount came from outside after all.
    ///
    /// # Errors
    /// As [`GasAccount::shift`].
    pub(super) fn bring_in(
        &mut self,
        amount: Gas,
        transaction: Uuid,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let route = (GasMovement::Correction, Bucket::External, Bucket::Available);
        self.transfer(route, amount, Some(transaction), tenant, batch)
    }

    /// Posts that an amount has gone outside after all: from what is available, and what that does not hold is owed.
    ///
    /// # Errors
    /// As [`GasAccount::shift`].
    pub(super) fn take_out(
        &mut self,
        amount: Gas,
        transaction: Uuid,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let there = amount.min(self.available);
        for (source, part) in [(Bucket::Available, there), (Bucket::Owed, amount.less(there))] {
            if part > Gas::ZERO {
                let route = (GasMovement::Correction, source, Bucket::External);
                self.transfer(route, part, Some(transaction), tenant, batch)?;
            }
        }
        Ok(())
    }

    fn transfer(
        &mut self,
        route: (GasMovement, Bucket, Bucket),
        amount: Gas,
        transaction_id: Option<Uuid>,
        tenant: &Tenant,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let (_, source, target) = route;
        self.shift(source, target, amount)?;
        self.record(route, amount, transaction_id, tenant, batch);
        let debt = self.owed.min(self.available);
        if target == Bucket::Available && debt > Gas::ZERO {
            self.shift(Bucket::Available, Bucket::Owed, debt)?;
            let route = (GasMovement::DebtRepaid, Bucket::Available, Bucket::Owed);
            self.record(route, debt, transaction_id, tenant, batch);
        }
        Ok(())
    }

    /// Adds a transfer to the batch; the balances are the caller's.
    pub(super) fn record(
        &mut self,
        (movement, source, target): (GasMovement, Bucket, Bucket),
        amount: Gas,
        transaction_id: Option<Uuid>,
        tenant: &Tenant,
        batch: &mut Batch,
    ) {
        self.posted += 1;
        batch.insert(&GasTransfer {
            head: Head::new(self.head.account_id, tenant.next_id(), tenant.now()),
            gas_account_id: self.head.id,
            number: self.posted,
            movement,
            source,
            target,
            amount,
            transaction_id,
            actor: tenant.caller.actor.clone(),
        });
    }
}

impl Entity for GasTransfer {
    const TABLE: &'static Table = &Table {
        name: "gas_transfers",
        noun: "transfer",
        columns: &[
            Column::new("gas_account_id", Kind::Uuid),
            Column::new("number", Kind::Int),
            Column::new("movement", Kind::Text),
            Column::new("source", Kind::Text),
            Column::new("target", Kind::Text),
            Column::new("amount", Kind::Int),
            Column::nullable("transaction_id", Kind::Uuid),
            Column::new("actor", Kind::Text),
        ],
        uniques: &[Unique {
            name: "gas_transfers_number",
            columns: &["gas_account_id", "number"],
            fields: &[],
            message: "a transfer of this number exists already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.gas_account_id.into(),
            self.number.into(),
            self.movement.as_str().into(),
            self.source.as_str().into(),
            self.target.as_str().into(),
            self.amount.units().into(),
            self.transaction_id.into(),
            self.actor.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            gas_account_id: cells.uuid()?,
            number: cells.int()?,
            movement: cells.named(GasMovement::read)?,
            source: cells.named(Bucket::read)?,
            target: cells.named(Bucket::read)?,
            amount: Gas::from_units(cells.int()?),
            transaction_id: cells.maybe_uuid()?,
            actor: cells.text()?,
        })
    }

    fn samples() -> Vec<Self> {
        let correction = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH),
            gas_account_id: Uuid::from_u128(3),
            number: 1,
            movement: GasMovement::Correction,
            source: Bucket::Available,
            target: Bucket::External,
            amount: Gas::from_units(4),
            transaction_id: None,
            actor: "operator:alice".to_owned(),
        };
        let of_a_deposit = Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(5), DateTime::UNIX_EPOCH),
            number: 2,
            movement: GasMovement::DepositConfirmed,
            source: Bucket::Pending,
            target: Bucket::Available,
            transaction_id: Some(Uuid::from_u128(6)),
            ..correction.clone()
        };
        vec![correction, of_a_deposit]
    }
}
