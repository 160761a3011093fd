//! One transaction for a group of batches.

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    task::Poll,
};

use deadpool_postgres::{Client, Transaction};
use futures_util::StreamExt as _;
use tokio_postgres::{Error, Row as SqlRow, Statement};
use uuid::Uuid;

use super::{
    failure,
    plan::{self, Refusal, Step},
    single,
    value::{Param, read},
};
use crate::{Batch, Fault, Key};

/// What became of a transaction.
pub enum Outcome {
    /// It is done; items of these duties were released or put off.
    Committed(Vec<String>),
    /// It is undone, because of these batches of the group.
    Refused(Vec<(usize, Fault)>),
    /// It is undone, for a reason that passes.
    Undone(Fault),
    /// Its COMMIT was not answered; the mark finds out what happened, where there is one.
    Unknown(Option<Mark>, Fault),
}

/// By what a transaction can be recognised afterwards: an event of its own. Its number alone is not enough, because a
/// server that crashed may give the number of a transaction it has forgotten to another one.
pub struct Mark {
    transaction: i64,
    account: Uuid,
    kind: &'static str,
    subject: Uuid,
}

/// Applies a group whole or not at all: one round trip for a batch that comes alone, three for others, whatever their
/// size.
pub async fn apply(client: &mut Client, batches: &[&Batch]) -> Outcome {
    let steps = plan::steps(batches);
    if let [batch] = batches
        && single::is_possible(batch, &steps)
        && let Some(outcome) = single::apply(client, &steps).await
    {
        return outcome;
    }
    match run(client, batches, &steps).await {
        Ok(outcome) => outcome,
        Err(error) if failure::is_lost(&error) || failure::was_undone(&error) => {
            Outcome::Undone(failure::unavailable(&error))
        }
        Err(error) => {
            let everybody = 0..batches.len();
            Outcome::Refused(everybody.map(|owner| (owner, failure::fault(&error))).collect())
        }
    }
}

async fn run(client: &mut Client, batches: &[&Batch], steps: &[Step<'_>]) -> Result<Outcome, Error> {
    let mut statements = Vec::with_capacity(steps.len());
    for step in steps {
        statements.push(client.prepare_cached(&step.text).await?);
    }
    let transaction = client.transaction().await?;
    let touched = pipelined(&transaction, steps, &statements).await;
    let answers = match judge(steps, touched)? {
        Ok(answers) => answers,
        Err(refused) => {
            transaction.rollback().await?;
            return Ok(Outcome::Refused(refused));
        }
    };
    match transaction.commit().await {
        Ok(()) => Ok(Outcome::Committed(answers.duties)),
        Err(error) if failure::is_lost(&error) => {
            let event = batches.iter().flat_map(|batch| &batch.events).next();
            let mark = event.zip(answers.number).map(|(event, number)| Mark {
                transaction: number,
                account: event.account,
                kind: event.kind,
                subject: event.subject,
            });
            Ok(Outcome::Unknown(mark, failure::unavailable(&error)))
        }
        Err(error) => Err(error),
    }
}

/// What the statements answered besides how many rows they touched.
#[derive(Default)]
struct Answers {
    /// The duties of items that were released or put off.
    duties: Vec<String>,
    /// The number of the transaction, where it wrote events.
    number: Option<i64>,
}

/// Sends all statements before it waits for the first answer.
async fn pipelined(
    transaction: &Transaction<'_>,
    steps: &[Step<'_>],
    statements: &[Statement],
) -> Vec<Result<(u64, Vec<SqlRow>), Error>> {
    let sent = steps.iter().zip(statements);
    in_order(sent.map(|(step, statement)| perform(transaction, statement, &step.params))).await
}

async fn perform(
    transaction: &Transaction<'_>,
    statement: &Statement,
    params: &[Param<'_>],
) -> Result<(u64, Vec<SqlRow>), Error> {
    let stream = transaction.query_raw(statement, params).await?;
    tokio::pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.as_mut().next().await {
        rows.push(row?);
    }
    Ok((stream.rows_affected().unwrap_or_default(), rows))
}

/// Polls each future once, in order, so that what they send goes out in that order; then waits for one after another.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, output) in &mut waiting {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *output = Some(ready);
            }
        }
        Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(waiting.len());
    for (future, output) in waiting {
        outputs.push(match output {
            Some(ready) => ready,
            None => future.await,
        });
    }
    outputs
}

/// What the statements answered, or who made the transaction fail.
fn judge(
    steps: &[Step<'_>],
    touched: Vec<Result<(u64, Vec<SqlRow>), Error>>,
) -> Result<Result<Answers, Vec<(usize, Fault)>>, Error> {
    let mut answers = Answers::default();
    let mut refused: Vec<(usize, Fault)> = Vec::new();
    for (step, result) in steps.iter().zip(touched) {
        let (fault, guilty) = match result {
            Ok((rows, answered)) => {
                let Some(wanted) = step.wants.filter(|wanted| *wanted != rows) else {
                    answers.add(step.refusal, &answered);
                    continue;
                };
                (step.refusal.fault(), step.owners.guilty(wanted, &keys(&answered)))
            }
            Err(error) if failure::is_consequence(&error) => continue,
            Err(error) if failure::is_lost(&error) || failure::was_undone(&error) => return Err(error),
            Err(error) => (step.refusal.fault_of(&error), step.owners.all()),
        };
        for owner in guilty {
            if !refused.iter().any(|(known, _)| *known == owner) {
                refused.push((owner, fault.clone()));
            }
        }
    }
    Ok(if refused.is_empty() { Ok(answers) } else { Err(refused) })
}

/// The keys that a statement answered.
fn keys(rows: &[SqlRow]) -> HashSet<Key> {
    let key = |row: &SqlRow| Some(Key::new(row.try_get(0).ok()?, row.try_get(1).ok()?));
    rows.iter().filter_map(key).collect()
}

impl Answers {
    fn add(&mut self, refusal: Refusal, rows: &[SqlRow]) {
        match refusal {
            Refusal::Fence => {
                for duty in rows.iter().filter_map(|row| read::<String>(row, 0).ok()) {
                    if !self.duties.contains(&duty) {
                        self.duties.push(duty);
                    }
                }
            }
            Refusal::Event => self.number = rows.first().and_then(|row| read(row, 0).ok()),
            Refusal::Row(..) | Refusal::QueuedTwice | Refusal::TooMany(..) | Refusal::None => {}
        }
    }
}

/// Whether the marked transaction happened; waits for one that is still under way.
pub async fn happened(client: &Client, mark: &Mark) -> Result<bool, Fault> {
    let ask = async {
        let statement = client
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM events WHERE account_id = $1 AND transaction_id = $2 AND kind = $3 \
                 AND subject = $4), coalesce(pg_xact_status($2::text::xid8), '')",
            )
            .await?;
        client.query_one(&statement, &[&mark.account, &mark.transaction, &mark.kind, &mark.subject]).await
    };
    let row = ask.await.map_err(|error| failure::fault(&error))?;
    let (found, status): (bool, String) = (read(&row, 0)?, read(&row, 1)?);
    if !found && status == "in progress" {
        return Err(failure::unavailable("the transaction is still under way"));
    }
    Ok(found)
}
