//! What bounds the gas bank.

use crate::settings::Setting;

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

/// How long a withdrawal waits for its approvals.
pub const APPROVE_WITHIN: Setting = Setting::millis(
    "gasbank.approve_within",
    7 * 86_400_000,
    1_000,
    365 * 86_400_000,
    "How long a withdrawal waits for its approvals before it is cancelled and its amount is available again.",
)
.per_account();
/// For how long the resolver is asked again about what has failed.
pub const RECHECK_WITHIN: Setting = Setting::millis(
    "gasbank.recheck_within",
    7 * 86_400_000,
    0,
    365 * 86_400_000,
    "For how long the resolver is asked again, ever more rarely, whether a deposit or withdrawal that failed was done after all; 0 is not at all.",
);
/// How soon it is asked again for the first time.
pub const RECHECK_AFTER: Setting = Setting::millis(
    "gasbank.recheck_after",
    60_000,
    100,
    86_400_000,
    "How soon after a deposit or withdrawal failed the resolver is asked about it again; from then on after twice the time each.",
);
/// How often open findings are counted.
pub const FINDINGS_LOOK: Setting = Setting::millis(
    "gasbank.findings_look",
    10_000,
    100,
    3_600_000,
    "How often each daemon counts the open findings of the gas bank's checks, for its health and its metrics.",
);
/// How many schedules an account may have.
pub const MAX_SCHEDULES: Setting = Setting::count(
    "gasbank.schedules",
    100,
    1,
    100_000,
    "How many schedules of recurring withdrawals an account may have.",
)
.per_account();
/// How many schedules are decided at once.
pub const SCHEDULE_WORKERS: Setting = Setting::count(
    "gasbank.schedule_workers",
    4,
    1,
    100,
    "How many schedules of recurring withdrawals one daemon decides about at once.",
);
/// How late a slot may be.
pub const CATCH_UP: Setting = Setting::millis(
    "gasbank.catch_up",
    86_400_000,
    1_000,
    30 * 86_400_000,
    "How old a slot of a recurring withdrawal may be that nobody was there to see and still be withdrawn for.",
)
.per_account();

pub(crate) const SETTINGS: &[&Setting] = &[
    &MAX_ACCOUNTS,
    &WORKERS,
    &RESOLVER_TIME,
    &RESOLVER_TRIES,
    &SETTLE_WITHIN,
    &UNRESOLVED_LOOK,
    &CHECK_EVERY,
    &CHECK_WORKERS,
    &APPROVE_WITHIN,
    &RECHECK_WITHIN,
    &RECHECK_AFTER,
    &FINDINGS_LOOK,
    &MAX_SCHEDULES,
    &SCHEDULE_WORKERS,
    &CATCH_UP,
];
