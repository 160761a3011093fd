//! What a case works on.

use std::{any::Any, fmt::Debug, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Thing;
use crate::{
    Batch, Claim, Clock, Entity, Expect, Ids, ManualClock, NewEvent, NewWork, OsChance, Store, SystemClock,
    Work, Write,
};

/// The duty of the cases.
pub const DUTY: &str = "conformance";

/// A fresh, empty store under test.
pub struct Subject {
    /// The store.
    pub store: Store,
    ids: Ids,
    clock: Arc<dyn Clock>,
    manual: Option<ManualClock>,
    _kept: Box<dyn Any + Send + Sync>,
}

impl Subject {
    /// A store whose leases go by a clock that the case may move.
    #[must_use]
    pub fn with_manual_clock(store: Store, clock: ManualClock) -> Self {
        let ids = Ids::new(Arc::new(clock.clone()), Arc::new(OsChance));
        Self { store, ids, clock: Arc::new(clock.clone()), manual: Some(clock), _kept: Box::new(()) }
    }

    /// A store whose leases go by the machine's clock; `kept` lives as long as the subject.
    #[must_use]
    pub fn with_real_clock(store: Store, kept: impl Any + Send + Sync) -> Self {
        let ids = Ids::new(Arc::new(SystemClock), Arc::new(OsChance));
        Self { store, ids, clock: Arc::new(SystemClock), manual: None, _kept: Box::new(kept) }
    }

    /// A new id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.ids.next()
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Lets time pass for the backend.
    pub async fn pass(&self, duration: Duration) {
        match &self.manual {
            Some(clock) => clock.advance(duration),
            None => SystemClock.sleep(duration).await,
        }
    }

    /// A thing that is not stored yet.
    #[must_use]
    pub fn thing(&self, account: Uuid, name: &str) -> Thing {
        Thing::new(account, self.id(), self.now(), name)
    }

    /// A thing that is stored.
    pub async fn stored(&self, account: Uuid, name: &str) -> Thing {
        let thing = self.thing(account, name);
        self.commit(|batch| {
            batch.insert(&thing);
        })
        .await;
        thing
    }

    /// Commits a batch that must succeed.
    pub async fn commit(&self, fill: impl FnOnce(&mut Batch)) {
        self.try_commit(fill).await.expect("the batch is good");
    }

    /// Commits a batch.
    pub async fn try_commit(&self, fill: impl FnOnce(&mut Batch)) -> Result<(), crate::Fault> {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.store.commit(batch).await
    }

    /// Writes a row with an expectation of the case's choice.
    pub async fn put(&self, thing: &Thing, expect: Expect) -> Result<(), crate::Fault> {
        self.try_commit(|batch| {
            batch.writes.push(Write::Put { table: Thing::TABLE, row: super::thing::row(thing), expect });
        })
        .await
    }

    /// An item that is due now.
    #[must_use]
    pub fn item(&self, account: Uuid) -> NewWork {
        NewWork::new(self.id(), DUTY, account, self.id(), self.now())
    }

    /// Adds an item that is due now.
    pub async fn enqueued(&self, account: Uuid) -> NewWork {
        let item = self.item(account);
        self.commit(|batch| {
            batch.enqueue(item.clone());
        })
        .await;
        item
    }

    /// A claim of up to `limit`, for a new holder.
    #[must_use]
    pub fn claim_of(&self, limit: usize) -> Claim {
        Claim {
            duty: DUTY,
            holder: self.id(),
            due: self.now(),
            lease: Duration::from_secs(30),
            limit,
            per_account: limit,
            skip_accounts: Vec::new(),
            skip_gates: Vec::new(),
            after_account: None,
        }
    }

    /// Claims up to `limit`.
    pub async fn claimed(&self, limit: usize) -> Vec<Work> {
        self.store.claim(self.claim_of(limit)).await.expect("the claim is good")
    }

    /// An event about a subject.
    #[must_use]
    #[allow(clippy::unused_self, reason = "it reads like its neighbours")]
    pub fn event(&self, account: Uuid, kind: &'static str, subject: Uuid) -> NewEvent {
        NewEvent {
            account,
            service: "things",
            kind,
            subject,
            actor: "tester".to_owned(),
            request_id: Some("request-1".to_owned()),
            origin: None,
            data: json!({"kind": kind}),
        }
    }

    /// All events of an account, oldest first, once `count` of them are shown: a transaction that is still open
    /// elsewhere on the server holds them back.
    pub async fn events(&self, account: Uuid, count: usize) -> Vec<crate::Event> {
        let query =
            crate::EventQuery { account: Some(account), limit: 1_000, ..crate::EventQuery::default() };
        let mut events = Vec::new();
        for _ in 0..1_000 {
            events = self.store.events(query.clone()).await.expect("the log can be read");
            if events.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        events
    }

    /// Some JSON with a number in it.
    #[must_use]
    pub fn payload(number: usize) -> Value {
        json!({"number": number, "text": "\u{0} and more"})
    }
}

/// Stores each of an entity's samples, reads it back and compares; then replaces and removes it.
pub async fn round_trip<E: Entity + PartialEq + Debug>(store: &Store) {
    for sample in E::samples() {
        let mut batch = Batch::new();
        batch.insert(&sample);
        store.commit(batch).await.expect("a sample can be stored");
        let mut found: E = store.get(sample.head().key()).await.expect("a sample can be read");
        assert_eq!(found, sample, "{} comes back as it went", E::TABLE.name);
        let mut batch = Batch::new();
        batch.replace(&mut found, sample.head().updated_at + Duration::from_micros(1));
        store.commit(batch).await.expect("a sample can be replaced");
        let again: E = store.get(sample.head().key()).await.expect("a replaced sample can be read");
        assert_eq!(again, found, "{} comes back as it was replaced", E::TABLE.name);
        let mut batch = Batch::new();
        batch.remove(&again);
        store.commit(batch).await.expect("a sample can be removed");
        assert_eq!(store.find::<E>(sample.head().key()).await.expect("a read"), None);
    }
}
