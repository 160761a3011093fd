//! One server, with a data folder of its own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use super::program;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Sessions end, the data is written out.
    Fast,
    /// As if the power failed: the next start recovers.
    Immediate,
}

/// A server that a test starts, stops and restarts. It is gone, data and all, when it is dropped.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Makes and starts a server that listens on a port of 127.0.0.1 and on a socket.
    #[must_use]
    pub fn start() -> Self {
        Self::begin("")
    }

    /// The same with writes that survive a power cut, for measuring.
    #[must_use]
    pub fn durable() -> Self {
        Self::begin("fsync = on\nfull_page_writes = on\nautovacuum_naptime = 1min\n")
    }

    /// The same for whoever asks for TLS: with a certificate and its key, both in PEM form.
    #[must_use]
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        Self::with_files("ssl = on\n", &[("server.crt", certificate), ("server.key", key)])
    }

    fn begin(settings: &str) -> Self {
        Self::with_files(settings, &[])
    }

    /// With files of these names in the data folder.
    fn with_files(settings: &str, files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sl-postgres-{}-{number}", process::id()));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let server = Self { folder, port: port.expect("a free port").port() };
        let port = server.port;
        make(&server.folder, &format!("{settings}listen_addresses = '127.0.0.1'\nport = {port}\n"));
        for (name, text) in files {
            program::write_private(&data(&server.folder).join(name), text);
        }
        server.resume();
        server
    }

    /// The connection string of a database, over TCP.
    #[must_use]
    pub fn dsn(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port)
    }

    /// The connection string of a database, over the socket.
    #[must_use]
    pub fn socket_dsn(&self, database: &str) -> String {
        format!("host={} port={} user=postgres dbname={database}", self.folder.display(), self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server and waits until it has.
    pub fn stop(&self, how: Stop) {
        stop(&self.folder, how);
    }

    /// Starts a stopped server and waits until it answers.
    pub fn resume(&self) {
        start(&self.folder);
    }

    /// Stops and starts it.
    pub fn restart(&self, how: Stop) {
        self.stop(how);
        self.resume();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = control(&self.folder, &["stop", "-m", "immediate"]).output();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes a data folder, with settings that suit tests: nothing survives a power cut, and nothing has to.
pub fn make(folder: &Path, settings: &str) {
    program::make_folder(folder);
    let data = data(folder);
    let mut initdb = program::command(&program::folder().join("initdb"));
    initdb.args(["--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--no-locale"]);
    program::run(initdb.arg("-D").arg(&data));
    let file = data.join("postgresql.conf");
    let defaults = fs::read_to_string(&file).expect("initdb writes postgresql.conf");
    let ours = format!(
        "fsync = off\nfull_page_writes = off\nmax_connections = 300\nshared_buffers = 128MB\nwal_level = minimal\n\
         max_wal_senders = 0\nautovacuum_naptime = 5s\nunix_socket_directories = '{}'\n{settings}",
        folder.display()
    );
    fs::write(&file, format!("{defaults}\n{ours}")).expect("postgresql.conf can be written");
}

/// Starts the server of a data folder and waits until it answers.
pub fn start(folder: &Path) {
    let log = folder.join("log");
    program::run(control(folder, &["start", "-w", "-t", "60", "-l"]).arg(log));
}

/// Stops the server of a data folder and waits until it has.
pub fn stop(folder: &Path, how: Stop) {
    let mode = match how {
        Stop::Fast => "fast",
        Stop::Immediate => "immediate",
    };
    program::run(&mut control(folder, &["stop", "-w", "-m", mode]));
}

/// `pg_ctl` for a data folder.
pub fn control(folder: &Path, arguments: &[&str]) -> process::Command {
    let mut command = program::command(&program::folder().join("pg_ctl"));
    command.arg("-D").arg(data(folder)).args(arguments);
    // The server lives on with what it inherits, so it must not inherit the pipes of whoever waits for the test's output.
    command.stdin(process::Stdio::null());
    command
}

/// The data folder within a server's folder.
pub fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
