//! What a daemon and a JavaScript host say to each other.
//!
//! A host is a process that runs the functions of one account and can do nothing else. It inherits one connected
//! stream socket; over it travel frames: a length (four bytes, little endian) and that many bytes of postcard.
//! The first frame is the host's [`Hello`]; the daemon answers [`ToHost::Assign`] once, and from then on asks for
//! one thing at a time: [`ToHost::Compile`] (answered by [`ToDaemon::Compiled`]) or [`ToHost::Run`] (answered by any
//! number of [`ToDaemon::Log`] and [`ToDaemon::FetchRequest`], then exactly one [`ToDaemon::Done`]).
//! [`ToHost::FetchReply`], [`ToHost::Cancel`] and [`ToHost::Ping`] may be sent at any moment.
//!
//! Nothing that a host says may be trusted: tenant code may have taken it over. Decoding is total (every input is
//! a message or a [`FrameFault`]), frames are capped before they are read, and lists are capped by count, so that
//! a small frame cannot become a large value. What decodes is still only a claim: texts that should be JSON must
//! be parsed, run ids compared, counts and sizes held against the limits that were sent.

mod bounded;
mod codec;
mod ending;
mod from_host;
mod line;
mod to_host;

pub use codec::{FrameBuffer, FrameFault, MAX_FRAME_BYTES, encode, read_frame, write_frame};
pub use ending::{CompileFault, Ending, Frame, LimitHit, LimitKind, Thrown};
pub use from_host::{
    Action, Compiled, Done, FetchRequest, Hello, Log, LogLevel, MAX_ACTIONS, MAX_FETCH_HEADERS, ToDaemon,
    Usage, Wall, WallName,
};
pub use line::one_line;
pub use to_host::{
    Assign, CodeKey, Compile, FetchOutcome, FetchReply, FetchResponse, Options, Run, RunContext, RunId,
    RunLimits, Secrets, Source, ToHost,
};

/// The version of this language. A host says it in its [`Hello`]; another number than the daemon's own means that
/// the two binaries were not built together, and the host must not be used.
pub const PROTOCOL_VERSION: u16 = 1;

/// The descriptor at which a host expects its socket.
pub const HOST_SOCKET_FD: i32 = 3;

/// How much heap the isolate has that a host makes before it knows what it will run. A run that asks for another
/// bound makes its host build another isolate first (about a millisecond). The `--heap-mib` flag changes it.
pub const DEFAULT_HEAP_BYTES: u64 = 64 << 20;
