//! The unit that systemd runs: what it still exposes, measured by systemd's own yardstick.

use std::process::Command;

use super::{read, root};

/// In tenths, as `--threshold` wants it.
const EXPOSURE: &str = "15";

#[test]
fn the_unit_exposes_little() {
    let output = Command::new("systemd-analyze")
        .args([
            "security",
            "--offline=true",
            "--no-pager",
            &format!("--threshold={EXPOSURE}"),
            "systemd/sld.service",
        ])
        .current_dir(root())
        .output()
        .expect("systemd-analyze runs (Debian's package systemd)");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = said.lines().filter(|line| line.starts_with('✗')).collect();
    let overall = said.lines().find(|line| line.contains("Overall exposure")).unwrap_or("nothing was said");
    assert!(output.status.success(), "{overall}\n{}", failed.join("\n"));
}

#[test]
fn the_unit_keeps_what_the_daemon_needs() {
    let unit = read("systemd/sld.service");
    for line in ["Type=notify", "WatchdogSec=30", "RestartPreventExitStatus=78", "KillMode=mixed"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    assert!(!unit.contains("MemoryDenyWriteExecute=yes"), "the JavaScript hosts compile what they run");
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("a stop limit");
    assert!(stop.parse::<u64>().expect("seconds") > 30, "the drain has its 30 s");
}
