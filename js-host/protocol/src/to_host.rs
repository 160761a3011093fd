//! What a daemon asks of a host.

use crate::bounded;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Names one run towards one host. The daemon gives each run of a host a number it has not used there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// Names one immutable function version: the key under which a host keeps compiled code (and, where the function
/// asks for it, its context). Two sources must never share one. The bytes of the version's UUID serve well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CodeKey(pub [u8; 16]);

/// A message to a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToHost {
    /// The account that this process serves for the rest of its life. Sent once, before anything is compiled or run;
    /// a second one ends the host.
    Assign(Assign),
    /// Compile a source and throw it away: is it a function?
    Compile(Compile),
    /// Run a function.
    Run(Box<Run>),
    /// The answer to a [`crate::FetchRequest`].
    FetchReply(FetchReply),
    /// End the run now; it answers [`crate::Ending::Cancelled`]. Has no effect on another run than the one named.
    Cancel(RunId),
    /// Answered by [`crate::ToDaemon::Pong`] with the same number, also while tenant code runs.
    Ping(u64),
    /// Exit with status 0. Closing the socket does the same.
    Quit,
}

/// See [`ToHost::Assign`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The account's id.
    pub account_id: String,
}

/// See [`ToHost::Compile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compile {
    /// Comes back in the answer.
    pub id: RunId,
    /// JavaScript: a module with a default export, or one expression.
    pub source: String,
    /// The bounds that hold while it is compiled; only `cpu`, `heap_bytes` and `wall` matter.
    pub limits: RunLimits,
}

/// Where a run's code comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// The text.
    Text(String),
    /// A run of this process had the text under the same key already. A host that no longer has it answers
    /// [`crate::Ending::SourceUnknown`] without having run anything.
    Known,
}

/// See [`ToHost::Run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Comes back in every answer.
    pub id: RunId,
    /// The function version.
    pub code: CodeKey,
    /// Its text.
    pub source: Source,
    /// JSON text of the params; an empty text means `{}`.
    pub params_json: String,
    /// The secrets that the function declares, by name.
    pub secrets: Secrets,
    /// What the function may know about its run.
    pub context: RunContext,
    /// What it may use.
    pub limits: RunLimits,
    /// What it may do beyond the usual.
    pub options: Options,
}

/// What a function may know about its run: `Devpack.context`, and the second argument of a module's default export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunContext {
    /// `functionId`.
    pub function_id: String,
    /// `functionVersion`, a count from 1.
    pub function_version: u64,
    /// `accountId`.
    pub account_id: String,
    /// `executionId`.
    pub execution_id: String,
    /// `attempt`, a count from 1.
    pub attempt: u32,
    /// `phase`: `check` or `perform` where a job runs in two phases.
    pub phase: Option<String>,
}

/// Names and plaintexts of secrets. Shows names only when printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets(pub BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Upper bounds of one run. Each has its own ending; see [`crate::LimitKind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// The JavaScript heap. At least 4 MiB is given.
    pub heap_bytes: u64,
    /// Array buffers (typed arrays, bodies), which lie outside the heap.
    pub buffer_bytes: u64,
    /// Resident memory of the whole process; catches what V8 takes outside both. 0 is no bound.
    pub resident_bytes: u64,
    /// CPU time of the thread that runs the function. Waiting for a fetch or a timer takes none.
    pub cpu: Duration,
    /// Time from receiving the run to its end.
    pub wall: Duration,
    /// Stack of the thread that runs the function. The host holds it between 256 KiB and 4 MiB.
    pub stack_bytes: u64,
    /// JSON text of the output, and of all actions' params together.
    pub output_bytes: u64,
    /// Lines logged.
    pub log_lines: u32,
    /// Bytes logged.
    pub log_bytes: u64,
    /// Devpack actions queued; never more than [`crate::MAX_ACTIONS`].
    pub actions: u32,
    /// Fetches begun.
    pub fetches: u32,
    /// Timers armed at any one moment.
    pub timers: u32,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            heap_bytes: crate::DEFAULT_HEAP_BYTES,
            buffer_bytes: 32 << 20,
            resident_bytes: 256 << 20,
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(30),
            stack_bytes: 984 << 10,
            output_bytes: 1 << 20,
            log_lines: 1_000,
            log_bytes: 256 << 10,
            actions: 100,
            fetches: 20,
            timers: 100,
        }
    }
}

/// What a function may do beyond the usual. Everything is off by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// `eval`, `new Function` and their like.
    pub allow_eval: bool,
    /// `WebAssembly`. Its memories count as resident memory only.
    pub allow_wasm: bool,
    /// Keep what the function holds (module state, globals) for its next run in this host. It is lost whenever the
    /// host, or the function, changes.
    pub keep_context: bool,
}

/// See [`ToHost::FetchReply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FetchReply {
    /// The run that asked.
    pub run: RunId,
    /// The request's number.
    pub id: u32,
    /// What came of it.
    pub outcome: FetchOutcome,
}

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FetchOutcome {
    /// The peer answered, whatever its status.
    Response(FetchResponse),
    /// There is no answer; the promise rejects with a `TypeError` that has this message and code.
    Failed {
        /// One of the daemon's error codes.
        code: String,
        /// For the function's author.
        message: String,
    },
}

/// A peer's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchResponse {
    /// HTTP status.
    pub status: u16,
    /// Reason phrase, where the peer sent one.
    pub status_text: String,
    /// The address that answered, after redirects.
    pub url: String,
    /// Whether there was a redirect.
    pub redirected: bool,
    /// Names in lower case, with repeats, in the peer's order.
    #[serde(deserialize_with = "bounded::list::<_, _, 1024>")]
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}
