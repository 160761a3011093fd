//! The server that all test processes share.

use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use super::{program, server};

/// The port, which only names the socket.
const PORT: u16 = 5432;

/// After how many minutes without a test the server goes.
const IDLE_MINUTES: u32 = 20;

/// The connection string of the maintenance database, once the server runs.
pub fn dsn() -> String {
    if let Some(dsn) = program::setting("SERVICE_LAYER_TEST_POSTGRES") {
        return dsn;
    }
    let folder = folder();
    let _lock = lock("server");
    if !answers(&folder) {
        renew(&folder);
    }
    fs::write(folder.join("used"), "").expect("the server's folder can be written");
    format!("host={} port={PORT} user=postgres dbname=postgres", folder.display())
}

/// Keeps other test processes out until it is dropped.
pub fn lock(name: &str) -> File {
    let path = std::env::temp_dir().join(format!("sl-postgres-shared.{name}.lock"));
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.lock().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file
}

fn folder() -> PathBuf {
    std::env::temp_dir().join("sl-postgres-shared")
}

fn answers(folder: &Path) -> bool {
    UnixStream::connect(folder.join(format!(".s.PGSQL.{PORT}"))).is_ok()
}

/// Clears away what a dead server left, and starts a new one.
fn renew(folder: &Path) {
    if folder.exists() {
        let _ = server::control(folder, &["stop", "-m", "immediate"]).output();
        fs::remove_dir_all(folder).expect("what a dead server left can be removed");
    }
    server::make(folder, &format!("listen_addresses = ''\nport = {PORT}\n"));
    server::start(folder);
    watch(folder);
}

/// Leaves a watcher behind that stops the server and removes its data when no test has used it for a while.
fn watch(folder: &Path) {
    let script = format!(
        "while [ -n \"$(find '{folder}/used' -mmin -{IDLE_MINUTES} 2>/dev/null)\" ]; do sleep 60; done; \
         '{programs}/pg_ctl' -D '{folder}/data' stop -m immediate; rm -rf '{folder}'",
        folder = folder.display(),
        programs = program::folder().display(),
    );
    fs::write(folder.join("used"), "").expect("the server's folder can be written");
    let mut watcher = program::command(Path::new("/bin/sh"));
    watcher.args(["-c", &script]);
    let mut detached = Command::new("/bin/sh");
    detached.args(["-c", "setsid \"$@\" </dev/null >/dev/null 2>&1 &", "sh"]).current_dir("/");
    program::run(detached.arg(watcher.get_program()).args(watcher.get_args()));
}
