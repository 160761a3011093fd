//! Reading dead letters, and putting them back or away.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, Filter, NewWork, Order as Direction, Query, Work};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DeadLetter, Reason};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
    patch::or_usual,
    resource, together,
    why::Cause,
};

const SERVICE: &str = "dead_letters";
/// How many letters one request treats; the answer says when there are more.
const MOST: usize = 10_000;
/// How many letters are read in one round trip.
const PAGE: usize = 200;

/// A dead letter as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadLetterView {
    /// The letter's id; the item's own.
    pub id: Uuid,
    /// Which duty gave it up.
    pub duty: String,
    /// What it was about: an execution, a delivery.
    pub subject: Uuid,
    /// What can be paused around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Uuid>,
    /// Why it was given up.
    pub reason: Reason,
    /// The code of the last failure.
    pub code: String,
    /// The last failure in words.
    pub detail: String,
    /// How many attempts there were.
    pub attempts: i64,
    /// When it was given up.
    pub created_at: DateTime<Utc>,
}

/// Which letters are meant; all that are absent match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterFilter {
    /// Of this duty.
    #[serde(default)]
    pub duty: Option<String>,
    /// Given up for this reason.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// Given up at or after this instant.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// Given up before this instant.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
}

/// What treats many letters at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyLetters {
    /// Which.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<LetterFilter>)]
    pub filter: LetterFilter,
    /// Whether only to tell how many there are.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<bool>)]
    pub dry_run: bool,
}

/// What treating many letters came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LettersTreated {
    /// How many match, up to 10,000.
    pub matched: u64,
    /// How many were treated; 0 in a dry run.
    pub treated: u64,
    /// Whether there are more than one request treats.
    pub more: bool,
    /// Whether nothing was to happen.
    pub dry_run: bool,
}

impl LetterFilter {
    fn conditions(&self) -> Vec<Filter> {
        let duty = self.duty.as_ref().map(|duty| Filter::Equal("duty", duty.as_str().into()));
        let reason = self.reason.map(|reason| Filter::Equal("reason", reason.as_str().into()));
        let times = resource::time_filters(self.since, self.until);
        duty.into_iter().chain(reason).chain(times).collect()
    }
}

impl DeadLetter {
    /// The public face.
    #[must_use]
    pub fn view(&self) -> DeadLetterView {
        DeadLetterView {
            id: self.head.id,
            duty: self.duty.clone(),
            subject: self.subject,
            gate: self.gate,
            reason: self.reason,
            code: self.code.clone(),
            detail: self.detail.clone(),
            attempts: self.attempts,
            created_at: self.head.created_at,
        }
    }

    /// What it says about why something waits.
    #[must_use]
    pub fn cause(&self) -> Cause {
        let detail = format!("given up after {} attempts: {}", self.attempts, self.detail);
        Cause::new("dead_letter", detail)
            .since(self.head.created_at)
            .with("dead_letter", self.head.id.to_string())
            .with("attempts", self.attempts)
            .with("reason", self.reason.as_str())
            .with("last_error", self.detail.as_str())
    }

    fn told(&self) -> Value {
        json!({"duty": self.duty, "subject": self.subject, "attempts": self.attempts})
    }

    /// The item as its duty knew it.
    fn work(&self) -> Work {
        Work {
            id: self.head.id,
            duty: self.duty.clone(),
            account: self.head.account_id,
            subject: self.subject,
            gate: self.gate,
            priority: 0,
            due_at: self.head.created_at,
            attempt: i32::try_from(self.attempts).unwrap_or(i32::MAX),
            fence: self.fence,
            holder: None,
            leased_until: None,
            last_error: Some(self.detail.clone()),
            payload: self.payload.clone(),
            created_at: self.head.created_at,
        }
    }
}

/// A page of the account's dead letters, newest first.
#[derive(Clone, Debug)]
pub struct ListDeadLetters {
    /// Which page; its times are the filter's.
    pub page: PageRequest,
    /// Of this duty.
    pub duty: Option<String>,
    /// Given up for this reason.
    pub reason: Option<Reason>,
}

impl Action for ListDeadLetters {
    type Output = Page<DeadLetterView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let filter = LetterFilter { duty: self.duty, reason: self.reason, ..LetterFilter::default() };
        resource::list(tenant, self.page, filter.conditions(), DeadLetter::view).await
    }
}

/// Reads one.
#[derive(Clone, Copy, Debug)]
pub struct FetchDeadLetter(pub Uuid);

impl Action for FetchDeadLetter {
    type Output = DeadLetterView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<DeadLetterView, Fault> {
        tenant.core.store.get::<DeadLetter>(tenant.key(self.0)).await.map(|letter| letter.view())
    }
}

/// What becomes of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Redrive,
    Discard,
}

impl Fate {
    /// The change that treats one letter.
    async fn of(self, letter: &DeadLetter, tenant: &Tenant) -> Result<Batch, Fault> {
        let core = &tenant.core;
        let mut batch = Batch::new();
        batch.remove(letter);
        let kind = match self {
            Self::Redrive => {
                let duty = core.duty(&letter.duty).ok_or_else(|| {
                    Fault::new(Code::InvalidState, format!("there is no duty {} any more", letter.duty))
                })?;
                let due = tenant.now();
                let mut work =
                    NewWork::new(letter.head.id, duty.name(), tenant.account_id, letter.subject, due);
                (work.gate, work.fence) = (letter.gate, letter.fence);
                work.payload = letter.payload.clone();
                batch.enqueue(work);
                duty.revive(core, &letter.work(), &mut batch).await?;
                "dead_letter.redriven"
            }
            Self::Discard => {
                if let Some(duty) = core.duty(&letter.duty) {
                    duty.discard(core, &letter.work(), &mut batch).await?;
                }
                "dead_letter.discarded"
            }
        };
        batch.event(tenant.event(SERVICE, kind, letter.head.id, letter.told()));
        Ok(batch)
    }

    async fn one(self, id: Uuid, tenant: &Tenant) -> Result<(), Fault> {
        let letter: DeadLetter = tenant.core.store.get(tenant.key(id)).await?;
        let batch = self.of(&letter, tenant).await?;
        tenant.commit(batch, ()).await
    }

    async fn many(self, many: ManyLetters, tenant: &Tenant) -> Result<LettersTreated, Fault> {
        let (mut matched, mut treated, mut after) = (0_usize, 0, None);
        let mut query = Query::of(tenant.account_id).limit(PAGE);
        query.order = Direction::Oldest;
        query.filters = many.filter.conditions();
        let more = loop {
            let letters: Vec<DeadLetter> = tenant.core.store.list(query.clone().after(after)).await?;
            let Some(last) = letters.last() else { break false };
            if matched >= MOST {
                break true;
            }
            after = Some(last.head.id);
            matched += letters.len();
            if !many.dry_run {
                treated += self.all(&letters, tenant).await?;
            }
        };
        let answer = LettersTreated { matched: matched as u64, treated, more, dry_run: many.dry_run };
        tenant.core.bells.ring_all();
        tenant.commit(Batch::new(), answer).await
    }

    async fn all(self, letters: &[DeadLetter], tenant: &Tenant) -> Result<u64, Fault> {
        let mut batches = Vec::with_capacity(letters.len());
        for letter in letters {
            batches.push(self.of(letter, tenant).await?);
        }
        together::commit(&tenant.core.store, batches, &[Code::Conflict]).await
    }
}

/// Puts one letter back into the queue, due now, its attempts counted afresh.
#[derive(Clone, Copy, Debug)]
pub struct RedriveDeadLetter(pub Uuid);

impl Action for RedriveDeadLetter {
    type Output = ();

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        Fate::Redrive.one(self.0, tenant).await
    }
}

/// Puts one letter away for good.
#[derive(Clone, Copy, Debug)]
pub struct DiscardDeadLetter(pub Uuid);

impl Action for DiscardDeadLetter {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        Fate::Discard.one(self.0, tenant).await
    }
}

/// Puts every letter that matches back into the queue.
#[derive(Clone, Debug)]
pub struct RedriveDeadLetters(pub ManyLetters);

impl Action for RedriveDeadLetters {
    type Output = LettersTreated;

    async fn run(self, tenant: &Tenant) -> Result<LettersTreated, Fault> {
        Fate::Redrive.many(self.0, tenant).await
    }
}

/// Puts every letter that matches away for good.
#[derive(Clone, Debug)]
pub struct DiscardDeadLetters(pub ManyLetters);

impl Action for DiscardDeadLetters {
    type Output = LettersTreated;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<LettersTreated, Fault> {
        Fate::Discard.many(self.0, tenant).await
    }
}
