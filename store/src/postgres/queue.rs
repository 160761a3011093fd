//! The work queue.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::Client;
use tokio_postgres::{Error, Row as SqlRow, types::ToSql};
use uuid::Uuid;

use super::{
    failure,
    read::{number, rows},
    sql::{Condition, Place},
    value::{read, read_json},
};
use crate::{Claim, Fault, Key, Work, WorkCount, WorkQuery};

/// The columns of an item, as [`item`] reads them.
const COLUMNS: &str = "account_id, id, duty, subject, gate, priority, due_at, attempt, fence, holder, leased_until, \
                       last_error, payload, created_at";

// Taking and prolonging leases does not wait for the disk: a lease that is lost in a crash of the database was never
// more than a promise to settle, and what is settled waits for all that went before it. See `Settle::holder`.

/// Takes what has come due where that is all there is to take, so that nobody's turn has to be looked for. Otherwise it goes
/// to where claims look, as does what was held until its lease ran out; a bounded number at a time. Says besides whether this
/// is all, and whether the bound was reached.
const TAKE_OR_PROMOTE: &str = "WITH sleeping AS MATERIALIZED (\
        SELECT account_id, id, account_id <> ALL ($5) AND (gate IS NULL OR gate <> ALL ($6)) AS open \
        FROM work WHERE duty = $1 AND NOT ready AND holder IS NULL AND due_at <= $2 \
        ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED\
    ), lapsed AS MATERIALIZED (\
        SELECT account_id, id FROM work WHERE duty = $1 AND NOT ready AND holder IS NOT NULL \
        AND leased_until <= statement_timestamp() ORDER BY leased_until LIMIT 1000 FOR UPDATE SKIP LOCKED\
    ), bound AS MATERIALIZED (\
        SELECT (SELECT count(*) FROM sleeping) >= 1000 OR (SELECT count(*) FROM lapsed) >= 1000 AS reached\
    ), few AS MATERIALIZED (\
        SELECT coalesce(sum(items), 0) <= $3::bigint AND coalesce(max(items), 0) <= $4::bigint \
        AND NOT (SELECT reached FROM bound) AND NOT EXISTS (SELECT FROM lapsed) \
        AND NOT EXISTS (SELECT FROM work WHERE duty = $1 AND ready) AS yes \
        FROM (SELECT count(*) AS items FROM sleeping WHERE open GROUP BY account_id) AS shares\
    ), taken AS (\
        UPDATE work SET attempt = attempt + 1, fence = fence + 1, holder = $8, \
        leased_until = clock_timestamp() + $9::bigint * interval '1 microsecond' \
        FROM sleeping CROSS JOIN few CROSS JOIN set_config('synchronous_commit', 'off', true) AS relaxed \
        WHERE few.yes AND sleeping.open AND work.account_id = sleeping.account_id AND work.id = sleeping.id \
        RETURNING work.*\
    ), promoted AS (\
        UPDATE work SET ready = true FROM (\
            SELECT account_id, id FROM sleeping CROSS JOIN few WHERE NOT (few.yes AND sleeping.open) \
            UNION ALL SELECT account_id, id FROM lapsed) AS due \
        CROSS JOIN set_config('synchronous_commit', 'off', true) AS relaxed \
        WHERE work.account_id = due.account_id AND work.id = due.id\
    ) SELECT account_id, id, duty, subject, gate, priority, due_at, attempt, fence, holder, leased_until, last_error, \
    payload, created_at, few.yes, bound.reached FROM few CROSS JOIN bound LEFT JOIN taken ON true \
    ORDER BY account_id <= $7, account_id, priority DESC, due_at, id";

/// Walks the accounts that have ready items, from one account's first index entry to the next account's, so that a flood
/// of one costs the others nothing; takes some of each until there are enough.
const CLAIM: &str = "WITH RECURSIVE later AS (\
        (SELECT account_id FROM work WHERE duty = $1 AND ready AND account_id > $7 ORDER BY account_id LIMIT 1) \
        UNION ALL \
        SELECT (SELECT work.account_id FROM work WHERE duty = $1 AND ready AND work.account_id > later.account_id \
                ORDER BY work.account_id LIMIT 1) \
        FROM later WHERE later.account_id IS NOT NULL\
    ), earlier AS (\
        (SELECT account_id FROM work WHERE duty = $1 AND ready AND account_id <= $7 ORDER BY account_id LIMIT 1) \
        UNION ALL \
        SELECT (SELECT work.account_id FROM work WHERE duty = $1 AND ready AND work.account_id > earlier.account_id \
                AND work.account_id <= $7 ORDER BY work.account_id LIMIT 1) \
        FROM earlier WHERE earlier.account_id IS NOT NULL\
    ), chosen AS MATERIALIZED (\
        SELECT item.account_id, item.id FROM (\
            SELECT account_id FROM later UNION ALL SELECT account_id FROM earlier) AS round \
        CROSS JOIN LATERAL (\
            SELECT work.account_id, work.id FROM work WHERE duty = $1 AND ready \
            AND work.account_id = round.account_id AND due_at <= $2 AND (gate IS NULL OR gate <> ALL ($6)) \
            ORDER BY priority DESC, due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) AS item \
        WHERE round.account_id IS NOT NULL AND round.account_id <> ALL ($5) LIMIT $3\
    ), numbered AS (SELECT account_id, id, row_number() OVER () AS place FROM chosen\
    ), taken AS (\
        UPDATE work SET ready = false, attempt = attempt + 1, fence = fence + 1, holder = $8, \
        leased_until = clock_timestamp() + $9::bigint * interval '1 microsecond' \
        FROM numbered CROSS JOIN set_config('synchronous_commit', 'off', true) AS relaxed \
        WHERE work.account_id = numbered.account_id AND work.id = numbered.id \
        RETURNING work.*, numbered.place\
    ) SELECT account_id, id, duty, subject, gate, priority, due_at, attempt, fence, holder, leased_until, last_error, \
    payload, created_at FROM taken ORDER BY place";

/// Prolongs what nobody is writing at this moment: an item that is being settled needs no lease, and to wait for the rows of
/// those who wait for other rows of this statement would be a deadlock. Answers all that are held.
const HEARTBEAT: &str = "WITH given AS MATERIALIZED (\
        SELECT account_id, id, work.fence FROM work JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[]) \
        AS held (account_id, id, fence) USING (account_id, id) WHERE work.fence = held.fence AND holder = $4\
    ), free AS MATERIALIZED (\
        SELECT work.account_id, work.id FROM work JOIN given USING (account_id, id) \
        WHERE work.fence = given.fence AND holder = $4 FOR UPDATE OF work SKIP LOCKED\
    ), prolonged AS (\
        UPDATE work SET ready = false, leased_until = clock_timestamp() + $5::bigint * interval '1 microsecond' \
        FROM free CROSS JOIN set_config('synchronous_commit', 'off', true) AS relaxed \
        WHERE work.account_id = free.account_id AND work.id = free.id\
    ) SELECT id FROM given";

const NEXT_DUE: &str = "SELECT min(at) FROM (\
    (SELECT due_at AS at FROM work WHERE duty = $1 AND NOT ready AND holder IS NULL AND due_at > $2 \
     ORDER BY due_at LIMIT 1) UNION ALL \
    (SELECT leased_until FROM work WHERE duty = $1 AND NOT ready AND holder IS NOT NULL AND leased_until > $2 \
     ORDER BY leased_until LIMIT 1)) AS instants";

/// Takes due items under a lease.
pub async fn claim(client: &Client, claim: &Claim) -> Result<Vec<Work>, Fault> {
    let mut items = Vec::new();
    loop {
        let (rows, may_be_more) = match claim_rows(client, claim, claim.limit - items.len()).await {
            Ok(claimed) => claimed,
            // What is taken already is not left lying under its lease.
            Err(_) if !items.is_empty() => return Ok(items),
            Err(error) => return Err(failure::fault(&error)),
        };
        for row in &rows {
            items.push(item(row)?);
        }
        // What was looked at may all have been skipped, while others come later.
        if !may_be_more || items.len() >= claim.limit || has_a_full_share(&items, claim.per_account) {
            return Ok(items);
        }
    }
}

fn has_a_full_share(items: &[Work], share: usize) -> bool {
    let of = |account| items.iter().filter(|item| item.account == account).count();
    items.iter().any(|item| of(item.account) >= share)
}

/// Items, and whether some may be due that were not looked at.
async fn claim_rows(client: &Client, claim: &Claim, limit: usize) -> Result<(Vec<SqlRow>, bool), Error> {
    let after = claim.after_account.unwrap_or(Uuid::max());
    let (limit, per_account) = (whole(limit), whole(claim.per_account));
    let lease = micros(claim.lease);
    let params: [&(dyn ToSql + Sync); 9] = [
        &claim.duty,
        &claim.due,
        &limit,
        &per_account,
        &claim.skip_accounts,
        &claim.skip_gates,
        &after,
        &claim.holder,
        &lease,
    ];
    let mut rows = client.query(&client.prepare_cached(TAKE_OR_PROMOTE).await?, &params).await?;
    let said = |column: usize| rows.first().is_some_and(|row| row.try_get(column).unwrap_or_default());
    let (all, may_be_more) = (said(14), said(15));
    if !all {
        rows = client.query(&client.prepare_cached(CLAIM).await?, &params).await?;
    }
    // Where nothing was taken there is one row, of nothing.
    rows.retain(|row| row.try_get::<_, Uuid>(0).is_ok());
    Ok((rows, may_be_more))
}

/// Prolongs leases.
pub async fn heartbeat(
    client: &Client,
    holder: Uuid,
    held: &[(Key, i64)],
    lease: Duration,
) -> Result<Vec<Uuid>, Fault> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let accounts: Vec<Uuid> = held.iter().map(|(key, _)| key.account).collect();
    let ids: Vec<Uuid> = held.iter().map(|(key, _)| key.id).collect();
    let fences: Vec<i64> = held.iter().map(|(_, fence)| *fence).collect();
    let run = async {
        let statement = client.prepare_cached(HEARTBEAT).await?;
        client.query(&statement, &[&accounts, &ids, &fences, &holder, &micros(lease)]).await
    };
    let rows = run.await.map_err(|error| failure::fault(&error))?;
    rows.iter().map(|row| read(row, 0)).collect()
}

/// When the duty has something to do next.
pub async fn next_due(
    client: &Client,
    duty: &str,
    after: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Fault> {
    let mut condition = Condition::default();
    condition.places.push(Place::Text(duty));
    condition.places.push(Place::Time(&after));
    let rows = rows(client, NEXT_DUE, condition.params()).await?;
    rows.first().map_or(Ok(None), |row| read(row, 0))
}

/// A page of the queue, oldest item first.
pub async fn list(client: &Client, query: &WorkQuery) -> Result<Vec<Work>, Fault> {
    let mut condition = condition_of(query);
    if let Some(after) = &query.after {
        condition.compare("id", ">", Place::Uuid(after));
    }
    let limit = condition.number(query.limit);
    let text = format!("SELECT {COLUMNS} FROM work{} ORDER BY id, account_id LIMIT {limit}", condition.text);
    rows(client, &text, condition.params()).await?.iter().map(item).collect()
}

/// How much of the queue matches.
pub async fn count(client: &Client, query: &WorkQuery) -> Result<WorkCount, Fault> {
    let condition = condition_of(query);
    let text = format!(
        "SELECT count(*) FILTER (WHERE NOT leased AND due_at <= now), \
         count(*) FILTER (WHERE NOT leased AND due_at > now), count(*) FILTER (WHERE leased) FROM (\
         SELECT due_at, coalesce(leased_until > clock_timestamp(), false) AS leased, clock_timestamp() AS now \
         FROM work{}) AS items",
        condition.text
    );
    let rows = rows(client, &text, condition.params()).await?;
    let row = rows.first();
    Ok(WorkCount { waiting: number(row, 0)?, later: number(row, 1)?, running: number(row, 2)? })
}

fn condition_of(query: &WorkQuery) -> Condition<'_> {
    let mut condition = Condition::default();
    let ids = [("account_id", &query.account), ("subject", &query.subject), ("gate", &query.gate)];
    for (column, id) in ids {
        if let Some(id) = id {
            condition.compare(column, "=", Place::Uuid(id));
        }
    }
    if let Some(duty) = &query.duty {
        condition.compare("duty", "=", Place::Text(duty));
    }
    if let Some(since) = &query.waiting_since {
        condition.compare("due_at", "<", Place::Time(since));
        condition.and("(leased_until IS NULL OR leased_until <= clock_timestamp())");
    }
    condition
}

fn item(row: &SqlRow) -> Result<Work, Fault> {
    Ok(Work {
        account: read(row, 0)?,
        id: read(row, 1)?,
        duty: read(row, 2)?,
        subject: read(row, 3)?,
        gate: read(row, 4)?,
        priority: read(row, 5)?,
        due_at: read(row, 6)?,
        attempt: read(row, 7)?,
        fence: read(row, 8)?,
        holder: read(row, 9)?,
        leased_until: read(row, 10)?,
        last_error: read(row, 11)?,
        payload: read_json(row, 12)?,
        created_at: read(row, 13)?,
    })
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
