//! The real program, as a process of its own.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{TOKEN, client::Client};

/// A program of the workspace, built beside this test.
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows where it is");
    let built = tests.ancestors().nth(2).expect("target/<profile>/deps").join(name);
    assert!(built.exists(), "{} is not built: cargo build --workspace --bins", built.display());
    built
}

/// A running `sld`, killed where the test lets go of it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where it serves: `http://127.0.0.1:1234`.
    pub base: String,
}

impl Daemon {
    /// Starts `sld serve` on a free port with these variables, and waits until it serves.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::try_start(variables).unwrap_or_else(|(status, log)| panic!("sld ended with {status}:\n{log}"))
    }

    /// The same; where the daemon refuses to start, how it ended and what it said.
    pub fn try_start(variables: &[(&str, &str)]) -> Result<Self, (ExitStatus, String)> {
        let mut child = command("serve", variables).spawn().expect("sld is spawned");
        let log = Arc::new(Mutex::new(Vec::new()));
        let said = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let kept = log.clone();
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut daemon = Self { child, log, base: String::new() };
        let began = Instant::now();
        while daemon.base.is_empty() {
            if let Some(status) = daemon.child.try_wait().expect("a child can be waited for") {
                // What it said last may still be on its way through the pipe.
                thread::sleep(Duration::from_millis(50));
                return Err((status, daemon.log()));
            }
            assert!(began.elapsed() < Duration::from_secs(30), "sld does not serve:\n{}", daemon.log());
            daemon.base = daemon.address().map(|address| format!("http://{address}")).unwrap_or_default();
            thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }

    /// The address in the line that says so.
    fn address(&self) -> Option<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let line = log.iter().find(|line| line.contains("\"msg\":\"[SERVE") || line.contains("Serving"))?;
        let said: serde_json::Value = serde_json::from_str(line).ok()?;
        said["address"].as_str().map(str::to_owned)
    }

    /// A client with the operator's token.
    pub fn client(&self) -> Client {
        Client::new(&self.base, TOKEN)
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `KILL`, `STOP`, `CONT`, `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.id())).status();
        assert!(sent.expect("a shell runs").success(), "SIG{name} to {}", self.id());
    }

    /// Waits for the end; fails after `within`.
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(began.elapsed() < within, "sld still runs after {within:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it as a machine dies: without a word.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `sld VERB` with these variables and no others of ours.
pub fn command(verb: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program("sld"));
    command
        .arg(verb)
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        .env("SERVICE_LAYER_LISTEN", "127.0.0.1:0")
        .env("API_TOKENS", format!("tester:{TOKEN}"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The resident memory of a process in bytes.
pub fn resident(process: u32) -> u64 {
    let mut text = String::new();
    let path = Path::new("/proc").join(process.to_string()).join("status");
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).expect("the process runs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}
