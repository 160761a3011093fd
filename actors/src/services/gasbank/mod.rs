//! The gas bank: GAS that tenants deposit and withdraw, kept by double entry.
//!
//! ```text
//!  deposit:                     the resolver, or an operator
//!      announced ──▶ pending ─────────────────────────────────▶ completed ⇄ failed
//!                       └──▶ needs_reconcile ──▶ (the same)
//!
//!  withdrawal:   approvals                submitted, then asked about
//!      pending_approval ──▶ pending ──▶ submitted ─────────────▶ completed ⇄ failed
//!            │                 │            └──▶ needs_reconcile ──▶ (the same)
//!            └─────────────────┴──▶ cancelled (by hand, or not approved in time)
//! ```
//!
//! `completed ⇄ failed` is an operator's correction, with a reason that stays with it.
//!
//! Every change of a balance is a transfer between two of `external`, `available`, `locked` and `pending`; transfers are
//! never changed. Balances stand on the gas account's row, which moves on with each transfer in one batch, against the
//! version that was read: two changes that do not know of each other cannot both be written.
//!
//! An amount is reserved when the withdrawal is asked for and released on a definite no alone. What cannot be made out is
//! asked again, and in the end waits for an operator: nothing is paid twice on a guess, and nothing is forgotten.
//!
//! What a resolver says of a deposit is about a transaction on the chain, and as good as the resolver: it is told the
//! amount and the addresses, and should look at them.

mod account;
mod accounts;
mod audit;
mod claim;
mod corrections;
mod deposits;
mod devpack;
mod explain;
mod findings;
mod gas;
mod movement;
mod reads;
mod recheck;
mod reconcile;
mod resolver;
mod schedule;
mod schedules;
mod settings;
mod settlement;
mod transaction;
mod transfer;
mod views;
mod withdrawals;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    account::{GasAccount, Policy, Withdrawn},
    accounts::{
        AmendGasAccount, ChangePolicy, EnsureGasAccount, FetchGasAccount, GasAccountFilters, GasAccountsView,
        ListGasAccounts, NewGasAccount,
    },
    audit::GasDifference,
    claim::GasClaim,
    corrections::GasVerdict,
    deposits::{ByHand, DecideDeposit, Deposit, NewDeposit},
    findings::GasCheck,
    gas::Gas,
    reads::{
        FetchDeposit, FetchWithdrawal, GasLedgerView, GasProof, GasSummaryFilters, GasSummaryView,
        GasTransactionFilters, ListGasTransactions, ReadLedger, SummarizeGas,
    },
    reconcile::{GasAccountReconciled, Reconcile, ReconciledView, Reconciliation},
    schedule::{GasSchedule, GasScheduleView},
    schedules::{
        CreateGasSchedule, FetchGasSchedule, GasScheduleFilters, ListGasSchedules, NewGasSchedule,
        RemoveGasSchedule, Scheduler,
    },
    settings::{
        APPROVE_WITHIN, CATCH_UP, CHECK_EVERY, CHECK_WORKERS, FINDINGS_LOOK, MAX_ACCOUNTS, MAX_SCHEDULES,
        RECHECK_AFTER, RECHECK_WITHIN, RESOLVER_TIME, RESOLVER_TRIES, SCHEDULE_WORKERS, SETTLE_WITHIN,
        UNRESOLVED_LOOK, WORKERS,
    },
    settlement::Settler,
    transaction::{GasApproval, GasDecision, GasDirection, GasSlot, GasStatus, GasTransaction},
    transfer::{Bucket, GasMovement, GasTransfer},
    views::{GasAccountView, GasMovementView, GasPosting, GasTransactionView, GasTransferView},
    withdrawals::{Approve, CancelWithdrawal, DecideWithdrawal, NewApproval, NewWithdrawal, Withdraw},
};
pub(crate) use settings::SETTINGS;

use super::Service;

/// The service's name.
const NAME: &str = "gasbank";
/// The name of the duty that settles.
pub const DUTY: &str = "gasbank-settlement";

/// The name of the duty that makes recurring withdrawals.
pub const SCHEDULE_DUTY: &str = "gasbank-schedules";

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "payments",
    layer: "engine",
    capabilities: &["deposit", "withdraw", "schedule", "approve", "settle", "ledger", "reconcile"],
    tables: &[
        GasAccount::TABLE,
        GasTransaction::TABLE,
        GasTransfer::TABLE,
        GasClaim::TABLE,
        GasSchedule::TABLE,
    ],
    quotas: &[(&MAX_ACCOUNTS, GasAccount::TABLE), (&MAX_SCHEDULES, GasSchedule::TABLE)],
    actions: devpack::ACTIONS,
    duties: |core| vec![Arc::new(Settler), Arc::new(Scheduler), Arc::new(GasCheck::new(core))],
    explain: Some(explain::explain),
    keeps: Some(accounts::keeps),
    ..Service::NOTHING
};
