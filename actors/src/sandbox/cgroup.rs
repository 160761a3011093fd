//! A memory bound of the kernel's around each host, where a part of the cgroup tree is ours (`Delegate=yes`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::host::HostId;

/// The part of the cgroup v2 tree in which hosts are put.
#[derive(Debug)]
pub(super) struct Cgroup {
    hosts: PathBuf,
    memory: u64,
}

/// One host's own group; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Cell(PathBuf);

impl Cgroup {
    /// Prepares the daemon's own part of the tree; the text says why there is none.
    pub(super) fn prepare(memory: u64) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let path = own
            .lines()
            .find_map(|line| line.strip_prefix("0::/"))
            .ok_or("this process is in no cgroup v2 tree")?;
        // A pool that was here before in this process has moved it already.
        let path = path.strip_suffix("daemon").unwrap_or(path);
        Self::at(&Path::new("/sys/fs/cgroup").join(path), memory)
    }

    /// The kernel allows controllers for children only where no process is in the group itself: the daemon moves into a
    /// child of its own first.
    fn at(group: &Path, memory: u64) -> Result<Self, String> {
        let controllers = fs::read_to_string(group.join("cgroup.controllers"))
            .map_err(|_| "the daemon's cgroup is not in a cgroup v2 tree".to_owned())?;
        if !controllers.split_whitespace().any(|name| name == "memory") {
            return Err("the memory controller is not delegated to the daemon's cgroup".to_owned());
        }
        if !alone(group) {
            return Err(
                "the daemon's cgroup holds other processes, so it is not delegated to the daemon".to_owned()
            );
        }
        let refused = |error: io::Error| format!("the daemon's cgroup is not delegated to it: {error}");
        let daemon = group.join("daemon");
        present(&daemon).map_err(refused)?;
        fs::write(daemon.join("cgroup.procs"), std::process::id().to_string()).map_err(refused)?;
        fs::write(group.join("cgroup.subtree_control"), "+memory").map_err(refused)?;
        let hosts = group.join("hosts");
        present(&hosts).map_err(refused)?;
        fs::write(hosts.join("cgroup.subtree_control"), "+memory").map_err(refused)?;
        Ok(Self { hosts, memory })
    }

    /// Puts a process into a group of its own.
    pub(super) fn enrol(&self, host: HostId, pid: u32) -> io::Result<Cell> {
        let path = self.hosts.join(format!("host-{host}"));
        present(&path)?;
        let cell = Cell(path);
        fs::write(cell.0.join("memory.max"), self.memory.to_string())?;
        // A kernel without swap accounting has no such file, and then nothing to bound.
        let _ = fs::write(cell.0.join("memory.swap.max"), "0");
        fs::write(cell.0.join("memory.oom.group"), "1")?;
        fs::write(cell.0.join("cgroup.procs"), pid.to_string())?;
        Ok(cell)
    }
}

impl Cell {
    /// Whether the kernel killed something in here for want of memory.
    pub(super) fn out_of_memory(&self) -> bool {
        fs::read_to_string(self.0.join("memory.events")).is_ok_and(|events| {
            events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count != "0"))
        })
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // A group that cannot be removed yet is empty and costs a few kilobytes.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether nobody else lives in the group: a session of a login, say, is not ours to rearrange.
fn alone(group: &Path) -> bool {
    let own = std::process::id().to_string();
    fs::read_to_string(group.join("cgroup.procs"))
        .is_ok_and(|processes| processes.lines().all(|pid| pid == own))
}

fn present(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).expect("written")
    }

    #[test]
    fn a_delegated_tree_bounds_every_host() {
        let tree = tempfile::tempdir().expect("a folder");
        fs::write(tree.path().join("cgroup.controllers"), "cpu memory pids\n").expect("written");
        fs::write(tree.path().join("cgroup.procs"), format!("{}\n", std::process::id())).expect("written");
        let cgroup = Cgroup::at(tree.path(), 1 << 20).expect("delegated");
        assert_eq!(read(tree.path().join("daemon/cgroup.procs")), std::process::id().to_string());
        assert_eq!(read(tree.path().join("cgroup.subtree_control")), "+memory");
        let cell = cgroup.enrol(7, 4242).expect("enrolled");
        let folder = tree.path().join("hosts/host-7");
        assert_eq!(read(folder.join("memory.max")), "1048576");
        assert_eq!(read(folder.join("cgroup.procs")), "4242");
        assert!(!cell.out_of_memory());
        fs::write(folder.join("memory.events"), "oom 1\noom_kill 1\n").expect("written");
        assert!(cell.out_of_memory());
    }

    #[test]
    fn a_tree_that_is_not_ours_says_why() {
        let tree = tempfile::tempdir().expect("a folder");
        assert!(Cgroup::at(tree.path(), 1).is_err_and(|why| why.contains("cgroup v2")));
        fs::write(tree.path().join("cgroup.controllers"), "cpu\n").expect("written");
        assert!(Cgroup::at(tree.path(), 1).is_err_and(|why| why.contains("memory controller")));
        fs::write(tree.path().join("cgroup.controllers"), "memory\n").expect("written");
        fs::write(tree.path().join("cgroup.procs"), "1\n").expect("written");
        assert!(Cgroup::at(tree.path(), 1).is_err_and(|why| why.contains("other processes")));
    }
}
