//! What stands between tenant code and the machine, should V8 not hold.
//!
//! The walls go up in two steps: those that must be there before a second thread is ([`early`]), and the filter of
//! system calls, once V8 has made its own ([`late`]). None is fatal where the kernel does not offer it: each says so in
//! the host's `Hello`, and whoever needs them all starts the host with `--require-walls`.
//!
//! After [`late`] the process can compute, take and give back memory, sleep, and speak over the one socket. It cannot
//! open, connect, execute, fork, trace, or signal anybody else.

mod calls;
mod descriptors;
mod files;
mod namespaces;
mod process;

pub use descriptors::Inherited;

use sl_js_protocol::{Wall, WallName};

/// A wall stands, or why it does not.
type Outcome = Result<(), String>;

/// Collects what came of each wall.
#[derive(Debug, Default)]
pub struct Walls(Vec<Wall>);

impl Walls {
    fn add(&mut self, name: WallName, outcome: Outcome) {
        self.0.push(Wall { name, missing: outcome.err() });
    }

    /// Those that do not stand, in one line; `None` where all do.
    pub fn missing(&self) -> Option<String> {
        let missing: Vec<String> = self
            .0
            .iter()
            .filter_map(|wall| Some(format!("{}: {}", wall.name.as_str(), wall.missing.as_ref()?)))
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    /// For `Hello`.
    pub fn into_vec(self) -> Vec<Wall> {
        self.0
    }
}

/// The first step: called first of all, while the process has one thread. Nothing can be opened afterwards.
pub fn early(inherited: &Inherited) -> Walls {
    let mut walls = Walls::default();
    walls.add(WallName::Descriptors, inherited.outcome());
    walls.add(WallName::Environment, process::clear_environment());
    let [user, network, ipc] = namespaces::leave();
    walls.add(WallName::UserNamespace, user);
    walls.add(WallName::NetworkNamespace, network);
    walls.add(WallName::IpcNamespace, ipc);
    walls.add(WallName::NoNewPrivileges, process::renounce_privileges());
    walls.add(WallName::NotDumpable, process::hide());
    walls.add(WallName::ParentDeath, process::die_with_parent());
    walls.add(WallName::Landlock, files::forbid());
    walls
}

/// The second step: called when every thread is there that ever will be.
pub fn late(walls: &mut Walls, jitless: bool) {
    walls.add(WallName::ResourceLimits, process::limit_resources());
    walls.add(WallName::Seccomp, calls::filter(jitless));
}
