//! The refusals of a batch, in the same words on both backends.

use crate::{Code, Expect, Fault, FieldError, Table, Unique};

/// A row is not what the batch expected.
pub fn expectation(table: &Table, expect: Expect) -> Fault {
    let noun = table.noun;
    let detail = match expect {
        Expect::Absent => format!("this {noun} exists already"),
        Expect::Version(_) => format!("the {noun} was changed or removed by somebody else"),
        Expect::Present | Expect::Any => format!("the {noun} does not exist any more"),
    };
    Fault::new(Code::Conflict, detail)
}

/// Two rows of one account would share a unique set.
pub fn collision(unique: &Unique) -> Fault {
    let fields = unique
        .fields
        .iter()
        .map(|field| FieldError {
            pointer: format!("/{field}"),
            rule: "taken",
            detail: unique.message.to_owned(),
        })
        .collect();
    Fault { fields, ..Fault::new(Code::Conflict, unique.message) }
}

/// The account has as many rows as it may.
pub fn too_many(table: &Table, setting: &'static str, limit: u64) -> Fault {
    let noun = table.noun;
    let detail = format!("at most {limit} are allowed by {setting}, and this would be one {noun} too many");
    Fault::new(Code::QuotaExceeded, detail).limited(setting, limit, limit)
}

/// The item is not held under this fence any more.
pub fn fence() -> Fault {
    Fault::new(Code::FenceLost, "the lease on this work item was lost; somebody else owns it now")
}

/// An item of this id is in the queue already.
pub fn queued_twice() -> Fault {
    Fault::new(Code::Conflict, "a work item of this id is in the queue already")
}
