//! The state from which every context starts: V8's own globals, and the prelude run once.
//!
//! Making it takes more than ten milliseconds, so it is made by the build script, which shares this file. A snapshot
//! refers to native functions by their place in a table; what functions these are matters only where it is used.

/// Flags of V8 that change which globals there are; the same when a snapshot is made and when it is used.
pub const FLAGS: &str = "--no-harmony-temporal --no-harmony-shadow-realm";

/// What the prelude hands to the host, in the order in which a context made from the snapshot gives it back.
pub const ENTRIES: [&str; 5] = ["begin", "invoke", "fireTimer", "settleFetch", "failFetch"];

/// The natives that the prelude calls, in the order of the table.
pub const NATIVES: [&str; 24] = [
    "log",
    "queueAction",
    "armTimer",
    "disarmTimer",
    "queueMicrotask",
    "uncaught",
    "deny",
    "structuredClone",
    "utf8Length",
    "utf8Write",
    "utf8Decode",
    "utf8Tail",
    "atob",
    "btoa",
    "fillRandom",
    "randomUuid",
    "urlParse",
    "urlSet",
    "formParse",
    "formSerialize",
    "fetch",
    "forgetFetch",
    "takeBody",
    "checkHeader",
];

/// Functions in the order of [`NATIVES`].
pub type Table = [v8::FunctionCallback; NATIVES.len()];

/// The table as V8 wants it.
pub fn references(table: Table) -> Vec<v8::ExternalReference> {
    table.into_iter().map(|function| v8::ExternalReference { function }).collect()
}
