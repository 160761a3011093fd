//! `Idempotency-Key`: the answer of a mutating request is stored in the batch that has its effect, so that a repeat
//! gets the stored answer and no second effect, whatever was lost on the way.
//!
//! An execution has its effect before it is answered, for it may be waited for. The batch that begins it has a promise,
//! which names it, and the answer takes the promise's place as it is given. A repeat that finds a promise is refused
//! while the first request is answered, here or by another daemon; where that answer is lost, the execution is told as it
//! stands. Which of the two it is, the service says whose thing the promise names.
//!
//! A refusal for what a request found (there is none of it, its state or a rule does not allow it) is an answer as well and
//! is stored on its own, so that a repeat does not do later what the first one could not; a corrected request may have its
//! key. What may pass (a limit, a concurrent change, a version that was not the wanted one) is not stored.
//!
//! The stored answer is sealed, because some answers (a new token) carry what is shown only once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use sl_store::{Batch, Cell, Cells, Code, Column, Entity, Expect, Fault, Head, Key, Kind, Row, Table, Write};
use uuid::Uuid;

use crate::{Core, sealed::Sealed, services, settings::Setting};

/// How long an answer is kept.
pub const KEPT_FOR: Setting = Setting::millis(
    "idempotency.kept_for",
    86_400_000,
    60_000,
    30 * 86_400_000,
    "How long the answer to a request with an Idempotency-Key is kept.",
);

/// The status of a record that is a promise; its body then is the id of the execution.
const PROMISED: i64 = 0;

/// The stored answer of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyRecord {
    /// The row's head; the id follows from route and key.
    pub head: Head,
    /// SHA-256 of the request: route, path, body.
    pub fingerprint: Vec<u8>,
    /// The HTTP status answered; 0 where the answer is yet to come.
    pub status: i64,
    /// The body answered.
    pub body: Sealed,
    /// When it is forgotten.
    pub expires_at: DateTime<Utc>,
}

impl Entity for IdempotencyRecord {
    const TABLE: &'static Table = &Table {
        name: "idempotency_records",
        noun: "idempotency record",
        columns: &[
            Column::new("fingerprint", Kind::Bytes),
            Column::new("status", Kind::Int),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
            Column::new("expires_at", Kind::Time),
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
            self.fingerprint.clone().into(),
            self.status.into(),
            self.body.key_id.clone().into(),
            self.body.envelope.clone().into(),
            self.expires_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self {
            head,
            fingerprint: cells.bytes()?,
            status: cells.int()?,
            body: Sealed { key_id: cells.text()?, envelope: cells.bytes()? },
            expires_at: cells.time()?,
        })
    }

    fn samples() -> Vec<Self> {
        let head = Head::new(Uuid::from_u128(1), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        vec![Self {
            head,
            fingerprint: vec![1; 32],
            status: 201,
            body: Sealed { key_id: "k".to_owned(), envelope: vec![2] },
            expires_at: DateTime::UNIX_EPOCH,
        }]
    }
}

impl IdempotencyRecord {
    /// Whether another request may have the key: one was refused and had no effect, and this one is its correction.
    fn gives_way(&self, fingerprint: &[u8]) -> bool {
        self.status >= 400 && self.fingerprint != fingerprint
    }
}

/// The requests with a key that this daemon is answering.
#[derive(Clone, Debug, Default)]
pub struct Flights(Arc<Mutex<HashSet<Key>>>);

#[derive(Debug)]
struct Flight {
    key: Key,
    flights: Flights,
}

impl Flights {
    fn board(&self, key: Key) -> Option<Flight> {
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        fresh.then(|| Flight { key, flights: self.clone() })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// What a request with a key carries to the batch that has its effect.
#[derive(Debug)]
pub struct Ticket {
    key: Key,
    fingerprint: [u8; 32],
    status: u16,
    /// What the record must find: nothing, or the one it replaces, which has expired or gave way.
    expect: Expect,
    _flight: Flight,
}

/// The stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; empty where there was none.
    pub body: Vec<u8>,
}

/// How something stands that a key was promised an answer about.
#[derive(Debug)]
pub enum Standing {
    /// Another daemon may yet give the answer.
    Owed,
    /// Nobody will: it is answered as it stands.
    Known(Stored),
}

/// What a request with a key meets.
#[derive(Debug)]
pub enum Admission {
    /// Nothing yet: go on with the ticket.
    Fresh(Arc<Ticket>),
    /// It was answered before.
    Replay(Stored),
}

/// A request with a key, as the front end describes it.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'a> {
    /// The operation and its path with ids: `POST /accounts/…/functions`.
    pub route: &'a str,
    /// The key the caller chose.
    pub key: &'a str,
    /// The body as received.
    pub body: &'a [u8],
    /// The status of success.
    pub status: u16,
}

/// Looks a keyed request up.
///
/// # Errors
/// [`Code::InFlight`] while the first is being answered, [`Code::IdempotencyMismatch`] where the key came with another
/// request.
pub async fn admit(core: &Arc<Core>, account: Uuid, request: Keyed<'_>) -> Result<Admission, Fault> {
    let key = Key::new(account, record_id(account, request));
    let fingerprint = fingerprint(request);
    let flight = core.flights.board(key);
    let found = core.store.find::<IdempotencyRecord>(key).await?;
    if let Some(record) = &found
        && record.expires_at > core.clock.now()
        && !record.gives_way(&fingerprint)
    {
        return replay(core, record, &fingerprint, flight.is_some()).await.map(Admission::Replay);
    }
    let expect = found.map_or(Expect::Absent, |spent| Expect::Version(spent.head.version));
    let flight = flight.ok_or_else(in_flight)?;
    Ok(Admission::Fresh(Arc::new(Ticket {
        key,
        fingerprint,
        status: request.status,
        expect,
        _flight: flight,
    })))
}

fn in_flight() -> Fault {
    Fault::new(Code::InFlight, "a request with this idempotency key is still being answered")
        .retry_after(std::time::Duration::from_secs(1))
}

/// What was answered; of a promise what is known, where this daemon is not about to keep it (`is_alone`).
async fn replay(
    core: &Core,
    record: &IdempotencyRecord,
    fingerprint: &[u8],
    is_alone: bool,
) -> Result<Stored, Fault> {
    if record.fingerprint != fingerprint {
        return Err(Fault::new(
            Code::IdempotencyMismatch,
            "this idempotency key was used before with another request",
        ));
    }
    if record.status == PROMISED && !is_alone {
        return Err(in_flight());
    }
    let key = record.head.key();
    let body = record.body.open(core, IdempotencyRecord::TABLE, key)?;
    if record.status == PROMISED {
        let subject = Key::new(key.account, Uuid::from_slice(&body).map_err(Fault::internal)?);
        for promised in services::ALL.iter().filter_map(|service| service.promised) {
            match promised(core, subject, record.head.created_at).await? {
                Some(Standing::Known(answer)) => return Ok(answer),
                Some(Standing::Owed) => return Err(in_flight()),
                None => {}
            }
        }
        return Err(Fault::not_found("answer to this key"));
    }
    Ok(Stored { status: u16::try_from(record.status).unwrap_or(200), body: body.to_vec() })
}

impl Ticket {
    /// Adds the answer to the batch that has the effect; the record must find none, or the expired one it replaces.
    ///
    /// # Errors
    /// [`Code::Internal`] where the answer cannot be written as JSON.
    pub(crate) fn record<T: Serialize>(
        &self,
        core: &Core,
        answer: &T,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        self.record_as(core, (self.status, answer), batch)
    }

    /// The same with another status than that of success.
    ///
    /// # Errors
    /// [`Code::Internal`] where the answer cannot be written as JSON.
    pub(crate) fn record_as<T: Serialize>(
        &self,
        core: &Core,
        (status, answer): (u16, &T),
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        batch.writes.push(self.write(core, (i64::from(status), &written(answer)?), self.expect));
        Ok(())
    }

    /// Adds to the batch that begins an execution the promise of an answer; it finds what an answer would have to find.
    pub(crate) fn promise(&self, core: &Core, execution: Uuid, batch: &mut Batch) {
        let answer = (PROMISED, execution.as_bytes().as_slice());
        batch.writes.push(self.write(core, answer, self.expect));
    }

    /// Stores the answer that was promised. A promise that has expired meanwhile is not kept.
    ///
    /// # Errors
    /// What the store answers: then nothing may be answered, for a repeat could not be answered alike.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        core: &Core,
        (status, answer): (u16, &T),
    ) -> Result<(), Fault> {
        let promised = Expect::Version(next_version(self.expect));
        self.store(core, (i64::from(status), &written(answer)?), promised).await.map(drop)
    }

    /// Stores the answer of a request that was refused for what it found, and so had no effect. Answers whether it was; where
    /// another request with the key was quicker, that one's answer stays.
    ///
    /// # Errors
    /// As [`Ticket::keep`].
    pub async fn refuse(&self, core: &Core, (status, body): (u16, &str)) -> Result<bool, Fault> {
        self.store(core, (i64::from(status), body.as_bytes()), self.expect).await
    }

    /// Stores an answer by itself. Answers whether it was; not where the record is not what it is expected to be.
    async fn store(&self, core: &Core, answer: (i64, &[u8]), expect: Expect) -> Result<bool, Fault> {
        let mut batch = Batch::new();
        batch.writes.push(self.write(core, answer, expect));
        match core.store.commit(batch).await {
            Err(fault) if fault.code == Code::Conflict => Ok(false),
            stored => stored.map(|()| true),
        }
    }

    fn write(&self, core: &Core, (status, body): (i64, &[u8]), expect: Expect) -> Write {
        let kept = TimeDelta::from_std(core.settings.duration(&KEPT_FOR)).unwrap_or(TimeDelta::days(1));
        let now = core.clock.now();
        let record = IdempotencyRecord {
            head: Head { version: next_version(expect), ..Head::new(self.key.account, self.key.id, now) },
            fingerprint: self.fingerprint.to_vec(),
            status,
            body: Sealed::new(core, IdempotencyRecord::TABLE, self.key, body),
            expires_at: now + kept,
        };
        let row = Row { head: record.head, cells: record.encode() };
        Write::Put { table: IdempotencyRecord::TABLE, row, expect }
    }

    /// Whether an answer was stored since this was given out.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where the store does not answer.
    pub(crate) async fn is_spent(&self, core: &Core) -> Result<bool, Fault> {
        let found = core.store.find::<IdempotencyRecord>(self.key).await?;
        let version = found.map(|record| record.head.version);
        Ok(match self.expect {
            Expect::Version(expired) => version != Some(expired),
            _ => version.is_some(),
        })
    }
}

const fn next_version(found: Expect) -> i64 {
    if let Expect::Version(before) = found { before + 1 } else { 1 }
}

/// The body of an answer; nothing where it has none.
fn written<T: Serialize>(answer: &T) -> Result<Vec<u8>, Fault> {
    let body = serde_json::to_vec(answer).map_err(Fault::internal)?;
    Ok(if body == b"null" { Vec::new() } else { body })
}

fn record_id(account: Uuid, request: Keyed<'_>) -> Uuid {
    let digest = Sha256::new()
        .chain_update(account)
        .chain_update(request.route)
        .chain_update([0])
        .chain_update(request.key)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn fingerprint(request: Keyed<'_>) -> [u8; 32] {
    Sha256::new().chain_update(request.route).chain_update([0]).chain_update(request.body).finalize().into()
}
