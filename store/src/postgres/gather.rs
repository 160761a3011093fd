//! Rows by their keys: reads that come while others are under way go together, as commits do in their lanes.
//!
//! Nothing is delayed on purpose: a read that comes while a reader is free goes at once, alone.

use std::collections::HashMap;

use deadpool_postgres::{Client, Pool};
use futures_util::future::try_join_all;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{PATIENCE, again, failure, read};
use crate::{Fault, Key, Row, Table};

/// So many reads go together at most.
const MAX_TOGETHER: usize = 256;

/// More than this may not wait.
pub const MAX_WAITING: usize = 10_000;

/// A read that waits, and who waits for it.
pub struct Asked {
    /// The table.
    pub table: &'static Table,
    /// The row.
    pub key: Key,
    /// Where the answer goes; closed where nobody waits any more.
    pub reply: oneshot::Sender<Answer>,
}

/// The row, or none.
type Answer = Result<Option<Row>, Fault>;

/// Serves reads until nobody can ask any more; several may share what is waiting.
pub async fn serve(pool: Pool, waiting: std::sync::Arc<Mutex<mpsc::Receiver<Asked>>>) {
    loop {
        let mut asked = Vec::new();
        if waiting.lock().await.recv_many(&mut asked, MAX_TOGETHER).await == 0 {
            return;
        }
        let asked = by_row(asked);
        let answered = again::while_unavailable(PATIENCE, || async {
            let client = pool.get().await.map_err(|error| failure::pool_fault(&error))?;
            found(&client, &asked).await
        })
        .await;
        answer(asked, answered);
    }
}

/// Who waits for each row.
type Waiting = HashMap<(&'static str, Key), (&'static Table, Vec<oneshot::Sender<Answer>>)>;

fn by_row(asked: Vec<Asked>) -> Waiting {
    let mut waiting = Waiting::new();
    for Asked { table, key, reply } in asked {
        if !reply.is_closed() {
            waiting.entry((table.name, key)).or_insert_with(|| (table, Vec::new())).1.push(reply);
        }
    }
    waiting
}

/// The rows that are there; one statement for each table.
async fn found(client: &Client, waiting: &Waiting) -> Result<HashMap<(&'static str, Key), Row>, Fault> {
    let mut tables: HashMap<&'static str, (&'static Table, Vec<Key>)> = HashMap::new();
    for ((name, key), (table, _)) in waiting {
        tables.entry(name).or_insert_with(|| (table, Vec::new())).1.push(*key);
    }
    let reads = tables.into_values().map(|(table, mut keys)| async move {
        keys.sort_unstable();
        let rows = read::get(client, table, &keys).await?;
        Ok::<_, Fault>(rows.into_iter().map(|row| ((table.name, row.head.key()), row)))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

fn answer(waiting: Waiting, answered: Result<HashMap<(&'static str, Key), Row>, Fault>) {
    let mut answered = answered;
    for (place, (_, mut replies)) in waiting {
        let mut row = answered.as_mut().map(|rows| rows.remove(&place)).map_err(|fault| fault.clone());
        while let Some(reply) = replies.pop() {
            let answer = if replies.is_empty() { std::mem::replace(&mut row, Ok(None)) } else { row.clone() };
            // Whoever went away needs no answer.
            let _ = reply.send(answer);
        }
    }
}
