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
    pub fn run(&self, socket: OwnedFd, walls: &crate::walls::Walls) -> ! {
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
        [files(), network(), processes(self.parent), kernel()].concat()
    }
}

const HERE: i64 = libc::AT_FDCWD as i64;
const INET: i64 = libc::AF_INET as i64;
const UNIX: i64 = libc::AF_UNIX as i64;
const STREAM: i64 = libc::SOCK_STREAM as i64;
const EXECUTABLE: i64 = (libc::PROT_READ | libc::PROT_EXEC) as i64;

fn path(text: &'static std::ffi::CStr) -> i64 {
    i64::try_from(text.as_ptr().addr()).unwrap_or(0)
}

fn on(name: &'static str, call: i64, arguments: &[i64]) -> Attack {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    (name, call, all)
}

fn files() -> Vec<Attack> {
    vec![
        on("open", libc::SYS_open, &[path(c"/etc/passwd")]),
        on("openat", libc::SYS_openat, &[HERE, path(c"/etc/passwd")]),
        on("openat2", libc::SYS_openat2, &[HERE, path(c"/etc/passwd")]),
        on("creat", libc::SYS_creat, &[path(c"/tmp/escaped"), 0o600]),
        on("proc_maps", libc::SYS_openat, &[HERE, path(c"/proc/self/maps")]),
        on("proc_parent", libc::SYS_openat, &[HERE, path(c"/proc/1/environ")]),
        on("readlink", libc::SYS_readlink, &[path(c"/proc/self/exe"), path(c"/bin/sh"), 0]),
        on("stat", libc::SYS_newfstatat, &[HERE, path(c"/"), 0, 0]),
        on("getdents", libc::SYS_getdents64, &[3, 0, 0]),
        on("unlink", libc::SYS_unlink, &[path(c"/tmp/escaped")]),
        on("memfd_create", libc::SYS_memfd_create, &[path(c"x")]),
        on("mmap_file", libc::SYS_mmap, &[0, 4096, EXECUTABLE, i64::from(libc::MAP_PRIVATE), 4]),
        on("mount", libc::SYS_mount, &[]),
        on("chroot", libc::SYS_chroot, &[path(c"/")]),
        on("dup", libc::SYS_dup, &[3]),
        on("pipe", libc::SYS_pipe2, &[]),
        on("eventfd", libc::SYS_eventfd2, &[]),
        on("fcntl", libc::SYS_fcntl, &[3, 0]),
        on("ioctl", libc::SYS_ioctl, &[3]),
        on("write_other", libc::SYS_write, &[1, path(c"/bin/sh"), 1]),
        on("read", libc::SYS_read, &[4, 0, 0]),
    ]
}

fn network() -> Vec<Attack> {
    vec![
        on("socket_inet", libc::SYS_socket, &[INET, STREAM]),
        on("socket_unix", libc::SYS_socket, &[UNIX, STREAM]),
        on("socketpair", libc::SYS_socketpair, &[UNIX, STREAM]),
        on("connect", libc::SYS_connect, &[3]),
        on("bind", libc::SYS_bind, &[3]),
        on("accept", libc::SYS_accept4, &[3]),
        on("sendmsg", libc::SYS_sendmsg, &[3]),
        on("recvmsg", libc::SYS_recvmsg, &[3]),
    ]
}

fn processes(parent: i64) -> Vec<Attack> {
    vec![
        on("execve", libc::SYS_execve, &[path(c"/bin/sh")]),
        on("execveat", libc::SYS_execveat, &[HERE, path(c"/bin/sh")]),
        on("fork", libc::SYS_fork, &[]),
        on("vfork", libc::SYS_vfork, &[]),
        on("clone", libc::SYS_clone, &[i64::from(libc::SIGCHLD)]),
        on("clone3", libc::SYS_clone3, &[]),
        on("ptrace", libc::SYS_ptrace, &[i64::from(libc::PTRACE_ATTACH.cast_signed()), parent]),
        on("process_vm_readv", libc::SYS_process_vm_readv, &[parent]),
        on("process_vm_writev", libc::SYS_process_vm_writev, &[parent]),
        on("pidfd_open", libc::SYS_pidfd_open, &[parent]),
        on("kill_parent", libc::SYS_kill, &[parent, 0]),
        on("kill_all", libc::SYS_kill, &[-1, 0]),
        on("tkill", libc::SYS_tkill, &[parent, 0]),
        on("tgkill_parent", libc::SYS_tgkill, &[parent, parent, 0]),
        on("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, &[parent, 0]),
        on("unshare", libc::SYS_unshare, &[i64::from(libc::CLONE_NEWUSER)]),
        on("setns", libc::SYS_setns, &[3]),
        on("setuid", libc::SYS_setuid, &[]),
        on("prctl_dumpable", libc::SYS_prctl, &[i64::from(libc::PR_SET_DUMPABLE), 1]),
        on("prlimit_parent", libc::SYS_prlimit64, &[parent]),
        on("setrlimit", libc::SYS_setrlimit, &[]),
    ]
}

fn kernel() -> Vec<Attack> {
    vec![
        on("io_uring_setup", libc::SYS_io_uring_setup, &[8]),
        on("bpf", libc::SYS_bpf, &[]),
        on("userfaultfd", libc::SYS_userfaultfd, &[]),
        on("perf_event_open", libc::SYS_perf_event_open, &[]),
        on("keyctl", libc::SYS_keyctl, &[]),
        on("shmget", libc::SYS_shmget, &[]),
        on("msgget", libc::SYS_msgget, &[]),
        on("sysinfo", libc::SYS_sysinfo, &[]),
        on("uname", libc::SYS_uname, &[]),
    ]
}

/// `refused`, or what else came of a call.
#[expect(unsafe_code, reason = "an attacker does not use safe wrappers")]
fn attack(call: i64, with: [i64; 6]) -> String {
    // SAFETY: with the walls up none of these calls comes to touch memory; without them they get null pointers, or
    // constant texts.
    let result = unsafe { libc::syscall(call, with[0], with[1], with[2], with[3], with[4], with[5]) };
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
