//! What is asked of the sandbox and what it answers.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, value::RawValue};
use sl_js_protocol::{FetchRequest, FetchResponse, Frame, LogLevel, Options, RunContext, RunLimits};
use sl_store::Fault;
use uuid::Uuid;

/// One run of one function version.
#[derive(Clone)]
pub struct Run {
    /// Whose hosts it runs in.
    pub account: Uuid,
    /// The immutable function version: hosts keep compiled code under it, so two sources must never share one.
    pub version_id: Uuid,
    /// The version's source.
    pub source: Arc<str>,
    /// JSON text of the params; an empty text means `{}`.
    pub params_json: String,
    /// The secrets the function declares, by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// What the function may know about its run.
    pub context: RunContext,
    /// What it may use.
    pub limits: RunLimits,
    /// What it may do beyond the usual.
    pub options: Options,
}

impl fmt::Debug for Run {
    /// Without source, params and secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Run")
            .field("account", &self.account)
            .field("version_id", &self.version_id)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// What a run needs of the daemon while it runs. The calls are made while the run is being read: they must not block.
pub trait HostCalls: Send + Sync + 'static {
    /// A line was logged. It is also part of the report.
    fn log(&self, line: &LogLine);

    /// The function fetches something; a fault becomes a rejected promise with its code and message. The future is
    /// dropped when the run ends first.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, Fault>>;
}

/// One logged line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Counts from 1 within the run.
    pub sequence: u32,
    /// Its level.
    pub level: LogLevel,
    /// Its text on one line.
    pub text: String,
    /// Since the run began.
    pub at: Duration,
}

/// A Devpack action that a run queued.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedAction {
    /// `action_1`, `action_2`, ... in the order of queueing.
    pub id: String,
    /// For example `gasbank.withdraw`.
    pub kind: String,
    /// Its params, as the function gave them: nothing about them has been checked but their size.
    pub params: Value,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// Whether it was put to a host, so that something of it may have run.
    pub begun: bool,
    /// What it logged, in order.
    pub logs: Vec<LogLine>,
    /// CPU time as the host tells it; zero where the host died.
    pub cpu: Duration,
    /// Time in the host, as seen from here.
    pub wall: Duration,
    /// Peak of the JavaScript heap as the host tells it; zero where it died without a word.
    pub heap_peak_bytes: u64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// It returned.
    Returned {
        /// A JSON object, as the function's host wrote it.
        output: Box<RawValue>,
        /// What it queued.
        actions: Vec<QueuedAction>,
    },
    /// It did not.
    Failed(Failure),
}

/// Why a run did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `threw`, `cpu_limit`, `memory_limit`, `wall_limit`, `stack_limit`, `output_limit`, `log_limit`, `action_limit`,
    /// `fetch_limit`, `timer_limit`, `denied`, `unsettled`, `uncompilable`, `cancelled` or `crashed`.
    pub code: &'static str,
    /// The error's class: `TypeError`, or `Error` for what is not the tenant's throw.
    pub class: String,
    /// For the function's author.
    pub message: String,
    /// Places in the tenant's source, innermost first.
    pub stack: Vec<Frame>,
    /// The field of the run's limits that was hit, and its value there (bytes, microseconds or a number).
    pub limit: Option<(&'static str, u64)>,
}

/// Why a source is no function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// What is wrong, with its class.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in UTF-16 units.
    pub column: u32,
}

impl Failure {
    pub(super) fn plain(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, class: "Error".to_owned(), message: message.into(), stack: Vec::new(), limit: None }
    }

    pub(super) fn limited(self, field: &'static str, bound: u64) -> Self {
        Self { limit: Some((field, bound)), ..self }
    }
}
