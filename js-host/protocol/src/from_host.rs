//! What a host says. None of it is more than a claim.

use crate::{CompileFault, Ending, RunId, bounded};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most headers that a function may send with a fetch.
pub const MAX_FETCH_HEADERS: usize = 256;

/// The most actions that a run may queue, whatever its limits say.
pub const MAX_ACTIONS: usize = 10_000;

/// A message from a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// The first message: ready.
    Hello(Hello),
    /// The answer to [`crate::ToHost::Compile`].
    Compiled(Compiled),
    /// A line that the running function logged, sent when it was logged.
    Log(Log),
    /// The running function asks for something from the network.
    FetchRequest(FetchRequest),
    /// The answer to [`crate::ToHost::Run`].
    Done(Box<Done>),
    /// The answer to [`crate::ToHost::Ping`].
    Pong(u64),
}

/// A host says what it is and which of its walls stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::PROTOCOL_VERSION`] of the host.
    pub protocol: u16,
    /// V8's version.
    pub v8: String,
    /// Whether code is compiled to machine code (false with `--jitless`).
    pub jit: bool,
    /// Every wall, standing or not.
    #[serde(deserialize_with = "bounded::list::<_, _, 32>")]
    pub walls: Vec<Wall>,
}

/// One wall between tenant code and the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// Which.
    pub name: WallName,
    /// `None` where it stands, otherwise why it does not.
    pub missing: Option<String>,
}

/// The walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WallName {
    /// Gains no privileges by executing.
    NoNewPrivileges,
    /// No descriptor but the socket, and null at 0 to 2.
    Descriptors,
    /// An empty environment.
    Environment,
    /// No core dumps, no file growth, few descriptors.
    ResourceLimits,
    /// Not readable or traceable by others of the same user.
    NotDumpable,
    /// Dies with the daemon.
    ParentDeath,
    /// A user namespace of its own.
    UserNamespace,
    /// A network namespace without any interface.
    NetworkNamespace,
    /// An IPC namespace of its own.
    IpcNamespace,
    /// No file may be opened.
    Landlock,
    /// Only the system calls that V8 needs.
    Seccomp,
}

impl WallName {
    /// As it is shown to operators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoNewPrivileges => "no_new_privileges",
            Self::Descriptors => "descriptors",
            Self::Environment => "environment",
            Self::ResourceLimits => "resource_limits",
            Self::NotDumpable => "not_dumpable",
            Self::ParentDeath => "parent_death",
            Self::UserNamespace => "user_namespace",
            Self::NetworkNamespace => "network_namespace",
            Self::IpcNamespace => "ipc_namespace",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// See [`ToDaemon::Compiled`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The number that came with the question.
    pub id: RunId,
    /// Why it is no function, if so.
    pub fault: Option<CompileFault>,
    /// The host exits after this answer (compiling overran a limit).
    pub leaving: bool,
}

/// How loud a line is: `console.debug`, `log` and `info`, `warn`, `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// `console.debug`, `console.trace`.
    Debug,
    /// `console.log`, `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`.
    Error,
}

/// One logged line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The run.
    pub run: RunId,
    /// Counts from 1 in each run.
    pub sequence: u32,
    /// Its level.
    pub level: LogLevel,
    /// Its text, in which line feeds and other control characters are escaped.
    pub text: String,
    /// Since the run began.
    pub at: Duration,
}

/// See [`ToDaemon::FetchRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// The run.
    pub run: RunId,
    /// Counts from 1 in each run; comes back in the reply.
    pub id: u32,
    /// In upper case.
    pub method: String,
    /// An absolute address.
    pub url: String,
    /// Names in lower case, with repeats.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_FETCH_HEADERS>")]
    pub headers: Vec<(String, String)>,
    /// The body, if any.
    pub body: Option<Vec<u8>>,
    /// What to do at a redirect: `follow`, or hand it back as it is.
    pub follow_redirects: bool,
}

/// A Devpack action that a run queued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// `action_1`, `action_2`, ... in the order of queueing.
    pub id: String,
    /// For example `gasbank.withdraw`.
    pub kind: String,
    /// JSON text of its params.
    pub params_json: String,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of the thread that ran it, compiling included.
    pub cpu: Duration,
    /// From receiving the run to its end.
    pub wall: Duration,
    /// The largest heap seen, as V8 counts it (what it had before the run included: about 1 MiB).
    pub heap_peak_bytes: u64,
    /// The most that array buffers held.
    pub buffer_peak_bytes: u64,
}

/// See [`ToDaemon::Done`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub ending: Ending,
    /// What it queued; empty unless it returned.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_ACTIONS>")]
    pub actions: Vec<Action>,
    /// What it used.
    pub usage: Usage,
    /// The host exits after this answer: its memory may be in any state.
    pub leaving: bool,
}
