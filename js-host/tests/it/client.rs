//! The daemon's part, as small as it can be: spawn a host, speak with it, wait for it.

use sl_js_protocol::*;
use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A host process that serves one account.
pub struct Host {
    pub child: Child,
    pub stream: UnixStream,
    pub hello: Hello,
    next: u64,
}

/// What came of one run.
#[derive(Debug)]
pub struct Outcome {
    pub done: Done,
    pub logs: Vec<Log>,
}

/// No answer is waited for longer than this: a host that hangs fails its test instead of the test run.
const PATIENCE: Duration = Duration::from_secs(20);

impl Host {
    pub fn spawn() -> Self {
        Self::spawn_with(&[])
    }

    /// Spawns a host with its socket as standard input, which is how a descriptor can be handed over without `unsafe`.
    pub fn spawn_with(flags: &[&str]) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sl-js-host"))
            .args(["--fd", "0"])
            .args(flags)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .expect("the host starts");
        ours.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut stream = ours;
        let Some(ToDaemon::Hello(hello)) = read_frame(&mut stream).expect("a frame") else {
            panic!("the first word is no hello: {:?}", child.wait());
        };
        let mut host = Self { child, stream, hello, next: 1 };
        host.send(&ToHost::Assign(Assign { account_id: "account".to_owned() }));
        host
    }

    pub fn send(&mut self, message: &ToHost) {
        write_frame(&mut self.stream, message).expect("the host takes it");
    }

    /// The next message, or `None` where the host has gone.
    pub fn receive(&mut self) -> Option<ToDaemon> {
        match read_frame(&mut self.stream) {
            Ok(message) => message,
            Err(FrameFault::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the host says nothing for {PATIENCE:?}")
            }
            Err(_) => None,
        }
    }

    pub fn id(&mut self) -> RunId {
        self.next += 1;
        RunId(self.next)
    }

    /// Runs a source with the default limits and `{}`.
    pub fn run(&mut self, source: &str) -> Outcome {
        let run = self.ask(source);
        self.perform(run)
    }

    /// A run of this source, to be changed before it is performed. Equal sources share a code key.
    pub fn ask(&mut self, source: &str) -> Run {
        let mut key = [0; 16];
        let (front, back) = key.split_at_mut(8);
        front.copy_from_slice(&hash(source, 14_695_981_039_346_656_037).to_le_bytes());
        back.copy_from_slice(&hash(source, 1_099_511_628_211).to_le_bytes());
        Run {
            id: self.id(),
            code: CodeKey(key),
            source: Source::Text(source.to_owned()),
            params_json: "{}".to_owned(),
            secrets: Secrets::default(),
            context: RunContext {
                function_id: "function".to_owned(),
                function_version: 3,
                account_id: "account".to_owned(),
                execution_id: "execution".to_owned(),
                attempt: 1,
                phase: None,
            },
            limits: RunLimits {
                cpu: Duration::from_millis(400),
                wall: Duration::from_secs(10),
                ..RunLimits::default()
            },
            options: Options::default(),
        }
    }

    /// Performs a run that fetches nothing.
    pub fn perform(&mut self, run: Run) -> Outcome {
        self.perform_with(run, |request| panic!("nothing is to be fetched: {request:?}"))
    }

    /// Performs a run; `fetch` answers what it asks from the network.
    pub fn perform_with(&mut self, run: Run, mut fetch: impl FnMut(FetchRequest) -> FetchOutcome) -> Outcome {
        self.try_perform(run, &mut fetch).expect("the host answers before it dies")
    }

    /// As [`Self::perform_with`]; `None` where the host died without an answer.
    pub fn try_perform(
        &mut self,
        run: Run,
        fetch: &mut dyn FnMut(FetchRequest) -> FetchOutcome,
    ) -> Option<Outcome> {
        let id = run.id;
        self.send(&ToHost::Run(Box::new(run)));
        let mut logs = Vec::new();
        loop {
            match self.receive()? {
                ToDaemon::Log(log) => {
                    assert_eq!(log.run, id);
                    logs.push(log);
                }
                ToDaemon::FetchRequest(request) => {
                    assert_eq!(request.run, id);
                    let (run, number) = (request.run, request.id);
                    let outcome = fetch(request);
                    self.send(&ToHost::FetchReply(FetchReply { run, id: number, outcome }));
                }
                ToDaemon::Done(done) => {
                    assert_eq!(done.run, id);
                    return Some(Outcome { done: *done, logs });
                }
                other => panic!("not an answer to a run: {other:?}"),
            }
        }
    }

    pub fn compile(&mut self, source: &str) -> Option<CompileFault> {
        let id = self.id();
        let limits = RunLimits::default();
        self.send(&ToHost::Compile(Compile { id, source: source.to_owned(), limits }));
        match self.receive() {
            Some(ToDaemon::Compiled(compiled)) => {
                assert_eq!(compiled.id, id);
                compiled.fault
            }
            other => panic!("not an answer to a compile: {other:?}"),
        }
    }

    /// Waits for the process to end.
    pub fn exit(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            std::thread::yield_now();
        }
        panic!("the host does not exit");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// What it returned, as JSON text.
    pub fn output(&self) -> &str {
        match &self.done.ending {
            Ending::Returned { output_json } => output_json,
            other => panic!("it did not return: {other:?}"),
        }
    }

    pub fn code(&self) -> Option<&'static str> {
        self.done.ending.code()
    }
}

fn hash(text: &str, seed: u64) -> u64 {
    text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211))
}
