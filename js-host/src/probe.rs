//! An escape is assumed: native code attacks the walls from inside, and tells what it could do. Started by `--probe`
//! instead of serving; what it finds goes over the socket, as JSON.

use std::{
    fmt::Write as _,
    io::{Error, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
};

/// What must be known before the walls are up.
pub struct Probe {
    parent: i64,
}

/// A system call, and its arguments.
type Attack = (&'static str, i64, [i64; 6]);

impl Probe {
    pub fn new() -> Self {
        let parent = rustix::process::getppid().map_or(1, |pid| i64::from(pid.as_raw_nonzero().get()));
        Self { parent }
    }

    /// Attacks, tells, and ends.
    pub fn run(self, socket: OwnedFd, walls: &crate::walls::Walls) -> ! {
        let mut told = String::from("{\"attacks\":{");
        for (at, (name, call, arguments)) in self.attacks().into_iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            // Writing to a text cannot fail.
            let _ = write!(told, "{comma}\"{name}\":{:?}", attack(call, arguments));
        }
        let missing = walls.missing().unwrap_or_default();
        let _ = write!(
            told,
            "}},\"descriptors\":{:?},\"environment\":{},\"missing\":{missing:?}}}",
            open_descriptors(),
            environment()
        );
        let _ = UnixStream::from(socket).write_all(told.as_bytes());
        crate::exit::now(0);
    }

    fn attacks(&self) -> Vec<Attack> {
        let path = |text: &'static std::ffi::CStr| text.as_ptr().addr().cast_signed() as i64;
        let nothing = 0_i64;
        let shell = path(c"/bin/sh");
        let here = i64::from(libc::AT_FDCWD);
        let parent = self.parent;
        let inet = i64::from(libc::AF_INET);
        let unix = i64::from(libc::AF_UNIX);
        let stream = i64::from(libc::SOCK_STREAM);
        let executable = i64::from(libc::PROT_READ | libc::PROT_EXEC);
        let all = |call, arguments: &[i64]| {
            let mut six = [nothing; 6];
            six[..arguments.len()].copy_from_slice(arguments);
            (call, six)
        };
        [
            ("open", all(libc::SYS_open, &[path(c"/etc/passwd")])),
            ("openat", all(libc::SYS_openat, &[here, path(c"/etc/passwd")])),
            ("openat2", all(libc::SYS_openat2, &[here, path(c"/etc/passwd")])),
            ("creat", all(libc::SYS_creat, &[path(c"/tmp/escaped"), 0o600])),
            ("proc_maps", all(libc::SYS_openat, &[here, path(c"/proc/self/maps")])),
            ("proc_parent", all(libc::SYS_openat, &[here, path(c"/proc/1/environ")])),
            ("readlink", all(libc::SYS_readlink, &[path(c"/proc/self/exe"), shell, 0])),
            ("stat", all(libc::SYS_newfstatat, &[here, path(c"/"), nothing, 0])),
            ("getdents", all(libc::SYS_getdents64, &[3, nothing, 0])),
            ("unlink", all(libc::SYS_unlink, &[path(c"/tmp/escaped")])),
            ("socket_inet", all(libc::SYS_socket, &[inet, stream])),
            ("socket_unix", all(libc::SYS_socket, &[unix, stream])),
            ("socketpair", all(libc::SYS_socketpair, &[unix, stream])),
            ("connect", all(libc::SYS_connect, &[3])),
            ("bind", all(libc::SYS_bind, &[3])),
            ("accept", all(libc::SYS_accept4, &[3])),
            ("sendmsg", all(libc::SYS_sendmsg, &[3])),
            ("recvmsg", all(libc::SYS_recvmsg, &[3])),
            ("execve", all(libc::SYS_execve, &[shell])),
            ("execveat", all(libc::SYS_execveat, &[here, shell])),
            ("fork", all(libc::SYS_fork, &[])),
            ("vfork", all(libc::SYS_vfork, &[])),
            ("clone", all(libc::SYS_clone, &[i64::from(libc::SIGCHLD)])),
            ("clone3", all(libc::SYS_clone3, &[])),
            ("ptrace", all(libc::SYS_ptrace, &[i64::from(libc::PTRACE_ATTACH.cast_signed()), parent])),
            ("process_vm_readv", all(libc::SYS_process_vm_readv, &[parent])),
            ("process_vm_writev", all(libc::SYS_process_vm_writev, &[parent])),
            ("pidfd_open", all(libc::SYS_pidfd_open, &[parent])),
            ("kill_parent", all(libc::SYS_kill, &[parent, 0])),
            ("kill_all", all(libc::SYS_kill, &[-1, 0])),
            ("tkill", all(libc::SYS_tkill, &[parent, 0])),
            ("tgkill_parent", all(libc::SYS_tgkill, &[parent, parent, 0])),
            ("rt_sigqueueinfo", all(libc::SYS_rt_sigqueueinfo, &[parent, 0])),
            ("io_uring_setup", all(libc::SYS_io_uring_setup, &[8])),
            ("memfd_create", all(libc::SYS_memfd_create, &[path(c"x")])),
            ("mmap_file", all(libc::SYS_mmap, &[nothing, 4096, executable, i64::from(libc::MAP_PRIVATE), 4])),
            ("bpf", all(libc::SYS_bpf, &[])),
            ("userfaultfd", all(libc::SYS_userfaultfd, &[])),
            ("perf_event_open", all(libc::SYS_perf_event_open, &[])),
            ("keyctl", all(libc::SYS_keyctl, &[])),
            ("mount", all(libc::SYS_mount, &[])),
            ("chroot", all(libc::SYS_chroot, &[path(c"/")])),
            ("unshare", all(libc::SYS_unshare, &[i64::from(libc::CLONE_NEWUSER)])),
            ("setns", all(libc::SYS_setns, &[3])),
            ("setuid", all(libc::SYS_setuid, &[])),
            ("prctl_dumpable", all(libc::SYS_prctl, &[i64::from(libc::PR_SET_DUMPABLE), 1])),
            ("prlimit_parent", all(libc::SYS_prlimit64, &[parent])),
            ("setrlimit", all(libc::SYS_setrlimit, &[])),
            ("shmget", all(libc::SYS_shmget, &[])),
            ("msgget", all(libc::SYS_msgget, &[])),
            ("dup", all(libc::SYS_dup, &[3])),
            ("pipe", all(libc::SYS_pipe2, &[])),
            ("eventfd", all(libc::SYS_eventfd2, &[])),
            ("fcntl", all(libc::SYS_fcntl, &[3, 0])),
            ("ioctl", all(libc::SYS_ioctl, &[3])),
            ("write_other", all(libc::SYS_write, &[1, shell, 1])),
            ("read", all(libc::SYS_read, &[4, nothing, 0])),
            ("sysinfo", all(libc::SYS_sysinfo, &[])),
            ("uname", all(libc::SYS_uname, &[])),
        ]
        .map(|(name, (call, arguments))| (name, call, arguments))
        .into()
    }
}

/// `refused`, or what else came of a call.
#[expect(unsafe_code, reason = "an attacker does not use safe wrappers")]
fn attack(call: i64, [a, b, c, d, e, f]: [i64; 6]) -> String {
    // SAFETY: with the walls up none of these calls comes to touch memory; without them they get null pointers, or
    // constant texts.
    let result = unsafe { libc::syscall(call, a, b, c, d, e, f) };
    match Error::last_os_error().raw_os_error() {
        _ if result == 0 && matches!(call, libc::SYS_fork | libc::SYS_vfork | libc::SYS_clone) => {
            crate::exit::now(0)
        }
        Some(libc::EPERM) if result < 0 => "refused".to_owned(),
        Some(number) if result < 0 => format!("let through, then errno {number}"),
        _ => format!("allowed: {result}"),
    }
}

/// Numbers of the open descriptors, found without asking the file system. `poll` takes no more of them at once than
/// may be open.
fn open_descriptors() -> Vec<i32> {
    (0..1024).filter(|fd| is_open(*fd)).collect()
}

#[expect(unsafe_code, reason = "nobody owns the descriptors that are looked for")]
fn is_open(fd: i32) -> bool {
    let mut asked = libc::pollfd { fd, events: 0, revents: 0 };
    // SAFETY: `asked` is valid for the call.
    let result = unsafe { libc::poll(&raw mut asked, 1, 0) };
    result >= 0 && asked.revents & libc::POLLNVAL == 0
}

#[expect(clippy::disallowed_methods, reason = "nothing is read from it")]
fn environment() -> usize {
    std::env::vars_os().count()
}
