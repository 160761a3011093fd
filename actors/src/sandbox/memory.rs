//! How much memory a process has.

/// Resident memory of the process, in bytes; none where it has ended.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_process_tells_its_resident_memory() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t   15360 kB\nThreads:\t1\n"), Some(15_728_640));
        assert_eq!(parse("Name:\tzombie\n"), None);
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 100_000));
    }
}
