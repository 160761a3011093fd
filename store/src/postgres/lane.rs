//! Group commit: one task per lane gathers what waits and applies it in one transaction.
//!
//! While a transaction is under way, batches queue up; the next one takes them all. Nothing is delayed on purpose: a
//! batch that comes alone goes alone. Where a batch of a group fails, the whole transaction is undone, the others are
//! applied without it, and it is applied alone, so that each answer is the one it would get by itself.

use std::{collections::VecDeque, time::Duration};

use deadpool_postgres::{Client, Pool};
use tokio::sync::{mpsc, oneshot};

use super::{
    again, failure,
    group::{Group, MAX_GROUP},
    hints::{Hints, what_changed},
    transaction::{self, Outcome},
};
use crate::{Batch, Fault};

/// How long a group is tried again while the database does not answer.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// In how many rounds batches that fail are set aside before the rest goes one by one.
const ROUNDS: usize = 3;

/// A batch that waits, and who waits for it.
pub struct Pending {
    /// The batch.
    pub batch: Batch,
    /// Where the answer goes; closed where nobody waits any more.
    pub reply: oneshot::Sender<Result<(), Fault>>,
}

/// Serves one lane until its last sender is gone.
pub async fn serve(pool: Pool, mut waiting: mpsc::Receiver<Pending>, hints: Hints) {
    let mut deferred = VecDeque::new();
    loop {
        if deferred.is_empty() {
            let Some(pending) = waiting.recv().await else { return };
            deferred.push_back(pending);
        }
        let group = gather(&mut deferred, &mut waiting);
        apply(&pool, &hints, group).await;
    }
}

/// The batches that go next; those that touch the same work as one before them wait for the group after.
fn gather(deferred: &mut VecDeque<Pending>, waiting: &mut mpsc::Receiver<Pending>) -> Vec<Pending> {
    let mut group = Group::default();
    let mut again = VecDeque::new();
    while group.len() < MAX_GROUP {
        let Some(pending) = deferred.pop_front().or_else(|| waiting.try_recv().ok()) else { break };
        if pending.reply.is_closed() {
            continue;
        }
        again.extend(group.admit(pending));
    }
    again.append(deferred);
    *deferred = again;
    group.into_batches()
}

/// Applies a group and answers each of its batches.
async fn apply(pool: &Pool, hints: &Hints, group: Vec<Pending>) {
    let mut rest: VecDeque<Pending> = group.into();
    let mut alone = VecDeque::new();
    let mut rounds = 0;
    while !rest.is_empty() {
        let size = if rounds < ROUNDS { rest.len() } else { 1 };
        let together: Vec<Pending> = rest.drain(..size).collect();
        let set_aside = settle(pool, hints, together).await;
        rounds += 1;
        for (pending, innocent) in set_aside {
            if innocent { &mut rest } else { &mut alone }.push_back(pending);
        }
        if rest.is_empty() {
            rounds = ROUNDS;
            rest.append(&mut alone);
        }
    }
}

/// Applies batches together. Answers them, unless some have to be set aside: then none is applied, and all come back,
/// each with whether it is innocent.
async fn settle(pool: &Pool, hints: &Hints, together: Vec<Pending>) -> Vec<(Pending, bool)> {
    let batches: Vec<&Batch> = together.iter().map(|pending| &pending.batch).collect();
    let attempt = || async {
        let mut client = connection(pool).await?;
        match transaction::apply(&mut client, &batches).await {
            Outcome::Undone(fault) => {
                discard(client);
                Err(fault)
            }
            Outcome::Unknown(mark, fault) => {
                discard(client);
                resolve(pool, mark, fault).await
            }
            outcome => Ok(outcome),
        }
    };
    match again::while_unavailable(PATIENCE, attempt).await {
        Ok(Outcome::Refused(refused)) if together.len() > 1 => {
            let is_innocent = |position| !refused.iter().any(|(owner, _)| *owner == position);
            together
                .into_iter()
                .enumerate()
                .map(|(position, pending)| (pending, is_innocent(position)))
                .collect()
        }
        Ok(Outcome::Refused(mut refused)) => {
            let fault = refused.pop().map(|(_, fault)| fault);
            answer(together, &Err(fault.unwrap_or_else(|| Fault::internal("a refusal without a reason"))));
            Vec::new()
        }
        Ok(Outcome::Committed(given_back)) => {
            let changed = what_changed(&batches, &given_back);
            answer(together, &Ok(()));
            hints.tell_all(changed);
            Vec::new()
        }
        Ok(Outcome::Undone(fault) | Outcome::Unknown(_, fault)) | Err(fault) => {
            answer(together, &Err(fault));
            Vec::new()
        }
    }
}

fn answer(together: Vec<Pending>, result: &Result<(), Fault>) {
    for pending in together {
        // Whoever went away meanwhile finds the batch applied, or not, when it looks.
        let _ = pending.reply.send(result.clone());
    }
}

/// Keeps a connection that failed out of the pool, which might not have noticed yet.
fn discard(client: Client) {
    drop(Client::take(client));
}

async fn connection(pool: &Pool) -> Result<Client, Fault> {
    pool.get().await.map_err(|error| failure::pool_fault(&error))
}

/// Finds out whether a transaction happened whose COMMIT was sent but not answered.
async fn resolve(pool: &Pool, mark: Option<transaction::Mark>, fault: Fault) -> Result<Outcome, Fault> {
    let Some(mark) = mark else { return Ok(Outcome::Unknown(None, fault)) };
    let asked = again::while_unavailable(PATIENCE, || async {
        let client = connection(pool).await?;
        transaction::happened(&client, &mark).await
    });
    match asked.await {
        Ok(true) => Ok(Outcome::Committed(Vec::new())),
        Ok(false) => Err(fault),
        Err(_) => Ok(Outcome::Unknown(None, fault)),
    }
}
