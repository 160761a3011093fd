//! The bounds of the pool of host processes.

use std::time::Duration;

use crate::settings::{Setting, Settings};

const WARM: Setting = Setting::count(
    "sandbox.warm_hosts",
    2,
    0,
    64,
    "How many started JavaScript hosts wait for an account that has none yet.",
);
const HOSTS: Setting =
    Setting::count("sandbox.hosts", 64, 1, 4_096, "How many JavaScript host processes there are at most.");
pub(super) const ACCOUNT_HOSTS: Setting = Setting::count(
    "sandbox.account_hosts",
    4,
    1,
    256,
    "How many JavaScript hosts one account has at most; each runs one function at a time.",
);
pub(super) const ACCOUNT_WAITING: Setting = Setting::count(
    "sandbox.account_waiting",
    128,
    0,
    100_000,
    "How many runs of one account wait for a JavaScript host; further ones are refused.",
);
pub(super) const WAITING: Setting = Setting::count(
    "sandbox.waiting",
    10_000,
    0,
    1_000_000,
    "How many runs of all accounts wait for a JavaScript host; further ones are refused.",
);
pub(super) const WAIT_TIME: Setting = Setting::millis(
    "sandbox.wait_time",
    30_000,
    10,
    600_000,
    "How long a run waits for a JavaScript host before it is refused.",
);
const IDLE_TIME: Setting = Setting::millis(
    "sandbox.idle_time",
    60_000,
    100,
    86_400_000,
    "How long a JavaScript host without work is kept for its account.",
);
const TURN: Setting = Setting::millis(
    "sandbox.turn",
    250,
    1,
    60_000,
    "How long an account keeps a JavaScript host while another account waits for one and all are taken.",
);
const COOLING_TIME: Setting = Setting::millis(
    "sandbox.cooling_time",
    500,
    0,
    60_000,
    "How long an account waits for another JavaScript host in the place of one that a run of it has spoilt.",
);
const START_TIME: Setting = Setting::millis(
    "sandbox.start_time",
    5_000,
    100,
    60_000,
    "How long a JavaScript host may take to start before it is given up.",
);
const HOST_MEMORY: Setting = Setting::bytes(
    "sandbox.host_memory",
    512 << 20,
    64 << 20,
    64 << 30,
    "How much memory the kernel gives a JavaScript host, where a memory cgroup is delegated.",
);
const GRACE: Setting = Setting::millis(
    "sandbox.kill_grace",
    500,
    10,
    10_000,
    "How long a JavaScript host may outlive a run's wall limit, or a cancelled run, before it is killed.",
);

/// The settings of the pool.
pub const SETTINGS: &[&Setting] = &[
    &WARM,
    &HOSTS,
    &ACCOUNT_HOSTS,
    &ACCOUNT_WAITING,
    &WAITING,
    &WAIT_TIME,
    &IDLE_TIME,
    &TURN,
    &COOLING_TIME,
    &START_TIME,
    &HOST_MEMORY,
    &GRACE,
];

/// The bounds of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Hosts that wait for an account.
    pub warm: usize,
    /// Hosts in all.
    pub hosts: usize,
    /// Hosts of one account.
    pub account_hosts: usize,
    /// Runs of one account that wait for a host.
    pub account_waiting: usize,
    /// Runs of all accounts that wait for a host.
    pub waiting: usize,
    /// How long a run waits for a host.
    pub wait: Duration,
    /// How long an idle host is kept for its account.
    pub idle: Duration,
    /// How long an account keeps a host that another waits for.
    pub turn: Duration,
    /// How long a spoilt host keeps its account's place.
    pub cooling: Duration,
    /// How long a host may take to start.
    pub start: Duration,
    /// Memory of one host where a cgroup bounds it; bytes.
    pub host_memory: u64,
    /// How long a host may outlive the end of its run.
    pub grace: Duration,
}

impl From<&Settings> for SandboxLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            warm: settings.size(&WARM),
            hosts: settings.size(&HOSTS),
            account_hosts: settings.size(&ACCOUNT_HOSTS),
            account_waiting: settings.size(&ACCOUNT_WAITING),
            waiting: settings.size(&WAITING),
            wait: settings.duration(&WAIT_TIME),
            idle: settings.duration(&IDLE_TIME),
            turn: settings.duration(&TURN),
            cooling: settings.duration(&COOLING_TIME),
            start: settings.duration(&START_TIME),
            host_memory: settings.count(&HOST_MEMORY),
            grace: settings.duration(&GRACE),
        }
    }
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}
