//! The exit codes: a closed set that scripts can rely on (`docs/slctl.md`).

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; for `diff`: no differences.
    Done = 0,
    /// Anything that has no code of its own; for `diff` also: there are differences.
    Other = 1,
    /// The command line, a manifest or a context is wrong; nothing was sent.
    Usage = 2,
    /// No token, or one that is not accepted.
    Unauthorized = 3,
    /// The token is accepted, but it may not do this.
    Forbidden = 4,
    /// There is no such thing.
    NotFound = 5,
    /// Something stands against it: a conflict, another version, the wrong state.
    Conflict = 6,
    /// The server refused the content of the request.
    Invalid = 7,
    /// A rate, a quota or a queue is full.
    Limited = 8,
    /// The server does not answer, not now, or not in time.
    Unavailable = 9,
    /// The request worked; the execution it was about failed.
    ExecutionFailed = 10,
    /// A signature or a round does not verify.
    VerificationFailed = 11,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
