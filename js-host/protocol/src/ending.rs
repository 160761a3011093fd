//! How a run ends.

use crate::bounded;
use serde::{Deserialize, Serialize};

/// How a run ended, as the host tells it. A host that dies instead of answering is the daemon's to report: it ends
/// the run with the code `crashed`, or `memory_limit` where the kernel's account of the process says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It returned.
    Returned {
        /// JSON text of an object.
        output_json: String,
    },
    /// It threw, or its promise was rejected.
    Threw(Thrown),
    /// It used more than it may.
    Limit(LimitHit),
    /// It did what it may not do (`eval`, a dynamic import, ...), and did not catch the error for it.
    Denied(Thrown),
    /// Its promise is pending, and nothing is left that could settle it: no timer, no fetch.
    Unsettled,
    /// Its source is no function.
    Uncompilable(CompileFault),
    /// [`crate::Source::Known`] named code that the host does not have. Nothing was run.
    SourceUnknown,
    /// The daemon asked for it.
    Cancelled,
}

impl Ending {
    /// The code under which an execution records this ending; `None` where it returned.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Returned { .. } => None,
            Self::Threw(_) => Some("threw"),
            Self::Limit(hit) => Some(hit.limit.code()),
            Self::Denied(_) => Some("denied"),
            Self::Unsettled => Some("unsettled"),
            Self::Uncompilable(_) => Some("uncompilable"),
            Self::SourceUnknown => Some("source_unknown"),
            Self::Cancelled => Some("cancelled"),
        }
    }
}

/// What a run threw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thrown {
    /// The error's class, for example `TypeError`; `Error` where something else was thrown.
    pub class: String,
    /// Its message, or what was thrown as text.
    pub message: String,
    /// Innermost first; only frames of the tenant's own source.
    #[serde(deserialize_with = "bounded::list::<_, _, 64>")]
    pub stack: Vec<Frame>,
}

/// One place in the tenant's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The function's name; empty where it has none.
    pub function: String,
    /// From 1.
    pub line: u32,
    /// From 1, in UTF-16 units.
    pub column: u32,
}

/// Why a source is no function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileFault {
    /// For example `SyntaxError`.
    pub class: String,
    /// What is wrong.
    pub message: String,
    /// From 1.
    pub line: u32,
    /// From 1, in UTF-16 units.
    pub column: u32,
}

/// A limit that a run hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitHit {
    /// Which.
    pub limit: LimitKind,
    /// Its value, in the unit that [`LimitKind`] gives.
    pub bound: u64,
    /// Where the run was in its source when it was stopped, where that is known; innermost first.
    #[serde(deserialize_with = "bounded::list::<_, _, 64>")]
    pub stack: Vec<Frame>,
}

/// The limits of a run; the unit of each one's bound is in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitKind {
    /// CPU time (microseconds).
    Cpu,
    /// The JavaScript heap (bytes).
    Heap,
    /// Array buffers (bytes).
    Buffers,
    /// Resident memory of the process (bytes).
    Resident,
    /// Time (microseconds).
    Wall,
    /// Stack (bytes).
    Stack,
    /// JSON text of the output or of the actions' params (bytes).
    Output,
    /// Lines logged (lines).
    LogLines,
    /// Bytes logged (bytes).
    LogBytes,
    /// Actions queued (actions).
    Actions,
    /// Fetches begun (fetches).
    Fetches,
    /// Timers armed at once (timers).
    Timers,
}

impl LimitKind {
    /// The code under which an execution records it. Several kinds share one: what ran out is memory, whoever
    /// counts it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cpu => "cpu_limit",
            Self::Heap | Self::Buffers | Self::Resident => "memory_limit",
            Self::Wall => "wall_limit",
            Self::Stack => "stack_limit",
            Self::Output => "output_limit",
            Self::LogLines | Self::LogBytes => "log_limit",
            Self::Actions => "action_limit",
            Self::Fetches => "fetch_limit",
            Self::Timers => "timer_limit",
        }
    }

    /// The field of [`crate::RunLimits`] that holds the bound.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Heap => "heap_bytes",
            Self::Buffers => "buffer_bytes",
            Self::Resident => "resident_bytes",
            Self::Wall => "wall",
            Self::Stack => "stack_bytes",
            Self::Output => "output_bytes",
            Self::LogLines => "log_lines",
            Self::LogBytes => "log_bytes",
            Self::Actions => "actions",
            Self::Fetches => "fetches",
            Self::Timers => "timers",
        }
    }
}
