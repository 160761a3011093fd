//! The listening server: accepts connections, and stops so that nobody is cut off.
//!
//! Every connection is served by the thread that performs the requests, so that none of them waits for another thread to
//! wake up (docs/decisions/0006-one-thread.md). That is why the workers of actix-web's own server, which are threads each,
//! are not used; what they run is.

use std::{future::poll_fn, io, net, rc::Rc, sync::Arc, time::Duration};

use actix_http::HttpService;
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactory as _, ServiceFactoryExt as _, map_config,
};
use actix_web::{App, dev::AppConfig, web};
use sl_actors::{
    Runtime,
    supervisor::{spawn_local_task, spawn_task},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
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
    pub listener: net::TcpListener,
    /// Cancelled by whoever drains the daemon: readiness fails and streams end. The server itself stops by
    /// [`Server::stop`].
    pub draining: CancellationToken,
    /// How long requests may take to finish once the server stops.
    pub drain_within: Duration,
}

/// So long before connections are closed whoever still waits for an execution is answered, at most.
const LAST_WORD: Duration = Duration::from_secs(2);
/// So long nothing is accepted after the system refused it, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The running server.
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    draining: CancellationToken,
    /// Cancelled when nothing new is accepted, and connections end with what they are being answered.
    stopping: CancellationToken,
    grace: Duration,
    /// How long after the grace connections are closed.
    within: Duration,
    /// Ends when the last connection has; aborted, it takes them along.
    serving: JoinHandle<()>,
}

/// Starts serving; called on the runtime's own thread.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(service: Service) -> io::Result<Server> {
    let Service { runtime, config, listener, draining, drain_within } = service;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let front = Front::new(runtime.clone(), config, draining.clone());
    let stopping = CancellationToken::new();
    let serving = spawn_local_task("http", accept(listener, front.clone(), stopping.clone()));
    let _ends_with_the_server = spawn_task("http_tidy", tidy(front, stopping.clone()));
    let grace = runtime.core().settings.duration(&DRAIN_GRACE);
    Ok(Server { runtime, draining, stopping, grace, within: drain_within, serving })
}

/// Accepts connections and serves them, until it is told to stop and the last of them has ended.
async fn accept(listener: TcpListener, front: Arc<Front>, stopping: CancellationToken) {
    let settings = front.runtime.core().settings.clone();
    let (most, write_deadline) = (settings.size(&CONNECTIONS), settings.duration(&WRITE_DEADLINE));
    let app = App::new()
        .default_service(web::to(move |request, payload| exchange::answer(front.clone(), request, payload)));
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    let told = stopping.clone();
    let service = HttpService::build()
        .keep_alive(settings.duration(&KEEP_ALIVE))
        .client_request_timeout(settings.duration(&HEAD_DEADLINE))
        .tcp_nodelay(true)
        .graceful_shutdown_signal(move || told.clone().cancelled_owned())
        .finish(map_config(app, |()| AppConfig::default()))
        .tcp();
    let Ok(service) = service.new_service(()).await.map(Rc::new) else {
        tracing::error!("The front end could not be made");
        return;
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            Some(_ended) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < most => match accepted {
                Ok((stream, _peer)) => {
                    cut_idle_readers(&stream, write_deadline);
                    let service = service.clone();
                    open.spawn_local(async move {
                        if poll_fn(|context| service.poll_ready(context)).await.is_ok() {
                            // What goes wrong with a connection was told to its peer, or its peer has gone.
                            let _ = service.call(stream).await;
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "A connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
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
    while until.run_until_cancelled(sleep(Duration::from_mins(1))).await.is_some() {
        front.limiter.tidy();
    }
}

impl Server {
    /// Stops: readiness fails and streams end; for the grace each answer closes its connection, so that no client sends
    /// into one that is about to go; then nothing new is accepted, and what is being answered is answered. Who waits for an
    /// execution is told how it stands before connections are closed.
    pub async fn stop(mut self) {
        self.draining.cancel();
        sleep(self.grace).await;
        self.stopping.cancel();
        let last_word = LAST_WORD.min(self.within / 2);
        if timeout(self.within.saturating_sub(last_word), &mut self.serving).await.is_err() {
            self.runtime.end_waits();
            if timeout(last_word, &mut self.serving).await.is_err() {
                self.serving.abort();
            }
        }
    }
}
