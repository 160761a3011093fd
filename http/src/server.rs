//! The listening server: starts the workers, and stops them so that nobody is cut off.

use std::{io, net::TcpListener, num::NonZero, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::net::TcpStream, web};
use sl_actors::{Runtime, supervisor::spawn_task};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    exchange,
    front::{Config, Front},
    settings::{CONNECTIONS, DRAIN_GRACE, HEAD_DEADLINE, KEEP_ALIVE, WRITE_DEADLINE},
};

/// What is served, and where.
#[derive(Debug)]
pub struct Service {
    /// The running system.
    pub runtime: Runtime,
    /// How the front end is configured.
    pub config: Config,
    /// Where connections come in.
    pub listener: TcpListener,
    /// Cancelled by whoever drains the daemon: readiness fails and streams end. The server itself stops by
    /// [`Server::stop`].
    pub draining: CancellationToken,
    /// How long requests may take to finish once the server stops.
    pub drain_within: Duration,
}

/// So long before connections are closed whoever still waits for an execution is answered, at most.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The running server.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    handle: ServerHandle,
    draining: CancellationToken,
    tidying: CancellationToken,
    grace: Duration,
    /// How long after the grace connections are closed.
    within: Duration,
    ended: JoinHandle<()>,
}

/// Starts serving; called on the runtime's own threads.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(service: Service) -> io::Result<Server> {
    let Service { runtime, config, listener, draining, drain_within } = service;
    let settings = runtime.core().settings.clone();
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = config.workers.unwrap_or_else(cores);
    let front = Front::new(runtime.clone(), config, draining.clone());
    let shared = front.clone();
    let write_deadline = settings.duration(&WRITE_DEADLINE);
    let grace = settings.duration(&DRAIN_GRACE);
    // The server counts in seconds.
    let within = Duration::from_secs(drain_within.as_secs().max(1));
    listener.set_nonblocking(true)?;
    let server = HttpServer::new(move || {
        let front = shared.clone();
        App::new().default_service(web::to(move |request, payload| {
            exchange::answer(front.clone(), request, payload)
        }))
    })
    .workers(workers)
    .keep_alive(settings.duration(&KEEP_ALIVE))
    .client_request_timeout(settings.duration(&HEAD_DEADLINE))
    .max_connections(settings.size(&CONNECTIONS))
    .shutdown_timeout(within.as_secs())
    .tcp_nodelay(true)
    .disable_signals()
    .on_connect(move |connection, _| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            cut_idle_readers(stream, write_deadline);
        }
    })
    .listen(listener)?
    .run();
    let handle = server.handle();
    let ended = spawn_task("http", async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "The HTTP server ended with an error");
        }
    });
    let tidying = CancellationToken::new();
    let _ends_with_the_server = spawn_task("http_tidy", tidy(front, tidying.clone()));
    Ok(Server { runtime, handle, draining, tidying, grace, within, ended })
}

/// Lets the kernel cut a connection whose peer takes nothing for so long (`tcp(7)`, `TCP_USER_TIMEOUT`): an answer that
/// nobody reads is no reason to keep it.
fn cut_idle_readers(stream: &TcpStream, deadline: Duration) {
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(deadline)) {
        tracing::debug!(%error, "A connection has no write deadline");
    }
}

/// Forgets now and then what no longer counts.
async fn tidy(front: Arc<Front>, until: CancellationToken) {
    while until.run_until_cancelled(tokio::time::sleep(Duration::from_mins(1))).await.is_some() {
        front.limiter.tidy();
    }
}

impl Server {
    /// Stops: readiness fails and streams end; for the grace each answer closes its connection, so that no client sends
    /// into one that is about to go; then nothing new is accepted, and what is being answered is answered. Who waits for an
    /// execution is told how it stands before connections are closed.
    pub async fn stop(self) {
        self.draining.cancel();
        tokio::time::sleep(self.grace).await;
        let mut stopping = std::pin::pin!(self.handle.stop(true));
        let patience = self.within.saturating_sub(LAST_WORD.min(self.within / 2));
        if tokio::time::timeout(patience, stopping.as_mut()).await.is_err() {
            self.runtime.end_waits();
            stopping.await;
        }
        self.tidying.cancel();
        if let Err(error) = self.ended.await {
            tracing::error!(%error, "The HTTP server did not end well");
        }
    }

    /// Stops at once; connections are closed.
    pub async fn abort(self) {
        self.draining.cancel();
        self.handle.stop(false).await;
        self.tidying.cancel();
    }
}
