//! Namespaces of the process's own, where the kernel lets an ordinary user make them.

use super::Outcome;
use rustix::{
    io::Errno,
    thread::{UnshareFlags, unshare_unsafe},
};

/// Leaves the user, network and IPC namespaces of the daemon. The new network has no interface.
pub fn leave() -> [Outcome; 3] {
    let all = UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    if unshare(all).is_ok() {
        return [Ok(()), Ok(()), Ok(())];
    }
    [UnshareFlags::NEWUSER, UnshareFlags::NEWNET, UnshareFlags::NEWIPC]
        .map(|one| unshare(one).map_err(|error| error.to_string()))
}

#[expect(unsafe_code, reason = "rustix asks for it because of descriptor tables")]
fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the descriptor table is not among the flags.
    unsafe { unshare_unsafe(flags) }
}
