//! Pausing: of everything, of a duty, of an account, of one entity that runs.
//!
//! A pause is a row, so that it outlives every daemon; each daemon keeps a copy of all of them in its [`crate::mirror`].
//! Work behind a pause stays in the queue. Resuming says what happens to what came due meanwhile: all of it runs,
//! the latest of each gate runs, or none does.

mod actions;
mod resume;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Kind, SYSTEM, Table};
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use actions::{Holding, hold};
pub use actions::{ListPauses, NewPause, PauseView, PauseWork, Target};
pub use resume::{Resume, ResumeWork, Resumed};

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseScope {
    /// Every duty, for every account.
    System,
    /// One duty, for every account.
    Duty,
    /// One account.
    Account,
    /// One thing of an account: a function, a job.
    Entity,
}

impl PauseScope {
    const ALL: [(&'static str, Self); 4] = [
        ("system", Self::System),
        ("duty", Self::Duty),
        ("account", Self::Account),
        ("entity", Self::Entity),
    ];

    /// As it stands in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, scope)| *scope == self).map_or("system", |(name, _)| *name)
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, scope)| *scope)
    }
}

/// What becomes of the work that came due during a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// None of it runs.
    Drop,
    /// The latest of each gate runs.
    Latest,
    /// All of it runs.
    #[default]
    All,
}

impl Missed {
    const ALL: [(&'static str, Self); 3] =
        [("drop", Self::Drop), ("latest", Self::Latest), ("all", Self::All)];

    /// As it stands in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, missed)| *missed == self).map_or("all", |(name, _)| *name)
    }

    /// Reads what [`Missed::as_str`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, missed)| *missed)
    }
}

/// What a resume says about the instants of a pause, to whoever has a whole sequence of them: a job's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What becomes of them.
    pub missed: Missed,
    /// Since when the pause held.
    pub since: DateTime<Utc>,
    /// Until when it did.
    pub until: DateTime<Utc>,
}

impl Ruling {
    /// Whether it is about this instant.
    #[must_use]
    pub fn covers(&self, instant: DateTime<Utc>) -> bool {
        self.since <= instant && instant <= self.until
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// The row's head; it stands under [`SYSTEM`].
    pub head: Head,
    /// What it holds back.
    pub scope: PauseScope,
    /// Which: the duty's name, the account's id, `<account>/<id>` of the entity; `system` for everything.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Who paused.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; absent: until somebody resumes.
    pub until: Option<DateTime<Utc>>,
}

impl Pause {
    /// Whether it holds at this instant.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The target of a pause of one entity.
    #[must_use]
    pub fn entity(account: Uuid, id: Uuid) -> String {
        format!("{account}/{id}")
    }

    /// Whether it holds back this account or something of it.
    #[must_use]
    pub fn concerns(&self, account: Uuid) -> bool {
        let (owner, _) = self.target.split_once('/').unwrap_or((&self.target, ""));
        matches!(self.scope, PauseScope::Account | PauseScope::Entity) && owner.parse() == Ok(account)
    }

    /// The gate of a pause of one entity.
    #[must_use]
    pub fn gate(&self) -> Option<Uuid> {
        self.target.split_once('/').and_then(|(_, id)| id.parse().ok())
    }

    /// The id that follows from scope and target, so that one thing is paused at most once.
    #[must_use]
    pub fn id_of(scope: PauseScope, target: &str) -> Uuid {
        use sha2::{Digest as _, Sha256};
        let digest =
            Sha256::new().chain_update(scope.as_str()).chain_update([0]).chain_update(target).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Entity for Pause {
    const TABLE: &'static Table = &Table {
        name: "pauses",
        noun: "pause",
        columns: &[
            Column::new("scope", Kind::Text),
            Column::new("target", Kind::Text),
            Column::new("reason", Kind::Text),
            Column::new("actor", Kind::Text),
            Column::new("since", Kind::Time),
            Column::nullable("until", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.scope.as_str().into(),
            self.target.clone().into(),
            self.reason.clone().into(),
            self.actor.clone().into(),
            self.since.into(),
            self.until.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            scope: cells.named(PauseScope::read)?,
            target: cells.text()?,
            reason: cells.text()?,
            actor: cells.text()?,
            since: cells.time()?,
            until: cells.maybe_time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let sample = |scope, target: &str, until| Self {
            head: Head::new(SYSTEM, Self::id_of(scope, target), at),
            scope,
            target: target.to_owned(),
            reason: "maintenance".to_owned(),
            actor: "operator:sample".to_owned(),
            since: at,
            until,
        };
        vec![sample(PauseScope::System, "system", None), sample(PauseScope::Duty, "executions", Some(at))]
    }
}
