//! Hints: at once to whoever watches here, by NOTIFY to other daemons.
//!
//! A NOTIFY inside a writing transaction serialises all commits of the database, so it goes in a transaction of its own,
//! and what comes in quick succession goes as one.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_postgres::Pool;
use tokio::sync::{Notify, broadcast};
use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use crate::{Batch, Clock as _, Hint, SystemClock, Write, backend::SOON};

/// How many hints a slow watcher may fall behind before it loses some.
const CAPACITY: usize = 4096;

/// How long hints are collected into one notification.
const SPACING: Duration = Duration::from_millis(5);

/// How long the listener waits before it connects again.
const RECONNECT: Duration = Duration::from_millis(250);

/// The longest text of one notification; the server's own bound is 8,000 bytes.
const LONGEST: usize = 7_000;

/// The channel of the database.
const CHANNEL: &str = "service_layer";

/// Where hints go; cheap to clone.
#[derive(Clone)]
pub struct Hints {
    /// Which daemon this is, so that its own notifications can be told apart.
    sender: Uuid,
    local: broadcast::Sender<Hint>,
    waiting: Arc<Mutex<BTreeSet<String>>>,
    wake: Arc<Notify>,
}

impl Hints {
    /// Hints of one daemon, named by a random id.
    pub fn new(sender: Uuid) -> Self {
        let local = broadcast::Sender::new(CAPACITY);
        Self { sender, local, waiting: Arc::default(), wake: Arc::default() }
    }

    /// Hints from now on.
    pub fn watch(&self) -> broadcast::Receiver<Hint> {
        self.local.subscribe()
    }

    /// Tells lines of [`what_changed`].
    pub fn tell_all(&self, mut told: BTreeSet<String>) {
        for line in &told {
            self.tell(line);
        }
        if !told.is_empty() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).append(&mut told);
            self.wake.notify_one();
        }
    }

    fn tell(&self, line: &str) {
        if let Some(hint) = hint(line) {
            // Nobody watches: nothing to tell.
            let _ = self.local.send(hint);
        }
    }

    /// Sends what is waiting to other daemons, for ever. What comes first waits too: the answers to whoever committed go
    /// before it.
    pub async fn notify(self, pool: Pool) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(SPACING).await;
            let lines = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            for text in texts(self.sender, lines) {
                if let Err(error) = notify(&pool, &text).await {
                    tracing::debug!(error, "A notification was not sent; other daemons find out by polling");
                }
            }
        }
    }

    /// Hears what other daemons send, for ever, over a connection of its own.
    pub async fn listen(self, config: Config, tls: MakeRustlsConnect) {
        loop {
            if let Err(error) = self.hear(&config, &tls).await {
                tracing::debug!(%error, "The listener lost its connection and connects again");
            }
            tokio::time::sleep(RECONNECT).await;
            self.tell(EVENTS);
        }
    }

    async fn hear(&self, config: &Config, tls: &MakeRustlsConnect) -> Result<(), tokio_postgres::Error> {
        let (client, mut connection) = config.connect(tls.clone()).await?;
        let listening = async {
            #[allow(
                clippy::disallowed_methods,
                reason = "LISTEN belongs to the session, not to a transaction"
            )]
            let listening = client.batch_execute(&format!("LISTEN {CHANNEL}")).await;
            if listening.is_ok() {
                std::future::pending::<()>().await;
            }
            listening
        };
        tokio::pin!(listening);
        loop {
            tokio::select! {
                ended = &mut listening => return ended,
                message = poll_fn(|context| connection.poll_message(context)) => match message {
                    Some(Ok(AsyncMessage::Notification(notification))) => self.heard(notification.payload()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
            }
        }
    }

    fn heard(&self, text: &str) {
        let mut lines = text.lines();
        if lines.next() != Some(self.sender.to_string().as_str()) {
            lines.for_each(|line| self.tell(line));
        }
    }
}

/// One text for all lines, or several where they are too long for one.
fn texts(sender: Uuid, lines: BTreeSet<String>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut().filter(|text| text.len() + line.len() < LONGEST) {
            Some(text) => {
                text.push('\n');
                text.push_str(&line);
            }
            None => texts.push(format!("{sender}\n{line}")),
        }
    }
    texts
}

async fn notify(pool: &Pool, text: &str) -> Result<(), String> {
    let client = pool.get().await.map_err(|error| error.to_string())?;
    let statement =
        client.prepare_cached("SELECT pg_notify($1, $2)").await.map_err(|error| error.to_string())?;
    client.execute(&statement, &[&CHANNEL, &text]).await.map(drop).map_err(|error| error.to_string())
}

const EVENTS: &str = "events";

/// What a group may have changed, as lines; items of the duties `given_back` were released or put off.
pub fn what_changed(batches: &[&Batch], given_back: &[String]) -> BTreeSet<String> {
    let given_back = given_back.iter().map(|duty| format!("work {duty}"));
    given_back.chain(batches.iter().flat_map(|batch| of(batch))).collect()
}

/// What a batch may have changed, as lines.
fn of(batch: &Batch) -> impl Iterator<Item = String> {
    let rows = batch.writes.iter().map(|write| {
        let (Write::Put { table, .. } | Write::Remove { table, .. } | Write::Sweep { table, .. }) = write;
        format!("rows {}", table.name)
    });
    let soon = SystemClock.now() + SOON;
    let work = batch.work.iter().filter(move |new| new.lease.is_none() && new.due_at <= soon);
    let work = work.map(|new| format!("work {}", new.duty));
    let withdrawn = batch.withdrawn.iter().map(|subject| format!("withdrawn {}", subject.account));
    let events = (!batch.events.is_empty()).then(|| EVENTS.to_owned());
    rows.chain(work).chain(withdrawn).chain(events)
}

fn hint(line: &str) -> Option<Hint> {
    match line.split_once(' ') {
        Some(("work", duty)) => Some(Hint::Work(duty.to_owned())),
        Some(("withdrawn", account)) => account.parse().ok().map(Hint::Withdrawn),
        Some(("rows", table)) => Some(Hint::Rows(table.to_owned())),
        None if line == EVENTS => Some(Hint::Events),
        _ => None,
    }
}
