//! The event log: every change of state, in order, for streams, webhooks, triggers and the audit.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::Fault;

/// Where an event stands in the log: transaction, then sequence within all. Text form `<transaction>-<sequence>`.
///
/// A sequence alone is not enough: a transaction that began earlier may commit later, and a reader that had passed its
/// numbers would never see them. Readers are only shown what no open transaction can still precede.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The transaction that wrote it.
    pub transaction: u64,
    /// Its number.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.transaction, self.sequence)
    }
}

impl FromStr for Position {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let refused =
            || Fault::field("?after", "position", format!("{text:?} is not an event position like 12-34"));
        let (transaction, sequence) = text.split_once('-').ok_or_else(refused)?;
        match (transaction.parse(), sequence.parse()) {
            (Ok(transaction), Ok(sequence)) => Ok(Self { transaction, sequence }),
            _ => Err(refused()),
        }
    }
}

/// An event to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Whose it is.
    pub account: Uuid,
    /// The service that speaks: `functions`.
    pub service: &'static str,
    /// What happened: `function.created`.
    pub kind: &'static str,
    /// To what.
    pub subject: Uuid,
    /// Who did it: an operator, a token, a duty.
    pub actor: String,
    /// The request behind it, where there was one.
    pub request_id: Option<String>,
    /// From where the request came, where there was one.
    pub origin: Option<String>,
    /// What else there is to say; no secrets.
    pub data: Value,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// Whose it is.
    pub account: Uuid,
    /// The service that speaks.
    pub service: String,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: Uuid,
    /// Who did it.
    pub actor: String,
    /// The request behind it.
    pub request_id: Option<String>,
    /// From where the request came.
    pub origin: Option<String>,
    /// What else there is to say.
    pub data: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// A page of the log.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only this account's.
    pub account: Option<Uuid>,
    /// Only this service's.
    pub service: Option<String>,
    /// Only of this kind; a trailing `*` matches any ending.
    pub kind: Option<String>,
    /// Only about this.
    pub subject: Option<Uuid>,
    /// After this position when oldest first, before it when newest first.
    pub after: Option<Position>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// Only at or after this instant.
    pub since: Option<DateTime<Utc>>,
    /// Only before this instant.
    pub until: Option<DateTime<Utc>>,
    /// How many at most.
    pub limit: usize,
}
