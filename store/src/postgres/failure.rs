//! What the driver's errors mean.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::{Error, error::SqlState};

use crate::{Code, Fault, Table, refuse};

/// What a caller is told to wait before the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The database does not answer, or not in time.
pub fn unavailable(cause: impl std::fmt::Display) -> Fault {
    Fault::new(Code::Unavailable, "the database does not answer at the moment")
        .retry_after(RETRY_AFTER)
        .because(cause)
}

/// The fault of a driver's error.
pub fn fault(error: &Error) -> Fault {
    let Some(answer) = error.as_db_error() else {
        return if error.is_closed() || is_io(error) { unavailable(error) } else { Fault::internal(error) };
    };
    // The detail of an answer may hold values, so only the code and the message go into the log.
    let cause = format!("SQLSTATE {}: {}", answer.code().code(), answer.message());
    if passes(answer.code()) { unavailable(cause) } else { Fault::internal(cause) }
}

/// The fault of a connection that could not be opened, with why: a certificate that nobody vouches for is told as such.
pub fn connect_fault(error: &Error) -> Fault {
    if let Some(answer) = error.as_db_error() {
        return unavailable(format!("SQLSTATE {}: {}", answer.code().code(), answer.message()));
    }
    let reasons = std::iter::successors(std::error::Error::source(error), |reason| reason.source());
    unavailable(reasons.fold(error.to_string(), |told, reason| format!("{told}: {reason}")))
}

/// The fault of a connection that could not be opened at the start. Where the server does not know the database or the user, or
/// takes no such password, waiting helps less than another connection string.
pub fn start_fault(error: &Error) -> Fault {
    match error
        .as_db_error()
        .filter(|answer| ["28", "3D"].iter().any(|class| answer.code().code().starts_with(class)))
    {
        Some(answer) => {
            Fault::new(Code::Invalid, format!("the database refuses the connection: {}", answer.message()))
        }
        None => connect_fault(error),
    }
}

/// The fault of a pool that gives no connection.
pub fn pool_fault(error: &PoolError) -> Fault {
    match error {
        PoolError::Backend(error) => connect_fault(error),
        other => unavailable(other),
    }
}

/// The fault of a write to `table`: a collision in its own words.
pub fn write_fault(table: &Table, error: &Error) -> Fault {
    let collision = error.as_db_error().filter(|answer| *answer.code() == SqlState::UNIQUE_VIOLATION);
    let name = collision.and_then(|answer| answer.constraint());
    let unique = name.and_then(|name| table.uniques.iter().find(|unique| unique.name == name));
    match (unique, collision) {
        (Some(unique), _) => refuse::collision(unique),
        (None, Some(answer)) => Fault::new(Code::Conflict, format!("this {} exists already", table.noun))
            .because(answer.message()),
        (None, None) => fault(error),
    }
}

/// Whether the statement failed only because one before it in the transaction had.
pub fn is_consequence(error: &Error) -> bool {
    error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
}

/// Whether the server surely undid the whole transaction, so that it can be run again.
pub fn was_undone(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
    })
}

/// Whether the connection is gone.
pub fn is_lost(error: &Error) -> bool {
    error.is_closed() || is_io(error) || error.code().is_some_and(|code| code.code().starts_with("57P"))
}

fn is_io(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// Whether the same statement may succeed later: restarts, timeouts, full servers, deadlocks.
fn passes(code: &SqlState) -> bool {
    let code = code.code();
    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
        || matches!(code, "55P03" | "25P03")
}
