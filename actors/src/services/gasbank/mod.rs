//! The gas bank: GAS that tenants deposit and withdraw, kept by double entry.
//!
//! ```text
//!  deposit:                     the resolver, or an operator
//!      announced ──▶ pending ─────────────────────────────────▶ completed | failed
//!                       └──▶ needs_reconcile ──▶ (the same)
//!
//!  withdrawal:   approvals                submitted, then asked about
//!      pending_approval ──▶ pending ──▶ submitted ─────────────▶ completed | failed
//!            │                 │            └──▶ needs_reconcile ──▶ (the same)
//!            └─────────────────┴──▶ cancelled
//! ```
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
mod deposits;
mod devpack;
mod explain;
mod gas;
mod movement;
mod reads;
mod reconcile;
mod resolver;
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
        AmendGasAccount, ChangePolicy, EnsureGasAccount, FetchGasAccount, GasAccountFilters, ListGasAccounts,
        NewGasAccount,
    },
    audit::GasDifference,
    claim::GasClaim,
    deposits::{ByHand, DecideDeposit, Deposit, NewDeposit},
    gas::Gas,
    reads::{
        FetchDeposit, FetchWithdrawal, GasLedgerView, GasProof, GasSummaryFilters, GasSummaryView,
        GasTransactionFilters, ListGasTransactions, ReadLedger, SummarizeGas,
    },
    reconcile::{GasAccountReconciled, GasCheck, Reconcile, ReconciledView, Reconciliation},
    settlement::Settler,
    transaction::{GasApproval, GasDirection, GasStatus, GasTransaction},
    transfer::{Bucket, GasMovement, GasTransfer},
    views::{GasAccountView, GasMovementView, GasPosting, GasTransactionView, GasTransferView},
    withdrawals::{Approve, CancelWithdrawal, DecideWithdrawal, NewApproval, NewWithdrawal, Withdraw},
};
use super::Service;
use crate::settings::Setting;

/// The service's name.
const NAME: &str = "gasbank";
/// The name of the duty that settles.
pub const DUTY: &str = "gasbank-settlement";

/// How many gas accounts an account may have.
pub const MAX_ACCOUNTS: Setting =
    Setting::count("gasbank.accounts", 100, 1, 100_000, "How many gas accounts an account may have.")
        .per_account();
/// How many deposits and withdrawals one daemon asks about at once.
pub const WORKERS: Setting = Setting::count(
    "gasbank.workers",
    16,
    1,
    1_000,
    "How many deposits and withdrawals one daemon asks the resolver about at once.",
);
/// How long the resolver may take.
pub const RESOLVER_TIME: Setting = Setting::millis(
    "gasbank.resolver_time",
    10_000,
    100,
    60_000,
    "How long the resolver of the gas bank may take to answer.",
);
/// How many unclear answers are borne.
pub const RESOLVER_TRIES: Setting = Setting::count(
    "gasbank.resolver_tries",
    10,
    1,
    1_000,
    "How many answers in a row that cannot be made out (time-outs, errors) the resolver may give before a deposit or withdrawal needs to be reconciled.",
);
/// How long a deposit or withdrawal may be under way.
pub const SETTLE_WITHIN: Setting = Setting::millis(
    "gasbank.settle_within",
    7 * 86_400_000,
    1_000,
    365 * 86_400_000,
    "How long the resolver may leave a deposit or withdrawal undecided before it needs to be reconciled.",
);
/// How often what waits without a resolver is looked at.
pub const UNRESOLVED_LOOK: Setting = Setting::millis(
    "gasbank.unresolved_look",
    60_000,
    1_000,
    86_400_000,
    "How often deposits and withdrawals are looked at where no resolver is configured.",
);
/// How often balances are checked.
pub const CHECK_EVERY: Setting = Setting::millis(
    "gasbank.check_every",
    3_600_000,
    1_000,
    86_400_000,
    "How often the balances of gas accounts are held against the sums of their postings.",
);
/// It needs one place.
pub const CHECK_WORKERS: Setting =
    Setting::count("gasbank.check_workers", 1, 1, 1, "How many check the balances of gas accounts at once.");

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_ACCOUNTS,
    &WORKERS,
    &RESOLVER_TIME,
    &RESOLVER_TRIES,
    &SETTLE_WITHIN,
    &UNRESOLVED_LOOK,
    &CHECK_EVERY,
    &CHECK_WORKERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "payments",
    layer: "engine",
    capabilities: &["deposit", "withdraw", "approve", "settle", "ledger", "reconcile"],
    tables: &[GasAccount::TABLE, GasTransaction::TABLE, GasTransfer::TABLE, GasClaim::TABLE],
    quotas: &[(&MAX_ACCOUNTS, GasAccount::TABLE)],
    actions: devpack::ACTIONS,
    duties: |core| vec![Arc::new(Settler), Arc::new(GasCheck::new(core))],
    explain: Some(explain::explain),
    ..Service::NOTHING
};
