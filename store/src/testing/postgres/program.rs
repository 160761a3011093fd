//! Where the server's programs are, and how they are run.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder with `initdb` and `pg_ctl`: from `PATH`, or where Debian puts them, the newest.
pub fn folder() -> PathBuf {
    let path = setting("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        std::cmp::Reverse(version.and_then(|version| version.parse::<u32>().ok()))
    });
    folders.extend(versions);
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists()).expect(
        "these tests need PostgreSQL 14 or later: install it (Debian: `apt-get install postgresql`), put `initdb` and \
         `pg_ctl` into PATH, or name a running server's maintenance database in SERVICE_LAYER_TEST_POSTGRES",
    )
}

/// A variable of the environment.
#[allow(clippy::disallowed_methods, reason = "tests have no settings to take it from")]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A command, run as `postgres` where we are root: the server refuses to be root's.
pub fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = if Path::new("/usr/bin/setpriv").exists() {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command
    } else {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]);
        command
    };
    command.arg(program);
    command.current_dir("/");
    command
}

/// Runs a command to its end; its output is the panic's message where it fails.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        output.status.success(),
        "{command:?} fails: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Makes a folder that the server's user owns.
pub fn make_folder(folder: &Path) {
    let mut install = Command::new("install");
    install.args(["-d", "-m", "0755"]);
    if is_root() {
        install.args(["-o", "postgres", "-g", "postgres"]);
    }
    run(install.arg(folder));
}

/// Writes a file that the server's user alone reads.
pub fn write_private(file: &Path, text: &str) {
    let draft = file.with_extension("draft");
    fs::write(&draft, text).expect("the file can be written");
    let mut install = Command::new("install");
    install.args(["-m", "0600"]);
    if is_root() {
        install.args(["-o", "postgres", "-g", "postgres"]);
    }
    run(install.arg(&draft).arg(file));
    fs::remove_file(&draft).expect("the draft can be removed");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Whether a process of this id runs.
pub fn is_alive(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}
