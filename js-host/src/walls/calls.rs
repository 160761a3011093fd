//! The system calls that are left: memory, time, waiting, randomness, the socket. Everything else is refused with
//! `EPERM`, which V8 and the C library take well where they try.

use super::Outcome;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};
use sl_js_protocol::HOST_SOCKET_FD;
use std::collections::BTreeMap;

/// Calls that can do no harm, whatever their arguments. A thread that V8 made may get to run only when the filter is
/// up already: what the C library does at a thread's start is among them, for it aborts where `rseq` fails.
const FREE: [i64; 31] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// `PR_SET_VMA` and `PR_SET_NAME`: name a mapping, or a thread.
const NAMING: [u64; 2] = [0x5356_4d41, 15];

/// Where the process's memory figures are read.
const MEMORY_FD: u64 = 4;

/// Puts the filter in front of every thread.
pub fn filter(jitless: bool) -> Outcome {
    let program = program(jitless).map_err(|error| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

fn program(jitless: bool) -> Result<BpfProgram, BackendError> {
    let socket = HOST_SOCKET_FD.unsigned_abs().into();
    let own = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FREE.into_iter().map(|call| (call, Vec::new())).collect();
    // The socket, and nothing else, can be spoken over.
    for call in [libc::SYS_recvfrom, libc::SYS_sendto, libc::SYS_write] {
        rules.insert(call, vec![first_is(socket)?]);
    }
    rules.insert(libc::SYS_pread64, vec![first_is(MEMORY_FD)?]);
    rules.insert(libc::SYS_prctl, vec![first_is(NAMING[0])?, first_is(NAMING[1])?]);
    // A crash is a signal to oneself.
    rules.insert(libc::SYS_tgkill, vec![first_is(own)?]);
    rules.insert(libc::SYS_mmap, mapping(jitless)?);
    for call in [libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        let rule = if jitless { vec![SeccompRule::new(vec![not_executable()?])?] } else { Vec::new() };
        rules.insert(call, rule);
    }
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?.try_into()
}

/// Memory of nobody's file, executable only where code is compiled.
fn mapping(jitless: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let anonymous = libc::MAP_ANONYMOUS.unsigned_abs().into();
    let masked = SeccompCmpOp::MaskedEq(anonymous);
    let mut conditions = vec![SeccompCondition::new(3, SeccompCmpArgLen::Dword, masked, anonymous)?];
    if jitless {
        conditions.push(not_executable()?);
    }
    Ok(vec![SeccompRule::new(conditions)?])
}

fn not_executable() -> Result<SeccompCondition, BackendError> {
    let executable = libc::PROT_EXEC.unsigned_abs().into();
    SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)
}

fn first_is(value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
}
