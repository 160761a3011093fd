//! What the process is to others, and what it may use.

use super::Outcome;
use rustix::{
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
        setrlimit,
    },
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};

/// As many descriptors as there are: the null ones, the socket, the memory figures.
const DESCRIPTORS: u64 = 5;

/// Empties the environment. What the kernel keeps of the original one cannot be emptied, so it must have been empty
/// from the beginning.
#[expect(unsafe_code, reason = "no safe function empties the environment")]
#[expect(clippy::disallowed_methods, reason = "nothing is read from it")]
pub fn clear_environment() -> Outcome {
    let count = std::env::vars_os().count();
    // SAFETY: the process has one thread, and nothing holds a pointer into the environment.
    let cleared = unsafe { libc::clearenv() };
    match (count, cleared) {
        (0, 0) => Ok(()),
        (_, 0) => Err(format!("{count} variables were inherited; they were removed")),
        _ => Err("it cannot be emptied".to_owned()),
    }
}

/// Gives up every capability, and every way to gain one by executing.
pub fn renounce_privileges() -> Outcome {
    let none = CapabilitySet::empty();
    set_no_new_privs(true)
        .and_then(|()| {
            set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        })
        .map_err(|error| error.to_string())
}

/// Nobody of the same user may look into this process or trace it, and it leaves no core.
pub fn hide() -> Outcome {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| error.to_string())
}

/// The kernel kills this process when the thread that started it ends.
pub fn die_with_parent() -> Outcome {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())
}

/// No cores, no files, no further descriptors, threads or processes. Address space is not limited: V8 reserves
/// gigabytes that it never uses.
pub fn limit_resources() -> Outcome {
    let limits = [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("{resource:?}: {error}"))?;
    }
    Ok(())
}
