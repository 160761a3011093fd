//! The sandbox: tenant code runs in host processes, and this is the daemon's side of them.
//!
//! It promises that a host serves one account for its whole life and one run at a time; that a run has a host at once
//! where one is free, in the order of arrival of its account otherwise, and that no account keeps the others waiting
//! longer than a turn; that every run ends, in time and with its own code, whatever the host does; and that nothing a
//! host says is believed before it was held against the limits of the run.
//!
//! The way to a free host is a lock and a list ([`pool`]), the conversation runs in the caller's task
//! ([`conversation`]). One supervised actor ([`keeper`]) starts hosts and sends idle ones away; one task stays with
//! each process until it has ended ([`process`]).

mod ask;
mod cgroup;
mod conversation;
mod fetch;
mod host;
mod keeper;
mod ledger;
mod limits;
mod memory;
mod pool;
mod process;
mod report;
mod run;
mod status;
mod tally;
mod text;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use ractor::{Actor, ActorCell};
pub use sl_js_protocol::{FetchRequest, FetchResponse, Frame, LogLevel, Options, RunContext, RunLimits};
use sl_store::Fault;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{cgroup::Cgroup, keeper::Keeper, pool::Pool, process::Spawner};
pub use self::{
    fetch::fetch,
    limits::{SETTINGS, SandboxLimits},
    process::HostProgram,
    run::{CompileError, Ending, Failure, HostCalls, LogLine, QueuedAction, Report, Run},
    status::{AccountHosts, SandboxStatus, WallStatus},
};
use crate::supervisor::{Child, Factory};

/// The sandbox; cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Pool>);

impl Sandbox {
    /// A sandbox without hosts: they come with its keeper ([`Sandbox::child`]). Must be called within the runtime that
    /// will wait for them.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the thread that starts hosts cannot be started.
    pub fn new(limits: SandboxLimits, program: HostProgram) -> Result<Self, Fault> {
        let spawner = Spawner::start(program).map_err(Fault::internal)?;
        let cgroup = Cgroup::prepare(limits.host_memory);
        Ok(Self(Pool::new(limits, spawner, cgroup)))
    }

    /// The keeper, for the supervisor to start.
    #[must_use]
    pub fn child(&self) -> Child {
        let pool = self.0.clone();
        let factory: Factory = Box::new(move |supervisor: ActorCell| {
            let pool = pool.clone();
            Box::pin(async move {
                Actor::spawn_linked(None, Keeper, pool, supervisor).await.map(|(actor, _)| actor.get_cell())
            })
        });
        Child { name: "sandbox", factory }
    }

    /// Runs a function. A run that goes wrong is a report; a fault means that it was not begun: too many wait
    /// ([`sl_store::Code::RateLimited`], [`sl_store::Code::Overloaded`]), no host can be started or the daemon is being
    /// shut down ([`sl_store::Code::Unavailable`]), it is too large for one message ([`sl_store::Code::TooLarge`]).
    /// Dropping the future kills the run.
    pub async fn run(
        &self,
        run: Run,
        calls: Arc<dyn HostCalls>,
        cancel: CancellationToken,
    ) -> Result<Report, Fault> {
        ask::run(&self.0, run, &calls, &cancel).await
    }

    /// Whether a source is a function; nothing of it runs. It is compiled in a host of its account, for a source is as
    /// hostile to a compiler as to an interpreter.
    ///
    /// # Errors
    /// The outer as [`Sandbox::run`], and [`sl_store::Code::Invalid`] where compiling it takes more than it may.
    pub async fn compile(&self, account: Uuid, source: Arc<str>) -> Result<Result<(), CompileError>, Fault> {
        ask::compile(&self.0, account, &source).await
    }

    /// The sandbox at this moment.
    #[must_use]
    pub fn status(&self) -> SandboxStatus {
        status::status(&self.0)
    }

    /// Takes no more runs, lets the running ones finish for as long as `within`, then kills what is left.
    pub async fn drain(&self, within: Duration) {
        self.0.drain(within).await;
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
