//! Starting host processes, and staying with each until it has ended.

use std::{
    ffi::OsString,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, mpsc},
};

use command_fds::{CommandFdExt as _, FdMapping};
use sl_js_protocol::HOST_SOCKET_FD;
use sl_store::Fault;
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{SetOnce, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{
    cgroup::{Cell, Cgroup},
    host::{Fate, Host, HostId, greet},
    pool::Pool,
    wire::{Incoming, Outgoing, ends},
};

/// So much of what a host wrote to its standard error is kept for the log.
const DIAGNOSIS_BYTES: u64 = 4 << 10;

/// How host processes are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProgram {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl HostProgram {
    /// `sl-js-host` in the folder of the running executable, without arguments.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the system does not tell that folder.
    pub fn beside_this_one() -> Result<Self, Fault> {
        let this = std::env::current_exe().map_err(Fault::internal)?;
        Ok(Self { path: this.with_file_name("sl-js-host"), arguments: Vec::new() })
    }
}

/// The thread that starts processes. It is one thread for the pool's whole life, because a host asks the kernel to die
/// with its parent, and for the kernel the parent is the thread: a worker that retires would take its hosts along.
#[derive(Debug)]
pub(super) struct Spawner(mpsc::Sender<oneshot::Sender<io::Result<Started>>>);

/// A process and this end of its socket.
#[derive(Debug)]
pub(super) struct Started {
    child: Child,
    socket: (Incoming, Outgoing),
    errors: Option<OwnedFd>,
}

impl Spawner {
    /// Starts the thread. Must be called within the runtime that will wait for the processes.
    pub(super) fn start(program: HostProgram) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel::<oneshot::Sender<io::Result<Started>>>();
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        std::thread::Builder::new().name("js-host-spawner".to_owned()).spawn(move || {
            let _within = runtime.enter();
            while let Ok(answer) = asked.recv() {
                // Nobody waits any more when the pool has gone; the process is killed with the answer.
                let _ = answer.send(spawn(&program));
            }
        })?;
        Ok(Self(ask))
    }

    pub(super) async fn spawn(&self) -> io::Result<Started> {
        let gone = || io::Error::other("the thread that starts hosts has ended");
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(program: &HostProgram) -> io::Result<Started> {
    let (ours, theirs) = UnixStream::pair()?;
    let (errors, their_errors) = io::pipe()?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(their_errors)
        .current_dir("/")
        // A signal from the terminal is for the daemon, which drains its hosts.
        .process_group(0)
        .kill_on_drop(true)
        .fd_mappings(vec![FdMapping { parent_fd: theirs.into(), child_fd: HOST_SOCKET_FD }])
        .map_err(io::Error::other)?;
    let child = command.spawn()?;
    Ok(Started { child, socket: ends(ours)?, errors: Some(errors.into()) })
}

/// Brings a process up, hands it to the pool, and stays until it has ended.
pub(super) async fn live(pool: Arc<Pool>, id: HostId, doom: CancellationToken) {
    let mut started = match pool.spawner.spawn().await {
        Ok(started) => started,
        Err(error) => return pool.stillborn(id, &format!("it could not be started: {error}")),
    };
    let Some(pid) = started.child.id() else {
        return pool.stillborn(id, "it ended at once");
    };
    let cell = pool.cgroup.as_ref().ok().and_then(|cgroup| enrol(cgroup, id, pid));
    let fate = Arc::new(SetOnce::new());
    let greeting = tokio::select! {
        greeting = greet(&mut started.socket.0, pool.limits.start) => greeting,
        () = doom.cancelled() => Err("it was not wanted any more".to_owned()),
    };
    match greeting {
        Ok(hello) => {
            let host = Host::new(id, pid, started.socket, hello, doom.clone(), fate.clone());
            pool.arrived(host);
            let ended = outlive(&mut started.child, &doom, cell).await;
            tracing::debug!(host_pid = pid, status = ended.status, "A JavaScript host ended");
            // Set once, here.
            let _ = fate.set(ended);
            pool.ended(id);
        }
        Err(why) => {
            doom.cancel();
            let ended = outlive(&mut started.child, &doom, cell).await;
            let said = started.errors.take().map(last_words).unwrap_or_default();
            pool.stillborn(id, &format!("{why} ({}) {said}", ended.status));
        }
    }
}

fn enrol(cgroup: &Cgroup, id: HostId, pid: u32) -> Option<Cell> {
    let cell = cgroup.enrol(id, pid);
    if let Err(error) = &cell {
        tracing::warn!(host_pid = pid, %error, "A JavaScript host could not be put into its memory cgroup");
    }
    cell.ok()
}

/// Waits for the end of the process, which may be its own or ours to bring about.
async fn outlive(child: &mut Child, doom: &CancellationToken, cell: Option<Cell>) -> Fate {
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = doom.cancelled() => {
            if let Err(error) = child.start_kill() {
                tracing::debug!(%error, "A JavaScript host ended before it could be killed");
            }
            child.wait().await
        }
    };
    let status = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
    Fate { status, out_of_memory: cell.is_some_and(|cell| cell.out_of_memory()) }
}

/// What the process wrote to its standard error before it locked itself up. Its end is closed by now.
fn last_words(errors: OwnedFd) -> String {
    let mut words = Vec::new();
    // What cannot be read is only missing from a log line.
    let _ = std::fs::File::from(errors).take(DIAGNOSIS_BYTES).read_to_end(&mut words);
    String::from_utf8_lossy(&words).trim().to_owned()
}
