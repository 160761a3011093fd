//! Descriptors: the socket at 3, nothing at 0 to 2, the process's own memory figures at 4, and no other.

use super::Outcome;
use rustix::{
    fs::{Mode, OFlags, open},
    io::fcntl_dupfd_cloexec,
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use sl_js_protocol::HOST_SOCKET_FD;
use std::{
    fs::File,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// What is left of the inherited descriptors.
pub struct Inherited {
    pub socket: OwnedFd,
    /// `/proc/self/statm`, opened while that can be done.
    pub memory: Option<File>,
    outcome: Outcome,
}

impl Inherited {
    /// Takes the socket from `fd` to 3 and closes every other descriptor. Must come before anything is opened.
    ///
    /// # Errors
    /// There is no descriptor `fd`.
    pub fn take(fd: i32) -> Result<Self, String> {
        let socket = at_three(fd)?;
        let closed = close_from(HOST_SOCKET_FD + 1);
        let memory = File::open("/proc/self/statm").ok();
        let silenced = silence();
        Ok(Self { socket, memory, outcome: closed.and(silenced) })
    }

    /// Whether nothing else is left.
    pub fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }
}

#[expect(unsafe_code, reason = "the socket is inherited by its number")]
fn at_three(fd: i32) -> Result<OwnedFd, String> {
    if fd == HOST_SOCKET_FD {
        // SAFETY: the daemon leaves this descriptor to us; nothing else in the process knows it.
        return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    // SAFETY: the number is borrowed for one call, which fails where nothing is open there.
    let given = unsafe { BorrowedFd::borrow_raw(fd) };
    let socket =
        fcntl_dupfd_cloexec(given, HOST_SOCKET_FD).map_err(|error| format!("no descriptor {fd}: {error}"))?;
    if socket.as_raw_fd() == HOST_SOCKET_FD {
        return Ok(socket);
    }
    // SAFETY: 3 was open before this process's code ran, and nothing in it has taken it for its own.
    let mut three = unsafe { OwnedFd::from_raw_fd(HOST_SOCKET_FD) };
    rustix::io::dup2(&socket, &mut three)
        .map_err(|error| format!("cannot take descriptor {HOST_SOCKET_FD}: {error}"))?;
    Ok(three)
}

#[expect(unsafe_code, reason = "no safe wrapper closes descriptors that nobody owns")]
fn close_from(first: i32) -> Outcome {
    // SAFETY: nothing in this process owns a descriptor from `first` on.
    match unsafe { libc::close_range(first.unsigned_abs(), u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(format!("cannot close what was inherited: {}", std::io::Error::last_os_error())),
    }
}

/// Points 0 to 2 at nothing.
fn silence() -> Outcome {
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    null.and_then(|null| {
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)
    })
    .map_err(|error| format!("cannot open /dev/null: {error}"))
}
