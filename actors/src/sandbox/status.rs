//! The sandbox as an operator sees it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::pool::Pool;

/// The sandbox at this moment, in this daemon.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SandboxStatus {
    /// Started hosts that wait for an account.
    pub warm: usize,
    /// Hosts that are being started.
    pub starting: usize,
    /// Hosts that run something.
    pub busy: usize,
    /// Hosts that wait for the next run of their account.
    pub idle: usize,
    /// Places of hosts that a run has spoilt: their accounts may fill them again in a moment.
    pub cooling: usize,
    /// Runs that wait for a host.
    pub waiting: usize,
    /// Hosts started since the daemon was.
    pub started: u64,
    /// Hosts that did not come up.
    pub failed: u64,
    /// Hosts that ended, whatever the reason.
    pub ended: u64,
    /// Why the last host did not come up, until one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The version of V8, once a host has told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v8_version: Option<String>,
    /// The walls around tenant code, standing or not.
    pub walls: Vec<WallStatus>,
    /// What each account has.
    pub accounts: Vec<AccountHosts>,
}

/// One wall between tenant code and the machine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WallStatus {
    /// Its name: `seccomp`, `landlock`, `memory_cgroup`.
    pub name: &'static str,
    /// Whether it stands.
    pub held: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// One account's hosts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountHosts {
    /// The account.
    pub account_id: Uuid,
    /// The processes that serve it, and nobody else for their whole life.
    pub pids: Vec<u32>,
    /// How many of them run something.
    pub busy: usize,
    /// How many places it may not fill yet, because a run of it has spoilt the host.
    pub cooling: usize,
    /// Its runs that wait.
    pub waiting: usize,
}

pub(super) fn status(pool: &Pool) -> SandboxStatus {
    let census = pool.census();
    let accounts = census.accounts.into_iter().map(|(account_id, account)| AccountHosts {
        account_id,
        pids: account.pids,
        busy: account.busy,
        cooling: account.cooling,
        waiting: account.waiting,
    });
    SandboxStatus {
        warm: census.warm,
        starting: census.starting,
        busy: census.busy,
        idle: census.idle,
        cooling: census.cooling,
        waiting: census.waiting,
        started: census.counts.started,
        failed: census.counts.failed,
        ended: census.counts.ended,
        last_error: census.last_error,
        v8_version: pool.hello().map(|hello| hello.v8.clone()),
        walls: walls(pool),
        accounts: accounts.collect(),
    }
}

/// The walls that the hosts told of, and those that stand on this side.
pub(super) fn walls(pool: &Pool) -> Vec<WallStatus> {
    let told = pool.hello().map(|hello| hello.walls.as_slice()).unwrap_or_default();
    let wall = |name, missing: Option<String>| WallStatus { name, held: missing.is_none(), missing };
    let mut walls: Vec<WallStatus> =
        told.iter().map(|told| wall(told.name.as_str(), told.missing.clone())).collect();
    walls.push(wall("memory_watch", None));
    walls.push(wall("memory_cgroup", pool.cgroup.as_ref().err().cloned()));
    walls
}

/// Says once, plainly, which walls hold.
pub(super) fn announce(pool: &Pool) {
    let walls = walls(pool);
    let held: Vec<&str> = walls.iter().filter(|wall| wall.held).map(|wall| wall.name).collect();
    let missing: Vec<String> = walls
        .iter()
        .filter_map(|wall| wall.missing.as_ref().map(|why| format!("{}: {why}", wall.name)))
        .collect();
    let (held, missing) = (held.join(", "), missing.join("; "));
    tracing::info!(held, missing, "Walls around tenant code");
}
