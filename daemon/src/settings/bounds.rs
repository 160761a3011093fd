//! The daemon's own numbers: how the store is reached, how long the end may take.

use std::ffi::OsString;

use sl_actors::settings::{Setting, Settings};
use sl_store::postgres::Options;

const CONNECTIONS: Setting = Setting::count(
    "store.connections",
    10,
    1,
    500,
    "How many connections to PostgreSQL serve reads and claims.",
);
const LANES: Setting = Setting::count(
    "store.lanes",
    3,
    1,
    64,
    "How many connections to PostgreSQL serve commits; each gathers what waits and commits it at once.",
);
const WAIT_TIME: Setting = Setting::millis(
    "store.wait_time",
    2_000,
    10,
    60_000,
    "How long a read waits for a free connection before it is answered 503.",
);
const CONNECT_TIME: Setting =
    Setting::millis("store.connect_time", 2_000, 50, 60_000, "How long connecting to PostgreSQL may take.");
const STATEMENT_TIME: Setting = Setting::millis(
    "store.statement_time",
    10_000,
    100,
    600_000,
    "How long PostgreSQL works on one statement before it gives up.",
);
const LOCK_TIME: Setting =
    Setting::millis("store.lock_time", 5_000, 10, 600_000, "How long a statement waits for a lock.");
const IDLE_TIME: Setting = Setting::millis(
    "store.idle_in_transaction_time",
    10_000,
    100,
    600_000,
    "How long PostgreSQL keeps a transaction in which nothing happens.",
);
const WAITING_COMMITS: Setting = Setting::count(
    "store.waiting_commits",
    10_000,
    1,
    1_000_000,
    "How many changes may wait for a commit before more are answered 503.",
);
/// How long the daemon takes to end when it is asked to.
pub const DRAIN_TIME: Setting = Setting::millis(
    "daemon.drain_time",
    25_000,
    100,
    600_000,
    "How long running work may take to finish when the daemon is asked to end; what is left is given back.",
);

const JITLESS: Setting = Setting::flag(
    "sandbox.jitless",
    false,
    "Whether tenant code is interpreted only: slower, and nothing is ever compiled to machine code.",
);
const REQUIRE_WALLS: Setting = Setting::flag(
    "sandbox.require_walls",
    false,
    "Whether a JavaScript host refuses to start where one of its walls does not stand.",
);

/// All of them.
pub const SETTINGS: &[&Setting] = &[
    &CONNECTIONS,
    &LANES,
    &WAIT_TIME,
    &CONNECT_TIME,
    &STATEMENT_TIME,
    &LOCK_TIME,
    &IDLE_TIME,
    &WAITING_COMMITS,
    &DRAIN_TIME,
    &JITLESS,
    &REQUIRE_WALLS,
];

/// What a JavaScript host is told on its command line.
#[must_use]
pub fn host_arguments(limits: &Settings) -> Vec<OsString> {
    let flags = [(&JITLESS, "--jitless"), (&REQUIRE_WALLS, "--require-walls")];
    flags.into_iter().filter(|(setting, _)| limits.flag(setting)).map(|(_, flag)| flag.into()).collect()
}

/// How PostgreSQL is reached.
#[must_use]
pub fn store_options(dsn: &str, limits: &Settings) -> Options {
    Options {
        connections: limits.size(&CONNECTIONS),
        lanes: limits.size(&LANES),
        wait_timeout: limits.duration(&WAIT_TIME),
        connect_timeout: limits.duration(&CONNECT_TIME),
        statement_timeout: limits.duration(&STATEMENT_TIME),
        lock_timeout: limits.duration(&LOCK_TIME),
        idle_in_transaction_timeout: limits.duration(&IDLE_TIME),
        waiting_commits: limits.size(&WAITING_COMMITS),
        ..Options::new(dsn)
    }
}
