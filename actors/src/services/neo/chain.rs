//! The checkpoint: how far the chain was read, and how the node is.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sl_store::{Cell, Cells, Column, Entity, Fault, Head, Key, Kind, SYSTEM, Table};
use utoipa::ToSchema;
use uuid::Uuid;

use super::DUTY;
use crate::{Core, duty::recurring_id};

/// Why the chain is not read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NeoTroubleKind)]
pub enum TroubleKind {
    /// The node does not answer.
    Unreachable,
    /// It answers with an error.
    Refused,
    /// Its answer has not the form it should have.
    Unreadable,
    /// It has fewer blocks than were read already.
    Behind,
    /// Its blocks do not follow from the last one that was read.
    Forked,
    /// It is a node of another network.
    OtherNetwork,
}

impl TroubleKind {
    const ALL: [Self; 6] =
        [Self::Unreachable, Self::Refused, Self::Unreadable, Self::Behind, Self::Forked, Self::OtherNetwork];

    /// As it stands in rows, answers and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::Behind => "behind",
            Self::Forked => "forked",
            Self::OtherNetwork => "other_network",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where the reading stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The network's magic number.
    pub network: u32,
    /// The block that is told next.
    pub next: u32,
    /// The hash of the one before, where that was read.
    pub last_hash: Option<String>,
    /// The hash of the next one, where a part of it is told.
    pub part_of: Option<String>,
    /// How many parts of the next one are told: the block itself, then its application logs.
    pub parts: u32,
}

impl Place {
    /// At the beginning of a block before which nothing was read.
    #[must_use]
    pub const fn at(network: u32, next: u32) -> Self {
        Self { network, next, last_hash: None, part_of: None, parts: 0 }
    }
}

/// Why it is not read on, since when, and for how many looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is wrong.
    pub kind: TroubleKind,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many looks in a row failed.
    pub failures: u32,
}

/// The one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeoChain {
    /// The row's head.
    pub head: Head,
    /// Where the reading stands; absent before the node has answered for the first time.
    pub place: Option<Place>,
    /// Where it begins, where an operator said so; the setting otherwise.
    pub start: Option<u32>,
    /// The newest block of the node when it was asked last.
    pub node_height: Option<u32>,
    /// When the node last answered as it should.
    pub answered_at: Option<DateTime<Utc>>,
    /// Why it is not read on.
    pub trouble: Option<Standing>,
}

impl NeoChain {
    /// Where the row is: by the id of the duty's item, so that `why` tells of both.
    #[must_use]
    pub fn key() -> Key {
        Key::new(SYSTEM, recurring_id(DUTY))
    }

    /// The checkpoint of a chain of which nothing was read.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        let head = Head::new(SYSTEM, Self::key().id, now);
        Self { head, place: None, start: None, node_height: None, answered_at: None, trouble: None }
    }

    /// The row, where there is one.
    pub(super) async fn find(core: &Core) -> Result<Option<Self>, Fault> {
        core.store.find(Self::key()).await
    }

    /// How many blocks the node has that are not told yet.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let (place, height) = (self.place.as_ref()?, self.node_height?);
        Some((u64::from(height) + 1).saturating_sub(u64::from(place.next)))
    }
}

fn number(table: &str, value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| Fault::internal(format!("{table}: {value} is no number of a block")))
}

fn maybe(cells: &mut Cells) -> Result<Option<u32>, Fault> {
    cells.maybe_int()?.map(|value| number(NeoChain::TABLE.name, value)).transpose()
}

fn cell(value: Option<u32>) -> Cell {
    value.map(i64::from).into()
}

impl Entity for NeoChain {
    const TABLE: &'static Table = &Table {
        name: "neo_chains",
        noun: "neo chain",
        columns: &[
            Column::nullable("network", Kind::Int),
            Column::nullable("next_height", Kind::Int),
            Column::nullable("last_hash", Kind::Text),
            Column::nullable("part_of", Kind::Text),
            Column::new("parts", Kind::Int),
            Column::nullable("start_height", Kind::Int),
            Column::nullable("node_height", Kind::Int),
            Column::nullable("answered_at", Kind::Time),
            Column::nullable("trouble", Kind::Text),
            Column::nullable("detail", Kind::Text),
            Column::nullable("troubled_since", Kind::Time),
            Column::new("failures", Kind::Int),
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
        let (place, trouble) = (self.place.as_ref(), self.trouble.as_ref());
        vec![
            cell(place.map(|place| place.network)),
            cell(place.map(|place| place.next)),
            place.and_then(|place| place.last_hash.clone()).into(),
            place.and_then(|place| place.part_of.clone()).into(),
            place.map_or(0, |place| i64::from(place.parts)).into(),
            cell(self.start),
            cell(self.node_height),
            self.answered_at.into(),
            trouble.map(|trouble| trouble.kind.as_str()).into(),
            trouble.map(|trouble| trouble.detail.clone()).into(),
            trouble.map(|trouble| trouble.since).into(),
            trouble.map_or(0, |trouble| i64::from(trouble.failures)).into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let (network, next) = (maybe(&mut cells)?, maybe(&mut cells)?);
        let (last_hash, part_of) = (cells.maybe_text()?, cells.maybe_text()?);
        let parts = number(Self::TABLE.name, cells.int()?)?;
        let place = network.zip(next);
        let place = place.map(|(network, next)| Place { network, next, last_hash, part_of, parts });
        let (start, node_height) = (maybe(&mut cells)?, maybe(&mut cells)?);
        let answered_at = cells.maybe_time()?;
        let kind = cells.maybe_text()?.and_then(|text| TroubleKind::read(&text));
        let (detail, since) = (cells.maybe_text()?, cells.maybe_time()?);
        let failures = number(Self::TABLE.name, cells.int()?)?;
        let trouble = kind.zip(detail).zip(since);
        let trouble = trouble.map(|((kind, detail), since)| Standing { kind, detail, since, failures });
        Ok(Self { head, place, start, node_height, answered_at, trouble })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let head = |id| Head::new(SYSTEM, Uuid::from_u128(id), at);
        let fresh = Self { head: head(2), ..Self::new(at) };
        let read = Self {
            head: head(3),
            place: Some(Place {
                network: 860_833_102,
                next: 7,
                last_hash: Some(format!("0x{}", "1".repeat(64))),
                part_of: Some(format!("0x{}", "2".repeat(64))),
                parts: 3,
            }),
            start: Some(1),
            node_height: Some(9),
            answered_at: Some(at),
            trouble: Some(Standing {
                kind: TroubleKind::Forked,
                detail: "a detail".to_owned(),
                since: at,
                failures: 2,
            }),
        };
        vec![fresh, read]
    }
}
