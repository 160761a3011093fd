//! The row of a deposit or withdrawal.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Key, Kind, Table, Unique};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{gas::Gas, transfer::named};
use crate::{
    Core,
    neo::ScriptHash,
    services::wallets::{Wallet, WalletStatus},
};

/// The first line of what approvers sign.
const DOMAIN: &str = "neo-service-layer/gasbank-approval/v1";

/// Which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GasDirection {
    /// In.
    Deposit,
    /// Out.
    Withdrawal,
}

named!(GasDirection: Deposit = "deposit", Withdrawal = "withdrawal");

/// Where a deposit or withdrawal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GasStatus {
    /// A withdrawal waits for approvals.
    PendingApproval,
    /// A deposit waits to be confirmed; a withdrawal to be submitted.
    Pending,
    /// A withdrawal was given to the resolver, which has not said what became of it.
    Submitted,
    /// It is done.
    Completed,
    /// It is not done and will not be.
    Failed,
    /// A withdrawal was taken back before it was submitted.
    Cancelled,
    /// What became of it is not known; an operator says.
    NeedsReconcile,
}

named! { GasStatus:
    PendingApproval = "pending_approval",
    Pending = "pending",
    Submitted = "submitted",
    Completed = "completed",
    Failed = "failed",
    Cancelled = "cancelled",
    NeedsReconcile = "needs_reconcile",
}

impl GasStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::PendingApproval,
        Self::Pending,
        Self::Submitted,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::NeedsReconcile,
    ];
    /// Those in which an amount is still locked or pending.
    pub const OPEN: [Self; 4] = [Self::PendingApproval, Self::Pending, Self::Submitted, Self::NeedsReconcile];

    /// Whether it can still change.
    #[must_use]
    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

/// A wallet's approval of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GasApproval {
    /// The wallet's id.
    pub wallet_id: Uuid,
    /// Its address.
    pub wallet_address: String,
    /// When.
    pub approved_at: DateTime<Utc>,
}

/// What an operator decided of a deposit or withdrawal by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GasDecision {
    /// Where it stood before.
    pub from: GasStatus,
    /// Where it stands since.
    pub to: GasStatus,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub actor: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// The slot of a schedule that a withdrawal was made for; no two are made for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GasSlot {
    /// The schedule.
    pub schedule_id: Uuid,
    /// Its instant.
    pub at: DateTime<Utc>,
}

/// A deposit or withdrawal.
#[derive(Clone, Debug, PartialEq)]
pub struct GasTransaction {
    /// The row's head.
    pub head: Head,
    /// The gas account.
    pub gas_account_id: Uuid,
    /// Which way it goes.
    pub direction: GasDirection,
    /// Where it stands.
    pub status: GasStatus,
    /// How much.
    pub amount: Gas,
    /// The transaction on the chain that brings a deposit, `0x` and 64 hexadecimal digits.
    pub chain_id: Option<String>,
    /// From whom.
    pub from_address: Option<ScriptHash>,
    /// To whom.
    pub to_address: Option<ScriptHash>,
    /// A withdrawal is not submitted before.
    pub not_before: Option<DateTime<Utc>>,
    /// How many wallets approve it: as the policy said when it was asked for.
    pub required_approvals: i64,
    /// Which may, as the policy said then.
    pub approvers: Vec<ScriptHash>,
    /// Those that have.
    pub approvals: Vec<GasApproval>,
    /// Until when it can be approved; what it has reserved is available again afterwards.
    pub expires_at: Option<DateTime<Utc>>,
    /// What is known about why it failed, or is not known.
    pub error: Option<String>,
    /// How many answers in a row could not be made out.
    pub unclear: i64,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// What operators decided of it.
    pub decisions: Vec<GasDecision>,
    /// Since when the resolver says otherwise than it ended.
    pub contradicted_at: Option<DateTime<Utc>>,
    /// The slot it was made for, where a schedule made it.
    pub slot: Option<GasSlot>,
    /// What somebody noted with it.
    pub notes: Option<String>,
}

impl GasTransaction {
    /// One of which nothing is known yet but what it is.
    #[must_use]
    pub const fn new(head: Head, gas_account_id: Uuid, direction: GasDirection, amount: Gas) -> Self {
        Self {
            head,
            gas_account_id,
            direction,
            status: GasStatus::Pending,
            amount,
            chain_id: None,
            from_address: None,
            to_address: None,
            not_before: None,
            required_approvals: 0,
            approvers: Vec::new(),
            approvals: Vec::new(),
            expires_at: None,
            error: None,
            unclear: 0,
            submitted_at: None,
            completed_at: None,
            decisions: Vec::new(),
            contradicted_at: None,
            slot: None,
            notes: None,
        }
    }

    /// The wallets whose approvals count: those that are active now.
    ///
    /// # Errors
    /// As [`sl_store::Store::find`].
    pub(super) async fn standing_approvers(&self, core: &Core) -> Result<Vec<Wallet>, Fault> {
        let mut standing = Vec::new();
        for approval in &self.approvals {
            let key = Key::new(self.head.account_id, approval.wallet_id);
            let wallet = core.store.find::<Wallet>(key).await?;
            standing.extend(wallet.filter(|wallet| wallet.status == WalletStatus::Active));
        }
        Ok(standing)
    }

    /// What a wallet signs to approve it: everything that it will do.
    #[must_use]
    pub fn approval_message(&self) -> String {
        let to = self.to_address.map_or_else(String::new, |to| to.address());
        let not_before =
            self.not_before.map_or_else(String::new, |at| at.to_rfc3339_opts(SecondsFormat::Micros, true));
        format!(
            "{DOMAIN}\naccount: {}\ngas_account: {}\nwithdrawal: {}\namount: {}\nto: {to}\nnot_before: {not_before}",
            self.head.account_id, self.gas_account_id, self.head.id, self.amount,
        )
    }

    /// What the resolver knows it by.
    #[must_use]
    pub fn resolved_by(&self) -> String {
        self.chain_id.clone().unwrap_or_else(|| self.head.id.to_string())
    }

    /// What came of it: the amount, where it was moved.
    #[must_use]
    pub const fn net_amount(&self) -> Gas {
        match self.status {
            GasStatus::Failed | GasStatus::Cancelled => Gas::ZERO,
            _ => self.amount,
        }
    }
}

impl Entity for GasTransaction {
    const TABLE: &'static Table = &Table {
        name: "gas_transactions",
        noun: "gas transaction",
        columns: &[
            Column::new("gas_account_id", Kind::Uuid),
            Column::new("direction", Kind::Text),
            Column::new("status", Kind::Word),
            Column::new("amount", Kind::Int),
            Column::nullable("chain_id", Kind::Text),
            Column::nullable("from_address", Kind::Text),
            Column::nullable("to_address", Kind::Text),
            Column::nullable("not_before", Kind::Time),
            Column::new("required_approvals", Kind::Int),
            Column::new("approvals", Kind::Json),
            Column::nullable("error", Kind::Text),
            Column::new("unclear", Kind::Int),
            Column::nullable("submitted_at", Kind::Time),
            Column::nullable("completed_at", Kind::Time),
            Column::new("approvers", Kind::Json),
            Column::nullable("expires_at", Kind::Time),
            Column::new("decisions", Kind::Json),
            Column::nullable("contradicted_at", Kind::Time),
            Column::nullable("schedule_id", Kind::Uuid),
            Column::nullable("slot", Kind::Time),
            Column::nullable("notes", Kind::Text),
        ],
        uniques: &[Unique {
            name: "gas_transactions_slot",
            columns: &["schedule_id", "slot"],
            fields: &[],
            message: "a withdrawal was made for this slot already",
        }],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        let written = |hash: Option<ScriptHash>| hash.map(|hash| hash.to_string()).into();
        let approvers: Vec<String> = self.approvers.iter().map(ToString::to_string).collect();
        vec![
            self.gas_account_id.into(),
            self.direction.as_str().into(),
            self.status.as_str().into(),
            self.amount.units().into(),
            self.chain_id.clone().into(),
            written(self.from_address),
            written(self.to_address),
            self.not_before.into(),
            self.required_approvals.into(),
            Cell::json(&self.approvals),
            self.error.clone().into(),
            self.unclear.into(),
            self.submitted_at.into(),
            self.completed_at.into(),
            Cell::json(&approvers),
            self.expires_at.into(),
            Cell::json(&self.decisions),
            self.contradicted_at.into(),
            self.slot.map(|slot| slot.schedule_id).into(),
            self.slot.map(|slot| slot.at).into(),
            self.notes.clone().into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let read = |text: Option<String>| text.and_then(|text| ScriptHash::parse(&text).ok());
        let (gas_account_id, direction) = (cells.uuid()?, cells.named(GasDirection::read)?);
        let (status, amount) = (cells.named(GasStatus::read)?, Gas::from_units(cells.int()?));
        let mut found = Self {
            status,
            chain_id: cells.maybe_text()?,
            from_address: read(cells.maybe_text()?),
            to_address: read(cells.maybe_text()?),
            not_before: cells.maybe_time()?,
            required_approvals: cells.int()?,
            approvals: cells.json()?,
            error: cells.maybe_text()?,
            unclear: cells.int()?,
            submitted_at: cells.maybe_time()?,
            completed_at: cells.maybe_time()?,
            ..Self::new(head, gas_account_id, direction, amount)
        };
        let approvers: Vec<String> = cells.json()?;
        found.approvers = approvers.iter().filter_map(|text| ScriptHash::parse(text).ok()).collect();
        found.expires_at = cells.maybe_time()?;
        found.decisions = cells.json()?;
        found.contradicted_at = cells.maybe_time()?;
        let (schedule_id, at) = (cells.maybe_uuid()?, cells.maybe_time()?);
        found.slot = schedule_id.zip(at).map(|(schedule_id, at)| GasSlot { schedule_id, at });
        found.notes = cells.maybe_text()?;
        Ok(found)
    }

    fn samples() -> Vec<Self> {
        let head = |id| Head::new(Uuid::from_u128(1), Uuid::from_u128(id), DateTime::UNIX_EPOCH);
        let (gas, at) = (Uuid::from_u128(3), DateTime::UNIX_EPOCH);
        let deposit = Self {
            chain_id: Some(format!("0x{}", "ab".repeat(32))),
            from_address: Some(ScriptHash::of(b"from")),
            ..Self::new(head(2), gas, GasDirection::Deposit, Gas::from_units(4))
        };
        let wallet_address = ScriptHash::of(b"wallet").address();
        let approval = GasApproval { wallet_id: Uuid::from_u128(5), wallet_address, approved_at: at };
        let decision = GasDecision {
            from: GasStatus::Completed,
            to: GasStatus::Failed,
            reason: "it never came".to_owned(),
            actor: "operator:alice".to_owned(),
            decided_at: at,
        };
        let withdrawal = Self {
            status: GasStatus::Failed,
            to_address: Some(ScriptHash::of(b"to")),
            not_before: Some(at),
            required_approvals: 1,
            approvers: vec![ScriptHash::of(b"wallet")],
            approvals: vec![approval],
            expires_at: Some(at),
            error: Some("refused".to_owned()),
            unclear: 2,
            submitted_at: Some(at),
            completed_at: Some(at),
            decisions: vec![decision],
            contradicted_at: Some(at),
            slot: Some(GasSlot { schedule_id: Uuid::from_u128(7), at }),
            notes: Some("for the node".to_owned()),
            ..Self::new(head(6), gas, GasDirection::Withdrawal, Gas::from_units(4))
        };
        vec![deposit, withdrawal]
    }
}
