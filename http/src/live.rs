//! Live streams as server-sent events (WHATWG HTML, section 9.2), each fed by an actor of its own.
//!
//! A session reads its source page by page, only as fast as the client takes what it is sent: one page waits in a
//! channel of one, and a client that leaves it there for longer than the write deadline is let go. Hints wake the
//! session; a slow poll makes up for lost ones. Its token is looked at again with every look, so that a revoked token's
//! streams end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{
    Actor, ActorContext as _, AsyncContext as _, Context, WrapFuture as _, fut::ActorFutureExt as _,
};
use actix_web::web::Bytes;
use futures_util::{FutureExt as _, Stream, future::BoxFuture, stream};
use sl_actors::{Code, Core, Fault, Hint, settings::Settings};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    auth,
    front::Front,
    operation::Performer,
    settings::{ACCOUNT_STREAMS, STREAM_KEEP_ALIVE, STREAM_POLL, STREAMS, WRITE_DEADLINE},
};

/// What comes next on a stream.
#[derive(Debug, Default)]
pub struct News {
    /// Frames as they are sent; may be empty.
    pub frames: String,
    /// Whether there is more at once.
    pub more: bool,
    /// Whether nothing will follow.
    pub ended: bool,
}

/// Where the frames of a stream come from.
pub trait Source: Send + 'static {
    /// The news since the last call.
    fn next<'a>(&'a mut self, core: &'a Arc<Core>) -> BoxFuture<'a, Result<News, Fault>>;
}

/// Writes one frame: `id`, `event` and one line of `data`, which is JSON and has no line breaks.
pub fn frame(frames: &mut String, id: Option<&str>, event: &str, data: &str) {
    use std::fmt::Write as _;
    if let Some(id) = id {
        let _strings_take_all = writeln!(frames, "id: {id}");
    }
    let _strings_take_all = write!(frames, "event: {event}\ndata: {data}\n\n");
}

/// The places for live streams.
#[derive(Clone, Debug)]
pub struct Live {
    seats: Arc<Semaphore>,
    most: u64,
    accounts: Arc<Mutex<HashMap<Uuid, u64>>>,
    most_of_account: u64,
}

/// A place for a live stream.
#[derive(Debug)]
struct Seat {
    _permit: OwnedSemaphorePermit,
    account: Uuid,
    accounts: Arc<Mutex<HashMap<Uuid, u64>>>,
}

impl Live {
    pub(crate) fn new(core: &Core) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(core.settings.size(&STREAMS))),
            most: core.settings.count(&STREAMS),
            accounts: Arc::default(),
            most_of_account: core.settings.count(&ACCOUNT_STREAMS),
        }
    }

    /// How many live streams of an account there are.
    pub fn of(&self, account: Uuid) -> u64 {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).copied().unwrap_or(0)
    }

    fn seat(&self, account: Uuid) -> Result<Seat, Fault> {
        let seat = self.seats.clone().try_acquire_owned().map_err(|_| {
            Fault::new(Code::Unavailable, "the daemon has no place for another live stream").limited(
                STREAMS.name,
                self.most,
                self.most,
            )
        })?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = accounts.entry(account).or_default();
        if *taken >= self.most_of_account {
            return Err(Fault::new(Code::QuotaExceeded, "the account has no place for another live stream")
                .limited(ACCOUNT_STREAMS.name, self.most_of_account, *taken));
        }
        *taken += 1;
        Ok(Seat { _permit: seat, account, accounts: self.accounts.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = accounts.get_mut(&self.account) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                accounts.remove(&self.account);
            }
        }
    }
}

/// A stream that is about to begin.
pub struct Session {
    core: Arc<Core>,
    draining: CancellationToken,
    still: Box<dyn Fn() -> BoxFuture<'static, bool> + Send>,
    source: Option<Box<dyn Source>>,
    _seat: Seat,
    pace: Pace,
}

#[derive(Clone, Copy)]
struct Pace {
    poll: Duration,
    keep_alive: Duration,
    write_deadline: Duration,
}

impl Pace {
    fn new(settings: &Settings) -> Self {
        Self {
            poll: settings.duration(&STREAM_POLL),
            keep_alive: settings.duration(&STREAM_KEEP_ALIVE),
            write_deadline: settings.duration(&WRITE_DEADLINE),
        }
    }
}

impl Session {
    /// Takes a place for a stream of this source.
    ///
    /// # Errors
    /// [`Code::Unavailable`] or [`Code::QuotaExceeded`] where there is none; [`Code::Paused`] while the daemon drains.
    pub fn open(performer: &Performer, source: impl Source) -> Result<Self, Fault> {
        let front = performer.front.clone();
        if front.draining.is_cancelled() {
            return Err(Fault::new(Code::Paused, "the daemon drains; its streams have ended"));
        }
        let core = front.runtime.core().clone();
        let token = performer.token.clone();
        Ok(Self {
            draining: front.draining.clone(),
            source: Some(Box::new(source)),
            _seat: front.live.seat(performer.account)?,
            pace: Pace::new(&core.settings),
            still: Box::new(move || is_still_known(front.clone(), token.clone()).boxed()),
            core,
        })
    }

    /// Begins; called on the worker that holds the connection.
    pub(crate) fn begin(self) -> impl Stream<Item = Bytes> + 'static {
        let (sender, receiver) = mpsc::channel(1);
        let hints = self.core.store.watch();
        let now = Instant::now();
        SessionActor { session: self, sender, hints: Some(hints), sent: now, again: false }.start();
        stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
    }
}

/// Whether the token that opened a stream is still good; a store that does not answer is no reason to doubt it.
async fn is_still_known(front: Arc<Front>, token: String) -> bool {
    let known = auth::caller(front.runtime.core(), &front.config.operators, &token).await;
    known.err().is_none_or(|fault| fault.code != Code::Unauthorized)
}

struct SessionActor {
    session: Session,
    sender: mpsc::Sender<Bytes>,
    hints: Option<broadcast::Receiver<Hint>>,
    sent: Instant,
    again: bool,
}

/// How a look ended.
struct Looked {
    source: Box<dyn Source>,
    sent: bool,
    more: bool,
    ended: bool,
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        // A comment at once, so that the client knows that it is heard.
        let _first_of_an_empty_channel = self.sender.try_send(Bytes::from_static(b"retry: 1000\n\n"));
        let draining = self.session.draining.clone();
        let gone = self.sender.clone();
        let ends = async move {
            tokio::select! { () = draining.cancelled() => {}, () = gone.closed() => {} }
        };
        context.spawn(ends.into_actor(self).map(|(), _, context| context.stop()));
        context.run_interval(self.session.pace.poll, Self::look);
        self.listen(context);
        self.look(context);
    }
}

impl SessionActor {
    /// Waits for the next hint of events.
    fn listen(&mut self, context: &mut Context<Self>) {
        let Some(mut hints) = self.hints.take() else { return };
        let hinted = async move {
            loop {
                match hints.recv().await {
                    Ok(Hint::Events) | Err(broadcast::error::RecvError::Lagged(_)) => return Some(hints),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        context.spawn(hinted.into_actor(self).map(|hints, actor, context| {
            actor.hints = hints;
            actor.look(context);
            actor.listen(context);
        }));
    }

    /// Looks for news and sends them; one look at a time.
    fn look(&mut self, context: &mut Context<Self>) {
        let Some(source) = self.session.source.take() else {
            self.again = true;
            return;
        };
        self.again = false;
        let quiet = self.sent.elapsed() >= self.session.pace.keep_alive;
        let still = (self.session.still)();
        let look =
            look(source, self.session.core.clone(), still, self.sender.clone(), quiet, self.session.pace);
        context.spawn(look.into_actor(self).map(|looked, actor, context| actor.looked(looked, context)));
    }

    fn looked(&mut self, looked: Option<Looked>, context: &mut Context<Self>) {
        let Some(looked) = looked.filter(|looked| !looked.ended) else {
            context.stop();
            return;
        };
        if looked.sent {
            self.sent = Instant::now();
        }
        self.session.source = Some(looked.source);
        if looked.more || self.again {
            self.look(context);
        }
    }
}

/// One look: `None` where the stream is over.
async fn look(
    mut source: Box<dyn Source>,
    core: Arc<Core>,
    still: BoxFuture<'static, bool>,
    sender: mpsc::Sender<Bytes>,
    quiet: bool,
    pace: Pace,
) -> Option<Looked> {
    if !still.await {
        return None;
    }
    let mut news = match source.next(&core).await {
        Ok(news) => news,
        // The store will be back: the client keeps its place.
        Err(fault) if fault.code == Code::Unavailable => News::default(),
        Err(fault) => {
            tracing::warn!(%fault, "A live stream ends because its source failed");
            return None;
        }
    };
    if news.frames.is_empty() && quiet {
        news.frames.push_str(": still here\n\n");
    }
    let sent = !news.frames.is_empty();
    if sent {
        timeout(pace.write_deadline, sender.send(news.frames.into())).await.ok()?.ok()?;
    }
    Some(Looked { source, sent, more: news.more, ended: news.ended })
}
