//! The sandbox, with a host that lies (`rogue`) and with the real one (`real`).

mod pool;
mod real;
mod rogue;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use ractor::{Actor as _, ActorRef};
use serde_json::Value;
use sl_actors::{
    sandbox::{
        Ending, Failure, FetchRequest, FetchResponse, HostCalls, HostProgram, LogLine, Options, Report, Run,
        RunContext, RunLimits, Sandbox, SandboxLimits,
    },
    supervisor::{HealthBoard, Supervisor, SupervisorMessage},
};
use sl_store::{Code, Fault};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A program of this workspace, built where it is missing.
pub(crate) fn program(package: &str, kind: &str, name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let folder = deps.parent().and_then(Path::parent).unwrap();
    let path = folder.join(if kind == "--example" { "examples" } else { "." }).join(name);
    if !path.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", package, kind, name]).status().unwrap();
        assert!(built.success() && path.exists(), "{name} cannot be built");
    }
    path
}

/// A sandbox under a supervisor of its own.
struct Bench {
    sandbox: Sandbox,
    root: ActorRef<SupervisorMessage>,
}

impl Bench {
    async fn start(limits: SandboxLimits, program: HostProgram) -> Self {
        let sandbox = Sandbox::new(limits, program).unwrap();
        let arguments = (vec![sandbox.child()], HealthBoard::default());
        let (root, _) = Supervisor::spawn(None, Supervisor, arguments).await.unwrap();
        Self { sandbox, root }
    }

    async fn rogue(limits: SandboxLimits) -> Self {
        Self::start(limits, rogue_host("")).await
    }

    async fn run(&self, account: u128, params: &str) -> Report {
        self.sandbox
            .run(run(account, params), Arc::new(Calls::default()), CancellationToken::new())
            .await
            .unwrap()
    }

    /// Waits until the sandbox is as it should be; fails where that takes longer than `within`.
    async fn until(
        &self,
        within: Duration,
        what: &str,
        right: impl Fn(&sl_actors::sandbox::SandboxStatus) -> bool,
    ) {
        let began = Instant::now();
        while !right(&self.sandbox.status()) {
            assert!(began.elapsed() < within, "{what}: {:?}", self.sandbox.status());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn stop(self) {
        self.sandbox.drain(Duration::from_secs(1)).await;
        self.root.stop(None);
    }
}

fn rogue_host(manner: &str) -> HostProgram {
    let path = program("sl-js-protocol", "--example", "rogue_host");
    HostProgram { path, arguments: [manner].iter().filter(|word| !word.is_empty()).map(Into::into).collect() }
}

fn small() -> SandboxLimits {
    let cooling = Duration::ZERO;
    SandboxLimits { warm: 1, hosts: 4, account_hosts: 2, cooling, ..SandboxLimits::default() }
}

fn run(account: u128, params: &str) -> Run {
    Run {
        account: Uuid::from_u128(account),
        version_id: Uuid::from_u128(account),
        source: Arc::from("export default () => ({})"),
        params_json: params.to_owned(),
        secrets: [("API_KEY".to_owned(), "s3cret".to_owned().into())].into(),
        context: RunContext::default(),
        limits: RunLimits::default(),
        options: Options::default(),
    }
}

/// The middle one: what holds of it does not hang on one moment at which the machine did something else.
fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn output(report: &Report) -> Value {
    match &report.ending {
        Ending::Returned { output, .. } => serde_json::from_str(output.get()).unwrap(),
        Ending::Failed(failure) => panic!("it failed: {failure:?}"),
    }
}

fn failure(report: &Report) -> &Failure {
    match &report.ending {
        Ending::Failed(failure) => failure,
        Ending::Returned { output, .. } => panic!("it returned {output}"),
    }
}

/// Keeps lines, and answers fetches by their URL.
#[derive(Default)]
struct Calls(Mutex<Vec<LogLine>>);

impl HostCalls for Calls {
    fn log(&self, line: &LogLine) {
        self.0.lock().unwrap().push(line.clone());
    }

    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, Fault>> {
        Box::pin(async move {
            match request.url.as_str() {
                "http://never.test/" => std::future::pending().await,
                "http://denied.test/" => Err(Fault::new(Code::Denied, "not there")),
                "http://large.test/" => {
                    Ok(FetchResponse { body: vec![0; 9 << 20], ..FetchResponse::default() })
                }
                url => Ok(FetchResponse { status: 200, url: url.to_owned(), ..FetchResponse::default() }),
            }
        })
    }
}
