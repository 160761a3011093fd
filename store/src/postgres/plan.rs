//! What a group of batches becomes: statements in order, and whom each one fails.

use std::{borrow::Cow, collections::HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    failure, rows,
    sql::Condition,
    value::{Json, Param},
};
use crate::{Batch, Expect, Fault, Guard, Key, NewEvent, NewWork, Settle, Settlement, Table, refuse};

/// A statement of the plan.
pub struct Step<'a> {
    /// Its text.
    pub text: Cow<'static, str>,
    /// Its parameters.
    pub params: Vec<Param<'a>>,
    /// How many rows it must touch, where that matters.
    pub wants: Option<u64>,
    /// What it means where it does not.
    pub refusal: Refusal,
    /// The table whose rows it touches by their keys.
    pub table: Option<&'static str>,
    /// The batches of the group that it is for.
    pub owners: Owners,
}

/// Whose fault it is that a statement touched the wrong number of rows.
pub enum Owners {
    /// That of all these batches.
    All(Vec<usize>),
    /// That of the batches whose rows it should have touched and did not, or the other way round. It answers which it
    /// touched.
    Each(Vec<(Key, usize)>),
}

impl Owners {
    /// The batches, each perhaps more than once.
    pub fn all(&self) -> Vec<usize> {
        match self {
            Self::All(owners) => owners.clone(),
            Self::Each(rows) => rows.iter().map(|(_, owner)| *owner).collect(),
        }
    }

    /// The batches to blame where `touched` are the rows that were touched.
    pub fn guilty(&self, wants: u64, touched: &HashSet<Key>) -> Vec<usize> {
        match self {
            Self::All(owners) => owners.clone(),
            Self::Each(rows) => {
                let wanted = wants > 0;
                let guilty = rows.iter().filter(|(key, _)| touched.contains(key) != wanted);
                guilty.map(|(_, owner)| *owner).collect()
            }
        }
    }
}

/// What it means that a statement touched another number of rows than it should.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// The row is not as expected.
    Row(&'static Table, Expect),
    /// A fence is lost.
    Fence,
    /// An item of that id is there.
    QueuedTwice,
    /// There are more rows than the setting allows.
    TooMany(&'static Table, &'static str, u64),
    /// An event was not written, which does not happen.
    Event,
    /// It means nothing.
    None,
}

impl Refusal {
    /// The fault of a statement that touched the wrong number of rows.
    pub fn fault(self) -> Fault {
        match self {
            Self::Row(table, expect) => refuse::expectation(table, expect),
            Self::Fence => refuse::fence(),
            Self::QueuedTwice => refuse::queued_twice(),
            Self::TooMany(table, setting, limit) => refuse::too_many(table, setting, limit),
            Self::Event | Self::None => {
                Fault::internal("a statement that cannot fail touched the wrong number of rows")
            }
        }
    }

    /// The fault of a statement that the server refused.
    pub fn fault_of(self, error: &tokio_postgres::Error) -> Fault {
        match self {
            Self::Row(table, _) => failure::write_fault(table, error),
            _ => failure::fault(error),
        }
    }
}

/// The statements of a group. Work and events of all its batches go in one statement each, and so does what is done in
/// one way to rows of one table.
pub fn steps<'a>(group: &'a [&'a Batch]) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    locks(group, &mut steps);
    settlements(group, &mut steps);
    steps.extend(rows::steps(group));
    withdrawals(group, &mut steps);
    additions(group, &mut steps);
    events(group, &mut steps);
    counts(group, &mut steps);
    steps
}

/// All things of one kind in the group, with the batches they are of.
fn gathered<'a, T>(group: &'a [&'a Batch], pick: impl Fn(&'a Batch) -> &'a [T]) -> (Vec<&'a T>, Vec<usize>) {
    let owners =
        group.iter().enumerate().filter(|(_, batch)| !pick(batch).is_empty()).map(|(owner, _)| owner);
    (group.iter().flat_map(|batch| pick(batch)).collect(), owners.collect())
}

fn column<'a, T, V>(things: &[&'a T], value: impl Fn(&'a T) -> V) -> Param<'a>
where
    V: tokio_postgres::types::ToSql + Sync + Send + 'a,
{
    Param::column(things.iter().map(|thing| value(thing)))
}

/// One advisory lock for each account and table that is counted, in one order for everybody.
fn locks<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    let mut keys: Vec<i64> = group
        .iter()
        .flat_map(|batch| &batch.guards)
        .filter_map(|guard| match guard {
            Guard::AtMost { table, account, .. } => Some(lock_key(table, *account)),
            Guard::Holds { .. } => None,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    if !keys.is_empty() {
        steps.push(Step {
            text: "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key".into(),
            params: vec![Param::own(keys)],
            wants: None,
            refusal: Refusal::None,
            table: None,
            owners: Owners::All((0..group.len()).collect()),
        });
    }
}

/// FNV-1a over the table's name and the account; two that collide only wait for each other.
fn lock_key(table: &Table, account: Uuid) -> i64 {
    let bytes = table.name.bytes().chain(account.into_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.cast_signed()
}

const REMOVE: &str = "DELETE FROM work \
    USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[]) \
    AS settled (account_id, id, fence, holder) \
    WHERE work.account_id = settled.account_id AND work.id = settled.id AND work.fence = settled.fence \
    AND work.holder IS NOT DISTINCT FROM settled.holder";

const RELEASE: &str = "UPDATE work SET holder = NULL, leased_until = NULL, ready = due_at <= clock_timestamp(), \
    attempt = greatest(attempt - 1, 0) \
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[]) \
    AS settled (account_id, id, fence, holder) \
    WHERE work.account_id = settled.account_id AND work.id = settled.id AND work.fence = settled.fence \
    AND work.holder IS NOT DISTINCT FROM settled.holder RETURNING work.duty";

const INTERRUPT: &str = "UPDATE work SET holder = NULL, leased_until = NULL, ready = due_at <= clock_timestamp() \
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[]) \
    AS settled (account_id, id, fence, holder) \
    WHERE work.account_id = settled.account_id AND work.id = settled.id AND work.fence = settled.fence \
    AND work.holder IS NOT DISTINCT FROM settled.holder RETURNING work.duty";

const RETRY: &str = "UPDATE work SET holder = NULL, leased_until = NULL, \
    ready = settled.due_at <= clock_timestamp(), \
    due_at = settled.due_at, last_error = settled.error \
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::timestamptz[], $6::text[]) \
    AS settled (account_id, id, fence, holder, due_at, error) \
    WHERE work.account_id = settled.account_id AND work.id = settled.id AND work.fence = settled.fence \
    AND work.holder IS NOT DISTINCT FROM settled.holder RETURNING work.duty";

/// Whether a settlement goes by this statement.
fn goes_by(settle: &Settle, text: &str) -> bool {
    match settle.settlement {
        Settlement::Remove => text == REMOVE,
        Settlement::Release => text == RELEASE,
        Settlement::Interrupt => text == INTERRUPT,
        Settlement::Retry { .. } => text == RETRY,
    }
}

fn settlements<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    if group.iter().all(|batch| batch.settled.is_empty()) {
        return;
    }
    for text in [REMOVE, RELEASE, INTERRUPT, RETRY] {
        let (mut all, mut owners) = (Vec::new(), Vec::new());
        for (owner, batch) in group.iter().enumerate() {
            let before = all.len();
            all.extend(batch.settled.iter().filter(|settle| goes_by(settle, text)));
            if all.len() > before {
                owners.push(owner);
            }
        }
        if all.is_empty() {
            continue;
        }
        let mut params = vec![
            column(&all, |settle| settle.account),
            column(&all, |settle| settle.id),
            column(&all, |settle| settle.fence),
            column(&all, |settle| settle.holder),
        ];
        let retries: Vec<(DateTime<Utc>, &str)> = all.iter().filter_map(|settle| retry_of(settle)).collect();
        if text == RETRY {
            params.push(Param::own(retries.iter().map(|(due_at, _)| *due_at).collect::<Vec<_>>()));
            params.push(Param::own(retries.iter().map(|(_, error)| *error).collect::<Vec<_>>()));
        }
        let wants = Some(all.len() as u64);
        steps.push(Step {
            text: text.into(),
            params,
            wants,
            refusal: Refusal::Fence,
            table: None,
            owners: Owners::All(owners),
        });
    }
}

fn retry_of(settle: &Settle) -> Option<(DateTime<Utc>, &str)> {
    match &settle.settlement {
        Settlement::Retry { due_at, error } => Some((*due_at, error)),
        Settlement::Remove | Settlement::Release | Settlement::Interrupt => None,
    }
}

/// One row where an account has more than its limit, none otherwise; each condition once, whoever demands it.
fn counts<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    let mut demanded: Vec<(&Guard, Vec<usize>)> = Vec::new();
    for (owner, batch) in group.iter().enumerate() {
        for guard in batch.guards.iter().filter(|guard| matches!(guard, Guard::AtMost { .. })) {
            match demanded.iter_mut().find(|(known, _)| *known == guard) {
                Some((_, owners)) => owners.push(owner),
                None => demanded.push((guard, vec![owner])),
            }
        }
    }
    steps.extend(demanded.into_iter().filter_map(|(guard, owners)| count(guard, owners)));
}

fn count(guard: &Guard, owners: Vec<usize>) -> Option<Step<'_>> {
    let Guard::AtMost { table, account, filters, limit, setting } = guard else { return None };
    let mut condition = Condition::within(table, account, filters);
    let bound = usize::try_from(*limit).unwrap_or(usize::MAX);
    let bound = condition.number(bound);
    let (name, chosen) = (table.name, &condition.text);
    let text =
        format!("SELECT FROM \"{name}\"{chosen} ORDER BY \"account_id\", \"id\" LIMIT 1 OFFSET {bound}");
    let params = condition.params();
    let refusal = Refusal::TooMany(table, setting, *limit);
    Some(Step {
        text: text.into(),
        params,
        wants: Some(0),
        refusal,
        table: None,
        owners: Owners::All(owners),
    })
}

fn withdrawals<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    let (all, owners) = gathered(group, |batch| &batch.withdrawn);
    if !all.is_empty() {
        steps.push(Step {
            text: "DELETE FROM work USING unnest($1::uuid[], $2::uuid[]) AS withdrawn (account_id, subject) \
                   WHERE work.account_id = withdrawn.account_id AND work.subject = withdrawn.subject"
                .into(),
            params: vec![column(&all, |key| key.account), column(&all, |key| key.id)],
            wants: None,
            refusal: Refusal::None,
            table: None,
            owners: Owners::All(owners),
        });
    }
}

const ADD: &str = "INSERT INTO work (account_id, id, duty, subject, gate, priority, due_at, payload, holder, \
                   leased_until, attempt, fence, ready) \
                   SELECT account_id, id, duty, subject, gate, priority, due_at, payload, holder, \
                   clock_timestamp() + lease * interval '1 microsecond', \
                   CASE WHEN holder IS NULL THEN 0 ELSE 1 END, fence + CASE WHEN holder IS NULL THEN 0 ELSE 1 END, \
                   holder IS NULL AND due_at <= clock_timestamp() \
                   FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::smallint[], \
                   $7::timestamptz[], $8::json[], $9::uuid[], $10::bigint[], $11::bigint[]) \
                   AS added (account_id, id, duty, subject, gate, priority, due_at, payload, holder, lease, fence) \
                   ON CONFLICT (account_id, id) DO NOTHING";

fn additions<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    let (all, owners) = gathered(group, |batch| &batch.work);
    if all.is_empty() {
        return;
    }
    let lease = |new: &NewWork| {
        let lease = new.lease.as_ref()?;
        Some(i64::try_from(lease.duration.as_micros()).unwrap_or(i64::MAX))
    };
    let params = vec![
        column(&all, |new| new.account),
        column(&all, |new| new.id),
        column(&all, |new| new.duty),
        column(&all, |new| new.subject),
        column(&all, |new| new.gate),
        column(&all, |new| new.priority),
        column(&all, |new| new.due_at),
        column(&all, |new| Json(&new.payload)),
        column(&all, |new| new.lease.as_ref().map(|lease| lease.holder)),
        column(&all, lease),
        column(&all, |new| new.fence),
    ];
    let wants = Some(all.len() as u64);
    steps.push(Step {
        text: ADD.into(),
        params,
        wants,
        refusal: Refusal::QueuedTwice,
        table: None,
        owners: Owners::All(owners),
    });
}

fn events<'a>(group: &'a [&'a Batch], steps: &mut Vec<Step<'a>>) {
    let (all, owners) = gathered::<NewEvent>(group, |batch| &batch.events);
    if all.is_empty() {
        return;
    }
    let params = vec![
        column(&all, |new| new.account),
        column(&all, |new| new.service),
        column(&all, |new| new.kind),
        column(&all, |new| new.subject),
        column(&all, |new| new.actor.as_str()),
        column(&all, |new| new.request_id.as_deref()),
        column(&all, |new| new.origin.as_deref()),
        column(&all, |new| Json(&new.data)),
    ];
    steps.push(Step {
        text: "INSERT INTO events (account_id, service, kind, subject, actor, request_id, origin, data) \
               SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], \
               $7::text[], $8::json[]) RETURNING transaction_id"
            .into(),
        params,
        wants: Some(all.len() as u64),
        refusal: Refusal::Event,
        table: None,
        owners: Owners::All(owners),
    });
}
