//! The gas bank: gas accounts, deposits, withdrawals and their schedules, the ledger.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::gasbank::{
        AmendGasAccount, Approve, ByHand, CancelWithdrawal, ChangePolicy, CreateGasSchedule, DecideDeposit,
        DecideWithdrawal, Deposit, EnsureGasAccount, FetchDeposit, FetchGasAccount, FetchGasSchedule,
        FetchWithdrawal, GasAccount, GasAccountFilters, GasAccountView, GasSchedule, GasScheduleFilters,
        GasScheduleView, GasSummaryFilters, GasTransactionFilters, GasTransactionView, GasTransferView,
        ListGasAccounts, ListGasSchedules, ListGasTransactions, NewApproval, NewDeposit, NewGasAccount,
        NewGasSchedule, NewWithdrawal, ReadLedger, Reconcile, Reconciliation, RemoveGasSchedule,
        SummarizeGas, Withdraw,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    routes::system::{pause, resume},
};

const ALL: &str = "/accounts/{account}/gasbank";
const ONE: &str = "/accounts/{account}/gasbank/{gas_account}";
const LEDGER: &str = "/accounts/{account}/gasbank/{gas_account}/ledger";
const PAUSE: &str = "/accounts/{account}/gasbank/{gas_account}/pause";
const RESUME: &str = "/accounts/{account}/gasbank/{gas_account}/resume";
const DEPOSIT: &str = "/accounts/{account}/gasbank/deposit";
const WITHDRAW: &str = "/accounts/{account}/gasbank/withdraw";
const TRANSACTIONS: &str = "/accounts/{account}/gasbank/transactions";
const SUMMARY: &str = "/accounts/{account}/gasbank/summary";
const RECONCILE: &str = "/accounts/{account}/gasbank/reconcile";
const SCHEDULES: &str = "/accounts/{account}/gasbank/schedules";
const ONE_SCHEDULE: &str = "/accounts/{account}/gasbank/schedules/{gas_schedule}";
const PAUSE_SCHEDULE: &str = "/accounts/{account}/gasbank/schedules/{gas_schedule}/pause";
const RESUME_SCHEDULE: &str = "/accounts/{account}/gasbank/schedules/{gas_schedule}/resume";
const ONE_DEPOSIT: &str = "/accounts/{account}/gasbank/deposits/{deposit}";
const CONFIRM: &str = "/accounts/{account}/gasbank/deposits/{deposit}/confirm";
const REJECT: &str = "/accounts/{account}/gasbank/deposits/{deposit}/reject";
const ONE_WITHDRAWAL: &str = "/accounts/{account}/gasbank/withdrawals/{withdrawal}";
const APPROVE: &str = "/accounts/{account}/gasbank/withdrawals/{withdrawal}/approve";
const CANCEL: &str = "/accounts/{account}/gasbank/withdrawals/{withdrawal}/cancel";
const SETTLE: &str = "/accounts/{account}/gasbank/withdrawals/{withdrawal}/settle";
const FAIL: &str = "/accounts/{account}/gasbank/withdrawals/{withdrawal}/fail";

pub(super) fn table() -> Vec<Operation> {
    let mut all = accounts();
    all.extend(reads());
    all.extend(movements());
    all.extend(schedules());
    all.extend(by_hand());
    all
}

fn accounts() -> Vec<Operation> {
    vec![
        operation(Method::GET, ALL, "gasbank.list", "List the gas accounts")
            .pages(&["id", "wallet_address", "balance", "available", "pending", "locked"])
            .with::<GasAccountView>()
            .action(|input: Input<GasAccountFilters>| {
                Ok(ListGasAccounts { page: input.page, filters: input.query })
            }),
        operation(Method::POST, ALL, "gasbank.ensure", "Ensure that a wallet has a gas account")
            .told("Answers the one there is, or makes it. A wallet has one gas account over all accounts.")
            .scope(Scope::Write)
            .action(|input: Input<(), NewGasAccount>| Ok(EnsureGasAccount(input.body))),
        operation(Method::GET, ONE, "gasbank.get", "Read a gas account")
            .action(|input: Input| Ok(FetchGasAccount(input.id("gas_account")?))),
        operation(Method::PATCH, ONE, "gasbank.update", "Change the policy of a gas account")
            .told("Asks for the scope `admin`, so that whoever may withdraw cannot lift what bounds withdrawals.")
            .scope(Scope::Admin)
            .action(|input: Input<(), AmendGasAccount>| {
                let gas_account_id = input.id("gas_account")?;
                Ok(ChangePolicy { gas_account_id, expected: input.expected, patch: input.body })
            }),
        operation(Method::POST, PAUSE, "gasbank.pause", "Pause the settling of a gas account")
            .told("Deposits and withdrawals are taken all the same; the resolver is not asked about them.")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<GasAccount>(input.id("gas_account")?), input.body))
            }),
        operation(Method::POST, RESUME, "gasbank.resume", "Resume the settling of a gas account")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<GasAccount>(input.id("gas_account")?), input.body))
            }),
    ]
}

fn reads() -> Vec<Operation> {
    vec![
        operation(Method::GET, TRANSACTIONS, "gasbank.transactions.list", "List deposits and withdrawals")
            .pages(&["id", "type", "amount", "status", "to_address", "error", "created_at"])
            .with::<GasTransactionView>()
            .action(|input: Input<GasTransactionFilters>| {
                Ok(ListGasTransactions { page: input.page, filters: input.query })
            }),
        operation(Method::GET, SUMMARY, "gasbank.summary", "Sum up the gas accounts")
            .action(|input: Input<GasSummaryFilters>| Ok(SummarizeGas(input.query))),
        operation(Method::GET, LEDGER, "gasbank.ledger", "Read the ledger of a gas account")
            .told(
                "A page of its transfers, newest first, and whether all of them together give its balances.",
            )
            .pages(&["number", "movement", "amount", "transaction_id", "actor", "created_at"])
            .with::<GasTransferView>()
            .action(|input: Input| {
                Ok(ReadLedger { gas_account_id: input.id("gas_account")?, page: input.page })
            }),
        operation(Method::GET, ONE_DEPOSIT, "gasbank.deposits.get", "Read a deposit")
            .action(|input: Input| Ok(FetchDeposit(input.id("deposit")?))),
        operation(Method::GET, ONE_WITHDRAWAL, "gasbank.withdrawals.get", "Read a withdrawal")
            .action(|input: Input| Ok(FetchWithdrawal(input.id("withdrawal")?))),
    ]
}

fn movements() -> Vec<Operation> {
    vec![
        operation(Method::POST, DEPOSIT, "gasbank.deposit", "Announce a deposit")
            .told("It is available when the resolver, or an operator, has confirmed its transaction on the chain.")
            .scope(Scope::Write)
            .action(|input: Input<(), NewDeposit>| Ok(Deposit(input.body))),
        operation(Method::POST, WITHDRAW, "gasbank.withdraw", "Ask for a withdrawal")
            .told("Its amount is reserved at once. It is submitted when it has its approvals, not before `not_before`.")
            .scope(Scope::Write)
            .action(|input: Input<(), NewWithdrawal>| Ok(Withdraw(input.body))),
        operation(Method::POST, APPROVE, "gasbank.withdrawals.approve", "Approve a withdrawal with a wallet")
            .told("The wallet's keys sign the withdrawal's `approval_message`.")
            .scope(Scope::Write)
            .action(|input: Input<(), NewApproval>| {
                Ok(Approve { withdrawal_id: input.id("withdrawal")?, new: input.body })
            }),
        operation(Method::POST, CANCEL, "gasbank.withdrawals.cancel", "Cancel a withdrawal")
            .told("As long as it was not submitted; its amount is available again.")
            .scope(Scope::Write)
            .action(|input: Input| Ok(CancelWithdrawal(input.id("withdrawal")?))),
    ]
}

fn schedules() -> Vec<Operation> {
    vec![
        operation(Method::GET, SCHEDULES, "gasbank.schedules.list", "List the recurring withdrawals")
            .pages(&["id", "gas_account_id", "amount", "to_address", "schedule", "status", "next_run"])
            .with::<GasScheduleView>()
            .action(|input: Input<GasScheduleFilters>| {
                Ok(ListGasSchedules { page: input.page, filters: input.query })
            }),
        operation(Method::POST, SCHEDULES, "gasbank.schedules.create", "Make a recurring withdrawal")
            .told("Each slot of the schedule is a withdrawal like any other, under the policy of the gas account.")
            .scope(Scope::Write)
            .status(201)
            .action(|input: Input<(), NewGasSchedule>| Ok(CreateGasSchedule(input.body))),
        operation(Method::GET, ONE_SCHEDULE, "gasbank.schedules.get", "Read a recurring withdrawal")
            .action(|input: Input| Ok(FetchGasSchedule(input.id("gas_schedule")?))),
        operation(Method::DELETE, ONE_SCHEDULE, "gasbank.schedules.delete", "End a recurring withdrawal")
            .told("Withdrawals that were made for it stay as they are.")
            .scope(Scope::Write)
            .status(204)
            .action(|input: Input| Ok(RemoveGasSchedule { id: input.id("gas_schedule")?, expected: input.expected })),
        operation(Method::POST, PAUSE_SCHEDULE, "gasbank.schedules.pause", "Pause a recurring withdrawal")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<GasSchedule>(input.id("gas_schedule")?), input.body))
            }),
        operation(Method::POST, RESUME_SCHEDULE, "gasbank.schedules.resume", "Resume a recurring withdrawal")
            .told("Slots that came meanwhile are withdrawn for all the same, unless told to drop them.")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<GasSchedule>(input.id("gas_schedule")?), input.body))
            }),
    ]
}

fn by_hand() -> Vec<Operation> {
    vec![
        operation(Method::POST, CONFIRM, "gasbank.deposits.confirm", "Confirm a deposit by hand")
            .operator()
            .with::<ByHand>()
            .action(|input: Input<(), Option<ByHand>>| decide_deposit(&input, true)),
        operation(Method::POST, REJECT, "gasbank.deposits.reject", "Reject a deposit by hand")
            .operator()
            .with::<ByHand>()
            .action(|input: Input<(), Option<ByHand>>| decide_deposit(&input, false)),
        operation(
            Method::POST,
            SETTLE,
            "gasbank.withdrawals.settle",
            "Say by hand that a withdrawal was paid",
        )
        .operator()
        .with::<ByHand>()
        .action(|input: Input<(), Option<ByHand>>| decide_withdrawal(&input, true)),
        operation(
            Method::POST,
            FAIL,
            "gasbank.withdrawals.fail",
            "Say by hand that a withdrawal was not paid",
        )
        .told("Its amount is available again; say so only of what cannot be paid any more.")
        .operator()
        .with::<ByHand>()
        .action(|input: Input<(), Option<ByHand>>| decide_withdrawal(&input, false)),
        operation(Method::POST, RECONCILE, "gasbank.reconcile", "Put balances right by their postings")
            .told("What is in doubt is asked about again, where a resolver is configured. With `transaction_id`, `verdict` and `reason` it decides that deposit or withdrawal, whatever was decided before.")
            .operator()
            .with::<Reconciliation>()
            .action(|input: Input<(), Option<Reconciliation>>| Ok(Reconcile(input.body.unwrap_or_default()))),
    ]
}

fn decide_deposit(input: &Input<(), Option<ByHand>>, came: bool) -> Result<DecideDeposit, sl_actors::Fault> {
    let by_hand = input.body.clone().unwrap_or_default();
    Ok(DecideDeposit { deposit_id: input.id("deposit")?, came, by_hand })
}

fn decide_withdrawal(
    input: &Input<(), Option<ByHand>>,
    paid: bool,
) -> Result<DecideWithdrawal, sl_actors::Fault> {
    let by_hand = input.body.clone().unwrap_or_default();
    Ok(DecideWithdrawal { withdrawal_id: input.id("withdrawal")?, paid, by_hand })
}
