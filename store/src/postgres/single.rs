//! A batch that comes alone, as one statement: one round trip, and the server's own transaction around it.
//!
//! The parts of such a statement see the data as it was before, and in no order. So it is only for batches whose parts
//! touch different rows; what it refuses for a reason that depends on their order is asked again the longer way.

use std::{collections::HashSet, fmt::Write as _};

use deadpool_postgres::Client;
use tokio_postgres::{Error, Row as SqlRow, error::SqlState};

use super::{
    failure,
    plan::{Refusal, Step},
    transaction::Outcome,
    value::{Param, read},
};
use crate::{Batch, Guard, Write};

/// What the server says where a part touched the wrong number of rows: the text does not become a number.
const MISCOUNT: &str = " rows at step ";

/// Whether no two of the batch's statements can touch the same row, and none has to come after another.
pub fn is_possible(batch: &Batch, steps: &[Step<'_>]) -> bool {
    let mut seen = HashSet::new();
    let apart = steps.iter().filter_map(|step| step.table).all(|table| seen.insert(table));
    let counts = batch.guards.iter().any(|guard| matches!(guard, Guard::AtMost { .. }));
    let sweeps = batch.writes.iter().any(|write| matches!(write, Write::Sweep { .. }));
    apart && !counts && !sweeps && (batch.settled.is_empty() || batch.withdrawn.is_empty())
}

/// Applies a batch whole or not at all, or answers none where it has to go the longer way.
pub async fn apply(client: &Client, steps: &[Step<'_>]) -> Option<Outcome> {
    match run(client, steps).await {
        Ok(rows) => Some(Outcome::Committed(duties(&rows))),
        Err(error) if failure::was_undone(&error) => Some(Outcome::Undone(failure::unavailable(&error))),
        Err(error) if failure::is_lost(&error) => Some(Outcome::Unknown(None, failure::unavailable(&error))),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => None,
        Err(error) => {
            let miscounted = miscounted(&error).and_then(|step| steps.get(step));
            let fault = miscounted.map_or_else(|| failure::fault(&error), |step| step.refusal.fault());
            Some(Outcome::Refused(vec![(0, fault)]))
        }
    }
}

async fn run(client: &Client, steps: &[Step<'_>]) -> Result<Vec<SqlRow>, Error> {
    let statement = client.prepare_cached(&text(steps)).await?;
    let wanted: Vec<Param<'_>> = steps.iter().filter_map(|step| step.wants).map(number).collect();
    let params: Vec<&Param<'_>> = steps.iter().flat_map(|step| &step.params).chain(&wanted).collect();
    let stream = client.query_raw(&statement, params).await?;
    futures_util::TryStreamExt::try_collect(stream).await
}

fn number(rows: u64) -> Param<'static> {
    Param::own(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// One statement for all steps; it fails at the first that touches the wrong number of rows.
fn text(steps: &[Step<'_>]) -> String {
    let mut text = String::with_capacity(2_048);
    let mut checks = String::new();
    let mut duties = String::new();
    // How many rows are wanted goes as parameters after the others, so that the text does not depend on it.
    let parameters: usize = steps.iter().map(|step| step.params.len()).sum();
    let (mut taken, mut wanted) = (0, 0);
    for (number, step) in steps.iter().enumerate() {
        let opening = if number == 0 { "WITH" } else { "," };
        let _ = write!(text, "{opening} s{number} AS (");
        renumber(&mut text, &step.text, taken);
        let answers = step.text.contains(" RETURNING ");
        text.push_str(if answers || step.text.starts_with("SELECT") { ")" } else { " RETURNING 1)" });
        taken += step.params.len();
        if step.wants.is_some() {
            wanted += 1;
            let place = parameters + wanted;
            let counted = format!("(SELECT count(*) FROM s{number})");
            let _ = write!(
                checks,
                " WHEN {counted} <> ${place} THEN ({counted} || '{MISCOUNT}{number}')::bigint"
            );
        }
        if answers && matches!(step.refusal, Refusal::Fence) {
            let union = if duties.is_empty() { "" } else { " UNION " };
            let _ = write!(duties, "{union}SELECT duty FROM s{number}");
        }
    }
    let checks = if checks.is_empty() { "0".to_owned() } else { format!("CASE{checks} ELSE 0 END") };
    let duties = if duties.is_empty() { "'{}'::text[]".to_owned() } else { format!("ARRAY({duties})") };
    let _ = write!(text, " SELECT {checks}, {duties}");
    text
}

/// Writes a statement with its places counted on from those taken before.
fn renumber(into: &mut String, statement: &str, taken: usize) {
    let mut parts = statement.split('$');
    into.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let _ = write!(into, "${}{rest}", number.parse::<usize>().unwrap_or_default() + taken);
    }
}

fn duties(rows: &[SqlRow]) -> Vec<String> {
    rows.first().and_then(|row| read(row, 1).ok()).unwrap_or_default()
}

/// The step that touched the wrong number of rows.
fn miscounted(error: &Error) -> Option<usize> {
    let answer =
        error.as_db_error().filter(|answer| *answer.code() == SqlState::INVALID_TEXT_REPRESENTATION)?;
    let (_, step) = answer.message().split_once(MISCOUNT)?;
    step.trim_end_matches(|character: char| !character.is_ascii_digit()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_on() {
        let mut text = String::new();
        renumber(&mut text, "SELECT $1, $12 WHERE a = $2", 10);
        assert_eq!(text, "SELECT $11, $22 WHERE a = $12");
    }
}
